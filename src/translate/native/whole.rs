//! A whole message of an upstream that speaks the caller's API.

use super::usage::Counts;
use super::{failure_in, not_understood, renamed};
use crate::error::{Error, Result};
use crate::wire::anthropic::Usage;
use crate::wire::json::{Kind, Members, Raw};
use bytes::Bytes;

/// Looks through a whole message: its body with the model as the caller named it, where that is another
/// name, and otherwise as it came; and the counts that the upstream told, if it told any.
///
/// # Errors
/// The error that a body at status 200 says (C07), by `judge`, or `BadAnswer` where it holds no message.
pub fn whole(
    model: Option<&str>,
    upstream: &str,
    body: Bytes,
    judge: impl Fn(&[u8]) -> Option<Error>,
) -> Result<(Bytes, Option<Usage>)> {
    if let Some(error) = judge(&body) {
        return Err(error);
    }
    let Ok(message) = Members::parse(&body) else { return Err(not_understood(upstream)) };
    if message.is("type", "error") {
        return Err(failure_in(upstream, &body, &judge));
    }
    if message.get("content").map(Raw::kind) != Some(Kind::Array) {
        return Err(not_understood(upstream));
    }
    let mut counts = Counts::default();
    counts.read(&message);
    let body = match model {
        Some(model) => renamed(&body, &message, model),
        None => body,
    };
    Ok((body, counts.told()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// Stands for the reader of `policy`, which has its own tests.
    fn judge(text: &[u8]) -> Option<Error> {
        let error = Members::parse(&Bytes::copy_from_slice(text)).ok()?.get("error")?.members()?;
        let message = error.text("message")?.into_owned();
        Some(Error::new(ErrorKind::Overloaded, message))
    }

    fn read(model: Option<&str>, body: &'static str) -> Result<(Bytes, Option<Usage>)> {
        whole(model, "test", Bytes::from_static(body.as_bytes()), judge)
    }

    const BODY: &str = "{ \"id\": \"m\", \"type\":\"message\", \"model\" : \"up\\u002d1\",\n \"content\": [], \"odd\": 1E5,\n \
        \"usage\": {\"input_tokens\": 7, \"output_tokens\": 2, \"cache_creation_input_tokens\": null} }\n";

    #[test]
    fn a_message_is_the_bytes_that_came() {
        let (body, usage) = read(None, BODY).unwrap();
        assert_eq!(body, BODY);
        assert_eq!(usage, Some(Usage { input_tokens: 7, output_tokens: 2, ..Usage::default() }));
    }

    #[test]
    fn only_the_models_name_is_replaced() {
        let (body, _) = read(Some("opus"), BODY).unwrap();
        assert_eq!(body, BODY.replace("\"up\\u002d1\"", "\"opus\""));
        let nameless = r#"{"content":[], "usage":{"output_tokens":0}}"#;
        assert_eq!(read(Some("opus"), nameless).unwrap(), (Bytes::from(nameless), None));
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for (body, kind, message) in [
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Full"}}"#,
                ErrorKind::Overloaded,
                "Full",
            ),
            (r#"{"type":"error","message":"Full"}"#, ErrorKind::Overloaded, "Full"),
            (r#"{"type":"error"}"#, ErrorKind::BadAnswer, "upstream `test` answered with an error"),
            (r#"{"choices":[]}"#, ErrorKind::BadAnswer, "upstream `test` sent an answer that is no message"),
            ("<html>", ErrorKind::BadAnswer, "upstream `test` sent an answer that is no message"),
            (
                r#"{"type":"message","content":"x"}"#,
                ErrorKind::BadAnswer,
                "upstream `test` sent an answer that is no message",
            ),
        ] {
            let error = read(None, body).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, message), "{body}");
        }
    }
}
