//! How a step meets a socket, and how a call waits: the only place where items are pulled through a
//! step, and where time is watched.

use crate::error::{Error, Result};
use crate::step::{Ending, Step};
use crate::wire::sse::Frame;
use futures_util::stream::{BoxStream, Stream, StreamExt as _, unfold};
use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

/// Pulls items through a step. Each is pulled when its reader asks, so a slow reader slows the
/// source; dropping the result drops the source. `done` sees the
/// step once, at its end, and why it failed if it did.
pub fn drive<S, I, D>(items: I, step: S, done: D) -> impl Stream<Item = S::Out> + Send
where
    S: Step + Send,
    S::In: Send,
    S::Out: Send,
    I: Stream<Item = Result<S::In>> + Send + Unpin,
    D: FnOnce(&S, Option<&Error>) + Send,
{
    let driven = Driven { items, step, made: Vec::new(), ready: VecDeque::new(), done: Some(done) };
    unfold(driven, |mut driven| async move {
        let item = driven.next().await?;
        Some((item, driven))
    })
}

struct Driven<S: Step, I, D> {
    items: I,
    step: S,
    made: Vec<S::Out>,
    ready: VecDeque<S::Out>,
    /// Taken when the step has ended.
    done: Option<D>,
}

impl<S, I, D> Driven<S, I, D>
where
    S: Step,
    I: Stream<Item = Result<S::In>> + Unpin,
    D: FnOnce(&S, Option<&Error>),
{
    async fn next(&mut self) -> Option<S::Out> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            self.done.as_ref()?;
            let pushed = match self.items.next().await {
                Some(Ok(item)) => self.step.push(item, &mut self.made),
                Some(Err(error)) => Err(error),
                None => {
                    let failed = self.step.finish(Ending::Complete, &mut self.made);
                    self.end(failed.as_ref());
                    continue;
                }
            };
            match pushed {
                Ok(()) if self.step.is_over() => self.end(None),
                Ok(()) => self.ready.extend(self.made.drain(..)),
                Err(error) => {
                    self.step.finish(Ending::Failed(&error), &mut self.made);
                    self.end(Some(&error));
                }
            }
        }
    }

    fn end(&mut self, failed: Option<&Error>) {
        self.ready.extend(self.made.drain(..));
        if let Some(done) = self.done.take() {
            done(&self.step, failed);
        }
    }
}

/// What came of waiting for a stream to open.
pub enum Opening<T> {
    /// It is open.
    Open(T),
    /// It is still being opened; the caller must hear something now.
    Late(BoxFuture<T>),
}

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Waits for a stream to open, but no longer than `hold` (B29).
///
/// # Errors
/// What the opening failed with in that time.
pub async fn open<T>(
    opening: impl Future<Output = Result<T>> + Send + 'static,
    hold: Duration,
) -> Result<Opening<T>> {
    let mut opening: BoxFuture<T> = Box::pin(opening);
    match tokio::time::timeout(hold, &mut opening).await {
        Ok(opened) => opened.map(Opening::Open),
        Err(_) => Ok(Opening::Late(opening)),
    }
}

/// Puts a sign of life after every `period` of silence (B05).
pub fn keep_alive(
    frames: impl Stream<Item = Frame> + Send + 'static,
    period: Duration,
    sign: Frame,
) -> BoxStream<'static, Frame> {
    let state = (Box::pin(frames), sign);
    unfold(state, move |(mut frames, sign)| async move {
        match tokio::time::timeout(period, frames.next()).await {
            Ok(frame) => Some((frame?, (frames, sign))),
            Err(_) => Some((sign.clone(), (frames, sign))),
        }
    })
    .boxed()
}
