//! How many calls an upstream gets at once; further ones wait in the order in which they came.

use crate::error::{Error, ErrorKind, Fault, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a caller is told to wait where the queue is full. Chosen: the shortest that clients obey, since
/// nobody knows when a place gets free.
const COME_BACK: Duration = Duration::from_secs(1);

/// How long after the last complaint of too many calls at once more are let in. Chosen: limits are counted by the
/// minute.
const EASE: Duration = Duration::from_secs(60);

/// The places of one upstream.
pub struct Admission {
    places: Arc<Places>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

struct Places {
    free: Arc<Semaphore>,
    /// How many calls at once, by the settings; `None` for any number.
    most: Option<usize>,
    narrowed: Mutex<Narrowed>,
}

/// How far the number of places was lowered, because the provider complained.
#[derive(Default)]
struct Narrowed {
    /// How many there are now, where that is fewer than the settings say.
    to: Option<usize>,
    under_way: usize,
    /// How many are to be given up as calls end.
    owed: usize,
    /// When the provider complained last, or more were let in again.
    since: Option<Instant>,
}

/// A place at an upstream; dropping it lets the next call in.
pub struct Admitted {
    permit: Option<OwnedSemaphorePermit>,
    places: Arc<Places>,
    /// How long the call has waited; `None` where no call has to.
    pub waited: Option<Duration>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut narrowed = self.places.lock();
        narrowed.under_way = narrowed.under_way.saturating_sub(1);
        if narrowed.owed > 0
            && let Some(permit) = self.permit.take()
        {
            narrowed.owed -= 1;
            permit.forget();
        }
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Narrowed> {
        self.narrowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn most(&self) -> usize {
        self.most.unwrap_or(Semaphore::MAX_PERMITS)
    }

    /// Lets in fewer calls than are under way now, but one.
    fn narrow(&self) {
        let mut narrowed = self.lock();
        let before = narrowed.to.unwrap_or(self.most());
        let to = before.min(narrowed.under_way.saturating_sub(1).max(1));
        let given_up = self.free.forget_permits(before - to);
        narrowed.owed += before - to - given_up;
        narrowed.to = Some(to);
        narrowed.since = Some(Instant::now());
    }

    /// Lets in twice as many, where the provider has not complained for a while.
    fn ease(&self) {
        let mut narrowed = self.lock();
        let Some(before) = narrowed.to.filter(|_| narrowed.since.is_none_or(|since| since.elapsed() >= EASE))
        else {
            return;
        };
        let to = before.saturating_mul(2).min(self.most());
        let more = to - before;
        let kept = more.min(narrowed.owed);
        narrowed.owed -= kept;
        self.free.add_permits(more - kept);
        narrowed.to = (to < self.most()).then_some(to);
        narrowed.since = Some(Instant::now());
    }

    /// The place of a call that is let in.
    fn admitted(self: &Arc<Self>, permit: OwnedSemaphorePermit, waited: Duration) -> Admitted {
        let mut narrowed = self.lock();
        narrowed.under_way += 1;
        let counts = self.most.is_some() || narrowed.to.is_some();
        drop(narrowed);
        Admitted { permit: Some(permit), places: Arc::clone(self), waited: counts.then_some(waited) }
    }
}

/// A call in the queue; dropping it leaves the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// For so many calls at once, and so many that wait.
    pub fn new(max_concurrent: Option<usize>, max_waiting: usize) -> Self {
        let most = max_concurrent.map(|places| places.min(Semaphore::MAX_PERMITS));
        let free = Arc::new(Semaphore::new(most.unwrap_or(Semaphore::MAX_PERMITS)));
        let places = Arc::new(Places { free, most, narrowed: Mutex::default() });
        Self { places, waiting: AtomicUsize::new(0), max_waiting }
    }

    /// The provider complained of too many calls at once: fewer are let in for a while. Returns how many.
    pub fn narrow(&self) -> usize {
        self.places.narrow();
        self.places.lock().to.unwrap_or_default()
    }

    /// Waits for a place, `limit` at the most. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `RateLimited` where the queue is full, or the wait too long.
    pub async fn enter(&self, name: &str, limit: Duration) -> Result<Admitted> {
        let places = &self.places;
        places.ease();
        if let Ok(permit) = Arc::clone(&places.free).try_acquire_owned() {
            return Ok(places.admitted(permit, Duration::ZERO));
        }
        let begun = Instant::now();
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.max_waiting {
            return Err(full(format!("{before} calls wait for upstream `{name}` already, and no more may")));
        }
        let entered = tokio::time::timeout(limit, Arc::clone(&places.free).acquire_owned()).await;
        drop(waiting);
        match entered {
            Ok(Ok(permit)) => Ok(places.admitted(permit, begun.elapsed())),
            Ok(Err(_)) => unreachable!("nobody closes this semaphore"),
            Err(_) => {
                let seconds = limit.as_secs_f64();
                Err(full(format!("no place at upstream `{name}` became free within {seconds} s")))
            }
        }
    }
}

fn full(message: String) -> Error {
    Error::new(ErrorKind::RateLimited, message)
        .with_fault(Fault::Local)
        .with_retry_after(Some(COME_BACK))
        .with_hint("`upstream.NAME.max_concurrent` and `upstream.NAME.max_queue` set the limits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(1);

    async fn enter(admission: &Admission) -> Option<Admitted> {
        admission.enter("a", AT_ONCE).await.ok()
    }

    #[tokio::test]
    async fn a_complaint_lets_in_fewer_than_are_under_way() {
        let admission = Admission::new(None, 10);
        let mut calls = Vec::new();
        for _ in 0..4 {
            let call = enter(&admission).await.unwrap();
            assert_eq!(call.waited, None);
            calls.push(call);
        }
        assert_eq!(admission.narrow(), 3);
        assert!(enter(&admission).await.is_none());
        calls.truncate(2);
        let third = enter(&admission).await.unwrap();
        assert!(third.waited.is_some());
        assert!(enter(&admission).await.is_none());
        assert_eq!((admission.narrow(), admission.narrow()), (2, 2));
        drop((third, calls));
        let calls = [enter(&admission).await, enter(&admission).await, enter(&admission).await];
        assert_eq!(calls.map(|call| call.is_some()), [true, true, false]);
    }

    #[tokio::test]
    async fn more_are_let_in_again_after_a_while() {
        let admission = Admission::new(Some(4), 10);
        let calls = [enter(&admission).await, enter(&admission).await];
        assert_eq!(admission.narrow(), 1);
        drop(calls);
        let free = || admission.places.free.available_permits();
        assert_eq!(free(), 1);
        for expected in [2, 4, 4] {
            let long_ago = Instant::now().checked_sub(EASE);
            admission.places.lock().since = long_ago;
            admission.places.ease();
            assert_eq!(free(), expected);
        }
        assert_eq!(admission.places.lock().to, None);
    }
}
