//! What a provider's refusal means: status and body, or an error inside a stream, to an [`Error`].
//!
//! Sending again, or elsewhere, is decided by others from the error's kind.

pub mod rules;

use super::overflow;
use super::presets::rows::Place;
use crate::error::{Class, Error, ErrorKind};
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::{Choice, Chunk, Reading};
use bytes::Bytes;
use rules::{Rules, Verdict};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How much of a provider's own words is passed on (C09).
const MESSAGE_BYTES: usize = 2048;

/// Reads what one upstream says, and what its errors mean.
#[derive(Debug, Clone)]
pub struct Judge {
    upstream: Arc<str>,
    rules: Arc<Rules>,
    /// Only reset times, which providers tell as dates, need it.
    clock: fn() -> SystemTime,
}

impl Judge {
    /// A judge of an upstream by the rules of its provider; `clock` tells the time.
    pub fn new(upstream: &str, rules: Arc<Rules>, clock: fn() -> SystemTime) -> Self {
        Self { upstream: upstream.into(), rules, clock }
    }

    /// A judge who knows no provider's own codes.
    pub fn plain(upstream: &str) -> Self {
        Self::new(upstream, Arc::default(), || SystemTime::UNIX_EPOCH)
    }

    /// The upstream's name.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// The error that a status other than 2xx means (C03).
    pub fn of_status(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Error {
        let verdict = self.rules.judge(Place::Http, Some(status), body, (self.clock)());
        let said = Said::read(body);
        self.refusal(Some(status), &said, verdict, retry_after)
    }

    /// Reads one frame of a stream.
    ///
    /// # Errors
    /// The error that the frame says (B28, C07), or `BadAnswer` where it is neither a chunk nor an error.
    pub fn read_frame(&self, data: &Bytes) -> Result<Reading, Error> {
        self.read(Place::Stream, data)
    }

    fn read(&self, place: Place, data: &Bytes) -> Result<Reading, Error> {
        let text = data.trim_ascii();
        if text == b"[DONE]" {
            return Ok(Reading::Done);
        }
        match serde_json::from_slice::<Chunk>(text) {
            Ok(chunk) if chunk.choices.is_some() && !mentions_error(text) => Ok(Reading::Chunk(chunk)),
            Ok(chunk) => match self.in_band(place, text) {
                Some(error) => Err(error),
                None if chunk.choices.is_some() || chunk.usage.is_some() => Ok(Reading::Chunk(chunk)),
                None => Err(not_understood(&self.upstream)),
            },
            Err(error) => Err(self
                .in_band(place, text)
                .unwrap_or_else(|| not_understood(&self.upstream).with_source(error))),
        }
    }

    /// Reads one whole body.
    ///
    /// # Errors
    /// As [`Judge::read_frame`], and `BadAnswer` where the answer says nothing at all (B31).
    pub fn read_whole(&self, body: &Bytes) -> Result<Chunk, Error> {
        let Reading::Chunk(chunk) = self.read(Place::Body, body)? else {
            return Err(not_understood(&self.upstream));
        };
        let speaks =
            |choice: &Choice| choice.speaks() || choice.finish_reason.as_deref().is_some_and(may_be_silent);
        let silent = !chunk.choices.iter().flatten().any(speaks);
        if silent && chunk.usage.is_none_or(|usage| usage.completion_tokens == 0) {
            return Err(empty(&self.upstream));
        }
        Ok(chunk)
    }

    /// The error that an object at status 200 says, if it says one (B28, C07).
    pub fn in_band(&self, place: Place, text: &[u8]) -> Option<Error> {
        let members = Members::parse(&Bytes::copy_from_slice(text)).ok()?;
        let verdict = self.rules.judge(place, None, text, (self.clock)());
        let inner = members.some("error").filter(|error| matches!(error.kind(), Kind::Object | Kind::String));
        let status =
            inner.and_then(Raw::members).as_ref().and_then(status_of).or_else(|| status_of(&members));
        let is_error = inner.is_some() || members.is("object", "error") || fails(&members);
        (is_error || verdict.is_some()).then(|| self.refusal(status, &Said::of(&members), verdict, None))
    }

    fn refusal(
        &self,
        status: Option<u16>,
        said: &Said,
        verdict: Option<Verdict>,
        retry_after: Option<Duration>,
    ) -> Error {
        let text = said.message.as_deref().unwrap_or_default();
        let code = said.code.as_deref().unwrap_or_default();
        let class = verdict.map(|verdict| verdict.class);
        let overflows = matches!(status, None | Some(400 | 413 | 422 | 500)) && overflow::is_one(text, code);
        if class == Some(Class::Context) || (class.is_none() && overflows) {
            return overflow::error(text, said.prompt_tokens.zip(said.window));
        }
        let kind = class.and_then(rules::kind_of).unwrap_or_else(|| kind_of(status, text, code));
        let upstream = &self.upstream;
        let message = match (status, text.is_empty()) {
            (Some(status), true) => format!("upstream `{upstream}` answered with status {status}"),
            (_, true) => format!("upstream `{upstream}` answered with an error"),
            (_, false) => format!("upstream `{upstream}`: {text}"),
        };
        let reset = verdict.and_then(|verdict| verdict.reset);
        let mut error = Error::new(kind, message).with_retry_after(retry_after.or(reset));
        if let Some(status) = status {
            error = error.with_status(status);
        }
        if let Some(class) = class {
            error = error.with_class(class);
        }
        if kind == ErrorKind::InvalidRequest && !code.is_empty() {
            error = error.with_code(code.to_owned());
        }
        if kind == ErrorKind::LoginRequired {
            error = error.with_hint(format!("check the key of upstream `{upstream}`"));
        }
        error
    }
}

/// Whether an object without an `error` is one all the same: a code and words in the place of an answer, a
/// success that is none, or MiniMax's envelope, which every answer of its has, with a code other than 0.
fn fails(members: &Members) -> bool {
    let code = members.some("status").or_else(|| members.some("code"));
    let fails = code.is_some() || members.get("success").and_then(Raw::bool) == Some(false);
    let says = ["msg", "message"].iter().any(|key| members.some(key).is_some());
    let base = members.some("base_resp").and_then(Raw::members);
    let base = base.and_then(|base| base.some("status_code")?.u64()).is_some_and(|code| code != 0);
    (members.some("choices").is_none() && fails && says) || base
}

/// Whether an answer may end this way without a word.
pub fn may_be_silent(reason: &str) -> bool {
    !matches!(reason, "stop" | "end" | "eos" | "tool_calls" | "function_call")
}

/// An answer in which nothing was found that we know.
pub fn not_understood(upstream: &str) -> Error {
    Error::new(ErrorKind::BadAnswer, format!("upstream `{upstream}` sent an answer that is no completion"))
}

/// An answer that says nothing at all (B31).
pub fn empty(upstream: &str) -> Error {
    Error::new(ErrorKind::BadAnswer, format!("empty response from upstream `{upstream}`"))
        .with_retries_at_most(1)
}

/// An answer that broke off (B27, D08).
pub fn broken_off() -> Error {
    Error::new(ErrorKind::BadAnswer, "upstream closed the stream before finishing")
}

/// A cheap look before the thorough one: whether the text may hold an in-band error.
fn mentions_error(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"\"error\"").is_some()
}

