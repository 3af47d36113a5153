//! One refresh of one login, in a thread of its own: a refresh token may be good for one use only, so what was begun
//! is brought to its end, stored included, whoever has left meanwhile. Other processes wait, and find what came of it.

use super::credential::{Credential, Login};
use super::grant::{Grants, INVALID_GRANT};
use super::http::Http;
use super::iflow;
use super::method::{Flow, Method};
use super::store::{Account, Entry, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::private::Lock;
use crate::secret::Secret;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long after a failure nobody tries again.
pub const COOL_DOWN: Duration = Duration::from_secs(60);
/// How long another process may take; it may have to wait for a server that does not answer.
const TURN: Duration = Duration::from_secs(60);

/// How a refresh failed, for all who wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    is_final: bool,
}

impl Failure {
    /// Whether the refresh token is good for nothing any more.
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// The error of one who waited. It is not asked again at once, and does not count against the upstream, which
    /// was not asked: both would hide what is wrong.
    pub fn error(&self) -> Error {
        let error = Error::new(self.kind, self.message.clone()).with_retries_at_most(0);
        let error = match &self.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        };
        if self.kind == ErrorKind::BadAnswer { error.with_status(500) } else { error }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: match error.kind() {
                ErrorKind::Unreachable | ErrorKind::TimedOut => ErrorKind::BadAnswer,
                kind => kind,
            },
            message: error.message().to_owned(),
            hint: error.hint().map(str::to_owned),
            is_final: error.code() == Some(INVALID_GRANT),
        }
    }
}

/// What a refresh came to.
#[derive(Debug)]
pub struct Refreshed {
    /// The login as it is now.
    pub credential: Credential,
    /// Why it could not be stored, where it could not.
    pub unsaved: Option<String>,
    /// Whether the server was asked, rather than another process found to have done so.
    pub asked: bool,
}

/// How the last refresh of an account ended: a note in the file of its lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Note {
    /// When, in milliseconds.
    pub at: i64,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What to do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Whether only a new login helps, or another client.
    #[serde(default)]
    needs_login: bool,
    /// Whether it failed for good.
    #[serde(default)]
    pub is_final: bool,
    /// Whether the access token was not good any more either.
    #[serde(default)]
    pub refused: bool,
    /// Which refresh token that was: a digest of it.
    token: String,
}

impl Note {
    /// The note about an account; `None` where it was never refreshed here.
    pub fn of(store: &Store, account: &Account) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(store.refresh_lock(account)).ok()?).ok()
    }

    /// Whether it is about this login.
    pub fn is_about(&self, login: &Login) -> bool {
        login.refresh_token.as_ref().is_some_and(|token| self.token == fingerprint(token))
    }

    /// The failure that it tells of.
    fn failure(self) -> Failure {
        let kind = if self.needs_login { ErrorKind::LoginRequired } else { ErrorKind::BadAnswer };
        Failure { kind, message: self.failed.unwrap_or_default(), hint: self.hint, is_final: self.is_final }
    }

    /// Whether asking again is of no use yet. A note from the future says nothing: some clock was wrong.
    fn forbids(&self, login: &Login, now: Timestamp) -> bool {
        let passed = u64::try_from(now.as_millisecond().saturating_sub(self.at)).ok();
        let is_recent = passed.is_some_and(|passed| Duration::from_millis(passed) < COOL_DOWN);
        self.failed.is_some() && self.is_about(login) && (self.is_final || is_recent)
    }
}

/// One refresh that is to be made.
pub struct Job {
    /// Where the login is kept.
    pub store: Arc<Store>,
    /// Whose it is.
    pub entry: Entry,
    /// How one logs in there.
    pub method: Arc<Method>,
    /// The way there.
    pub http: Http,
    /// Whether a person wants it, who may try as often as they like.
    pub forced: bool,
    /// Whether what there was has been refused, or has ended.
    pub refused: bool,
    /// What is stored below it, where that could not be replaced.
    pub beneath: Option<Credential>,
}

impl Job {
    /// Makes it. A future that is dropped leaves it going on.
    ///
    /// # Errors
    /// How it failed; the login is then stored as it was.
    pub async fn run(self) -> Result<Refreshed, Failure> {
        let (sender, receiver) = oneshot::channel();
        let flight = Flight::begin();
        let made = thread::Builder::new().name("refresh".to_owned()).spawn(move || {
            let outcome = self.make();
            drop(flight);
            let _ = sender.send(outcome);
        });
        made.map_err(|error| internal("no thread for a refresh can be started").with_source(error))?;
        receiver.await.unwrap_or_else(|_| Err(internal("a refresh has ended without a word").into()))
    }

