//! What signs in at an upstream: a key, or a login whose access token is renewed. In files both are JSON objects; a
//! login's members are those of `~/.iflow/oauth_creds.json`, and members that are not known stay as they are.

use crate::secret::Secret;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// What is stored of one account.
#[derive(Clone)]
pub struct Credential {
    /// What it is.
    pub kind: Kind,
    /// All members of the object as it was read.
    members: Map<String, Value>,
}

/// The two kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A key that does not expire by itself.
    Key(Secret),
    /// Tokens of a login.
    Login(Login),
}

/// Tokens of a login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// The access token.
    pub access_token: Option<Secret>,
    /// What it is renewed with; without one the login ends with it.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires: Option<Timestamp>,
    /// When it was issued, where that is known.
    pub obtained: Option<Timestamp>,
    /// The key that calls are signed in with in the place of the access token (iFlow).
    pub api_key: Option<Secret>,
    /// Whether that key is still the one from before the last refresh.
    pub key_pending: bool,
    /// Who it is, as the provider says it.
    pub account: Option<String>,
    /// What it may do, separated by blanks.
    pub scope: Option<String>,
}

const KEY: &str = "key";
const ACCESS_TOKEN: &str = "access_token";
const REFRESH_TOKEN: &str = "refresh_token";
const EXPIRY: &str = "expiry_date";
const OBTAINED: &str = "obtained_at";
const API_KEY: &str = "apiKey";
const PENDING: &str = "apiKey_pending";
const ACCOUNT: &str = "account";
const SCOPE: &str = "scope";
const TOKEN_TYPE: &str = "token_type";
const ADDED: &str = "added_at";

impl Credential {
    /// A key.
    pub fn key(key: Secret, account: Option<String>, now: Timestamp) -> Self {
        let mut members = Map::new();
        members.insert(KEY.to_owned(), key.expose().into());
        if let Some(account) = account {
            members.insert(ACCOUNT.to_owned(), account.into());
        }
        members.insert(ADDED.to_owned(), now.as_millisecond().into());
        Self { kind: Kind::Key(key), members }
    }

    /// A login.
    pub fn login(login: Login) -> Self {
        Self { kind: Kind::Login(Login::default()), members: Map::new() }.with_login(login)
    }

    /// The same account with other tokens; what else was stored of it stays.
    #[must_use]
    pub fn with_login(&self, login: Login) -> Self {
        let mut members = self.members.clone();
        members.remove(KEY);
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| Value::from(secret.expose()));
        let time = |time: Option<Timestamp>| time.map(|time| Value::from(time.as_millisecond()));
        for (name, value) in [
            (ACCESS_TOKEN, secret(&login.access_token)),
            (REFRESH_TOKEN, secret(&login.refresh_token)),
            (EXPIRY, time(login.expires)),
            (OBTAINED, time(login.obtained)),
            (SCOPE, login.scope.clone().map(Value::from)),
            (API_KEY, secret(&login.api_key)),
            (PENDING, login.key_pending.then_some(Value::Bool(true))),
            (ACCOUNT, login.account.clone().map(Value::from)),
        ] {
            match value {
                Some(value) => drop(members.insert(name.to_owned(), value)),
                None => drop(members.shift_remove(name)),
            }
        }
        members.entry(TOKEN_TYPE).or_insert_with(|| "bearer".into());
        Self { kind: Kind::Login(login), members }
    }

    /// Reads an object; `None` where it holds neither a key nor tokens.
    pub fn read(members: Map<String, Value>) -> Option<Self> {
        let text =
            |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let secret = |name: &str| text(name).map(|text| Secret::new(text.trim()));
        let kind = if let Some(key) = secret(KEY) {
            Kind::Key(key)
        } else {
            let login = Login {
                access_token: secret(ACCESS_TOKEN),
                refresh_token: secret(REFRESH_TOKEN),
                expires: members.get(EXPIRY).and_then(time_of),
                obtained: members.get(OBTAINED).and_then(time_of),
                api_key: secret(API_KEY),
                key_pending: members.get(PENDING) == Some(&Value::Bool(true)),
                account: text(ACCOUNT).map(str::to_owned),
                scope: text(SCOPE).map(str::to_owned),
            };
            if login.access_token.is_none() && login.refresh_token.is_none() && login.api_key.is_none() {
                return None;
            }
            Kind::Login(login)
        };
        Some(Self { kind, members })
    }

    /// The object as it is written.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// Whether another has the same tokens.
    pub fn shares_tokens(&self, other: &Self) -> bool {
        let tokens = |credential: &Self| {
            credential.as_login().map(|login| (login.access_token.clone(), login.refresh_token.clone()))
        };
        tokens(self).is_some() && tokens(self) == tokens(other)
    }

    /// Whether another is the same to its last member.
    pub fn is(&self, other: &Self) -> bool {
        self.members == other.members
    }

    /// What calls are signed in with; `None` for a login that holds only a refresh token.
    pub fn bearer(&self) -> Option<&Secret> {
        match &self.kind {
            Kind::Key(key) => Some(key),
            Kind::Login(login) => login.bearer(),
        }
    }

    /// The tokens, where it is a login.
    pub fn as_login(&self) -> Option<&Login> {
        match &self.kind {
            Kind::Key(_) => None,
            Kind::Login(login) => Some(login),
        }
    }

    /// Who it is, as the provider said it.
    pub fn account(&self) -> Option<&str> {
        match &self.kind {
            Kind::Key(_) => self.members.get(ACCOUNT).and_then(Value::as_str),
            Kind::Login(login) => login.account.as_deref(),
        }
    }

    /// All that must not be seen.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let (key, login) = match &self.kind {
            Kind::Key(key) => (Some(key), None),
            Kind::Login(login) => (None, Some(login)),
        };
        let tokens = login.into_iter().flat_map(|login| {
            [&login.access_token, &login.refresh_token, &login.api_key].into_iter().flatten()
        });
        key.into_iter().chain(tokens)
    }
}

