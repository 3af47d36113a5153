//! The request's id, and one line per call, written when its answer has ended or was dropped.
//!
//! Values are `tracing` fields: both formats escape control characters in them (S-10).

use super::envelope::Face;
use super::payload::BoxBody;
use crate::error::Error;
use crate::gateway::Call;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tracing::info;

/// What the log says where the client did not wait for the end; nginx's number.
const CLIENT_LEFT: u16 = 499;
/// How much of a text that the caller chose goes into the log.
const MAX_TEXT_CHARS: usize = 200;

/// A new request id. It only has to be unlikely twice, not to be unguessable.
pub fn request_id() -> String {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let letters = (0..24).filter_map(|_| fastrand::choice(ALPHABET)).map(|&byte| char::from(byte));
    "req_".chars().chain(letters).collect()
}

/// One line of the log in the making. Dropping it writes it: with the status of the answer if that
/// has ended, else with 499.
pub struct Line {
    call: Call,
    face: Face,
    path: String,
    status: u16,
    error: Option<String>,
    ended: bool,
    quiet: bool,
}

impl Line {
    /// A call that begins.
    pub fn new(call: Call, face: Face, path: &str) -> Self {
        let path = clip(path);
        Self { call, face, path, status: CLIENT_LEFT, error: None, ended: false, quiet: false }
    }

    /// Leaves the line out, unless the answer is an error.
    pub fn silence(&mut self) {
        self.quiet = true;
    }

    /// Notes that the call failed before anything was answered.
    pub fn failed(&mut self, error: &Error) {
        let kind = format!("{:?}", error.kind());
        self.call.meter.note(|record| {
            record.failure.get_or_insert(kind);
        });
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        self.error = Some(chain);
    }

    /// Notes the answer's status, and goes with its body to its end.
    pub fn follow(mut self, status: u16, body: BoxBody) -> BoxBody {
        self.status = status;
        self.quiet &= status < 400;
        BoxBody::new(Followed { body, line: Some(self) })
    }

    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.quiet {
            return;
        }
        let record = self.call.meter.record();
        info!(
            target: "iflow2api::request",
            id = self.call.id.as_str(),
            face = self.face.as_str(),
            path = self.path.as_str(),
            model = clip(&record.model).as_str(),
            upstream = record.upstream.as_str(),
            status = if self.ended { self.status } else { CLIENT_LEFT },
            first_byte_ms = record.first_byte.map(milliseconds),
            total_ms = milliseconds(self.call.meter.elapsed()),
            tokens_in = record.tokens_in,
            tokens_out = record.tokens_out,
            retries = record.retries,
            failure = record.failure.as_deref(),
            error = self.error.as_deref(),
            "call"
        );
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

/// A body that takes its line of the log with it.
struct Followed {
    body: BoxBody,
    line: Option<Line>,
}

impl Followed {
    fn end(&mut self) {
        if let Some(line) = self.line.take() {
            line.end();
        }
    }
}

impl Body for Followed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // A body that was empty from the start is never polled.
        if self.body.is_end_stream() {
            self.end();
        }
    }
}
