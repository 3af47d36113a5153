//! What a provider's own codes mean, by the rows of the catalogue.

use crate::error::{Class, ErrorKind};
use crate::policy::presets::rows::{self, Place};
use crate::wire::json::{Kind, Members, Raw};
use jiff::Timestamp;
use regex::Regex;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

/// The rules of one provider, in order.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    row: Arc<rows::Failure>,
    /// Made when it is first needed: most runs of the program meet no such error.
    reset: OnceLock<Option<Regex>>,
}

/// What a rule says of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What it is.
    pub class: Class,
    /// In how long it may be gone, where the provider says so.
    pub reset: Option<Duration>,
}

impl Rules {
    /// Rules in the order in which they are looked through.
    pub fn new(rows: impl Iterator<Item = Arc<rows::Failure>>) -> Self {
        Self(rows.map(|row| Rule { row, reset: OnceLock::new() }).collect())
    }

    /// What the first rule that fits says of a failure met at `place`.
    pub fn judge(&self, place: Place, status: Option<u16>, body: &[u8], now: SystemTime) -> Option<Verdict> {
        if self.0.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(body);
        let members = Members::parse(&bytes::Bytes::copy_from_slice(body.trim_ascii())).ok();
        let rule = self.0.iter().find(|rule| rule.fits(place, status, &text, members.as_ref()))?;
        Some(Verdict { class: rule.row.class, reset: rule.reset_in(&text, now) })
    }
}

impl Rule {
    fn fits(&self, place: Place, status: Option<u16>, text: &str, members: Option<&Members>) -> bool {
        let row = &self.row;
        let at_place = row.place == Place::Any || row.place == place;
        let has_status = row.http.is_empty() || status.is_some_and(|status| row.http.contains(&status));
        let has_text = row.contains.as_ref().is_none_or(|wanted| text.contains(wanted.as_str()));
        at_place && has_status && has_text && self.has_value(members)
    }

    fn has_value(&self, members: Option<&Members>) -> bool {
        let Some(pointer) = &self.row.at else { return true };
        let Some(value) = members.and_then(|members| value_at(members, pointer)) else { return false };
        let is_one = self.row.is.contains(&value);
        is_one || self.row.prefix.iter().any(|prefix| value.starts_with(prefix.as_str()))
    }

    /// How long it is until the time that the provider's words hold.
    fn reset_in(&self, text: &str, now: SystemTime) -> Option<Duration> {
        // A row whose expression is none was refused when it was read.
        let expression = || self.row.reset.as_deref().and_then(|text| Regex::new(text).ok());
        let found = self.reset.get_or_init(expression).as_ref()?.captures(text)?;
        let found = found.get(1).or(found.get(0))?.as_str();
        let at = time_of(found, self.row.reset_tz.as_deref())?.as_second();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at).ok()?);
        Some(at.duration_since(now).unwrap_or_default())
    }
}

/// The text or number at a pointer such as `/error/code`.
fn value_at(members: &Members, pointer: &str) -> Option<String> {
    let (first, rest) = match pointer.trim_start_matches('/').split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer.trim_start_matches('/'), None),
    };
    let value = members.some(first)?;
    match (rest, value.kind()) {
        (Some(rest), Kind::Object) => value_at(&value.members()?, rest),
        (None, Kind::String) => value.text().map(std::borrow::Cow::into_owned),
        (None, Kind::Number | Kind::Bool) => Some(Raw::as_str(value).to_owned()),
        _ => None,
    }
}

/// The time that a text such as `2026-11-26 00:30:00` says, in a zone such as `+08:00`; in UTC where none is known.
fn time_of(text: &str, zone: Option<&str>) -> Option<Timestamp> {
    let numbers: Vec<i64> =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let &[year, month, day, hour, minute, ref rest @ ..] = numbers.as_slice() else { return None };
    let (second, zone) = (rest.first().copied().unwrap_or(0), zone.unwrap_or("Z"));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}").parse().ok()
}

