//! What went wrong on the way to a provider. Its own refusals are read by `policy::failure`.

use crate::error::{Error, ErrorKind};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// A request that got no answer, or an answer that broke off.
pub fn of_transport(name: &str, error: reqwest::Error) -> Error {
    // The address may hold what nobody should read; the upstream's name says enough.
    let error = error.without_url();
    if error.is_timeout() {
        return Error::new(ErrorKind::TimedOut, format!("upstream `{name}` did not answer in time"))
            .with_source(error);
    }
    if error.is_body() || error.is_decode() {
        return Error::new(ErrorKind::BadAnswer, format!("the answer of upstream `{name}` broke off"))
            .with_source(error);
    }
    let why = root_cause(&error);
    Error::new(ErrorKind::Unreachable, format!("upstream `{name}` cannot be reached: {why}"))
        .with_source(error)
}

/// An upstream that said nothing for too long.
pub fn silent(name: &str, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    Error::new(ErrorKind::TimedOut, format!("upstream `{name}` sent nothing for {seconds} s"))
}

/// `reqwest` hides what happened behind "error sending request": the innermost cause says it.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// What the provider says of its limits (C05).
pub fn limits(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-")
    });
    told.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// When the provider says to come back: `retry-after-ms`, or seconds (C05).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_millis(milliseconds));
    }
    let seconds: f64 = text(RETRY_AFTER.as_str())?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
