//! What signs in the calls to one upstream, kept fresh: one refresh at a time, before it is needed or where the upstream
//! refuses a token, and the files looked at again where another process may have changed them.

use super::credential::Credential;
use super::http::Http;
use super::method::Method;
use super::refresh::{COOL_DOWN, Failure, Job, Refreshed, cannot_be_renewed, signed_out};
use super::store::{Entry, Stamp, Store};
use crate::error::{Error, Result};
use crate::secret::Secret;
use jiff::Timestamp;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often a login in the background is looked after.
const TEND: Duration = Duration::from_secs(60);

/// The stored key or login of one upstream.
pub struct Session {
    store: Arc<Store>,
    upstream: String,
    method: Option<Arc<Method>>,
    http: Http,
    lead: Duration,
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

/// What a call is signed in with, and since when that was known.
#[derive(Debug, Clone)]
pub struct Pass {
    /// The key or token.
    pub secret: Secret,
    taken: Instant,
}

#[derive(Default)]
struct State {
    looked: Option<(Instant, Stamp)>,
    held: Option<Held>,
    unreadable: Option<Failure>,
    failed: Option<(Instant, Failure)>,
}

/// A credential in memory. Times are this process's own from here on, so that a clock that is set does not matter.
struct Held {
    entry: Entry,
    since: Instant,
    ends: Option<Instant>,
    refreshed: bool,
    /// What is still stored, where this could not be.
    beneath: Option<Credential>,
}

impl Held {
    fn new(entry: Entry, refreshed: bool) -> Self {
        let since = Instant::now();
        let left = entry.credential.as_login().and_then(|login| login.left(Timestamp::now()));
        let ends = left.and_then(|left| since.checked_add(left));
        Self { entry, since, ends, refreshed, beneath: None }
    }

    /// Whether what is stored says nothing new.
    fn knows(&self, stored: &Entry) -> bool {
        let known = [Some(&self.entry.credential), self.beneath.as_ref()];
        self.entry.account == stored.account
            && known.into_iter().flatten().any(|known| known.is(&stored.credential))
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        self.ends.map(|ends| ends.saturating_duration_since(now))
    }

    /// Whether it is to be renewed before it is used. What was renewed just now is not.
    fn is_stale(&self, lead: Duration, now: Instant) -> bool {
        let Some(login) = self.entry.credential.as_login() else { return false };
        if self.has_ended(now) || login.key_pending {
            return true;
        }
        let is_new = self.refreshed && now.saturating_duration_since(self.since) < COOL_DOWN;
        !is_new && self.left(now).is_some_and(|left| left <= login.lead(lead))
    }

