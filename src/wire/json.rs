//! JSON as it was written: pieces of text that are read where a rule needs them and forwarded
//! otherwise. Key order, number text and unknown members survive by construction.

use bytes::Bytes;
use serde::Serialize;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One JSON value as text. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(Bytes);

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

/// Reads any value as a slice of the text it stands in.
#[derive(Clone, Copy)]
pub(crate) struct RawSeed<'b>(pub(crate) &'b Bytes);

impl<'de> DeserializeSeed<'de> for RawSeed<'de> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        // A borrowed `RawValue` points into the text that is being read, which is this one.
        Ok(Raw(self.0.slice_ref(raw.get().as_bytes())))
    }
}

/// Reads an array with one seed for every element.
#[derive(Clone, Copy)]
pub(crate) struct SeqSeed<S>(pub(crate) S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for SeqSeed<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for SeqSeed<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0));
        while let Some(item) = seq.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(items)
    }
}

/// Reads an object whose own text nobody needs.
#[derive(Clone, Copy)]
pub(crate) struct MembersSeed<'b>(pub(crate) &'b Bytes);

impl<'de> DeserializeSeed<'de> for MembersSeed<'de> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Members, D::Error> {
        Ok(Members::from_entries(deserializer.deserialize_map(MembersVisitor(self.0))?))
    }
}

/// Reads an object's members as slices of the text it stands in.
pub(crate) struct MembersVisitor<'b>(pub(crate) &'b Bytes);

impl<'de> Visitor<'de> for MembersVisitor<'de> {
    type Value = Vec<(Cow<'static, str>, Raw)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = next_key(&mut map, &entries)? {
            entries.push((key, map.next_value_seed(RawSeed(self.0))?));
        }
        Ok(entries)
    }
}

/// The next key of an object, refused where it stands among `entries` already.
pub(crate) fn next_key<'de, A: MapAccess<'de>, V>(
    map: &mut A,
    entries: &[(Cow<'static, str>, V)],
) -> Result<Option<Cow<'static, str>>, A::Error> {
    let Some(key) = map.next_key::<String>()? else {
        return Ok(None);
    };
    if entries.iter().any(|(name, _)| *name == key) {
        return Err(de::Error::custom(format_args!("the key `{key}` stands twice")));
    }
    Ok(Some(Cow::Owned(key)))
}
