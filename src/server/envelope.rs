//! Failures as responses: `translate::failure` plus the headers, in the words of the API that was
//! asked. Which kind a failure is was decided where it was understood.

use crate::error::{Error, ErrorKind};
use crate::translate::failure;
use poem::error::ResponseError;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse as _, Response};
use std::fmt::Write as _;

/// Whose fault an error is.
const ERROR_HEADER: HeaderName = HeaderName::from_static("x-iflow2api-error");
/// Whether asking again can help (C06).
const RETRY_HEADER: HeaderName = HeaderName::from_static("x-should-retry");
/// The longest header value of ours. Chosen: far below what proxies accept.
const MAX_HEADER_CHARS: usize = 1024;

/// Which of the two APIs a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// `/v1/messages` and below.
    Anthropic,
    /// All else.
    OpenAi,
}

impl Face {
    /// The API that a path belongs to.
    pub fn of(path: &str) -> Self {
        match path.strip_prefix("/v1/messages") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::Anthropic,
            _ => Self::OpenAi,
        }
    }

    /// The word used in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
        }
    }
}

/// So that handlers can use `?`; the envelope is made by `front`, which knows the face.
impl ResponseError for Error {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(failure::status(self)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A failure as the answer to a call.
pub fn response(error: &Error, face: Face, id: &str) -> Response {
    let envelope = match face {
        Face::Anthropic => failure::anthropic_envelope(error, Some(id)),
        Face::OpenAi => failure::openai_envelope(error),
    };
    let mut response = (ResponseError::status(error), envelope.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ERROR_HEADER, HeaderValue::from_static(error.fault().as_str()));
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    set_limits(headers, error.limits());
    if let Some(should) = failure::should_retry(error) {
        headers.insert(RETRY_HEADER, HeaderValue::from_static(if should { "true" } else { "false" }));
    }
    if error.kind() == ErrorKind::AccessDenied && response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Passes on what the provider says of its limits (C05).
pub fn set_limits(headers: &mut HeaderMap, limits: &[(String, String)]) {
    for (name, value) in limits {
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            headers.insert(name, header_text(value));
        }
    }
}

/// What went wrong in poem, or in a handler that gave it our own error to carry.
pub fn from_poem(error: poem::Error, method: &str, path: &str) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(ours) => return ours,
        Err(error) => error,
    };
    match error.status() {
        StatusCode::NOT_FOUND => Error::new(ErrorKind::NotFound, format!("there is no route `{path}`"))
            .with_code("route_not_found")
            .with_hint("`GET /` lists the routes"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Error::new(ErrorKind::InvalidRequest, format!("`{path}` does not take {method}"))
                .with_status(405)
                .with_code("method_not_allowed")
        }
        status if status.is_client_error() => {
            Error::new(ErrorKind::InvalidRequest, error.to_string()).with_status(status.as_u16())
        }
        _ => Error::new(ErrorKind::Internal, "the answer could not be made").with_source(error.to_string()),
    }
}

/// A text as a header's value: what is not visible ASCII is percent-encoded, and so is `%`.
pub fn header_text(text: &str) -> HeaderValue {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes().take(MAX_HEADER_CHARS) {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            value.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("(unprintable)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_face_is_told_by_the_path() {
        for (path, face) in [
            ("/v1/messages", Face::Anthropic),
            ("/v1/messages/count_tokens", Face::Anthropic),
            ("/v1/messagesx", Face::OpenAi),
            ("/v1/models", Face::OpenAi),
            ("/", Face::OpenAi),
        ] {
            assert_eq!(Face::of(path), face, "{path}");
        }
    }

    #[test]
    fn waiting_time_is_said_in_whole_seconds_rounded_up() {
        let error = Error::new(ErrorKind::RateLimited, "later");
        let error = error.with_retry_after(Some(Duration::from_millis(1200)));
        let response = response(&error, Face::OpenAi, "req_1");
        assert_eq!(response.header("retry-after"), Some("2"));
        assert_eq!(response.header("x-iflow2api-error"), Some("upstream"));
        assert_eq!(response.status().as_u16(), 429);
    }

    #[test]
    fn a_failure_that_stays_says_so() {
        let error = Error::new(ErrorKind::NotConfigured, "no upstream is set up");
        let response = response(&error, Face::Anthropic, "req_1");
        assert_eq!(response.header("x-should-retry"), Some("false"));
        assert_eq!(response.status().as_u16(), 503);
    }

    #[test]
    fn a_header_value_can_neither_break_the_line_nor_the_client() {
        assert_eq!(header_text("glm-4.7\r\nx: 模 100%"), "glm-4.7%0D%0Ax: %E6%A8%A1 100%25");
    }
}
