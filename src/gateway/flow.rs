//! How a step meets a socket, and how a call waits: the only place where items are pulled through a
//! step, and where time is watched.

use super::over::Over;
use crate::error::{Error, Result};
use crate::step::{Ending, Step};
use crate::upstream::silence::Silence;
use crate::wire::sse::Frame;
use futures_util::stream::{BoxStream, Stream, StreamExt as _, poll_fn};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long a source is read on behind its last item. Chosen: the end of a response follows at once
/// where it comes at all.
const LINGER: Duration = Duration::from_millis(250);
/// How many items are read on at the most.
const LINGER_ITEMS: usize = 64;

/// Pulls items through a step. Each is pulled when its reader asks, so a slow reader slows the
/// source; dropping the result drops the source. Where the moment
/// `over` comes first, the step is told that it failed. `done` sees the step once, at its end, and why
/// it failed if it did.
pub fn drive<S, I, D>(items: I, step: S, over: Over, done: D) -> impl Stream<Item = S::Out> + Send
where
    S: Step + Send,
    S::In: Send,
    S::Out: Send,
    I: Stream<Item = Result<S::In>> + Send + Unpin,
    D: FnOnce(&S, Option<&Error>) + Send,
{
    let mut driven = Driven {
        items,
        step,
        made: Vec::new(),
        ready: VecDeque::new(),
        over: Box::pin(over.reached()),
        done: Some(done),
        linger: None,
    };
    poll_fn(move |context| driven.poll(context))
}

struct Driven<S: Step, I, D> {
    items: I,
    step: S,
    made: Vec<S::Out>,
    ready: VecDeque<S::Out>,
    /// Asked only where the source has nothing, so that it costs no item anything.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Taken when the step has ended.
    done: Option<D>,
    /// While the source is still read to its end.
    linger: Option<Linger>,
}

/// Reads what nobody needs any more: a response that is read to its end leaves its connection to
/// the next call. Bounded in time and number, since the provider may have no end.
struct Linger {
    silence: Silence,
    left: usize,
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
                return self.poll_rest(context);
            }
            let pushed = match self.items.poll_next_unpin(context) {
                Poll::Pending => {
                    ready!(self.over.as_mut().poll(context));
                    Err(Over::error())
                }
                Poll::Ready(Some(Ok(item))) => self.step.push(item, &mut self.made),
                Poll::Ready(Some(Err(error))) => Err(error),
                Poll::Ready(None) => {
                    let failed = self.step.finish(Ending::Complete, &mut self.made);
                    self.end(failed.as_ref());
                    continue;
                }
            };
            match pushed {
                Ok(()) if self.step.is_over() => {
                    self.linger = Some(Linger { silence: Silence::new(LINGER), left: LINGER_ITEMS });
                    self.end(None);
                }
                Ok(()) => self.ready.extend(self.made.drain(..)),
                Err(error) => {
                    self.step.finish(Ending::Failed(&error), &mut self.made);
                    self.end(Some(&error));
                }
            }
        }
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Option<S::Out>> {
        while let Some(linger) = self.linger.as_mut().filter(|linger| linger.left > 0) {
            match self.items.poll_next_unpin(context) {
                Poll::Ready(Some(_)) => linger.left -= 1,
                Poll::Ready(None) => break,
                Poll::Pending => {
                    ready!(linger.silence.poll(context));
                    break;
                }
            }
        }
        self.linger = None;
        Poll::Ready(None)
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

type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Passes numbers on, up to the first 0.
    #[derive(Default)]
    struct UpToZero(bool);

    impl Step for UpToZero {
        type In = u32;
        type Out = u32;

        fn push(&mut self, item: u32, out: &mut Vec<u32>) -> Result<()> {
            self.0 |= item == 0;
            out.push(item);
            Ok(())
        }

        fn finish(&mut self, _ending: Ending<'_>, _out: &mut Vec<u32>) -> Option<Error> {
            None
        }

        fn is_over(&self) -> bool {
            self.0
        }
    }

    /// The numbers, and how often the source was asked.
    async fn run(source: impl Stream<Item = u32> + Send + Unpin) -> (Vec<u32>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut source = source;
        let counted = poll_fn(move |context| {
            let item = source.poll_next_unpin(context);
            count.fetch_add(usize::from(item.is_ready()), Ordering::Relaxed);
            item
        });
        let driven = drive(counted.map(Ok), UpToZero::default(), Over::default(), |_, failed| {
            assert!(failed.is_none())
        });
        let items = Box::pin(driven).collect().await;
        (items, asked.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_source_is_read_to_its_end_behind_the_last_item() {
        let (items, asked) = run(stream::iter([1, 0, 7, 8])).await;
        assert_eq!((items, asked), (vec![1, 0], 5), "so that its connection can serve the next call");
    }

    #[tokio::test]
    async fn a_source_without_an_end_is_left() {
        let (items, asked) = run(stream::iter([1, 0]).chain(stream::pending())).await;
        assert_eq!((items, asked), (vec![1, 0], 2));
        let (items, asked) = run(stream::iter([0]).chain(stream::repeat(9))).await;
        assert_eq!((items, asked), (vec![0], 1 + LINGER_ITEMS));
    }
}
