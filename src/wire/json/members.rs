//! The members of one object, each as its own text.

use super::raw::Raw;
use super::seeds::MembersVisitor;
use bytes::Bytes;
use serde::de::Deserializer as _;
use std::borrow::Cow;
use std::fmt;

/// The members of one object in the order they came, each as its own text.
///
/// An object that nobody changed is written as the bytes it was; a changed one keeps the text of
/// every member that was not touched.
#[derive(Clone, Default)]
pub struct Members {
    entries: Vec<(Cow<'static, str>, Raw)>,
    source: Option<Bytes>,
}

impl Members {
    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one object.
    ///
    /// # Errors
    /// Where the text is not one JSON object, or a key stands in it twice.
    pub fn parse(text: &Bytes) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let entries = deserializer.deserialize_map(MembersVisitor(text))?;
        deserializer.end()?;
        Ok(Self { entries, source: Some(trimmed(text)) })
    }

    /// The text of a member.
    pub fn get(&self, key: &str) -> Option<&Raw> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of a member that is there and not `null`.
    pub fn some(&self, key: &str) -> Option<&Raw> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// The decoded text of a member that is a string.
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key)?.text()
    }

    /// Whether a member is the string `text`.
    pub fn is(&self, key: &str, text: &str) -> bool {
        self.text(key).is_some_and(|value| value == text)
    }

    /// Gives a member a new text, in its place, or at the end where it is new.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: Raw) {
        self.source = None;
        let key = key.into();
        match self.entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    /// The same, for building in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: Raw) -> Self {
        self.set(key, value);
        self
    }

    /// Takes a member out and returns its text.
    pub fn remove(&mut self, key: &str) -> Option<Raw> {
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        self.source = None;
        Some(self.entries.remove(at).1)
    }

    /// Gives a member another key, in its place.
    pub fn rename(&mut self, from: &str, to: impl Into<Cow<'static, str>>) {
        if let Some((name, _)) = self.entries.iter_mut().find(|(name, _)| name == from) {
            *name = to.into();
            self.source = None;
        }
    }

    /// Keeps the members that pass.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|(name, _)| keep(name));
        if self.entries.len() != before {
            self.source = None;
        }
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Raw)> {
        self.entries.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends the object's text.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(source) = &self.source {
            out.extend_from_slice(source);
            return;
        }
        write_object(self.iter(), out, |_, value, out| out.extend_from_slice(value.as_bytes()));
    }

    /// The object's text.
    pub fn to_raw(&self) -> Raw {
        if let Some(source) = &self.source {
            return Raw(source.clone());
        }
        let mut text = Vec::new();
        self.write(&mut text);
        Raw::written(text)
    }

    pub(crate) fn from_entries(entries: Vec<(Cow<'static, str>, Raw)>) -> Self {
        Self { entries, source: None }
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Appends `[…]` with the given objects as elements.
pub fn write_array<'a>(items: impl IntoIterator<Item = &'a Members>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item.write(out);
    }
    out.push(b']');
}

/// The given objects as one array.
pub fn array<'a>(items: impl IntoIterator<Item = &'a Members>) -> Raw {
    let mut text = Vec::new();
    write_array(items, &mut text);
    Raw::written(text)
}

/// Appends `{…}`; `write` appends the text of each member's value.
pub(crate) fn write_object<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Raw)>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(&str, &Raw, &mut Vec<u8>),
) {
    out.push(b'{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(Raw::of(key).as_bytes());
        out.push(b':');
        write(key, value, out);
    }
    out.push(b'}');
}

fn trimmed(text: &Bytes) -> Bytes {
    text.slice_ref(text.trim_ascii())
}
