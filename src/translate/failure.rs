//! Failures in the words of each API: two of the three tables that match every [`ErrorKind`].

#![deny(clippy::wildcard_enum_match_arm)]

use crate::error::{Error, ErrorKind};
use crate::wire::anthropic::Failure;
use serde_json::{Value, json};

/// The status that both faces answer a failure with.
pub fn status(error: &Error) -> u16 {
    match error.kind() {
        ErrorKind::Usage | ErrorKind::Internal => 500,
        ErrorKind::NotConfigured => 503,
        ErrorKind::InvalidRequest => {
            error.status().filter(|status| matches!(status, 405 | 409 | 415)).unwrap_or(400)
        }
        ErrorKind::PromptTooLong => 400,
        ErrorKind::AccessDenied => match error.status() {
            Some(403) => 403,
            _ => 401,
        },
        ErrorKind::LoginRequired => 401,
        ErrorKind::QuotaExhausted => 402,
        ErrorKind::Forbidden => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::TooLarge => 413,
        ErrorKind::RateLimited => 429,
        ErrorKind::Overloaded => match error.status() {
            Some(529) => 529,
            _ => 503,
        },
        ErrorKind::Unreachable | ErrorKind::BadAnswer => 502,
        ErrorKind::TimedOut => 504,
        ErrorKind::Interrupted => 499,
    }
}

/// An answer that broke off (B27).
pub fn broken_off() -> Error {
    Error::new(ErrorKind::BadAnswer, "upstream closed the stream before finishing")
}

/// What `x-should-retry` says: `Some(false)` where asking again cannot help (C06).
pub fn should_retry(error: &Error) -> Option<bool> {
    match error.kind() {
        ErrorKind::Usage
        | ErrorKind::NotConfigured
        | ErrorKind::LoginRequired
        | ErrorKind::QuotaExhausted => Some(false),
        ErrorKind::InvalidRequest
        | ErrorKind::PromptTooLong
        | ErrorKind::AccessDenied
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::TooLarge
        | ErrorKind::RateLimited
        | ErrorKind::Overloaded
        | ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::BadAnswer
        | ErrorKind::Interrupted
        | ErrorKind::Internal => None,
    }
}

/// The OpenAI API's `type` and `code`.
fn openai_words(error: &Error) -> (&'static str, Option<&'static str>) {
    match error.kind() {
        ErrorKind::Usage | ErrorKind::Internal | ErrorKind::Interrupted => ("server_error", None),
        ErrorKind::NotConfigured => ("server_error", Some("not_configured")),
        ErrorKind::InvalidRequest => match error.status() {
            Some(409) => ("invalid_request_error", Some("conflict")),
            _ => ("invalid_request_error", None),
        },
        ErrorKind::PromptTooLong => ("invalid_request_error", Some("context_length_exceeded")),
        ErrorKind::AccessDenied => match error.status() {
            Some(403) => ("invalid_request_error", Some("permission_denied")),
            _ => ("invalid_request_error", Some("invalid_api_key")),
        },
        ErrorKind::LoginRequired => ("invalid_request_error", Some("login_required")),
        ErrorKind::QuotaExhausted => ("insufficient_quota", Some("insufficient_quota")),
        ErrorKind::Forbidden => ("invalid_request_error", Some("permission_denied")),
        ErrorKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorKind::TooLarge => ("invalid_request_error", Some("request_too_large")),
        ErrorKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Overloaded => ("server_error", Some("overloaded")),
        ErrorKind::Unreachable | ErrorKind::BadAnswer => ("server_error", Some("upstream_error")),
        ErrorKind::TimedOut => ("server_error", Some("timeout")),
    }
}

/// The Anthropic API's `type`.
fn anthropic_type(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidRequest | ErrorKind::PromptTooLong => "invalid_request_error",
        ErrorKind::AccessDenied => match error.status() {
            Some(403) => "permission_error",
            _ => "authentication_error",
        },
        ErrorKind::LoginRequired => "authentication_error",
        ErrorKind::QuotaExhausted => "billing_error",
        ErrorKind::Forbidden => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::TimedOut => "timeout_error",
        ErrorKind::Usage
        | ErrorKind::NotConfigured
        | ErrorKind::Unreachable
        | ErrorKind::BadAnswer
        | ErrorKind::Interrupted
        | ErrorKind::Internal => "api_error",
    }
}

/// The message with its path in front and its hint behind, for a client that shows nothing else.
fn full_message(error: &Error) -> String {
    let mut text = String::new();
    if let Some(param) = error.param() {
        text.push_str(param);
        text.push_str(": ");
    }
    text.push_str(error.message());
    if let Some(hint) = error.hint() {
        text.push_str("; ");
        text.push_str(hint);
    }
    text
}

/// `{"error": {…}}`, as a body and inside a stream (C02).
pub fn openai_envelope(error: &Error) -> Value {
    let (kind, code) = openai_words(error);
    json!({
        "error": {
            "message": full_message(error),
            "type": kind,
            "param": error.param(),
            "code": error.code().or(code),
        }
    })
}

/// `{"type": "error", "error": {…}}`, as a body and inside a stream (C01).
pub fn anthropic_envelope(error: &Error, request_id: Option<&str>) -> Value {
    let mut inner = json!({ "type": anthropic_type(error), "message": full_message(error) });
    if let (Some("thread_unsupported_request"), Some(inner)) = (error.code(), inner.as_object_mut()) {
        let details = json!({ "error_code": "thread_unsupported_request", "unsupported": ["thread"] });
        inner.insert("details".to_owned(), details);
    }
    let mut envelope = json!({ "type": "error", "error": inner });
    if let (Some(id), Some(envelope)) = (request_id, envelope.as_object_mut()) {
        envelope.insert("request_id".to_owned(), Value::from(id));
    }
    envelope
}

/// The inner object of the Anthropic envelope, for an error event.
pub fn anthropic_failure(error: &Error) -> Failure {
    Failure { kind: anthropic_type(error).to_owned(), message: full_message(error) }
}
