//! The settings in force, with the origin of each. Printing is left to the caller.

use super::Resolved;
use super::keys::{self, AUTH_SETTINGS, PATTERN_SETTINGS, Place, SETTINGS, UPSTREAM_SETTINGS};
use super::layer::{Origin, usage};
use super::value::{Value, quoted};
use crate::error::Result;
use crate::near;

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The dotted name.
    pub name: String,
    /// The value, whose `Display` and JSON are masked where it is a secret; `None` if it is not set.
    pub value: Option<Value>,
    /// Where the value comes from.
    pub origin: Origin,
}

/// All settings in the order of the table, then each upstream's as far as they are set.
pub fn show(resolved: &Resolved) -> Vec<Entry> {
    let mut entries: Vec<Entry> = SETTINGS.iter().map(|setting| entry(resolved, setting.name)).collect();
    for setting in PATTERN_SETTINGS {
        let table = format!("{}.", setting.table().unwrap_or_default());
        entries.extend(resolved.layer.below(&table).map(|given| entry(resolved, &given.name)));
    }
    for (name, _) in &resolved.config.auth.logins {
        for setting in AUTH_SETTINGS {
            let given = resolved.layer.get(&format!("auth.{name}.{}", setting.name));
            entries.extend(given.map(|given| entry(resolved, &given.name)));
        }
    }
    for upstream in resolved.config.upstreams.iter().filter(|upstream| !upstream.named_only) {
        let table = format!("upstream.{}", upstream.name);
        for setting in UPSTREAM_SETTINGS {
            // One row stands for all headers.
            let name = format!("{table}.{}", setting.name.trim_end_matches("NAME"));
            let given = resolved.layer.below(&name).filter(|given| name.ends_with('.') || given.name == name);
            entries.extend(given.map(|given| entry(resolved, &given.name)));
        }
    }
    entries
}

/// One setting by its name.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage), with near names, if there is no such setting
/// or no such upstream.
pub fn get(resolved: &Resolved, name: &str) -> Result<Entry> {
    match keys::require(name)? {
        Place::Section => {
            let inside = keys::children(name);
            let listed: Vec<String> = inside.iter().map(|child| format!("`{name}.{child}`")).collect();
            let hint = (!listed.is_empty()).then(|| format!("it holds {}", listed.join(", ")));
            Err(usage(format!("{} is a table of settings, not a setting", quoted(name)), hint))
        }
        Place::Upstream(upstream, _) => {
            let mut names = resolved.config.upstreams.iter().map(|upstream| upstream.name.as_str());
            if names.clone().any(|known| known == upstream) {
                return Ok(entry(resolved, name));
            }
            let hint = near::hint(upstream, names.by_ref());
            Err(usage(format!("no upstream {} is set up", quoted(upstream)), hint))
        }
        Place::Once(_) | Place::Login(..) => Ok(entry(resolved, name)),
    }
}

fn entry(resolved: &Resolved, name: &str) -> Entry {
    let mut value = resolved.layer.get(name).map(|given| given.value.clone());
    if value.is_none() && name == "default_upstream" {
        value = resolved.config.default_upstream.clone().map(Value::Text);
    }
    Entry { name: name.to_owned(), value, origin: resolved.origin(name) }
}
