//! What a dotted name stands for, among the settings of the one table, `settings.rs`.

use super::Config;
pub use super::settings::*;
use super::value::{Fault, Field, Value, quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::near;

/// What a dotted name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// A table of settings.
    Section,
    /// A setting that stands once.
    Once(&'static Setting<Config>),
    /// A setting of the named upstream.
    Upstream(&'a str, &'static Setting<UpstreamTable>),
    /// A setting of the login at the named upstream.
    Login(&'a str, &'static Setting<AuthTable>),
}

impl Place<'_> {
    /// What may stand there in the file.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Section => "a table",
            Self::Once(setting) => setting.field.shape(),
            Self::Upstream(_, setting) => setting.field.shape(),
            Self::Login(_, setting) => setting.field.shape(),
        }
    }

    /// Whether it is on or off, and so may be written as `true` or `false`.
    pub(super) fn is_switch(self) -> bool {
        matches!(self, Self::Once(Setting { field: Field::Choice(_, words), .. }) if *words == SWITCH)
    }

    /// Reads a line of text as a value of this setting and judges it.
    pub(super) fn read(self, name: &str, text: &str) -> Result<Value, Fault> {
        let value = match self {
            Self::Section => return Err(not_a_setting(name)),
            Self::Once(setting) => setting.field.read(text)?,
            Self::Upstream(_, setting) => setting.field.read(text)?,
            Self::Login(_, setting) => setting.field.read(text)?,
        };
        self.check(name, value)
    }

    /// Judges a value; returns it in the form in which it is kept.
    pub(super) fn check(self, name: &str, value: Value) -> Result<Value, Fault> {
        match self {
            Self::Section => Err(not_a_setting(name)),
            Self::Once(setting) => setting.field.store(&mut Config::blank(), name, value),
            Self::Upstream(_, setting) => setting.field.store(&mut UpstreamTable::default(), name, value),
            Self::Login(_, setting) => setting.field.store(&mut AuthTable::default(), name, value),
        }
    }
}

fn not_a_setting(name: &str) -> Fault {
    let listed: Vec<String> = children(name).into_iter().map(|child| format!("`{name}.{child}`")).collect();
    let fault = Fault::new("is a table of settings, not a setting");
    if listed.is_empty() { fault } else { fault.with_hint(format!("it holds {}", listed.join(", "))) }
}

/// Finds what a dotted name stands for; `None` if for nothing.
pub(super) fn place(name: &str) -> Option<Place<'_>> {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
        return Some(Place::Once(setting));
    }
    if let Some((table, pattern)) = name.split_once('.')
        && let Some(setting) = pattern_setting(table)
    {
        return (!pattern.trim().is_empty()).then_some(Place::Once(setting));
    }
    if let Some(rest) = name.strip_prefix("auth.") {
        let (login, leaf) = rest.split_once('.').unwrap_or((rest, ""));
        let setting = || AUTH_SETTINGS.iter().find(|setting| setting.name == leaf);
        return match leaf {
            _ if !is_upstream_name(login) => None,
            "" => (!rest.contains('.')).then_some(Place::Section),
            _ => Some(Place::Login(login, setting()?)),
        };
    }
    let Some(rest) = name.strip_prefix("upstream.") else {
        let holds = !children(name).is_empty() || pattern_setting(name).is_some();
        return (name == "upstream" || holds).then_some(Place::Section);
    };
    let (upstream, leaf) = rest.split_once('.').unwrap_or((rest, ""));
    if !is_upstream_name(upstream) {
        return None;
    }
    if matches!(leaf, "headers") || (leaf.is_empty() && !rest.contains('.')) {
        return Some(Place::Section);
    }
    let leaf = if leaf.starts_with("headers.") { "headers.NAME" } else { leaf };
    let setting = UPSTREAM_SETTINGS.iter().find(|setting| setting.name == leaf)?;
    Some(Place::Upstream(upstream, setting))
}

/// The setting of the table in which each pattern has one.
pub(super) fn pattern_setting(table: &str) -> Option<&'static Setting<Config>> {
    let holds = |setting: &&Setting<Config>| setting.table() == Some(table);
    PATTERN_SETTINGS.iter().find(holds)
}

/// What names a setting among those of its table: all behind the first dot, since names have dots too.
pub(super) fn pattern_of(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, pattern)| pattern)
}

/// Finds the setting of a name that a person gave.
///
/// # Errors
/// `Usage`, with near names, if there is none.
pub(super) fn require(name: &str) -> Result<Place<'_>> {
    place(name).ok_or_else(|| {
        let error = Error::new(ErrorKind::Usage, format!("there is no setting {}", quoted(name)));
        match hint(name) {
            Some(hint) => error.with_hint(hint),
            None => error.with_hint("`iflow2api config show` lists the settings"),
        }
    })
}

/// Names near to a full name that is not known.
pub(super) fn hint(name: &str) -> Option<String> {
    let (table, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    let siblings = children(table);
    let full =
        |sibling: &&str| if table.is_empty() { (*sibling).to_owned() } else { format!("{table}.{sibling}") };
    let siblings: Vec<String> = siblings.iter().map(full).collect();
    near::hint(name, siblings.iter().map(String::as_str))
        .or_else(|| near::hint(name, SETTINGS.iter().map(|setting| setting.name)))
        .or_else(|| {
            let ends_so = |setting: &&Setting<Config>| setting.name.rsplit('.').next() == Some(leaf);
            let setting = SETTINGS.iter().find(ends_so)?;
            Some(format!("did you mean `{}`?", setting.name))
        })
}

/// The names that may stand in a table; the top of the file is `""`.
pub(super) fn children(table: &str) -> Vec<&'static str> {
    let inside = table.strip_prefix("upstream.").is_some_and(|name| !name.contains('.'));
    if inside {
        let first = |setting: &'static Setting<UpstreamTable>| setting.name.split('.').next();
        return UPSTREAM_SETTINGS.iter().filter_map(first).collect();
    }
    if table.strip_prefix("auth.").is_some_and(|name| !name.contains('.')) {
        return AUTH_SETTINGS.iter().map(|setting| setting.name).collect();
    }
    let below = |setting: &'static Setting<Config>| {
        let rest = match table {
            "" => setting.name,
            _ => setting.name.strip_prefix(table)?.strip_prefix('.')?,
        };
        rest.split('.').next()
    };
    let mut names: Vec<&'static str> = SETTINGS.iter().filter_map(below).collect();
    if table.is_empty() {
        names.extend(["upstream", "alias", "fallback", "prompt"]);
    }
    names.dedup();
    names
}

/// The tables a setting stands in, and its name there.
pub(super) fn parts(name: &str) -> Vec<&str> {
    let most = match place(name) {
        Some(Place::Login(..)) => 3,
        _ if name.starts_with("upstream.") => 4,
        _ => 2,
    };
    name.splitn(most, '.').collect()
}

/// Whether a name can be an upstream's: what TOML takes as a bare key, so that it needs no quotes
/// in a dotted name and has no slash of `upstream/model`.
pub(super) fn is_upstream_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The header that `upstream.NAME.headers.HEADER` names.
pub(super) fn header_of(name: &str) -> Result<&str, Fault> {
    let header = parts(name).get(3).copied().unwrap_or("");
    // RFC 9110, section 5.6.2: token.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if header.is_empty() || !header.bytes().all(is_token) {
        return Err(Fault::new("must bear the name of a header, such as `x-team`"));
    }
    Ok(header)
}