fn status_of(members: &Members) -> Option<u16> {
    ["status", "code", "status_code", "http_code"].iter().find_map(|key| {
        let raw = members.some(key)?;
        let number = raw.u64().or_else(|| raw.text()?.parse().ok())?;
        u16::try_from(number).ok().filter(|status| (400..600).contains(status))
    })
}

/// What a refusal says for itself.
#[derive(Default)]
struct Said {
    message: Option<String>,
    code: Option<String>,
    prompt_tokens: Option<u64>,
    window: Option<u64>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let text = body.trim_ascii();
        match Members::parse(&Bytes::copy_from_slice(text)) {
            Ok(members) => Self::of(&members),
            Err(_) => Self { message: plain(text), ..Self::default() },
        }
    }

    fn of(outer: &Members) -> Self {
        // MiniMax says it in `base_resp`.
        let inner = outer.some("error").and_then(Raw::members);
        let inner = inner.or_else(|| outer.some("base_resp").and_then(Raw::members));
        let find = |keys: &[&str]| {
            let places = inner.iter().chain(std::iter::once(outer));
            places.flat_map(|members| keys.iter().filter_map(|key| members.some(key))).find_map(as_text)
        };
        let number =
            |key| inner.iter().chain(std::iter::once(outer)).find_map(|members| members.some(key)?.u64());
        Self {
            message: find(&["message", "msg", "status_msg", "detail", "error", "error_msg"])
                .map(|text| clip(&text)),
            code: find(&["code", "type"]),
            prompt_tokens: number("n_prompt_tokens"),
            window: number("n_ctx"),
        }
    }
}