/// The kind of error that a class becomes; nothing where its status decides (T3).
pub fn kind_of(class: Class) -> Option<ErrorKind> {
    match class {
        Class::AuthExpired | Class::Auth => Some(ErrorKind::LoginRequired),
        Class::Blocked | Class::Permission => Some(ErrorKind::Forbidden),
        Class::Balance => Some(ErrorKind::QuotaExhausted),
        Class::Quota | Class::Rate | Class::Concurrency => Some(ErrorKind::RateLimited),
        Class::Overload => Some(ErrorKind::Overloaded),
        Class::Model => Some(ErrorKind::NotFound),
        Class::Context => Some(ErrorKind::PromptTooLong),
        Class::Filter | Class::Param | Class::ReasoningMissing | Class::ThinkingUnsupported => {
            Some(ErrorKind::InvalidRequest)
        }
        Class::Transient => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::presets::Catalogue;

    #[test]
    fn times_are_read_in_their_zone() {
        for (text, expected) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("2000-03-01 00:00:00", Some(951_868_800)),
            ("2024-02-29 12:30:15", Some(1_709_209_815)),
            ("2026-11-25 16:00:00", Some(1_795_622_400)),
            ("2026-13-25 16:00:00", None),
            ("soon", None),
        ] {
            assert_eq!(time_of(text, None).map(Timestamp::as_second), expected, "{text}");
        }
        for (zone, ahead) in [("+08:00", 28_800), ("-03:30", -12_600), ("Z", 0)] {
            assert_eq!(
                time_of("1970-01-02 00:00:00", Some(zone)).unwrap().as_second(),
                86_400 - ahead,
                "{zone}"
            );
        }
    }

    /// 2026-11-25 16:00:00 UTC.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_622_400)
    }

    #[test]
    fn each_provider_s_codes_are_known() {
        let quota = r#"{"error":{"code":"1308","message":"Usage limit reached for 5 hour. Your limit will reset at 2026-11-26 00:30:00"}}"#;
        for (preset, place, status, body, class, reset) in [
            (
                "zai",
                Place::Http,
                Some(429),
                r#"{"error":{"code":"1302","message":"x"}}"#,
                Some(Class::Concurrency),
                None,
            ),
            ("zai-coding", Place::Http, Some(429), quota, Some(Class::Quota), Some(1800)),
            (
                "bigmodel",
                Place::Http,
                Some(429),
                r#"{"error":{"code":"1113","message":"x"}}"#,
                Some(Class::Balance),
                None,
            ),
            (
                "zai",
                Place::Http,
                Some(400),
                r#"{"error":{"code":"1261","message":"x"}}"#,
                Some(Class::Context),
                None,
            ),
            (
                "minimax",
                Place::Body,
                None,
                r#"{"base_resp":{"status_code":1008,"status_msg":"x"}}"#,
                Some(Class::Balance),
                None,
            ),
            (
                "dashscope",
                Place::Stream,
                None,
                r#"{"code":"Throttling.RateQuota","message":"x"}"#,
                Some(Class::Rate),
                None,
            ),
            (
                "dashscope",
                Place::Http,
                Some(400),
                r#"{"code":"Arrearage","message":"x"}"#,
                Some(Class::Balance),
                None,
            ),
            (
                "moonshot",
                Place::Http,
                Some(429),
                r#"{"error":{"type":"engine_overloaded_error"}}"#,
                Some(Class::Overload),
                None,
            ),
            (
                "openrouter",
                Place::Stream,
                None,
                r#"{"error":{"code":502,"message":"x"}}"#,
                Some(Class::Transient),
                None,
            ),
            ("iflow", Place::Body, None, r#"{"status":"434","msg":"x"}"#, Some(Class::Blocked), None),
            ("iflow", Place::Body, None, r#"{"status":"439","msg":"x"}"#, Some(Class::AuthExpired), None),
            ("nvidia", Place::Http, Some(410), "gone", Some(Class::Model), None),
            (
                "deepseek",
                Place::Http,
                Some(400),
                r#"{"error":{"message":"The `reasoning_content` in the thinking mode must be passed back"}}"#,
                Some(Class::ReasoningMissing),
                None,
            ),
            (
                "ollama",
                Place::Http,
                Some(400),
                "\"gemma3\" does not support thinking",
                Some(Class::ThinkingUnsupported),
                None,
            ),
            (
                "ark",
                Place::Http,
                Some(403),
                r#"{"error":{"code":"AccountOverdueError"}}"#,
                Some(Class::Balance),
                None,
            ),
            ("deepseek", Place::Http, Some(403), "{}", None, None),
            ("openai", Place::Http, Some(429), r#"{"error":{"code":"1302"}}"#, None, None),
        ] {
            let provider = Catalogue::built_in().provider(preset);
            let verdict = provider.errors.judge(place, status, body.as_bytes(), now());
            assert_eq!(verdict.map(|verdict| verdict.class), class, "{preset} {body}");
            assert_eq!(verdict.and_then(|verdict| verdict.reset).map(|wait| wait.as_secs()), reset, "{body}");
        }
    }
}
