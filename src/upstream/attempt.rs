//! Asks again where the rules of `policy::retry` say so, and not at all where those of
//! `policy::circuit` do. Only what was not answered yet is asked again; dropping the future ends the
//! waiting too.

use crate::error::{Error, ErrorKind, Result};
use crate::policy::circuit::{self, Change, Circuits, Kept, Pass, State};
use crate::policy::retry::{Budget, Policy, verdict};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The attempts at one upstream.
pub struct Attempts {
    policy: Policy,
    budget: Mutex<Budget>,
    circuits: Mutex<Circuits>,
    since: Instant,
}

/// Whether calls may go to an upstream, or to one of its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `closed` where they may, `open` where they may not, `probing` while one tries.
    pub state: &'static str,
    /// When one may try next.
    pub retry_in: Option<Duration>,
}

/// One attempt that was let through; dropped without an end, it gives its turn back.
struct Attempt<'a> {
    attempts: &'a Attempts,
    model: &'a str,
    pass: Option<Pass>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.attempts.circuits().leave(pass, self.model, self.attempts.now());
        }
    }
}

impl Attempt<'_> {
    fn end(mut self, name: &str, error: Option<&Error>) {
        let Some(pass) = self.pass.take() else { return };
        let change = self.attempts.circuits().end(pass, self.model, error, self.attempts.now());
        match change {
            Some(Change::Opened { of_model, failures, wait }) => {
                let model = of_model.then_some(self.model);
                let wait_ms = milliseconds(wait);
                tracing::warn!(upstream = name, model, failures, wait_ms, "circuit opened: left alone");
            }
            Some(Change::Closed) => tracing::info!(upstream = name, model = self.model, "circuit closed"),
            None => {}
        }
    }
}

impl Attempts {
    /// With nothing tried yet.
    pub fn new(policy: Policy, circuit: circuit::Rules) -> Self {
        let budget = Mutex::new(Budget::new(&policy));
        Self { policy, budget, circuits: Mutex::new(Circuits::new(circuit)), since: Instant::now() }
    }

    /// Tries until it succeeds, or asking again cannot help. `retried` hears of each new try.
    ///
    /// # Errors
    /// The last failure; `Overloaded` where the upstream is left alone.
    pub async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        name: &str,
        model: &str,
        retried: &(dyn Fn() + Send + Sync),
        mut attempt: impl FnMut() -> F,
    ) -> Result<T> {
        let mut passed = self.enter(name, model)?;
        self.budget().request();
        let mut failed = 0;
        loop {
            let error = match attempt().await {
                Ok(answer) => {
                    passed.end(name, None);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            passed.end(name, Some(&error));
            failed += 1;
            let Some(wait) = self.wait(&error, failed, model) else { return Err(error) };
            tracing::warn!(
                upstream = name,
                attempt = failed,
                reason = %error,
                wait_ms = milliseconds(wait),
                "asking again"
            );
            retried();
            tokio::time::sleep(wait).await;
            // Others may have found meanwhile that there is no use.
            let Ok(next) = self.enter(name, model) else { return Err(error) };
            passed = next;
        }
    }

    /// Whether calls to a model are kept away now.
    pub fn keeps_out(&self, model: &str) -> bool {
        self.circuits().wait(model, self.now()).is_some()
    }

    /// The upstream's own health, and that of the models that are left alone.
    pub fn health(&self) -> (Health, Vec<(String, Health)>) {
        let now = self.now();
        let circuits = self.circuits();
        let (upstream, models) = circuits.states();
        let models = models.into_iter().map(|(model, state)| (model.to_owned(), health(state, now)));
        (health(upstream, now), models.collect())
    }

    fn enter<'a>(&'a self, name: &str, model: &'a str) -> Result<Attempt<'a>> {
        match self.circuits().enter(model, self.now()) {
            Ok(pass) => Ok(Attempt { attempts: self, model, pass: Some(pass) }),
            Err(kept) => Err(left_alone(name, model, kept)),
        }
    }

    fn wait(&self, error: &Error, failed: u32, model: &str) -> Option<Duration> {
        let wait = verdict(&self.policy, error, failed, fastrand::f64() * 2.0 - 1.0)?;
        if self.circuits().wait(model, self.now()).is_some_and(|closed| closed > wait) {
            return None;
        }
        self.budget().take(self.now()).then_some(wait)
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn circuits(&self) -> MutexGuard<'_, Circuits> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn health(state: State, now: Duration) -> Health {
    match state {
        State::Closed => Health { state: "closed", retry_in: None },
        State::Open { until } => Health { state: "open", retry_in: Some(until.saturating_sub(now)) },
        State::Probing => Health { state: "probing", retry_in: None },
    }
}

/// An upstream that is not asked.
fn left_alone(name: &str, model: &str, kept: Kept) -> Error {
    let Kept { of_model, wait, failures, reason } = kept;
    let of_model = if of_model { format!(" for model `{model}`") } else { String::new() };
    let message =
        format!("upstream `{name}` is left alone{of_model} after {failures} failures in a row: {reason}");
    Error::new(ErrorKind::Overloaded, message).with_status(503).with_retry_after(Some(wait))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
