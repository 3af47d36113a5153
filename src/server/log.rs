//! The request's id, and one line per call, written when its answer has ended or was dropped.
//!
//! Values are `tracing` fields: both formats escape control characters in them (S-10).

use super::envelope::Face;
use super::payload::BoxBody;
use crate::error::Error;
use crate::gateway::Call;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tracing::info;

/// What the log says where the client did not wait for the end; nginx's number.
const CLIENT_LEFT: u16 = 499;
/// How much of a text that the caller chose goes into the log.
const MAX_TEXT_CHARS: usize = 500;

/// One line of the log in the making. Dropping it writes it: with the status of the answer if that
/// has ended, else with 499.
pub struct Line {
    call: Call,
    face: Face,
    path: String,
    status: u16,
    ended: bool,
    quiet: bool,
}

impl Line {
    /// A call that begins.
    pub fn new(call: Call, face: Face, path: &str) -> Self {
        let path = clip(path);
        Self { call, face, path, status: CLIENT_LEFT, ended: false, quiet: false }
    }

    /// Leaves the line out, unless the answer is an error.
    pub fn silence(&mut self) {
        self.quiet = true;
    }

    /// Notes that the call failed before anything was answered.
    pub fn failed(&self, error: &Error) {
        self.call.meter.failed(error);
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
            upstream = clip(&record.upstream).as_str(),
            status = if self.ended || record.said_all { self.status } else { CLIENT_LEFT },
            first_byte_ms = record.first_byte.map(milliseconds),
            total_ms = milliseconds(self.call.meter.elapsed()),
            tokens_in = record.tokens_in,
            tokens_out = record.tokens_out,
            queue_ms = record.queued.map(milliseconds),
            retries = record.retries,
            fallbacks = some(record.fallbacks),
            repairs = some(record.repairs),
            continuations = some(record.continuations),
            rescues = some(record.rescues),
            trimmed = record.trimmed.map(|(messages, _)| messages),
            failure = record.failure.as_deref(),
            error = record.error.as_deref().map(clip),
            "call"
        );
    }
}

/// What seldom happens is told when it does.
fn some(count: u32) -> Option<u32> {
    (count > 0).then_some(count)
}

/// A length of time as logs and headers say it.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A text of bounded length without the controls that JSON leaves as they are: C1, which some
/// terminals obey, and those that turn the direction of writing.
fn clip(text: &str) -> String {
    let tame = |character| match character {
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => character,
    };
    text.chars().take(MAX_TEXT_CHARS).map(tame).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    use http_body_util::{BodyExt as _, Full, StreamBody};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Sink {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
        }

        fn json(&self) -> Vec<serde_json::Value> {
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn line() -> Line {
        let call = Call { id: "req_1".to_owned(), ..Call::start() };
        call.meter.note(|record| {
            record.model = "glm-4.7".to_owned();
            record.upstream = "zai".to_owned();
            record.first_byte = Some(Duration::from_millis(7));
            record.tokens_in = Some(11);
            record.retries = 2;
        });
        Line::new(call, Face::Anthropic, "/v1/messages")
    }

    fn stream(pieces: Vec<&'static str>) -> BoxBody {
        let frames = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
        BoxBody::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn full(text: &'static str) -> BoxBody {
        BoxBody::new(Full::new(Bytes::from(text)).map_err(|never| match never {}))
    }

    #[tokio::test]
    async fn a_call_is_one_line_of_fields_once_its_body_has_ended() {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(sink.clone());
        let _default = tracing::subscriber::set_default(subscriber.finish());
        let mut body = line().follow(200, stream(vec!["a", "b"]));
        assert!(body.frame().await.is_some() && body.frame().await.is_some());
        assert_eq!(sink.text(), "");
        assert!(body.frame().await.is_none());
        let lines = sink.json();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = &lines[0];
        for (name, value) in [
            ("level", "INFO"),
            ("target", "iflow2api::request"),
            ("id", "req_1"),
            ("face", "anthropic"),
            ("path", "/v1/messages"),
            ("model", "glm-4.7"),
            ("upstream", "zai"),
        ] {
            assert_eq!(line[name], value, "{line}");
        }
        for (name, value) in [("status", 200), ("first_byte_ms", 7), ("tokens_in", 11), ("retries", 2)] {
            assert_eq!(line[name], value, "{line}");
        }
        assert!(line["total_ms"].is_u64() && line.get("tokens_out").is_none(), "{line}");
        drop(body);
        assert_eq!(sink.text(), "");
    }

    #[tokio::test]
    async fn a_client_that_left_is_499_wherever_it_left() {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(sink.clone());
        let _default = tracing::subscriber::set_default(subscriber.finish());
        drop(line());
        let mut body = line().follow(200, stream(vec!["a", "b"]));
        assert!(body.frame().await.is_some());
        drop(body);
        drop(line().follow(200, full("whole, unread")));
        let mut whole = line().follow(201, full("whole"));
        assert_eq!(whole.size_hint().exact(), Some(5));
        assert!(whole.frame().await.is_some());
        drop(whole);
        drop(line().follow(204, full("")));
        let statuses: Vec<_> = sink.json().iter().map(|line| line["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [499, 499, 499, 201, 204]);
    }

    #[tokio::test]
    async fn quiet_routes_speak_up_only_when_they_fail() {
        let sink = Sink::default();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(sink.clone());
        let _default = tracing::subscriber::set_default(subscriber.finish());
        let quiet = || {
            let mut line = line();
            line.silence();
            line
        };
        drop(quiet());
        drop(quiet().follow(200, full("")));
        assert_eq!(sink.text(), "");
        let failed = quiet();
        let source = Error::new(ErrorKind::Internal, "the disk is full");
        failed.failed(&Error::new(ErrorKind::Internal, "the page is gone").with_source(source));
        drop(failed.follow(500, full("")));
        let lines = sink.json();
        assert_eq!((&lines[0]["failure"], &lines[0]["status"]), (&"Internal".into(), &500.into()));
        assert_eq!(lines[0]["error"], "the page is gone: the disk is full");
    }

    #[tokio::test]
    async fn what_a_caller_chose_cannot_break_the_line() {
        let sink = Sink::default();
        let text = tracing_subscriber::fmt().with_ansi(false).with_writer(sink.clone()).finish();
        let json = tracing_subscriber::fmt().json().with_writer(sink.clone()).finish();
        let subscribers: [Box<dyn tracing::Subscriber + Send + Sync>; 2] = [Box::new(text), Box::new(json)];
        for subscriber in subscribers {
            let _default = tracing::subscriber::set_default(subscriber);
            let line = line();
            let evil = "a\r\nINFO forged\u{1b}]52;c;x\u{7}\u{9b}31m\u{202e}";
            line.call.meter.note(|record| {
                record.model = evil.to_owned();
                record.upstream = evil.to_owned();
            });
            line.failed(&Error::new(ErrorKind::InvalidRequest, evil));
            drop(line);
            let text = sink.text();
            assert_eq!(text.lines().count(), 1, "{text:?}");
            assert!(
                text.trim_end().chars().all(|character| !character.is_control() && character != '\u{202e}'),
                "{text:?}"
            );
        }
    }
}
