//! A request body of either API: members as they came, and the list of messages among them.

use super::json::{self, Members, MembersSeed, Raw, SeqSeed};
use super::scan;
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// How deep a body may be nested. Chosen: serde_json's own limit, far beyond any schema.
const MAX_DEPTH: usize = 128;

/// A request body that holds `messages`.
///
/// Nobody's change means: written as the bytes that came. After a change, every value that was not
/// touched still leaves as its own text (D01).
#[derive(Debug, Clone, Default)]
pub struct Body {
    members: Members,
    messages: Vec<Members>,
    source: Option<Bytes>,
}

impl Body {
    /// A body that is being written.
    pub fn new(model: &str, messages: Vec<Members>) -> Self {
        let members = Members::new().with("model", Raw::of(model)).with("messages", Raw::NULL);
        Self { members, messages, source: None }
    }

    /// Reads a body in one pass over its bytes.
    ///
    /// # Errors
    /// `InvalidRequest`, with line and column where the body is not JSON or a key stands twice, and
    /// with the path where `messages` is not an array of objects.
    pub fn parse(body: &Bytes) -> Result<Self> {
        if scan::is_deeper_than(body, MAX_DEPTH) {
            let message = format!("the body is nested deeper than {MAX_DEPTH} levels");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let parsed = deserializer.deserialize_map(BodyVisitor(body));
        let (members, messages) = parsed
            .and_then(|parts| deserializer.end().map(|()| parts))
            .map_err(|error| diagnose(error, body))?;
        Ok(Self { members, messages, source: Some(body.clone()) })
    }

    /// The text of a member other than `messages`, where it is there and not `null`.
    pub fn get(&self, key: &str) -> Option<&Raw> {
        self.members.some(key)
    }

    /// Whether a member stands in the body, `null` or not.
    pub fn has(&self, key: &str) -> bool {
        self.members.get(key).is_some()
    }

    /// The members but `messages`, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Raw)> {
        self.members.iter().filter(|(key, _)| *key != "messages")
    }

    /// Gives a member a new text.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: Raw) {
        self.source = None;
        self.members.set(key, value);
    }

    /// Takes a member out.
    pub fn remove(&mut self, key: &str) -> Option<Raw> {
        let removed = self.members.remove(key)?;
        self.source = None;
        Some(removed)
    }

    /// Gives a member another key, in its place.
    pub fn rename(&mut self, from: &str, to: impl Into<Cow<'static, str>>) {
        if self.has(from) {
            self.source = None;
            self.members.rename(from, to);
        }
    }

    /// The model's name, where it is a text.
    pub fn model(&self) -> Option<Cow<'_, str>> {
        self.members.text("model")
    }

    /// Whether events are wanted.
    pub fn is_stream(&self) -> bool {
        self.get("stream").and_then(Raw::bool).unwrap_or(false)
    }

    /// The messages.
    pub fn messages(&self) -> &[Members] {
        &self.messages
    }

    /// The messages, to be changed.
    pub fn messages_mut(&mut self) -> &mut Vec<Members> {
        self.source = None;
        &mut self.messages
    }

    /// The body's text.
    pub fn to_bytes(&self) -> Bytes {
        if let Some(source) = &self.source {
            return source.clone();
        }
        let mut text = Vec::with_capacity(self.size_hint());
        json::write_object(self.members.iter(), &mut text, |key, value, text| {
            if key == "messages" {
                json::write_array(&self.messages, text);
            } else {
                text.extend_from_slice(value.as_bytes());
            }
        });
        Bytes::from(text)
    }

    /// About how many bytes the body is written in.
    pub fn size_hint(&self) -> usize {
        if let Some(source) = &self.source {
            return source.len();
        }
        let values = self.members.iter().chain(self.messages.iter().flat_map(Members::iter));
        values.map(|(key, value)| key.len() + value.as_bytes().len() + 8).sum()
    }
}

struct BodyVisitor<'b>(&'b Bytes);

impl<'de> Visitor<'de> for BodyVisitor<'de> {
    type Value = (Members, Vec<Members>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        let mut messages = Vec::new();
        while let Some(key) = json::next_key(&mut map, &entries)? {
            let value = if key == "messages" {
                messages = map.next_value_seed(SeqSeed(MembersSeed(self.0)))?;
                // Its text is written from the messages themselves.
                Raw::NULL
            } else {
                map.next_value_seed(json::RawSeed(self.0))?
            };
            entries.push((key, value));
        }
        Ok((Members::from_entries(entries), messages))
    }
}

/// Says what is wrong with a body that was not read: where its text breaks off from JSON, or else
/// which member is of another type.
fn diagnose(error: serde_json::Error, body: &Bytes) -> Error {
    let messages = Members::parse(body).ok().and_then(|members| members.get("messages").cloned());
    let Some(messages) = messages else {
        return syntax_error(&error);
    };
    let Some(items) = messages.items() else {
        let found = messages.kind().name();
        return Error::invalid("messages", format!("expected an array, found {found}"));
    };
    for (index, item) in items.iter().enumerate() {
        let param = format!("messages[{index}]");
        match Members::parse(&item.bytes()) {
            Ok(_) => {}
            Err(_) if item.kind() != json::Kind::Object => {
                return Error::invalid(param, format!("expected an object, found {}", item.kind().name()));
            }
            Err(error) => return syntax_error(&error).with_param(param),
        }
    }
    syntax_error(&error)
}

/// A body that is not JSON, or not the JSON we can take, with the position that serde found.
pub fn syntax_error(error: &serde_json::Error) -> Error {
    let message = match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("the body is not valid JSON: {error}"),
    };
    Error::new(ErrorKind::InvalidRequest, message)
}
