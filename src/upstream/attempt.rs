//! Asks again where the rules of `policy::retry` say so. Only what was not answered yet is asked
//! again; dropping the future ends the waiting too.

use crate::error::{Error, Result};
use crate::policy::retry::{Budget, Policy, verdict};
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The retries of one upstream.
pub struct Attempts {
    policy: Policy,
    budget: Mutex<Budget>,
    since: Instant,
}

impl Attempts {
    /// With nothing tried yet.
    pub fn new(policy: Policy) -> Self {
        let budget = Mutex::new(Budget::new(&policy));
        Self { policy, budget, since: Instant::now() }
    }

    /// Tries until it succeeds, or asking again cannot help. `retried` hears of each new try.
    ///
    /// # Errors
    /// The last failure.
    pub async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        name: &str,
        retried: &(dyn Fn() + Send + Sync),
        mut attempt: impl FnMut() -> F,
    ) -> Result<T> {
        self.budget().request();
        let mut failed = 0;
        loop {
            let error = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failed += 1;
            let Some(wait) = self.wait(&error, failed) else { return Err(error) };
            tracing::warn!(
                upstream = name,
                attempt = failed,
                reason = %error,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "asking again"
            );
            retried();
            tokio::time::sleep(wait).await;
        }
    }

    fn wait(&self, error: &Error, failed: u32) -> Option<Duration> {
        let wait = verdict(&self.policy, error, failed, fastrand::f64() * 2.0 - 1.0)?;
        self.budget().take(self.since.elapsed()).then_some(wait)
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
