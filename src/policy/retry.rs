//! Whether to ask again, and when. The clock, the chance and the waiting are the caller's.

use crate::error::{Error, ErrorKind};
use std::time::Duration;

/// Beyond this a `Retry-After` is the caller's to obey: nobody holds a connection for so long.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// By how much a wait is lengthened or shortened, so that many do not come back at once.
const JITTER: f64 = 0.1;
/// How many retries a second are allowed beside the share of the requests.
const FLOOR_PER_SECOND: f64 = 3.0;
/// How many retries can be saved up. Chosen: a quiet hour must not buy a storm.
const MOST_SAVED: f64 = 30.0;

/// How often, and after which waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How often to ask again; 0 for never.
    pub retries: u32,
    /// The waits before each; the last one repeats.
    pub delays: Vec<Duration>,
    /// How many retries every 100 requests allow, beside 3 a second.
    pub budget_percent: u32,
}

/// How long to wait before asking again after `failed` failures, this one included; `None` where it
/// is not to be asked again. `chance` is from -1 to 1.
pub fn verdict(policy: &Policy, error: &Error, failed: u32, chance: f64) -> Option<Duration> {
    let allowed = policy.retries.min(error.retries_at_most().unwrap_or(u32::MAX));
    if failed > allowed || !is_worth_it(error) {
        return None;
    }
    let index = usize::try_from(failed.saturating_sub(1)).ok()?;
    let usual = policy.delays.get(index).or(policy.delays.last()).copied().unwrap_or_default();
    let usual = usual.mul_f64(1.0 + JITTER * chance.clamp(-1.0, 1.0));
    match error.retry_after() {
        Some(asked) if asked > LONGEST_WAIT => None,
        Some(asked) => Some(asked.max(usual)),
        None => Some(usual),
    }
}

/// Whether a failure may be gone next time: no connection, or one that was closed before any
/// answer; 408, 429, 500, 502, 503, 504, 529; an error at status 200. A silence of our own limit is
/// not: whoever waited that long does not want to wait again.
pub(super) fn is_worth_it(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Unreachable | ErrorKind::RateLimited | ErrorKind::Overloaded => true,
        ErrorKind::TimedOut => matches!(error.status(), Some(408 | 504)),
        ErrorKind::BadAnswer => matches!(error.status(), None | Some(500 | 502)),
        ErrorKind::Usage
        | ErrorKind::NotConfigured
        | ErrorKind::InvalidRequest
        | ErrorKind::PromptTooLong
        | ErrorKind::AccessDenied
        | ErrorKind::LoginRequired
        | ErrorKind::QuotaExhausted
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::TooLarge
        | ErrorKind::Interrupted
        | ErrorKind::Internal => false,
    }
}

/// How many retries may be made: a share of the requests, and a few a second.
#[derive(Debug, Clone)]
pub struct Budget {
    saved: f64,
    per_request: f64,
    /// The time up to which the steady part was credited, since some fixed moment.
    credited: Duration,
}

impl Budget {
    /// A budget that begins with what one second allows.
    pub fn new(policy: &Policy) -> Self {
        let per_request = f64::from(policy.budget_percent) / 100.0;
        Self { saved: FLOOR_PER_SECOND, per_request, credited: Duration::ZERO }
    }

    /// Credits a request.
    pub fn request(&mut self) {
        self.saved = (self.saved + self.per_request).min(MOST_SAVED);
    }

    /// Takes one retry at the time `now`, if there is one to take.
    pub fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.credited);
        self.credited = now.max(self.credited);
        self.saved = (self.saved + passed.as_secs_f64() * FLOOR_PER_SECOND).min(MOST_SAVED);
        let enough = self.saved >= 1.0;
        if enough {
            self.saved -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy { retries: 3, delays: [1, 2, 3].map(Duration::from_secs).to_vec(), budget_percent: 20 }
    }

    fn waits(error: &Error) -> Vec<u64> {
        (1..6)
            .filter_map(|failed| verdict(&policy(), error, failed, 0.0))
            .map(|wait| wait.as_secs())
            .collect()
    }

    #[test]
    fn what_may_pass_is_asked_again_after_one_two_and_three_seconds() {
        for (kind, status, expected) in [
            (ErrorKind::Unreachable, None, vec![1, 2, 3]),
            (ErrorKind::RateLimited, Some(429), vec![1, 2, 3]),
            (ErrorKind::Overloaded, Some(503), vec![1, 2, 3]),
            (ErrorKind::Overloaded, Some(529), vec![1, 2, 3]),
            (ErrorKind::TimedOut, Some(408), vec![1, 2, 3]),
            (ErrorKind::TimedOut, Some(504), vec![1, 2, 3]),
            (ErrorKind::TimedOut, None, vec![]),
            (ErrorKind::BadAnswer, Some(500), vec![1, 2, 3]),
            (ErrorKind::BadAnswer, Some(502), vec![1, 2, 3]),
            (ErrorKind::BadAnswer, Some(501), vec![]),
            (ErrorKind::BadAnswer, Some(406), vec![]),
            (ErrorKind::BadAnswer, None, vec![1, 2, 3]),
            (ErrorKind::InvalidRequest, Some(400), vec![]),
            (ErrorKind::LoginRequired, Some(401), vec![]),
            (ErrorKind::Forbidden, Some(403), vec![]),
            (ErrorKind::NotFound, Some(404), vec![]),
            (ErrorKind::TooLarge, Some(413), vec![]),
            (ErrorKind::PromptTooLong, Some(400), vec![]),
            (ErrorKind::QuotaExhausted, Some(402), vec![]),
        ] {
            let error = Error::new(kind, "x");
            let error = match status {
                Some(status) => error.with_status(status),
                None => error,
            };
            assert_eq!(waits(&error), expected, "{kind:?} {status:?}");
        }
    }

    #[test]
    fn the_provider_s_own_wish_is_obeyed_up_to_thirty_seconds() {
        for (asked, expected) in [(0, vec![1, 2, 3]), (2, vec![2, 2, 3]), (30, vec![30; 3]), (31, vec![])] {
            let wish = Some(Duration::from_secs(asked));
            assert_eq!(waits(&Error::new(ErrorKind::RateLimited, "x").with_retry_after(wish)), expected);
        }
    }

    #[test]
    fn an_empty_answer_is_asked_for_once_more() {
        assert_eq!(waits(&Error::new(ErrorKind::BadAnswer, "empty").with_retries_at_most(1)), [1]);
    }

    #[test]
    fn waits_differ_by_a_tenth() {
        let error = Error::new(ErrorKind::Unreachable, "x");
        for (chance, expected) in [(-1.0, 900), (0.0, 1000), (1.0, 1100), (9.0, 1100)] {
            let wait = verdict(&policy(), &error, 1, chance).unwrap();
            assert_eq!(wait.as_millis(), expected);
        }
    }

    #[test]
    fn a_storm_is_held_to_a_fifth_of_the_requests_and_three_a_second() {
        let mut budget = Budget::new(&policy());
        let mut taken = 0;
        for tick in 0..6_000u64 {
            budget.request();
            taken += u64::from(budget.take(Duration::from_millis(tick * 10)));
        }
        let most = 6_000 / 5 + 60 * 3 + 3;
        assert!(taken <= most && taken >= most - 5, "{taken} of {most}");
    }
}
