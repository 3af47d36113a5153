//! How many calls an upstream gets at once; further ones wait in the order in which they came.

use crate::error::{Error, ErrorKind, Fault, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a caller is told to wait where the queue is full. Chosen: the shortest that clients obey, since
/// nobody knows when a place gets free.
const COME_BACK: Duration = Duration::from_secs(1);

/// The places of one upstream.
pub struct Admission {
    /// `None` for any number.
    places: Option<Arc<Semaphore>>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// A place at an upstream; dropping it lets the next call in.
#[derive(Debug)]
pub struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    /// How long the call has waited; `None` where no call has to.
    pub waited: Option<Duration>,
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
        let places =
            max_concurrent.map(|places| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))));
        Self { places, waiting: AtomicUsize::new(0), max_waiting }
    }

    /// Waits for a place, `limit` at the most. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `RateLimited` where the queue is full, or the wait too long.
    pub async fn enter(&self, name: &str, limit: Duration) -> Result<Place> {
        let Some(places) = &self.places else { return Ok(Place { _permit: None, waited: None }) };
        if let Ok(permit) = Arc::clone(places).try_acquire_owned() {
            return Ok(Place { _permit: Some(permit), waited: Some(Duration::ZERO) });
        }
        let begun = Instant::now();
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.max_waiting {
            return Err(full(format!("{before} calls wait for upstream `{name}` already, and no more may")));
        }
        let entered = tokio::time::timeout(limit, Arc::clone(places).acquire_owned()).await;
        drop(waiting);
        match entered {
            Ok(Ok(permit)) => Ok(Place { _permit: Some(permit), waited: Some(begun.elapsed()) }),
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
