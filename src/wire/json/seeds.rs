//! How serde fills the types of this module without copying the text.

use super::members::Members;
use super::raw::Raw;
use bytes::Bytes;
use serde::de::{self, Deserialize as _, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

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
