//! Counting the tokens of a request: off the executor, and on few threads.

use crate::error::{Error, ErrorKind, Result};
use crate::translate::tokens::{self, Vocabulary};
use crate::wire::openai::ChatRequest;
use futures_util::future::Either;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many requests are counted at once. Chosen: tokio would start up to 512 threads for it, and each
/// thread that has counted keeps 1.2 MB of pieces it knows (`tiktoken::piece_cache`).
const AT_ONCE: usize = 2;

/// Where requests are counted. Cloning shares its places.
#[derive(Clone)]
pub struct Counter {
    places: Arc<Semaphore>,
}

impl Default for Counter {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Counter {
    /// Counts a request's tokens: begins at once if there is a place, else when the future is asked.
    /// The first count of a family loads its vocabulary, which the upstream's own work hides.
    pub fn count(
        &self,
        vocabulary: Vocabulary,
        request: &ChatRequest,
    ) -> impl Future<Output = Result<u64>> + Send + 'static {
        let messages = request.messages().to_vec();
        let tools = request.get("tools").cloned();
        self.run(move || tokens::estimate(vocabulary, &messages, tools.as_ref()))
    }

    /// Runs work that counts, off the executor: begins at once if there is a place, else when the future is
    /// asked.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let places = Arc::clone(&self.places);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            return Either::Right(async move {
                let Ok(place) = places.acquire_owned().await else {
                    unreachable!("nobody closes this semaphore")
                };
                off_executor(move || held(place, work)).await
            });
        };
        Either::Left(off_executor(move || held(place, work)))
    }
}

/// Gives the place back when the work is done, not when its reader has left.
fn held<P, T>(place: P, work: impl FnOnce() -> T) -> T {
    let done = work();
    drop(place);
    done
}

/// Starts work that would hold up other calls on a thread of its own.
pub fn off_executor<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T>> + Send + 'static {
    let started = tokio::task::spawn_blocking(work);
    async {
        started.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "work on a request was stopped").with_source(error)
        })
    }
}
