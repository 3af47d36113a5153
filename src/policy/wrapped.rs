//! A provider's own wrapper around an answer, taken off.

use crate::wire::json::{Kind, Members, Raw};
use bytes::Bytes;

/// The completion in iFlow's `{"success":true,"data":{…}}`, of a frame or a whole body; nothing where
/// the text is no such wrapper. What says `false` is an error, which `failure` reads.
pub fn unwrap(body: &Bytes) -> Option<Bytes> {
    memchr::memmem::find(body, b"\"success\"")?;
    let members = Members::parse(body).ok()?;
    let succeeded = members.get("success").and_then(Raw::bool) == Some(true);
    let inner = members.get("data").filter(|inner| inner.kind() == Kind::Object)?;
    (succeeded && members.some("choices").is_none()).then(|| inner.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wrapper_is_taken_off() {
        for (text, expected) in [
            (r#"{"success":true,"data":{ "choices": [] },"code":"200"}"#, Some(r#"{ "choices": [] }"#)),
            (r#" {"data":{"id":1E5},"success" : true}"#, Some(r#"{"id":1E5}"#)),
            (r#"{"success":false,"data":{"choices":[]}}"#, None),
            (r#"{"success":true,"data":null}"#, None),
            (r#"{"success":true,"choices":[],"data":{}}"#, None),
            (r#"{"choices":[{"delta":{"content":"\"success\""}}]}"#, None),
            ("[DONE]", None),
        ] {
            let inner = unwrap(&Bytes::from_static(text.as_bytes()));
            assert_eq!(inner.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