    fn make(&self) -> Result<Refreshed, Failure> {
        let account = &self.entry.account;
        let mut lock = match Lock::take(&self.store.refresh_lock(account), TURN) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                let message =
                    format!("another process has refreshed the login of `{}` for too long", account.upstream);
                return Err(Error::new(ErrorKind::TimedOut, message).into());
            }
            // A directory that nobody can write has no other writer either.
            Err(error) => {
                tracing::debug!(upstream = account.upstream, %error, "refreshing without a lock");
                None
            }
        };
        let now = self.stored()?;
        let Some(login) = now.as_login() else {
            // A key stands in its place now.
            return Ok(Refreshed { credential: now, unsaved: None, asked: false });
        };
        let held = self.entry.credential.as_login();
        // Of two that share their tokens, one may have got its key since.
        let is_held =
            |held: &Login| held.access_token == login.access_token && held.bearer() == login.bearer();
        if !self.forced && !held.is_some_and(is_held) {
            return Ok(Refreshed { credential: now, unsaved: None, asked: false });
        }
        let note = lock.as_mut().and_then(|lock| serde_json::from_str::<Note>(&lock.note()).ok());
        if let Some(note) = note.filter(|note| !self.forced && note.forbids(login, Timestamp::now())) {
            return Err(note.failure());
        }
        let token = login.refresh_token.as_ref().map(fingerprint);
        let outcome = self.ask(&now, login).map_err(|error| self.masked(error, &now));
        if let Some(lock) = &mut lock {
            let failure = outcome.as_ref().err();
            let note = Note {
                at: Timestamp::now().as_millisecond(),
                failed: failure.map(|failure| failure.message.clone()),
                hint: failure.and_then(|failure| failure.hint.clone()),
                needs_login: failure.is_some_and(|failure| failure.kind == ErrorKind::LoginRequired),
                is_final: failure.is_some_and(Failure::is_final),
                refused: self.refused && !self.forced,
                token: match &outcome {
                    Ok(refreshed) => {
                        let login = refreshed.credential.as_login();
                        login.and_then(|login| login.refresh_token.as_ref()).map(fingerprint)
                    }
                    Err(_) => token,
                }
                .unwrap_or_default(),
            };
            lock.set_note(&serde_json::to_string(&note).unwrap_or_default());
        }
        outcome
    }

    /// The login as it is stored now; as it is held where the file cannot be read, or could not be written.
    fn stored(&self) -> Result<Credential, Failure> {
        match self.store.account(&self.entry.account) {
            Ok(Some(entry)) if self.beneath.as_ref().is_some_and(|old| old.is(&entry.credential)) => {
                Ok(self.entry.credential.clone())
            }
            Ok(Some(entry)) => Ok(entry.credential),
            Ok(None) => Err(signed_out(&self.entry.account.upstream).into()),
            Err(error) => {
                tracing::warn!(upstream = self.entry.account.upstream, %error, "going on with the login in memory");
                Ok(self.entry.credential.clone())
            }
        }
    }

    /// A server's own words, without anything that it was shown or has granted.
    fn masked(&self, error: Error, stored: &Credential) -> Failure {
        let now = self.store.account(&self.entry.account).ok().flatten();
        let secrets = stored.secrets().chain(now.iter().flat_map(|entry| entry.credential.secrets()));
        secrets
            .chain(&self.method.client_secret)
            .fold(error, |error, secret| error.masking(secret.expose()))
            .into()
    }

    /// Asks the server for new tokens, stores them, and asks for what else belongs to them.
    fn ask(&self, stored: &Credential, login: &Login) -> Result<Refreshed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| internal("no runtime for a refresh can be started").with_source(error))?;
        runtime.block_on(async {
            let method = Method::clone(&self.method).for_refresh(&self.http).await?;
            let grants = Grants::new(&method, &self.http);
            let mut login = login.clone();
            let mut asked = false;
            // Only the key is missing where the last refresh did not get as far.
            if !login.key_pending || self.forced {
                let Some(token) = &login.refresh_token else {
                    return Err(cannot_be_renewed(&self.entry.account.upstream));
                };
                let tokens = grants.refresh(token).await?;
                login = renewed(&login, tokens, method.flow);
                asked = true;
            }
            let Some(mut refreshed) = self.keep(stored, stored, login, asked) else { return self.other() };
            if method.flow == Flow::Iflow {
                let login = refreshed.credential.as_login().cloned().unwrap_or_default();
                let token = login.access_token.clone().unwrap_or_else(|| Secret::new(""));
                let user = iflow::user(&method, &self.http, &token).await?;
                let login = Login {
                    api_key: Some(user.api_key),
                    account: user.account.or(login.account.clone()),
                    key_pending: false,
                    ..login
                };
                let Some(complete) = self.keep(stored, &refreshed.credential, login, asked) else {
                    return self.other();
                };
                refreshed = complete;
            }
            Ok(refreshed)
        })
    }

    /// Stores what was granted, before anybody uses it. Where that fails, it is still good in memory; `None` where
    /// somebody has logged out or in anew meanwhile, which counts.
    fn keep(&self, begun: &Credential, now: &Credential, login: Login, asked: bool) -> Option<Refreshed> {
        let credential = now.with_login(login);
        let is_expected = |found: &Credential| {
            let ours = [Some(begun), Some(now), self.beneath.as_ref()];
            ours.into_iter().flatten().any(|ours| ours.shares_tokens(found))
        };
        let unsaved = match self.store.renew(&self.entry.account, &credential, is_expected) {
            Ok(true) => None,
            Ok(false) => return None,
            Err(error) => {
                use std::error::Error as _;
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                Some(format!("{}{cause}", error.message()))
            }
        };
        Some(Refreshed { credential, unsaved, asked })
    }

    /// What is there in the place of what was renewed.
    fn other(&self) -> Result<Refreshed> {
        let entry = self.store.account(&self.entry.account)?;
        let entry = entry.ok_or_else(|| signed_out(&self.entry.account.upstream))?;
        Ok(Refreshed { credential: entry.credential, unsaved: None, asked: false })
    }
}

