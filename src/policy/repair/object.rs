//! Calls that are written as JSON objects: `{"name":…,"arguments":{…}}`.

use super::escapes;
use super::offered::{Call, Offered};
use crate::wire::json::{Kind, Members, Raw};
use bytes::Bytes;

/// How often arguments may be wrapped into a string. Seen: once, and twice.
const MAX_WRAPPINGS: usize = 2;

/// The object that a text is, or that the string holds that a text is.
pub fn unwrapped(text: &str) -> Option<Raw> {
    let mut value = parse(text)?;
    for _ in 0..MAX_WRAPPINGS {
        let Some(inner) = value.text() else { break };
        value = parse(&inner)?;
    }
    (value.kind() == Kind::Object).then_some(value)
}

/// The one call that stands between tags; arguments may be left out.
pub(super) fn tagged(text: &str, offered: &Offered) -> Option<Call> {
    call(&parse(text)?.members()?, offered)
}

/// The calls that a text is as a whole: an object, or an array of nothing else.
pub(super) fn whole(text: &str, offered: &Offered) -> Option<Vec<Call>> {
    let value = parse(text)?;
    let items = match value.kind() {
        Kind::Array => value.items()?,
        _ => vec![value],
    };
    let explicit = |item: &Raw| {
        let members = item.members()?;
        let has_arguments = members.some("arguments").or(members.some("parameters")).is_some();
        if has_arguments { call(&members, offered) } else { None }
    };
    let calls: Option<Vec<Call>> = items.iter().map(explicit).collect();
    calls.filter(|calls| !calls.is_empty())
}

/// A JSON value, with its escapes made legal where it is none without.
fn parse(text: &str) -> Option<Raw> {
    let parsed = Raw::parse(&Bytes::copy_from_slice(text.as_bytes())).ok();
    parsed.or_else(|| Raw::parse(&Bytes::from(escapes::repaired(text))).ok())
}

fn call(members: &Members, offered: &Offered) -> Option<Call> {
    const KNOWN: [&str; 5] = ["name", "arguments", "parameters", "id", "type"];
    if members.iter().any(|(key, _)| !KNOWN.contains(&key)) {
        return None;
    }
    let name = members.text("name")?;
    let arguments = match (members.some("arguments"), members.some("parameters")) {
        (Some(arguments), None) | (None, Some(arguments)) => unwrapped(arguments.as_str())?,
        (None, None) => Raw::from_static("{}"),
        (Some(_), Some(_)) => return None,
    };
    offered.call(&name, &arguments)
}
