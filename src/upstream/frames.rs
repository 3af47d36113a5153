//! Response bytes to frames, with a limit on silence and on size. Pulled, never pushed: nothing is
//! read from the provider before the reader asks.

use super::{FrameStream, failure};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::sse::{Frame, FrameDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{StreamExt as _, unfold};
use std::collections::VecDeque;
use std::time::Duration;

/// A stream that is being read.
struct Reader {
    name: String,
    response: reqwest::Response,
    idle: Duration,
    decoder: FrameDecoder,
    decoded: Vec<Frame>,
    ready: VecDeque<Frame>,
    over: bool,
}

/// The frames of a response.
pub fn frames(name: String, response: reqwest::Response, idle: Duration) -> FrameStream {
    let reader = Reader {
        name,
        response,
        idle,
        decoder: FrameDecoder::new(),
        decoded: Vec::new(),
        ready: VecDeque::new(),
        over: false,
    };
    unfold(reader, |mut reader| async move {
        let frame = reader.next().await?;
        Some((frame, reader))
    })
    .boxed()
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Frame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(Ok(frame));
            }
            if self.over {
                return None;
            }
            if let Err(error) = self.read().await {
                self.over = true;
                return Some(Err(error));
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        let chunk = read_chunk(&self.name, &mut self.response, self.idle).await?;
        let pushed = match chunk {
            Some(chunk) => self.decoder.push(&chunk, &mut self.decoded),
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
    while let Some(chunk) = read_chunk(name, &mut response, idle).await? {
        if body.len() + chunk.len() > limit {
            let message = format!("the answer of upstream `{name}` is longer than {limit} bytes");
            return Err(Error::new(ErrorKind::BadAnswer, message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

async fn read_chunk(name: &str, response: &mut reqwest::Response, idle: Duration) -> Result<Option<Bytes>> {
    let read = tokio::time::timeout(idle, response.chunk()).await;
    read.map_err(|_| failure::silent(name, idle))?.map_err(|error| failure::of_transport(name, error))
}
