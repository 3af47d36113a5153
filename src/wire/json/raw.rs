//! One JSON value as text.

use super::members::Members;
use super::seeds::{MembersSeed, RawSeed, SeqSeed};
use bytes::Bytes;
use serde::Serialize;
use serde::de::{self, Deserialize, DeserializeSeed as _, Deserializer, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One JSON value as text. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(pub(super) Bytes);

/// What sort of value a [`Raw`] is, known from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// a number
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl Kind {
    /// The word used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl Raw {
    /// `null`.
    pub const NULL: Self = Self(Bytes::from_static(b"null"));

    /// Takes one JSON value, white space around it dropped.
    ///
    /// # Errors
    /// Where the text is not one JSON value.
    pub fn parse(text: &Bytes) -> serde_json::Result<Self> {
        let raw: &RawValue = serde_json::from_slice(text)?;
        Ok(Self(text.slice_ref(raw.get().as_bytes())))
    }

    /// A value known to be JSON when the program was written.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Writes a value as JSON. Only for types whose serialisation cannot fail; `null` otherwise.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        serde_json::to_vec(value).map_or(Self::NULL, |text| Self(Bytes::from(text)))
    }

    /// Takes text that the caller has just written as JSON.
    pub(crate) fn written(text: Vec<u8>) -> Self {
        Self(Bytes::from(text))
    }

    /// The text as bytes; always valid UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, sharing its storage.
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What sort of value this is.
    pub fn kind(&self) -> Kind {
        match self.0.first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// A text with another value in the place of this one, and all else as it was; absent where this was
    /// not read from that very text.
    pub fn replaced_in(&self, text: &Bytes, by: &Raw) -> Option<Bytes> {
        let start = self.0.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let end = start.checked_add(self.0.len())?;
        let (head, tail) = (text.get(..start)?, text.get(end..)?);
        Some(Bytes::from([head, by.as_bytes(), tail].concat()))
    }

    /// Reads the value as a type that may borrow from it.
    ///
    /// # Errors
    /// Where the value is not of that type.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.0)
    }

    /// The decoded text of a string; borrowed where it has no escapes.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        if self.kind() != Kind::String {
            return None;
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&self.0);
        deserializer.deserialize_str(TextVisitor).ok()
    }

    /// The value of a boolean.
    pub fn bool(&self) -> Option<bool> {
        self.read().ok()
    }

    /// The value of a whole number from 0 up, also when it is written as `8.0`.
    pub fn u64(&self) -> Option<u64> {
        if let Ok(number) = self.read() {
            return Some(number);
        }
        let number: f64 = self.read().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and in range"
        )]
        (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
    }

    /// The elements of an array, each as its own text.
    pub fn items(&self) -> Option<Vec<Raw>> {
        if self.kind() != Kind::Array {
            return None;
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&self.0);
        SeqSeed(RawSeed(&self.0)).deserialize(&mut deserializer).ok()
    }

    /// The elements of an array of objects; absent where it is none.
    pub fn objects(&self) -> Option<Vec<Members>> {
        if self.kind() != Kind::Array {
            return None;
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&self.0);
        SeqSeed(MembersSeed(&self.0)).deserialize(&mut deserializer).ok()
    }

    /// The members of an object; absent where this is none or a key stands twice.
    pub fn members(&self) -> Option<Members> {
        if self.kind() != Kind::Object {
            return None;
        }
        Members::parse(&self.0).ok()
    }

    /// The same value without white space between its tokens; strings and numbers as written.
    #[must_use]
    pub fn compact(&self) -> Self {
        let mut in_string = false;
        let mut escaped = false;
        let mut insignificant = |byte: u8| {
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                return false;
            }
            in_string = byte == b'"';
            matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        };
        let Some(first) = self.0.iter().position(|&byte| insignificant(byte)) else {
            return self.clone();
        };
        let (head, tail) = self.0.split_at(first);
        let mut text = Vec::with_capacity(self.0.len());
        text.extend_from_slice(head);
        text.extend(tail.iter().skip(1).copied().filter(|&byte| !insignificant(byte)));
        Self::written(text)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Bytes::from(String::from(Box::<str>::from(raw)))))
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