fn as_text(raw: &Raw) -> Option<String> {
    match raw.kind() {
        Kind::String => raw.text().map(std::borrow::Cow::into_owned).filter(|text| !text.trim().is_empty()),
        Kind::Number => Some(raw.as_str().to_owned()),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
    }
}

/// A body that is not JSON, where a person could read it: no page, no binary.
fn plain(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let readable = !text.is_empty() && !text.starts_with('<') && !text.contains("</");
    readable.then(|| clip(text))
}

/// One line of at most [`MESSAGE_BYTES`], without control characters.
fn clip(text: &str) -> String {
    let mut end = text.len().min(MESSAGE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (head, _) = text.split_at(end);
    head.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// Table T3.
fn kind_of(status: Option<u16>, text: &str, code: &str) -> ErrorKind {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word) || code == *word);
    let out_of_money =
        has(&["insufficient balance", "insufficient_quota", "insufficient_balance", "余额不足", "1113"]);
    match status {
        Some(402) => ErrorKind::QuotaExhausted,
        Some(429) if out_of_money => ErrorKind::QuotaExhausted,
        Some(429 | 449) => ErrorKind::RateLimited,
        Some(401 | 439) => ErrorKind::LoginRequired,
        Some(403 | 434) => ErrorKind::Forbidden,
        Some(404) => ErrorKind::NotFound,
        Some(413) => ErrorKind::TooLarge,
        Some(408 | 504) => ErrorKind::TimedOut,
        Some(503 | 529) => ErrorKind::Overloaded,
        Some(400 | 409 | 422) => ErrorKind::InvalidRequest,
        _ if has(&["overloaded", "overloaded_error"]) => ErrorKind::Overloaded,
        None if has(&["rate limit", "rate_limit", "rate_limit_error", "rate_limit_exceeded"]) => {
            ErrorKind::RateLimited
        }
        None if has(&["authentication_error", "invalid_api_key"]) => ErrorKind::LoginRequired,
        None if has(&["permission_error", "permission_denied"]) => ErrorKind::Forbidden,
        None if has(&["not_found_error", "model_not_found"]) => ErrorKind::NotFound,
        None if has(&["request_too_large"]) => ErrorKind::TooLarge,
        None if has(&["billing_error"]) || out_of_money => ErrorKind::QuotaExhausted,
        None if has(&["timeout_error"]) => ErrorKind::TimedOut,
        None if has(&["invalid_request_error"]) => ErrorKind::InvalidRequest,
        _ => ErrorKind::BadAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> (ErrorKind, String) {
        let error = Judge::plain("zai").of_status(status, None, body.as_bytes());
        (error.kind(), error.message().to_owned())
    }

    #[test]
    fn statuses_become_kinds() {
        for (status, expected) in [
            (400, ErrorKind::InvalidRequest),
            (401, ErrorKind::LoginRequired),
            (402, ErrorKind::QuotaExhausted),
            (403, ErrorKind::Forbidden),
            (404, ErrorKind::NotFound),
            (406, ErrorKind::BadAnswer),
            (408, ErrorKind::TimedOut),
            (409, ErrorKind::InvalidRequest),
            (413, ErrorKind::TooLarge),
            (422, ErrorKind::InvalidRequest),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::BadAnswer),
            (502, ErrorKind::BadAnswer),
            (503, ErrorKind::Overloaded),
            (504, ErrorKind::TimedOut),
            (521, ErrorKind::BadAnswer),
            (529, ErrorKind::Overloaded),
        ] {
            assert_eq!(kind(status, "").0, expected, "{status}");
        }
    }

    #[test]
    fn the_providers_words_are_kept_and_pages_are_not() {
        assert_eq!(
            kind(400, r#"{"error":{"message":"bad `x`","code":"1213"}}"#).1,
            "upstream `zai`: bad `x`"
        );
        assert_eq!(kind(502, "<html>secret</html>").1, "upstream `zai` answered with status 502");
        assert_eq!(kind(429, r#"{"error":{"code":"1113","message":"no"}}"#).0, ErrorKind::QuotaExhausted);
    }

    #[test]
    fn errors_at_status_200_are_found() {
        for (text, expected) in [
            (r#"{"status":"449","msg":"rate","body":null}"#, ErrorKind::RateLimited),
            (r#"{"status":"439","msg":"expired","body":null}"#, ErrorKind::LoginRequired),
            (r#"{"error":{"message":"x","code":502}}"#, ErrorKind::BadAnswer),
            (r#"{"object":"error","message":"x","code":400}"#, ErrorKind::InvalidRequest),
            (r#"{"choices":[],"error":{"message":"x","code":"429"}}"#, ErrorKind::RateLimited),
            (r#"{"success":false,"code":"500","message":"busy"}"#, ErrorKind::BadAnswer),
            (r#"{"success":false,"message":"rate limit"}"#, ErrorKind::RateLimited),
            (r#"{"choices":null,"base_resp":{"status_code":1013,"status_msg":"x"}}"#, ErrorKind::BadAnswer),
            ("{}", ErrorKind::BadAnswer),
            ("null", ErrorKind::BadAnswer),
            ("{\"choices\":[", ErrorKind::BadAnswer),
        ] {
            let read = Judge::plain("zai").read_frame(&Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(read.err().map(|error| error.kind()), Some(expected), "{text}");
        }
        let text = Bytes::from_static(
            b"{\"choices\":[{\"delta\":{\"content\":\"an \\\"error\\\"\"}}],\"error\":null}",
        );
        assert!(matches!(Judge::plain("zai").read_frame(&text), Ok(Reading::Chunk(_))));
    }

    #[test]
    fn errors_of_the_anthropic_wire_are_known_by_their_type() {
        for (kind, expected) in [
            ("invalid_request_error", ErrorKind::InvalidRequest),
            ("authentication_error", ErrorKind::LoginRequired),
            ("billing_error", ErrorKind::QuotaExhausted),
            ("permission_error", ErrorKind::Forbidden),
            ("not_found_error", ErrorKind::NotFound),
            ("request_too_large", ErrorKind::TooLarge),
            ("rate_limit_error", ErrorKind::RateLimited),
            ("api_error", ErrorKind::BadAnswer),
            ("timeout_error", ErrorKind::TimedOut),
            ("overloaded_error", ErrorKind::Overloaded),
        ] {
            let text =
                format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"x"}},"request_id":"r"}}"#);
            let error = Judge::plain("zai").in_band(Place::Stream, text.as_bytes()).unwrap();
            assert_eq!((error.kind(), error.message()), (expected, "upstream `zai`: x"), "{kind}");
        }
        let long = "prompt is too long: 210000 tokens > 200000 maximum";
        let text =
            format!(r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"{long}"}}}}"#);
        let error = Judge::plain("zai").in_band(Place::Stream, text.as_bytes()).unwrap();
        assert_eq!((error.kind(), error.message()), (ErrorKind::PromptTooLong, long));
    }

    #[test]
    fn an_answer_that_says_it_succeeded_is_no_error() {
        for text in [
            r#"{"type":"message","content":[],"base_resp":{"status_code":0,"status_msg":"success"}}"#,
            r#"{"success":true,"message":"ok","choices":[]}"#,
            r#"{"choices":[],"base_resp":{"status_code":0,"status_msg":""},"error":null}"#,
        ] {
            assert!(Judge::plain("zai").in_band(Place::Stream, text.as_bytes()).is_none(), "{text}");
        }
    }
}
