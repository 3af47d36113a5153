//! The arguments of a whole call: valid, repaired, or shown as they are, but never made up (B18).

use crate::wire::json::{Kind, Members, Raw};
use bytes::Bytes;

/// The arguments as an object.
///
/// What cannot be read comes back under `__raw_arguments`, so that the client's schema check fails
/// loudly; nothing that was cut is completed, since half a command must not run.
pub fn input(text: &str) -> Raw {
    let text = text.trim();
    if text.is_empty() {
        return Raw::from_static("{}");
    }
    let valid = object(text.as_bytes().to_vec()).or_else(|| object(repaired(text)));
    valid.unwrap_or_else(|| Members::new().with("__raw_arguments", Raw::of(text)).to_raw())
}

fn object(text: Vec<u8>) -> Option<Raw> {
    let raw = Raw::parse(&Bytes::from(text)).ok()?;
    (raw.kind() == Kind::Object).then(|| raw.compact())
}

/// The text with commas before a closing bracket dropped, and with escapes and line ends inside
/// strings made legal.
fn repaired(text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => match characters.next() {
                Some(escaped @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u')) => {
                    out.extend([c, escaped]);
                }
                Some(other) => out.extend([c, c, other]),
                None => out.push(c),
            },
            '\n' if in_string => out.push_str("\\n"),
            '\r' if in_string => out.push_str("\\r"),
            '\t' if in_string => out.push_str("\\t"),
            ',' if !in_string => {
                while characters.next_if(|next| next.is_whitespace()).is_some() {}
                if !matches!(characters.peek(), Some('}' | ']')) {
                    out.push(c);
                }
            }
            _ => out.push(c),
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_kept_repaired_or_shown() {
        for (text, expected) in [
            (r#"{"a": 1E5, "b":"x y"}"#, r#"{"a":1E5,"b":"x y"}"#),
            ("", "{}"),
            (r#"{"a":[1,2,],}"#, r#"{"a":[1,2]}"#),
            (r#"{"a":"C:\dir","b":"\u00e9"}"#, r#"{"a":"C:\\dir","b":"\u00e9"}"#),
            ("{\"a\":\"x\ny\"}", r#"{"a":"x\ny"}"#),
            (r#"{"a":"rm -r"#, r#"{"__raw_arguments":"{\"a\":\"rm -r"}"#),
            ("[1]", r#"{"__raw_arguments":"[1]"}"#),
        ] {
            assert_eq!(input(text).as_str(), expected, "{text}");
        }
    }
}
