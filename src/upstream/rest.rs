//! An upstream that has nothing left to give for a while: its quota is used up, its balance empty, its key
//! shut out. Calls with another way to go take it; those without one still ask, since a person may have
//! topped it up by now.

use crate::error::{Class, Error, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long at the most before it is tried again, whatever it said: clocks differ, and people top up.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Until when an upstream rests.
#[derive(Debug, Default)]
pub struct Rest(Mutex<Option<Instant>>);

impl Rest {
    /// Notes how a call ended; its error, if it failed.
    pub fn end(&self, error: Option<&Error>) {
        let mut until = self.lock();
        match error {
            None => *until = None,
            Some(error) => {
                if let Some(wait) = wait_after(error) {
                    *until = Some(Instant::now() + wait);
                }
            }
        }
    }

    /// For how long it still rests.
    pub fn left(&self) -> Option<Duration> {
        let until = *self.lock();
        until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an upstream rests after a failure; not at all after most.
fn wait_after(error: &Error) -> Option<Duration> {
    let spent = error.kind() == ErrorKind::QuotaExhausted
        || matches!(error.class(), Some(Class::Quota | Class::Balance | Class::Blocked));
    spent.then(|| error.retry_after().unwrap_or(LONGEST).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_spent_rests_and_no_longer_than_a_quarter_of_an_hour() {
        let quota = |wait: Option<u64>| {
            let error = Error::new(ErrorKind::RateLimited, "x").with_class(Class::Quota);
            error.with_retry_after(wait.map(Duration::from_secs))
        };
        for (error, expected) in [
            (quota(Some(60)), Some(60)),
            (quota(Some(18_000)), Some(900)),
            (quota(None), Some(900)),
            (Error::new(ErrorKind::QuotaExhausted, "x"), Some(900)),
            (Error::new(ErrorKind::Forbidden, "x").with_class(Class::Blocked), Some(900)),
            (Error::new(ErrorKind::Forbidden, "x"), None),
            (Error::new(ErrorKind::RateLimited, "x").with_class(Class::Rate), None),
            (Error::new(ErrorKind::Overloaded, "x"), None),
        ] {
            assert_eq!(wait_after(&error).map(|wait| wait.as_secs()), expected, "{error:?}");
        }
    }

    #[test]
    fn a_success_ends_it() {
        let rest = Rest::default();
        assert_eq!(rest.left(), None);
        rest.end(Some(&Error::new(ErrorKind::QuotaExhausted, "x")));
        assert!(rest.left().is_some());
        rest.end(None);
        assert_eq!(rest.left(), None);
    }
}
