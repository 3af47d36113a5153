//! Notices that nothing came for a while, at the cost of one timer for as long as something comes.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Watches for `limit` of silence.
///
/// What comes only notes the time; the timer is looked at when there is nothing to do, and set anew
/// only when it goes off too early.
pub struct Silence {
    limit: Duration,
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    /// A silence that begins now.
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), timer: Box::pin(sleep(limit)) }
    }

    /// Notes that the silence begins now.
    pub fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// Whether it was silent for long enough; wakes the task when that may be.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let end = self.since + self.limit;
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}