/// Members may be secrets, known or not.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Login {
    /// What calls are signed in with.
    pub fn bearer(&self) -> Option<&Secret> {
        self.api_key.as_ref().or(self.access_token.as_ref())
    }

    /// How long before its end it is renewed: `wanted`, but never more than 15/16 of its life, so that tokens that
    /// live shortly are not renewed at every use.
    pub fn lead(&self, wanted: Duration) -> Duration {
        let life = self.expires.zip(self.obtained).map(|(end, begin)| between(begin, end));
        life.map_or(wanted, |life| wanted.min(life / 16 * 15))
    }

    /// How long it still lives; `None` where it does not end, nothing where it has.
    pub fn left(&self, now: Timestamp) -> Option<Duration> {
        self.expires.map(|end| between(now, end))
    }
}

/// From one time to another that may be over.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A time as milliseconds, or as one of the texts in which iFlow's clients have written it.
fn time_of(value: &Value) -> Option<Timestamp> {
    if let Some(number) = value.as_i64() {
        return Timestamp::from_millisecond(number).ok();
    }
    if let Some(number) = value.as_f64() {
        let milliseconds = Duration::try_from_secs_f64(number / 1000.0).ok()?;
        return Timestamp::from_millisecond(i64::try_from(milliseconds.as_millis()).ok()?).ok();
    }
    let text = value.as_str()?.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Timestamp::from_millisecond(number).ok();
    }
    let local = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    text.parse::<Timestamp>().ok().or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Option<Credential> {
        Credential::read(value.as_object()?.clone())
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        let expected = "2026-04-17T08:30:00Z".parse::<Timestamp>().unwrap();
        for value in [
            json!(1_776_414_600_000_i64),
            json!(1_776_414_600_000.0),
            json!("1776414600000"),
            json!("2026-04-17T08:30:00Z"),
            json!("2026-04-17T08:30:00.000Z"),
            json!("2026-04-17T16:30:00+08:00"),
            json!("2026-04-17T08:30:00"),
            json!("2026-04-17 08:30:00"),
            json!("2026-04-17 08:30"),
        ] {
            assert_eq!(time_of(&value), Some(expected), "{value}");
        }
        for value in [json!(null), json!("soon"), json!({}), json!("")] {
            assert_eq!(time_of(&value), None, "{value}");
        }
    }

    #[test]
    fn new_tokens_leave_what_is_not_known() {
        let old = read(json!({"userId": "7", "access_token": "a1", "refresh_token": "r1", "expiry_date": "2026-04-17 08:30",
            "token_type": "Bearer", "scope": "read", "apiKey": "k1", "extra": {"x": [1]}}))
        .unwrap();
        let mut login = old.as_login().unwrap().clone();
        login.access_token = Some(Secret::new("a2"));
        login.expires = Timestamp::from_millisecond(5).ok();
        login.scope = None;
        let new = old.with_login(login);
        let expected = json!({"userId": "7", "access_token": "a2", "refresh_token": "r1", "expiry_date": 5,
            "token_type": "Bearer", "apiKey": "k1", "extra": {"x": [1]}});
        assert_eq!(Value::Object(new.members().clone()), expected);
        assert_eq!(new.bearer().unwrap().expose(), "k1");
    }

    #[test]
    fn nothing_to_sign_in_with_is_nothing() {
        for value in [json!({}), json!({"access_token": " "}), json!({"key": 7}), json!({"scope": "x"})] {
            assert!(read(value.clone()).is_none(), "{value}");
        }
    }

    #[test]
    fn a_token_is_renewed_in_time_and_not_at_every_use() {
        let hour = Duration::from_secs(3600);
        let login = |hours: i64, known: bool| Login {
            expires: Timestamp::from_second(hours * 3600).ok(),
            obtained: known.then_some(Timestamp::UNIX_EPOCH),
            ..Login::default()
        };
        // The life, whether its begin is known, and the lead.
        for (hours, known, expected) in
            [(48, true, 45 * hour), (480, true, 45 * hour), (1, true, hour / 16 * 15), (1, false, 45 * hour)]
        {
            assert_eq!(login(hours, known).lead(45 * hour), expected, "{hours} h");
        }
        assert_eq!(login(1, true).left(Timestamp::from_second(600).unwrap()), Some(hour - hour / 6));
        assert_eq!(login(1, true).left(Timestamp::from_second(7200).unwrap()), Some(Duration::ZERO));
        assert_eq!(Login::default().left(Timestamp::UNIX_EPOCH), None);
    }
}
