//! Writes config.toml: one setting at a time, comments and order kept, all or nothing.

use super::keys::{self, Place};
use super::value::Value;
use super::{file, layer};
use crate::error::{Error, ErrorKind, Result};
use crate::private;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

/// Writes one setting into the file, which is made if it is not there. `text` is what a variable of
/// the environment would hold: lists are separated by commas.
///
/// # Errors
/// [`ErrorKind::Usage`] if there is no such setting, it cannot hold this value, or the file is broken
/// or cannot be written. The file is then as it was.
pub fn set(path: &Path, name: &str, text: &str) -> Result<()> {
    let value = keys::require(name)?.read(name, text).map_err(|fault| fault.about(&format!("`{name}`")))?;
    let before = file::text(path)?.unwrap_or_default();
    let mut document = open(path, &before)?;
    // In a file of nothing but comments they would come to stand after the setting.
    let comments = if document.as_table().is_empty() { before } else { String::new() };
    if !comments.is_empty() {
        document.set_trailing("");
    }
    if !insert(document.as_table_mut(), &keys::parts(name), item_of(&value)) {
        let message = format!("`{name}` has no place in `{}`", path.display());
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let gap = if comments.is_empty() || comments.ends_with('\n') { "" } else { "\n" };
    finish(path, &format!("{comments}{gap}{document}"))
}

/// Takes one setting, or a whole `upstream.NAME`, out of the file; `false` if it was not there.
///
/// # Errors
/// [`ErrorKind::Usage`] if there is no such setting, or the file is broken or cannot be written. The
/// file is then as it was.
pub fn unset(path: &Path, name: &str) -> Result<bool> {
    let is_upstream = name.strip_prefix("upstream.").is_some_and(keys::is_upstream_name);
    if let Place::Section = keys::require(name)?
        && !is_upstream
    {
        let message = format!("`{name}` is a table of settings, not a setting");
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let Some(before) = file::text(path)? else { return Ok(false) };
    let mut document = open(path, &before)?;
    if !remove(document.as_table_mut(), &keys::parts(name)) {
        return Ok(false);
    }
    // What stands above a setting goes with it, but the head of the file is about the file.
    let mut after = document.to_string();
    let head = head_of(&before);
    if !after.starts_with(head) {
        after.insert_str(0, head);
    }
    finish(path, &after)?;
    Ok(true)
}

/// Reads a file for writing; a broken one is refused, since its owner has not said yet what is meant.
fn open(path: &Path, text: &str) -> Result<DocumentMut> {
    file::parse(path, text)?;
    text.parse().map_err(|_| layer::usage(format!("`{}` cannot be edited", path.display()), None))
}

/// Reads the new text as the next start would, and writes it.
fn finish(path: &Path, text: &str) -> Result<()> {
    file::parse(path, text)?;
    replace(path, text).map_err(|error| {
        let message = format!("`{}` cannot be written", path.display());
        Error::new(ErrorKind::Usage, message).with_source(error)
    })
}

/// The comments at the top of the file up to the last blank line before the first setting.
fn head_of(text: &str) -> &str {
    let is_comment = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let length = text.split_inclusive('\n').take_while(is_comment).map(str::len).sum();
    let comments = text.get(..length).unwrap_or("");
    let end = comments.rfind("\n\n").map_or(0, |blank| blank + 2);
    comments.get(..end).unwrap_or("")
}

fn item_of(value: &Value) -> Item {
    match value.revealed() {
        Value::Number(number) => match i64::try_from(number) {
            Ok(number) => toml_edit::value(number),
            Err(_) => toml_edit::value(number.to_string()),
        },
        Value::List(list) => toml_edit::value(list.into_iter().collect::<Array>()),
        Value::Text(text) => toml_edit::value(text),
        Value::Secret(_) | Value::Secrets(_) => unreachable!("a revealed value holds no secret"),
    }
}

/// Puts an item at its place and makes the tables on the way; `false` if something else is in the way.
fn insert(table: &mut dyn TableLike, parts: &[&str], mut item: Item) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    if rest.is_empty() {
        let old = table.get(first).and_then(Item::as_value);
        if let (Some(old), Some(new)) = (old, item.as_value_mut()) {
            *new.decor_mut() = old.decor().clone();
        }
        match table.get_mut(first) {
            Some(place) => *place = item,
            None => drop(table.insert(first, item)),
        }
        return true;
    }
    if !table.contains_key(first) {
        let mut inner = Table::new();
        // `[upstream]` is no heading of its own, and headers fit on one line.
        inner.set_implicit(*first == "upstream");
        let inner =
            if *first == "headers" { toml_edit::value(InlineTable::new()) } else { Item::Table(inner) };
        table.insert(first, inner);
    }
    let inner = table.get_mut(first).and_then(Item::as_table_like_mut);
    inner.is_some_and(|inner| insert(inner, rest, item))
}

fn remove(table: &mut dyn TableLike, parts: &[&str]) -> bool {
    match parts {
        [] => false,
        [last] => table.remove(last).is_some(),
        [first, rest @ ..] => {
            let inner = table.get_mut(first).and_then(Item::as_table_like_mut);
            inner.is_some_and(|inner| remove(inner, rest))
        }
    }
}

/// Writes a file that is at any moment either the old or the new one, and only its owner's to read.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = target_of(path)?;
    private::sweep_old(&target);
    private::replace(&target, text.as_bytes())
}

/// The file behind a symbolic link, which may not be there yet: many keep their settings elsewhere
/// and link to them, and a rename onto the link would cut it.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    // As many links as Linux follows.
    for _ in 0..40 {
        let Ok(link) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}
