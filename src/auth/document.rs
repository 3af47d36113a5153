//! `credentials.json` as it is written: `{version, upstreams: {NAME: {current, client_secret, profiles: {PROFILE: {…}}}}}`.

use super::credential::Credential;
use super::keyring;
use super::store::{Account, DEFAULT_PROFILE, replace};
use crate::error::{Error, ErrorKind, Result};
use crate::private::{self, CORRUPT};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::path::Path;

const VERSION: u64 = 1;
const VERSION_MEMBER: &str = "version";
/// The member that says where the rest is, where that is not the file.
const STORE: &str = "store";
const KEYRING: &str = "keyring";

/// What the file says.
#[derive(Default)]
pub(super) struct Document {
    /// All of it.
    pub(super) members: Map<String, Value>,
    /// What is worth a warning about the file.
    pub(super) warning: Option<String>,
    /// Whether it is in the system's keyring.
    pub(super) in_keyring: bool,
    /// Whether it takes the place of one that could not be understood.
    pub(super) is_new: bool,
}

impl Document {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let Some(private::Read { text, warning }) = private::read(path)? else { return Ok(Self::default()) };
        let members = parse(path, &text)?;
        let is_known = members.get(VERSION_MEMBER).is_none_or(|version| version.as_u64() == Some(VERSION));
        if !is_known {
            let message = format!("`{}` was written by another version of iflow2api", path.display());
            return Err(Error::new(ErrorKind::Usage, message));
        }
        if members.get(STORE).and_then(Value::as_str) != Some(KEYRING) {
            return Self { members, warning, ..Self::default() }.checked(path);
        }
        let members = match keyring::get(path)? {
            Some(text) => parse(path, &text)?,
            None => Map::new(),
        };
        Self { members, in_keyring: true, ..Self::default() }.checked(path)
    }

    /// What has another form than ours would be overwritten at the next change.
    fn checked(self, path: &Path) -> Result<Self> {
        let is_map = |value: Option<&Value>| value.is_none_or(Value::is_object);
        let mut upstreams = self.upstreams().into_iter().flat_map(Map::values);
        if is_map(self.members.get("upstreams"))
            && upstreams.all(|upstream| upstream.is_object() && is_map(upstream.get("profiles")))
        {
            return Ok(self);
        }
        let message = format!("`{}`: `upstreams` is not the table expected", path.display());
        Err(Error::new(ErrorKind::Usage, message).with_code(CORRUPT).with_hint(KEPT))
    }

    /// Writes it, into the keyring where `to_keyring` says so; the file then says that it is there. What the keyring
    /// does not take goes into the file, since nothing may be lost.
    pub(super) fn write(&mut self, path: &Path, to_keyring: bool) -> Result<()> {
        self.members.entry(VERSION_MEMBER).or_insert_with(|| VERSION.into());
        let text = format!("{:#}\n", Value::Object(self.members.clone()));
        if to_keyring {
            match keyring::set(path, &text) {
                Ok(()) => {
                    // Others notice by the time that something has changed.
                    let pointer = json!({
                        VERSION_MEMBER: VERSION,
                        STORE: KEYRING,
                        "changed_at": Timestamp::now().as_millisecond(),
                    });
                    self.in_keyring = true;
                    return replace(path, &format!("{pointer:#}\n"));
                }
                Err(error) => tracing::warn!("{error}; keys and logins go into `{}`", path.display()),
            }
        }
        replace(path, &text)?;
        if self.in_keyring && !to_keyring {
            // It is a copy now, and no harm where it stays.
            let _ = keyring::remove(path);
        }
        self.in_keyring = false;
        Ok(())
    }

    pub(super) fn upstreams(&self) -> Option<&Map<String, Value>> {
        self.members.get("upstreams")?.as_object()
    }

    pub(super) fn upstream(&self, name: &str) -> Option<&Map<String, Value>> {
        self.upstreams()?.get(name)?.as_object()
    }

    pub(super) fn current(&self, upstream: &str) -> &str {
        let current = self.upstream(upstream).and_then(|upstream| upstream.get("current")?.as_str());
        current.unwrap_or(DEFAULT_PROFILE)
    }

    pub(super) fn profiles(&self, upstream: &str) -> impl Iterator<Item = (&String, Credential)> {
        let profiles = self.upstream(upstream).and_then(|upstream| upstream.get("profiles")?.as_object());
        profiles
            .into_iter()
            .flatten()
            .filter_map(|(name, profile)| Some((name, Credential::read(profile.as_object()?.clone())?)))
    }

    pub(super) fn upstream_mut(&mut self, name: &str) -> &mut Map<String, Value> {
        object(object(&mut self.members, "upstreams"), name)
    }

    /// Puts an account in. The first one of an upstream is also the one that calls use.
    pub(super) fn put(&mut self, account: &Account, members: Map<String, Value>) {
        let is_first = self.profiles(&account.upstream).next().is_none();
        object(self.upstream_mut(&account.upstream), "profiles")
            .insert(account.profile.clone(), members.into());
        if is_first {
            self.choose(account);
        }
    }

    /// Has calls use an account.
    pub(super) fn choose(&mut self, account: &Account) {
        self.upstream_mut(&account.upstream).insert("current".to_owned(), account.profile.clone().into());
    }

    /// Takes an account out, and has calls use another where they used this one.
    pub(super) fn remove(&mut self, account: &Account) -> bool {
        let name = &account.upstream;
        if self.upstream(name).is_none() {
            return false;
        }
        let was_current = self.current(name) == account.profile;
        let upstream = self.upstream_mut(name);
        let profiles = object(upstream, "profiles");
        let removed = profiles.shift_remove(&account.profile).is_some();
        match profiles.keys().next().cloned() {
            Some(next) if was_current => drop(upstream.insert("current".to_owned(), next.into())),
            None if was_current => drop(upstream.shift_remove("current")),
            Some(_) | None => {}
        }
        self.tidy(name);
        removed
    }

    /// Takes out the secret of a client that nobody logs in with any more.
    pub(super) fn forget_client(&mut self, name: &str) {
        if self.upstream(name).is_some() {
            self.upstream_mut(name).shift_remove("client_secret");
            self.tidy(name);
        }
    }

    /// Leaves nothing behind of an upstream of which nothing is stored.
    fn tidy(&mut self, name: &str) {
        let is_empty = self.upstream_mut(name).values().all(|value| *value == json!({}));
        if is_empty {
            object(&mut self.members, "upstreams").shift_remove(name);
        }
    }
}

/// The object in a member, made where there is none.
fn object<'a>(members: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was made one just now"),
    }
}

/// What becomes of a file that cannot be understood.
const KEPT: &str = "`iflow2api auth login` writes a new one, and keeps this one beside it";

/// Reads an object. serde's own message may repeat the text, which may be a token, so only the place is told.
pub(super) fn parse(path: &Path, text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let (path, line, column) = (path.display(), error.line(), error.column());
        Error::new(ErrorKind::Usage, format!("`{path}` line {line}, column {column}: not the JSON expected"))
            .with_code(CORRUPT)
            .with_hint(KEPT)
    })
}
