//! Reads config.toml: what it says, and where it is wrong. Writing is left to `write`.

use super::keys::{self, Place};
use super::layer::{Layer, Origin, usage};
use super::value::{Value, quoted};
use crate::error::{Error, ErrorKind, Result};
use std::fs;
use std::io;
use std::path::Path;
use toml_edit::{Document, Item, TableLike};

/// Rows of the catalogue of providers and models, which stand in the same file (see `policy::presets`).
const ROWS: [&str; 4] = ["provider", "thinking", "error", "model"];

/// Whether a text may hold rows of the catalogue; the cheap look before the thorough one.
pub(super) fn may_hold_rows(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("[["))
}

/// Reads the file, if it is there. A file that holds keys or headers and can be read by others is
/// worth a warning.
///
/// # Errors
/// `Usage`, with line and column, for whatever is wrong in it, and if a file that was named is missing.
pub(super) fn layer(path: &Path, named: bool, warnings: &mut Vec<String>) -> Result<Layer> {
    let Some(text) = text(path)? else {
        if named {
            let error = Error::new(ErrorKind::Usage, format!("`{}` does not exist", path.display()));
            return Err(error.with_hint("`iflow2api config set` makes it"));
        }
        return Ok(Layer::default());
    };
    let layer = parse(path, &text)?;
    if layer.holds_secret() && is_open_to_others(path) {
        let path = path.display();
        warnings.push(format!("`{path}` holds secrets and others can read it; `chmod 600 {path}` helps"));
    }
    Ok(layer)
}

/// The file's text; `None` if there is no such file.
pub(super) fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("`{}` cannot be read", path.display());
            Err(Error::new(ErrorKind::Usage, message).with_source(error))
        }
    }
}

/// Reads the text of the file, and judges all of it.
pub(super) fn parse(path: &Path, text: &str) -> Result<Layer> {
    let reader = Reader { path, text };
    // The error's own `Display` repeats the line, which may hold a key.
    let document = Document::parse(text).map_err(|error| {
        let offset = error.span().map_or(text.len(), |span| span.start);
        usage(format!("{}: {}", reader.place(offset), error.message().replace('\n', ", ")), None)
    })?;
    let mut layer = Layer::default();
    reader.table("", document.as_table(), &mut layer)?;
    Ok(layer)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    /// Reads one table; `table_name` is its dotted name, `""` for the top of the file.
    fn table(&self, table_name: &str, table: &dyn TableLike, layer: &mut Layer) -> Result<()> {
        for (key, item) in table.iter() {
            let offset = table.key(key).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
            let name = if table_name.is_empty() { key.to_owned() } else { format!("{table_name}.{key}") };
            if table_name.is_empty() && ROWS.contains(&key) {
                self.rows(key, item, offset)?;
                continue;
            }
            self.check_key(table_name, key, offset)?;
            let Some(place) = keys::place(&name) else {
                return Err(self.unknown(&name, key, offset));
            };
            let at = item.span().map_or(offset, |span| span.start);
            match (place, item.as_table_like()) {
                (Place::Section, Some(inner)) => {
                    if table_name == "upstream" {
                        layer.declare(key);
                    }
                    self.table(&name, inner, layer)?;
                }
                (Place::Section, None) => {
                    return Err(usage(format!("{}: `{name}` must be a table", self.place(at)), None));
                }
                (Place::Once(_) | Place::Upstream(..) | Place::Login(..), _) => {
                    self.setting(&name, item, at, layer)?
                }
            }
        }
        Ok(())
    }

    /// Rows of the catalogue, which others read.
    fn rows(&self, key: &str, item: &Item, offset: usize) -> Result<()> {
        if item.is_array_of_tables() {
            return Ok(());
        }
        let message = format!("{}: `{key}` must be tables with the head `[[{key}]]`", self.place(offset));
        Err(usage(message, None))
    }

    fn setting(&self, name: &str, item: &Item, offset: usize, layer: &mut Layer) -> Result<()> {
        let subject = format!("{}: `{name}`", self.place(offset));
        let is_switch = keys::place(name).is_some_and(Place::is_switch);
        let Some(value) = value_of(item).filter(|_| is_switch || !item.is_bool()) else {
            let shape = keys::place(name).map_or("a value", Place::shape);
            return Err(usage(format!("{subject} must be {shape}"), None));
        };
        layer.check(name, value, Origin::File(self.path.to_path_buf())).map_err(|fault| fault.about(&subject))
    }

    /// Refuses keys that a dotted name could not tell from something else.
    fn check_key(&self, table: &str, key: &str, offset: usize) -> Result<()> {
        if matches!(table, "upstream" | "auth") && !keys::is_upstream_name(key) {
            let message = format!("{}: {} cannot be an upstream's name", self.place(offset), quoted(key));
            return Err(usage(message, Some("a name is made of letters, digits, `-` and `_`".to_owned())));
        }
        if key.contains('.') && !table.ends_with(".headers") && keys::pattern_setting(table).is_none() {
            return Err(self.unknown(key, key, offset));
        }
        Ok(())
    }

    fn unknown(&self, name: &str, key: &str, offset: usize) -> Error {
        let message = format!("{}: unknown setting {}", self.place(offset), quoted(key));
        usage(message, keys::hint(name))
    }

    /// `path` line 3, column 8: counted from 1, columns in characters.
    fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        format!("`{}` line {line}, column {column}", self.path.display())
    }
}

/// The value of an item, if a setting can hold such a value at all.
fn value_of(item: &Item) -> Option<Value> {
    match item.as_value()? {
        toml_edit::Value::String(text) => Some(Value::Text(text.value().clone())),
        toml_edit::Value::Integer(number) => u64::try_from(*number.value()).ok().map(Value::Number),
        toml_edit::Value::Array(array) => {
            let texts = array.iter().map(|element| element.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map(Value::List)
        }
        // The words of a switch.
        toml_edit::Value::Boolean(switch) => {
            Some(Value::Text(if *switch.value() { "on" } else { "off" }.to_owned()))
        }
        toml_edit::Value::Float(_) | toml_edit::Value::Datetime(_) | toml_edit::Value::InlineTable(_) => None,
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
