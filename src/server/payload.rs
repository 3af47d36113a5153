//! Bodies: read within limits of size and time, handed to our own parsers, and written as one JSON
//! text or as events. What the OpenAPI page says of them stands in `doc`.

use super::envelope;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Answer, Reply};
use crate::wire::sse::Frame;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use poem::http::{HeaderMap, HeaderName, HeaderValue, header};
use poem::{Body, IntoResponse as _, Request, RequestBody, Response};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A body as hyper takes it and poem holds it.
pub type BoxBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// One mebibyte.
const MEBIBYTE: u64 = 1024 * 1024;
/// How much longer a body may take for each mebibyte of it.
const TIME_PER_MEBIBYTE: Duration = Duration::from_secs(1);
/// How much of a body that is too large is read on, and for how long, so that a client which sends
/// before it reads sees the answer. Chosen: twice the default limit, on a fast line.
const DISCARD: (u64, Duration) = (64 * MEBIBYTE, Duration::from_secs(10));
/// How many bytes of ready events are written at once. Chosen: what one TLS or socket write takes.
const JOIN_BYTES: usize = 16 * 1024;

/// What a body may take; `front` puts it into each request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit {
    /// The largest body, in bytes.
    pub bytes: u64,
    /// How long the smallest body may take; each mebibyte announced adds a second.
    pub time: Duration,
}

impl BodyLimit {
    /// Bodies of this size, in the time that is meant for all.
    pub fn of(bytes: u64) -> Self {
        Self { bytes, time: Duration::from_secs(30) }
    }
}

/// A body that one of our parsers reads.
pub trait Wire: Sized + Send {
    /// What the OpenAPI page shows of it.
    type Doc: Type;

    /// Reads the body.
    ///
    /// # Errors
    /// `InvalidRequest` as the parser says.
    fn parse(body: &Bytes) -> Result<Self>;
}

/// A request's body, parsed from its bytes by [`Wire`]. The content type is not insisted on: what
/// the body is, the parser finds out.
pub struct WireJson<T>(pub T);

impl<'a, T: Wire> ApiExtractor<'a> for WireJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::Doc::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content_type = "application/json";
        let content = vec![MetaMediaType { content_type, schema: T::Doc::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let Some(&limit) = request.data::<BodyLimit>() else {
            unreachable!("`front` puts the limit into each request");
        };
        let bytes = read(request.headers(), body.take()?.into(), limit).await?;
        Ok(Self(T::parse(&bytes)?))
    }
}

/// Reads a body within `limit` bytes and its time. Dropping the future leaves the rest unread, and
/// hyper then closes the connection.
async fn read(headers: &HeaderMap, mut body: BoxBody, limit: BodyLimit) -> Result<Bytes> {
    check_encoding(headers)?;
    let BodyLimit { bytes: limit, time } = limit;
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limit) {
        // A client that asked first gets its answer instead of a go-ahead.
        if !headers.contains_key(header::EXPECT) {
            discard(&mut body).await;
        }
        return Err(too_large(limit));
    }
    let expected = announced.unwrap_or(limit);
    let mebibytes = u32::try_from(expected.div_ceil(MEBIBYTE)).unwrap_or(u32::MAX);
    let time = time + TIME_PER_MEBIBYTE.saturating_mul(mebibytes);
    match tokio::time::timeout(time, collect(&mut body, announced, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            discard(&mut body).await;
            Err(too_large(limit))
        }
        Ok(Err(source)) => Err(Error::new(ErrorKind::Interrupted, "the body broke off").with_source(source)),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", time.as_secs());
            Err(Error::new(ErrorKind::InvalidRequest, message))
        }
    }
}

/// The whole body; nothing where it is larger than the limit.
async fn collect(body: &mut BoxBody, announced: Option<u64>, limit: u64) -> io::Result<Option<Bytes>> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(announced.unwrap_or(0)).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() as u64 + data.len() as u64 > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes.freeze()))
}

/// Reads on without keeping, within [`DISCARD`].
pub async fn discard(body: &mut BoxBody) {
    let (limit, time) = DISCARD;
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |data| data.len() as u64);
            if read > limit {
                break;
            }
        }
    };
    // Whether it came to the end makes no difference to the answer.
    let _ = tokio::time::timeout(time, reading).await;
}

/// Unpacking would let a small body become a huge one, so only plain ones are taken.
fn check_encoding(headers: &HeaderMap) -> Result<()> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut names = encodings.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let Some(packed) = names.find(|name| {
        let name = name.trim_ascii();
        !name.is_empty() && !name.eq_ignore_ascii_case(b"identity")
    }) else {
        return Ok(());
    };
    let shown: String = String::from_utf8_lossy(packed.trim_ascii()).chars().take(40).collect();
    let message = format!("the content encoding `{shown}` is not understood");
    Err(Error::new(ErrorKind::InvalidRequest, message)
        .with_status(415)
        .with_hint("send the body uncompressed"))
}

fn too_large(limit: u64) -> Error {
    let message = format!("the body is larger than {limit} bytes");
    Error::new(ErrorKind::TooLarge, message).with_hint("the limit is `server.max_body`")
}

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

    #[tokio::test]
    async fn a_body_that_does_not_come_to_an_end_is_refused_in_time() {
        let pending = stream::once(async { Ok(hyper::body::Frame::data(Bytes::from_static(b"{"))) });
        let body = BoxBody::new(http_body_util::StreamBody::new(pending.chain(stream::pending())));
        let limit = BodyLimit { bytes: 1, time: Duration::from_millis(50) };
        let error = read(&HeaderMap::new(), body, limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.message(), "the body did not arrive within 1 s");
    }

    #[test]
    fn packed_bodies_are_refused_by_name() {
        let mut headers = HeaderMap::new();
        assert!(check_encoding(&headers).is_ok());
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
        assert!(check_encoding(&headers).is_ok());
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity, gzip"));
        let error = check_encoding(&headers).unwrap_err();
        assert_eq!(error.status(), Some(415));
        assert_eq!(error.message(), "the content encoding `gzip` is not understood");
    }
}
