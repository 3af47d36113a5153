//! How a step meets a socket, and how a call waits: the only place where items are pulled through a
//! step, and where time is watched.

use crate::error::{Error, Result};
use crate::step::{Ending, Step};
use crate::upstream::silence::Silence;
use crate::wire::sse::Frame;
use futures_util::stream::{BoxStream, Stream, StreamExt as _, poll_fn};
use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Poll, ready};
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
    let mut driven = Driven { items, step, made: Vec::new(), ready: VecDeque::new(), done: Some(done) };
    poll_fn(move |context| driven.poll(context))
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
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<S::Out>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            if self.done.is_none() {
                return Poll::Ready(None);
            }
            let pushed = match ready!(self.items.poll_next_unpin(context)) {
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
    let mut frames = Box::pin(frames);
    let mut silence = Silence::new(period);
    poll_fn(move |context| {
        let frame = match frames.poll_next_unpin(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(silence.poll(context));
                Some(sign.clone())
            }
        };
        silence.begin();
        Poll::Ready(frame)
    })
    .boxed()
}
