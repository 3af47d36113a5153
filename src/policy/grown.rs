//! A value that grows with every chunk: texts and lists are joined, and what names a thing is said once.

use crate::wire::json::{self, Kind, Members, Raw};

/// Texts that name a thing, so that saying them again says nothing new.
const NAMES: [&str; 6] = ["role", "id", "type", "name", "format", "signature"];
/// The list whose elements are pieces of parts, rather than new ones (OpenRouter, MiniMax).
const IN_PARTS: &str = "reasoning_details";

/// The members of an object, each as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Grown)>);

/// One value as far as it has come.
#[derive(Debug)]
enum Grown {
    Text(String),
    List(Vec<Raw>),
    Parts(Vec<Fields>),
    Object(Fields),
    /// What does not grow: the last word counts.
    Fixed(Raw),
}

impl Fields {
    /// Takes a member's new piece. `null` says nothing, but that the member is there.
    pub(super) fn grow(&mut self, key: &str, piece: &Raw) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            None => self.0.push((key.to_owned(), Grown::of(key, piece))),
            Some((_, grown)) if !piece.is_null() => grown.grow(key, piece),
            Some(_) => {}
        }
    }

    /// Takes the new pieces of several members.
    fn grow_all(&mut self, pieces: &Members) {
        pieces.iter().for_each(|(key, piece)| self.grow(key, piece));
    }

    /// The members, each with all that came of it.
    pub(super) fn to_members(&self) -> Members {
        self.0.iter().fold(Members::new(), |members, (key, grown)| members.with(key.clone(), grown.to_raw()))
    }

    /// Whether a piece of a part belongs to this one: by its number, else by its id, else as the last one.
    fn goes_on_with(&self, piece: &Members, is_last: bool) -> bool {
        let agree = |key: &str| {
            let mine = self.0.iter().find(|(name, _)| name == key).map(|(_, grown)| grown);
            match (mine, piece.some(key)) {
                (Some(Grown::Fixed(mine)), Some(other)) if !mine.is_null() => Some(mine == other),
                _ => None,
            }
        };
        // Sealed thoughts come as one piece, which no other may be joined to.
        let by_place = || is_last && piece.some("data").is_none();
        agree("type") != Some(false) && agree("index").or_else(|| agree("id")).unwrap_or_else(by_place)
    }
}

impl Grown {
    fn of(key: &str, piece: &Raw) -> Self {
        match piece.kind() {
            Kind::String if NAMES.contains(&key) => Self::Fixed(piece.clone()),
            Kind::String => {
                piece.text().map_or_else(|| Self::Fixed(piece.clone()), |text| Self::Text(text.into_owned()))
            }
            Kind::Array => match piece.objects().filter(|_| key == IN_PARTS) {
                Some(pieces) => {
                    let mut parts = Vec::new();
                    pieces.iter().for_each(|piece| add_part(&mut parts, piece));
                    Self::Parts(parts)
                }
                None => Self::List(piece.items().unwrap_or_default()),
            },
            Kind::Object => {
                let mut fields = Fields::default();
                fields.grow_all(&piece.members().unwrap_or_default());
                Self::Object(fields)
            }
            Kind::Null | Kind::Bool | Kind::Number => Self::Fixed(piece.clone()),
        }
    }

    fn grow(&mut self, key: &str, piece: &Raw) {
        match (&mut *self, piece.kind()) {
            (Self::Text(text), Kind::String) => text.push_str(&piece.text().unwrap_or_default()),
            (Self::Text(text), Kind::Array) => {
                let mut items = vec![Raw::of(text)];
                items.extend(piece.items().unwrap_or_default());
                *self = Self::List(items);
            }
            (Self::List(items), Kind::Array) => items.extend(piece.items().unwrap_or_default()),
            (Self::List(items), Kind::String) => items.push(piece.clone()),
            (Self::Parts(parts), Kind::Array) => {
                let pieces = piece.objects().unwrap_or_default();
                pieces.iter().for_each(|piece| add_part(parts, piece));
            }
            (Self::Object(fields), Kind::Object) => fields.grow_all(&piece.members().unwrap_or_default()),
            (Self::Fixed(old), Kind::String) if !old.is_null() && piece.as_bytes() == b"\"\"" => {}
            _ => *self = Self::of(key, piece),
        }
    }

