//! What went wrong on the way to a provider. Its own refusals are read by `policy::failure`.

use crate::error::{Error, ErrorKind, root_cause};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

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
        .with_hint("check the network, and that something answers at the address that is set up for it")
        .with_source(error)
}

/// An upstream that said nothing for too long.
pub fn silent(name: &str, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    Error::new(ErrorKind::TimedOut, format!("upstream `{name}` sent nothing for {seconds} s"))
}

/// What the provider says of its limits (C05), under the usual names and its `own`.
pub fn limits(headers: &HeaderMap, own: &[String]) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        let usual = name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-");
        usual || own.iter().any(|known| known == name)
    });
    told.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// When the provider says to come back, counted from `now`: `retry-after-ms`, or `retry-after` in
/// seconds or as a date (C05). A date that has passed is now; what is neither says nothing.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let milliseconds = text("retry-after-ms").and_then(|text| text.parse().ok());
    milliseconds.map(Duration::from_millis).or_else(|| read_wait(text(RETRY_AFTER.as_str())?, now))
}

fn read_wait(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        // What is longer than any clock is as long as can be.
        let longest = Duration::from_secs(u64::MAX);
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(longest));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_are_read_in_every_form() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 01:00:00 GMT").unwrap();
        for (text, seconds) in [
            ("0", Some(0.0)),
            ("2", Some(2.0)),
            ("1.5", Some(1.5)),
            ("1000000000", Some(1e9)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("", None),
            ("Mon, 23 Nov 2026 01:00:30 GMT", Some(30.0)),
            ("Mon, 23 Nov 2026 00:59:00 GMT", Some(0.0)),
            ("Monday, 23-Nov-26 01:00:30 GMT", Some(30.0)),
            ("Mon, 23 Nov 2026 01:00:30 CET", None),
        ] {
            assert_eq!(read_wait(text, now), seconds.map(Duration::from_secs_f64), "{text}");
        }
        for (text, seconds) in [
            ("9007199254740993", (1 << 53) + 1),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("1e99", u64::MAX),
        ] {
            assert_eq!(read_wait(text, now), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_text_of_a_header_is_fatal(text in "[ -~]{0,40}|[0-9.eE+-]{0,12}") {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, SystemTime::UNIX_EPOCH);
        }
    }
}
