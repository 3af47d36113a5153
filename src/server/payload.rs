//! Bodies of requests: read within limits of size and time, and handed to our own parsers. What the
//! OpenAPI page says of them stands in `doc`; answers are written by `answer`.

use super::Settings;
use crate::error::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use poem::http::{HeaderMap, header};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use std::io;
use std::time::Duration;

/// A body as hyper takes it and poem holds it.
pub type BoxBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// One mebibyte.
const MEBIBYTE: u64 = 1024 * 1024;
/// How much of a body that is too large is read on, and for how long, so that a client which sends
/// before it reads sees the answer. Chosen: twice the default limit, on a fast line.
const DISCARD: (u64, Duration) = (64 * MEBIBYTE, Duration::from_secs(10));
/// What a body may take; `front` puts it into each request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit {
    /// The largest body, in bytes.
    pub bytes: u64,
    /// How long the smallest body may take.
    pub time: Duration,
    /// How much longer for each mebibyte announced.
    pub time_per_mebibyte: Duration,
}

impl BodyLimit {
    /// What the settings say.
    pub fn of(settings: &Settings) -> Self {
        let Settings { max_body, body_time, body_time_per_mib, .. } = *settings;
        Self { bytes: max_body, time: body_time, time_per_mebibyte: body_time_per_mib }
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
    let BodyLimit { bytes: limit, time, time_per_mebibyte } = limit;
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
    let time = time + time_per_mebibyte.saturating_mul(mebibytes);
    match tokio::time::timeout(time, collect(&mut body, announced, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            discard(&mut body).await;
            Err(too_large(limit))
        }
        Ok(Err(source)) => Err(Error::new(ErrorKind::Interrupted, "the body broke off").with_source(source)),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", time.as_secs_f64());
            Err(Error::new(ErrorKind::InvalidRequest, message).with_hint("the limit is `server.body_time`"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::{self, StreamExt as _};
    use poem::http::HeaderValue;

    #[tokio::test]
    async fn a_body_that_does_not_come_to_an_end_is_refused_in_time() {
        let pending = stream::once(async { Ok(hyper::body::Frame::data(Bytes::from_static(b"{"))) });
        let body = BoxBody::new(http_body_util::StreamBody::new(pending.chain(stream::pending())));
        let time = Duration::from_millis(50);
        let limit = BodyLimit { bytes: 1, time, time_per_mebibyte: time };
        let error = read(&HeaderMap::new(), body, limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.message(), "the body did not arrive within 0.1 s");
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