/// A login with new tokens. A server that sends no new refresh token leaves the old one good.
fn renewed(login: &Login, tokens: super::grant::Tokens, flow: Flow) -> Login {
    let now = Timestamp::now();
    Login {
        access_token: Some(tokens.access_token),
        refresh_token: tokens.refresh_token.or_else(|| login.refresh_token.clone()),
        expires: tokens.life.and_then(|life| now.checked_add(life).ok()),
        obtained: Some(now),
        scope: tokens.scope.or_else(|| login.scope.clone()),
        key_pending: flow == Flow::Iflow,
        ..login.clone()
    }
}

/// A login from the tokens of its first grant.
pub fn first(tokens: super::grant::Tokens) -> Login {
    Login { key_pending: false, ..renewed(&Login::default(), tokens, Flow::Standard) }
}

/// Nobody is logged in.
pub fn signed_out(upstream: &str) -> Error {
    Error::new(ErrorKind::LoginRequired, format!("nobody is logged in at `{upstream}`"))
        .with_hint(format!("`iflow2api auth login {upstream}` logs in"))
}

/// A login that has ended, and cannot be renewed.
pub fn cannot_be_renewed(upstream: &str) -> Error {
    Error::new(
        ErrorKind::LoginRequired,
        format!("the login at `{upstream}` has ended, and cannot be renewed"),
    )
    .with_hint(format!("`iflow2api auth login {upstream}` logs in anew"))
}

fn internal(message: &'static str) -> Error {
    Error::new(ErrorKind::Internal, message)
}

/// What tells one token from another without telling the token.
fn fingerprint(token: &Secret) -> String {
    let digest = digest::digest(&digest::SHA256, token.expose().as_bytes());
    HEXLOWER.encode(digest.as_ref().get(..12).unwrap_or_default())
}

/// How many refreshes are under way in this process.
static FLIGHTS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// One of them.
struct Flight;

impl Flight {
    fn begin() -> Self {
        *FLIGHTS.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        *FLIGHTS.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FLIGHTS.1.notify_all();
    }
}

/// Waits until no refresh is under way, at most `limit`: a process that ended now would lose the token that is on its
/// way. Blocks.
pub fn settle(limit: Duration) {
    let until = Instant::now() + limit;
    let mut flights = FLIGHTS.0.lock().unwrap_or_else(PoisonError::into_inner);
    while *flights > 0 {
        let Some(left) = until.checked_duration_since(Instant::now()) else { return };
        flights = FLIGHTS.1.wait_timeout(flights, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}
