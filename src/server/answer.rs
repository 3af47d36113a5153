//! Answers as responses: one JSON text, or events, pulled by the connection.

use super::{envelope, log};
use crate::gateway::{Answer, Reply};
use crate::wire::sse::Frame;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use poem::http::{HeaderName, HeaderValue, header};
use poem::{Body, IntoResponse as _, Response};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How many bytes of ready events are written at once. Chosen: what one TLS or socket write takes.
const JOIN_BYTES: usize = 16 * 1024;

/// An answer of the gateway as a response.
pub fn response(reply: Reply) -> Response {
    let mut response = match reply.answer {
        Answer::Whole(bytes) => json(bytes),
        Answer::Stream(frames) => events(frames),
    };
    let headers = response.headers_mut();
    for (name, text) in [("x-iflow2api-upstream", &reply.upstream), ("x-iflow2api-model", &reply.model)] {
        if !text.is_empty() {
            headers.insert(HeaderName::from_static(name), envelope::header_text(text));
        }
    }
    envelope::set_limits(headers, &reply.limits);
    if let Some(queued) = reply.queued {
        headers.insert("x-iflow2api-queue-ms", HeaderValue::from(log::milliseconds(queued)));
    }
    if let Some((messages, tokens)) = reply.trimmed {
        headers.insert("x-iflow2api-trimmed", envelope::header_text(&format!("{messages}/{tokens}")));
    }
    if reply.continuations > 0 {
        headers.insert("x-iflow2api-continuations", HeaderValue::from(reply.continuations));
    }
    if let Some(thinking) = &reply.thinking {
        headers.insert("x-iflow2api-thinking", envelope::header_text(thinking));
    }
    if !reply.warnings.is_empty() {
        let text = reply.warnings.join("; ");
        headers.insert("x-iflow2api-warning", envelope::header_text(&text));
    }
    response
}

/// One JSON text as a response.
pub fn json(body: impl Into<Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Events as a response that nothing on the way should hold back (B34).
fn events(frames: BoxStream<'static, Frame>) -> Response {
    let mut response = Body::from_bytes_stream(SseBody { frames: Some(frames) }).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Events as bytes, pulled by the connection: no task, no channel. What is ready at once leaves as
/// one piece; nothing is held back to make a piece larger. Dropping it drops the upstream's request.
struct SseBody {
    frames: Option<BoxStream<'static, Frame>>,
}

impl Stream for SseBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(frames) = self.frames.as_mut() else { return Poll::Ready(None) };
        let Some(first) = ready!(frames.poll_next_unpin(context)) else {
            self.frames = None;
            return Poll::Ready(None);
        };
        let first = first.into_bytes();
        let mut joined = BytesMut::new();
        while first.len() + joined.len() < JOIN_BYTES {
            let next = match frames.poll_next_unpin(context) {
                Poll::Ready(Some(frame)) => frame.into_bytes(),
                Poll::Ready(None) => {
                    self.frames = None;
                    break;
                }
                Poll::Pending => break,
            };
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&next);
        }
        let piece = if joined.is_empty() { first } else { joined.freeze() };
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn pieces(mut body: SseBody) -> Vec<Option<String>> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        loop {
            match Pin::new(&mut body).poll_next(&mut context) {
                Poll::Ready(Some(piece)) => {
                    pieces.push(Some(String::from_utf8(piece.unwrap().to_vec()).unwrap()));
                }
                Poll::Ready(None) => return pieces,
                Poll::Pending => pieces.push(None),
            }
        }
    }

    #[test]
    fn ready_events_leave_as_one_piece_and_none_waits_for_the_next() {
        let mut script = vec![Some("1"), Some("2"), None, Some("3"), None, Some("4")].into_iter();
        let frames = stream::poll_fn(move |_| match script.next() {
            Some(Some(data)) => Poll::Ready(Some(Frame::data(data))),
            Some(None) => Poll::Pending,
            None => Poll::Ready(None),
        });
        let expected = [
            Some("data: 1\n\ndata: 2\n\n".to_owned()),
            Some("data: 3\n\n".to_owned()),
            Some("data: 4\n\n".to_owned()),
        ];
        assert_eq!(pieces(SseBody { frames: Some(frames.boxed()) }), expected);
    }

    #[test]
    fn large_events_are_not_piled_up() {
        let large = "x".repeat(JOIN_BYTES);
        let frames = stream::iter(vec![Frame::data(large.clone()), Frame::data(large)]);
        assert_eq!(pieces(SseBody { frames: Some(frames.boxed()) }).len(), 2);
    }
}
