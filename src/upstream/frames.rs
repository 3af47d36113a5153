//! Response bytes to frames, with a limit on silence and on size. Pulled, never pushed: nothing is
//! read from the provider before the reader asks.

use super::silence::Silence;
use super::{FrameStream, failure};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::sse::{Frame, FrameDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, poll_fn};
use std::collections::VecDeque;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::timeout;

/// A stream that is being read.
struct Reader {
    name: String,
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    silence: Silence,
    /// Whether the silence is the provider's, not that of a reader who did not ask.
    waiting: bool,
    idle: Duration,
    decoder: FrameDecoder,
    decoded: Vec<Frame>,
    ready: VecDeque<Frame>,
    over: bool,
}

/// The frames of a response.
pub fn frames(name: String, response: reqwest::Response, idle: Duration) -> FrameStream {
    let mut reader = Reader {
        name,
        bytes: response.bytes_stream().boxed(),
        silence: Silence::new(idle),
        waiting: false,
        idle,
        decoder: FrameDecoder::new(),
        decoded: Vec::new(),
        ready: VecDeque::new(),
        over: false,
    };
    poll_fn(move |context| reader.poll(context)).boxed()
}

impl Reader {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let read = match self.bytes.poll_next_unpin(context) {
                Poll::Ready(bytes) => {
                    self.waiting = false;
                    self.take(bytes)
                }
                Poll::Pending => {
                    if !std::mem::replace(&mut self.waiting, true) {
                        self.silence.begin();
                    }
                    ready!(self.silence.poll(context));
                    Err(failure::silent(&self.name, self.idle))
                }
            };
            if let Err(error) = read {
                self.over = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn take(&mut self, bytes: Option<reqwest::Result<Bytes>>) -> Result<()> {
        let pushed = match bytes {
            Some(Ok(bytes)) => self.decoder.push(&bytes, &mut self.decoded),
            Some(Err(error)) => return Err(failure::of_transport(&self.name, error)),
            None => {
                self.over = true;
                self.decoder.finish(&mut self.decoded);
                Ok(())
            }
        };
        self.ready.extend(self.decoded.drain(..));
        pushed.map_err(|error| {
            Error::new(ErrorKind::BadAnswer, format!("upstream `{}` sent too large an event", self.name))
                .with_source(error)
        })
    }
}

/// Reads a body whole.
///
/// # Errors
/// `BadAnswer` where it is longer than `limit` or breaks off, `TimedOut` after too long a silence.
pub async fn read_bounded(
    name: &str,
    mut response: reqwest::Response,
    limit: usize,
    idle: Duration,
) -> Result<Bytes> {
    let mut body = BytesMut::new();
    let silent = |_| failure::silent(name, idle);
    let broken = |error| failure::of_transport(name, error);
    while let Some(chunk) = timeout(idle, response.chunk()).await.map_err(silent)?.map_err(broken)? {
        if body.len() + chunk.len() > limit {
            let message = format!("the answer of upstream `{name}` is longer than {limit} bytes");
            return Err(Error::new(ErrorKind::BadAnswer, message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