    fn to_raw(&self) -> Raw {
        match self {
            Self::Text(text) => Raw::of(text),
            Self::List(items) => Raw::of(items),
            Self::Parts(parts) => json::array(&parts.iter().map(Fields::to_members).collect::<Vec<_>>()),
            Self::Object(fields) => fields.to_members().to_raw(),
            Self::Fixed(raw) => raw.clone(),
        }
    }
}

fn add_part(parts: &mut Vec<Fields>, piece: &Members) {
    let last = parts.len().saturating_sub(1);
    let found = (0..parts.len())
        .rev()
        .find(|&at| parts.get(at).is_some_and(|part| part.goes_on_with(piece, at == last)));
    match found.and_then(|at| parts.get_mut(at)) {
        Some(part) => part.grow_all(piece),
        None => {
            let mut part = Fields::default();
            part.grow_all(piece);
            parts.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn grown(pieces: &[&'static str]) -> String {
        let mut fields = Fields::default();
        for piece in pieces {
            fields.grow_all(&Members::parse(&Bytes::from_static(piece.as_bytes())).unwrap());
        }
        fields.to_members().to_raw().as_str().to_owned()
    }

    #[test]
    fn texts_and_lists_are_joined_and_names_are_said_once() {
        for (pieces, expected) in [
            (
                &[r#"{"role":"assistant","content":"a"}"#, r#"{"role":"","content":"\u4e16"}"#][..],
                r#"{"role":"assistant","content":"a世"}"#,
            ),
            (&[r#"{"content":null}"#, r#"{"content":"a"}"#, r#"{"content":null}"#], r#"{"content":"a"}"#),
            (&[r#"{"a":[1E5]}"#, r#"{"a":[{"b" :2}]}"#], r#"{"a":[1E5,{"b" :2}]}"#),
            (&[r#"{"a":"x"}"#, r#"{"a":[1]}"#, r#"{"a":"y"}"#], r#"{"a":["x",1,"y"]}"#),
            (&[r#"{"a":1}"#, r#"{"a":2.0}"#, r#"{"a":true}"#], r#"{"a":true}"#),
            (
                &[
                    r#"{"function_call":{"name":"f","arguments":"{\"a\""}}"#,
                    r#"{"function_call":{"arguments":":1}"}}"#,
                ],
                r#"{"function_call":{"name":"f","arguments":"{\"a\":1}"}}"#,
            ),
            (
                &[
                    r#"{"logprobs":{"content":[{"token":"a"}]}}"#,
                    r#"{"logprobs":{"content":[{"token":"b"}]}}"#,
                ],
                r#"{"logprobs":{"content":[{"token":"a"},{"token":"b"}]}}"#,
            ),
        ] {
            assert_eq!(grown(pieces), expected);
        }
    }

    #[test]
    fn pieces_of_thoughts_find_their_part() {
        for (pieces, expected) in [
            // By number: OpenRouter. The signature comes last, beside an empty text.
            (
                &[
                    r#"{"reasoning_details":[{"type":"reasoning.text","text":"a","format":"f","index":0},{"type":"reasoning.text","text":"x","index":1}]}"#,
                    r#"{"reasoning_details":[{"type":"reasoning.text","text":"b","index":0,"signature":"s"}]}"#,
                    r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"Zm9v","index":0}]}"#,
                ][..],
                r#"{"reasoning_details":[{"type":"reasoning.text","text":"ab","format":"f","index":0,"signature":"s"},{"type":"reasoning.text","text":"x","index":1},{"type":"reasoning.encrypted","data":"Zm9v","index":0}]}"#,
            ),
            // By id.
            (
                &[
                    r#"{"reasoning_details":[{"id":"r1","type":"t","text":"a"}]}"#,
                    r#"{"reasoning_details":[{"id":"r2","type":"t","text":"x"},{"id":"r1","type":"t","text":"b"}]}"#,
                ],
                r#"{"reasoning_details":[{"id":"r1","type":"t","text":"ab"},{"id":"r2","type":"t","text":"x"}]}"#,
            ),
            // By place, but sealed ones stay apart.
            (
                &[
                    r#"{"reasoning_details":[{"type":"t","text":"a"}]}"#,
                    r#"{"reasoning_details":[{"type":"t","text":"b"},{"type":"e","data":"1"},{"type":"e","data":"2"}]}"#,
                ],
                r#"{"reasoning_details":[{"type":"t","text":"ab"},{"type":"e","data":"1"},{"type":"e","data":"2"}]}"#,
            ),
        ] {
            assert_eq!(grown(pieces), expected);
        }
    }
}