    /// Whether it cannot be used any more. A key that came with a login outlives its tokens.
    fn has_ended(&self, now: Instant) -> bool {
        let Some(login) = self.entry.credential.as_login() else { return false };
        login.bearer().is_none()
            || login.api_key.is_none() && self.left(now).is_some_and(|left| left.is_zero())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl Session {
    /// What is stored for an upstream, renewed by this method when `lead` is left of it. Nothing is read yet.
    pub fn new(
        store: Arc<Store>,
        upstream: &str,
        method: Option<Method>,
        http: Http,
        lead: Duration,
    ) -> Self {
        Self {
            store,
            upstream: upstream.to_owned(),
            method: method.map(Arc::new),
            http,
            lead,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// What the next call is signed in with, renewed where that is due; `None` where nothing is stored, and nobody can
    /// log in either.
    ///
    /// # Errors
    /// `LoginRequired` where nobody is logged in or the login is dead, and how a refresh failed without which there is
    /// no going on.
    pub async fn pass(&self) -> Result<Option<Pass>> {
        match self.ready()? {
            Ready::Nothing => Ok(None),
            Ready::Fresh(pass) => Ok(Some(pass)),
            // What is good is not kept waiting by a login server that takes its time over somebody else's refresh.
            Ready::Stale(Some(usable)) if self.turn.try_lock().is_err() => Ok(Some(usable)),
            Ready::Stale(usable) => match self.refresh(false, None).await {
                Ok(pass) => Ok(Some(pass)),
                Err(error) => usable.map(Some).ok_or(error),
            },
        }
    }

    /// What to try instead of a pass that was refused; `None` where there is nothing else.
    ///
    /// # Errors
    /// How the refresh failed.
    pub async fn renewed(&self, refused: &Pass) -> Result<Option<Pass>> {
        self.look(true);
        if let Some(pass) = self.since(refused.taken) {
            return Ok(Some(pass));
        }
        // Whoever refuses a token that was just made refuses something else.
        let may_help = self.state().held.as_ref().is_some_and(|held| {
            self.method_of(held).is_ok() && !(held.refreshed && held.since.elapsed() < COOL_DOWN)
        });
        if !may_help {
            return Ok(None);
        }
        self.refresh(false, Some(refused.taken)).await.map(Some)
    }

    /// Renews the login now, as often as somebody wants it.
    ///
    /// # Errors
    /// `LoginRequired` where nobody is logged in, or the login cannot be renewed, and how the refresh failed.
    pub async fn force(&self) -> Result<()> {
        self.look(true);
        self.refresh(true, Some(Instant::now())).await.map(drop)
    }

    /// Keeps the login fresh for as long as the future is polled.
    pub async fn tend(&self) {
        loop {
            // What fails has been said, and is not tried again at once.
            let wait = match self.ready() {
                Ok(Ready::Stale(_)) if self.refresh(false, None).await.is_err() => TEND,
                Ok(_) => self.due(),
                Err(_) => TEND,
            };
            tokio::time::sleep(wait.clamp(LOOK, TEND)).await;
        }
    }

    /// Takes everything that is held here out of a message.
    pub fn mask(&self, error: Error) -> Error {
        let state = self.state();
        let secrets = state.held.iter().flat_map(|held| held.entry.credential.secrets());
        secrets.fold(error, |error, secret| error.masking(secret.expose()))
    }

    /// How long until the login is due.
    fn due(&self) -> Duration {
        let state = self.state();
        let Some(held) = &state.held else { return TEND };
        let Some(login) = held.entry.credential.as_login().filter(|_| self.method_of(held).is_ok()) else {
            return TEND;
        };
        held.left(Instant::now()).map_or(TEND, |left| left.saturating_sub(login.lead(self.lead)))
    }

    fn ready(&self) -> Result<Ready> {
        self.look(false);
        let now = Instant::now();
        let state = self.state();
        let Some(held) = &state.held else {
            return match &state.unreadable {
                Some(failure) => Err(failure.error()),
                None if self.method.is_none() => Ok(Ready::Nothing),
                None => Err(signed_out(&self.upstream)),
            };
        };
        let pass =
            held.entry.credential.bearer().map(|secret| Pass { secret: secret.clone(), taken: held.since });
        let ended = held.has_ended(now);
        match self.method_of(held) {
            Ok(_) if held.is_stale(self.lead, now) => Ok(Ready::Stale(pass.filter(|_| !ended))),
            Err(why) if ended => Err(why),
            _ => pass.map(Ready::Fresh).ok_or_else(|| cannot_be_renewed(&self.upstream)),
        }
    }

    /// How what is held is renewed; why it cannot be.
    fn method_of(&self, held: &Held) -> Result<&Arc<Method>> {
        let has_token = held.entry.credential.as_login().is_some_and(|login| login.refresh_token.is_some());
        match self.method.as_ref().filter(|_| has_token) {
            Some(method) if method.lacks_secret() => Err(method.secret_is_missing()),
            Some(method) => Ok(method),
            None => Err(cannot_be_renewed(&self.upstream)),
        }
    }

    /// What is held, where that has come since.
    fn since(&self, taken: Instant) -> Option<Pass> {
        let state = self.state();
        let held = state.held.as_ref().filter(|held| held.since > taken)?;
        let secret = held.entry.credential.bearer()?.clone();
        Some(Pass { secret, taken: held.since })
    }

    /// Renews the login, or waits for the one who does. Where something has come since `refused`, or it is fresh
    /// again, that is it.
    async fn refresh(&self, forced: bool, refused: Option<Instant>) -> Result<Pass> {
        let _turn = self.turn.lock().await;
        let (entry, method, beneath) = {
            let state = self.state();
            let Some(held) = &state.held else { return Err(signed_out(&self.upstream)) };
            let now = Instant::now();
            let is_done = match refused {
                Some(taken) => held.since > taken,
                None => !held.is_stale(self.lead, now),
            };
            if let Some(secret) = held.entry.credential.bearer().filter(|_| is_done) {
                return Ok(Pass { secret: secret.clone(), taken: held.since });
            }
            if let Some((when, failure)) = state.failed.as_ref().filter(|_| !forced)
                && (failure.is_final() || when.elapsed() < COOL_DOWN)
            {
                return Err(failure.error());
            }
            (held.entry.clone(), Arc::clone(self.method_of(held)?), held.beneath.clone())
        };
        let (store, http) = (Arc::clone(&self.store), self.http.clone());
        let job =
            Job { store, entry: entry.clone(), method, http, forced, refused: refused.is_some(), beneath };
        let outcome = job.run().await;
        self.ended(entry, outcome)
    }

    /// Notes how a refresh has ended, and says it where somebody should know.
    fn ended(&self, entry: Entry, outcome: Result<Refreshed, Failure>) -> Result<Pass> {
        let mut state = self.state();
        match outcome {
            Ok(Refreshed { credential, unsaved, asked }) => {
                let mut held = Held::new(Entry { credential, ..entry }, asked);
                let secret = held.entry.credential.bearer().cloned();
                let since = held.since;
                let lives_s = held.left(since).map(|left| left.as_secs());
                tracing::info!(upstream = self.upstream, asked, lives_s, "login refreshed");
                if let Some(why) = unsaved {
                    tracing::warn!(upstream = self.upstream, why, "the new tokens are only in memory");
                    let stored = self.store.account(&held.entry.account).ok().flatten();
                    held.beneath = stored.map(|stored| stored.credential);
                }
                state.held = Some(held);
                state.failed = None;
                state.looked = Some((since, self.store.stamp()));
                secret
                    .map(|secret| Pass { secret, taken: since })
                    .ok_or_else(|| cannot_be_renewed(&self.upstream))
            }
            Err(failure) => {
                let error = failure.error();
                let hint = error.hint();
                tracing::warn!(upstream = self.upstream, reason = %error, hint, "the login cannot be refreshed");
                state.failed = Some((Instant::now(), failure));
                Err(error)
            }
        }
    }

    /// Looks whether another process has changed the files, now and then, or at once.
    fn look(&self, at_once: bool) {
        let now = Instant::now();
        let seen = match &self.state().looked {
            Some((when, _)) if !at_once && now.saturating_duration_since(*when) < LOOK => return,
            looked => looked.as_ref().map(|(_, stamp)| stamp.clone()),
        };
        let stamp = self.store.stamp();
        if seen.as_ref() == Some(&stamp) {
            self.state().looked = Some((now, stamp));
            return;
        }
        let current = self.store.current(&self.upstream);
        let mut state = self.state();
        state.looked = Some((now, stamp));
        match current {
            Ok(entry) => state.take(entry),
            // What is in memory stays good.
            Err(error) => state.unreadable = Some(error.into()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes what is stored now. The same as before does not begin anew.
    fn take(&mut self, entry: Option<Entry>) {
        self.unreadable = None;
        match (&self.held, entry) {
            (Some(held), Some(entry)) if held.knows(&entry) => {}
            (_, entry) => {
                self.held = entry.map(|entry| Held::new(entry, false));
                self.failed = None;
            }
        }
    }
}

/// What there is to sign in with.
enum Ready {
    /// Nothing, and that may do.
    Nothing,
    /// This.
    Fresh(Pass),
    /// It should be renewed first; this will do otherwise.
    Stale(Option<Pass>),
}
