//! What every request passes before its route, and every answer on its way out: an id, the rules of
//! `access`, the envelope of a failure, the line of the log.

use super::access::{self, Access};
use super::envelope::{self, Face};
use super::log::Line;
use super::payload::BodyLimit;
use super::{Settings, ops};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Call, Mode, Over};
use futures_util::FutureExt as _;
use poem::http::uri::PathAndQuery;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use poem::{Endpoint, IntoResponse as _, Request, Response};
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

/// Whether a cut answer goes on, for one call.
const CONTINUE_HEADER: &str = "x-iflow2api-continue";
/// What a caller says of the Anthropic API, which goes on to an upstream that speaks it too. Nothing else of
/// a caller's headers goes anywhere.
const PASSED_ON: [HeaderName; 2] =
    [HeaderName::from_static("anthropic-version"), HeaderName::from_static("anthropic-beta")];

/// The endpoint around all routes.
pub struct Front<E> {
    access: Access,
    limit: BodyLimit,
    over: Over,
    routes: E,
}

impl<E: Endpoint<Output = Response>> Front<E> {
    /// Puts the rules of the settings before the routes.
    pub fn new(settings: &Settings, over: Over, routes: E) -> Self {
        Self { access: Access::new(settings), limit: BodyLimit::of(settings), over, routes }
    }

    /// The answer of the routes, or the failure that keeps the request from them.
    async fn answer(
        &self,
        request: Request,
        wish: Result<Option<Mode>>,
        origin: &mut Option<HeaderValue>,
    ) -> Result<Response> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        self.access.check_host(request.uri(), request.headers())?;
        *origin = self.access.check_origin(&method, &path, request.headers())?;
        let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if method == Method::OPTIONS && is_preflight && origin.is_some() {
            let mut response = StatusCode::NO_CONTENT.into_response();
            access::answer_preflight(request.headers(), response.headers_mut());
            return Ok(response);
        }
        self.access.check_key(&path, request.headers())?;
        wish?;
        match AssertUnwindSafe(self.routes.call(request)).catch_unwind().await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(envelope::from_poem(error, method.as_str(), &path)),
            // The panic itself was told on stderr; what it left half done was the handler's own.
            Err(_) => Err(Error::new(ErrorKind::Internal, "the handler panicked")),
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Front<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        if let Some(uri) = plain_uri(request.uri()) {
            *request.uri_mut() = uri;
        }
        let path = request.uri().path();
        let face = Face::of(path);
        let wish = continuation(request.headers());
        let continuation = wish.as_ref().ok().copied().flatten();
        let passed_on = passed_on(request.headers());
        let call = Call { continuation, passed_on, over: self.over.clone(), ..Call::start() };
        let mut line = Line::new(call.clone(), face, path);
        if ops::is_quiet(request.method(), path) {
            line.silence();
        }
        let id = call.id.clone();
        request.set_data(call);
        request.set_data(self.limit);

        let mut origin = None;
        let answer = tokio::select! {
            biased;
            answer = self.answer(request, wish, &mut origin) => answer,
            () = self.over.clone().reached() => Err(Over::error()),
        };
        let mut response = answer.unwrap_or_else(|error| {
            line.failed(&error);
            envelope::response(&error, face, &id)
        });
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert("x-request-id", id.clone());
            headers.insert("request-id", id);
        }
        if let Some(origin) = origin {
            access::allow_origin(origin, headers);
        }
        let status = response.status().as_u16();
        let body = line.follow(status, response.take_body().into());
        response.set_body(poem::Body::from(body));
        Ok(response)
    }
}

/// Whether a cut answer is to go on, where the caller says so for this call (F02).
fn continuation(headers: &HeaderMap) -> Result<Option<Mode>> {
    let Some(value) = headers.get(CONTINUE_HEADER) else { return Ok(None) };
    let mode = value.to_str().ok().and_then(|value| Mode::of(&value.trim().to_ascii_lowercase()));
    mode.map(Some).ok_or_else(|| Error::invalid(CONTINUE_HEADER, "must be one of `auto`, `always`, `off`"))
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut passed_on = HeaderMap::new();
    for name in PASSED_ON {
        for value in headers.get_all(&name) {
            passed_on.append(name.clone(), value.clone());
        }
    }
    passed_on
}

/// The address that is meant where a base URL was written with `/v1` once too often, not at all, or
/// with a slash at its end (A37); nothing where it is already plain.
fn plain_uri(uri: &Uri) -> Option<Uri> {
    let plain = plain_path(uri.path());
    if plain == uri.path() {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{plain}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

fn plain_path(path: &str) -> Cow<'_, str> {
    let slashes = path.len() - path.trim_start_matches('/').len();
    let mut path = path.get(slashes.saturating_sub(1)..).unwrap_or(path);
    while let Some(rest) = path.strip_prefix("/v1").filter(|rest| rest.starts_with("/v1/")) {
        path = rest;
    }
    let first = path.split('/').nth(1).unwrap_or_default();
    let bare =
        matches!(first, "messages" | "models" | "embeddings" | "completions") || path == "/chat/completions";
    if bare { Cow::Owned(format!("/v1{path}")) } else { Cow::Borrowed(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_for() {
        let settings = Settings {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            keys: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_body: 0,
            drain: Duration::ZERO,
            body_time: Duration::from_secs(30),
            body_time_per_mib: Duration::from_secs(1),
            stall: Duration::from_secs(60),
        };
        let routes = poem::endpoint::make(|_| async { panic!("on purpose") as Response });
        let front = Front::new(&settings, Over::default(), routes);
        let request = Request::builder().header("host", "localhost").uri_str("/v1/messages").finish();
        let response = front.call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.header("x-iflow2api-error"), Some("local"));
        let id = response.header("request-id").unwrap().to_owned();
        let body = response.into_body().into_string().await.unwrap();
        assert!(body.contains(&id) && !body.contains("purpose"), "{body}");
    }

    #[test]
    fn base_urls_with_too_much_or_too_little_reach_the_same_route() {
        for (asked, meant) in [
            ("/v1/messages", "/v1/messages"),
            ("/messages", "/v1/messages"),
            ("/messages/count_tokens", "/v1/messages/count_tokens"),
            ("/v1/v1/messages", "/v1/messages"),
            ("/v1/v1/v1/models/a/b", "/v1/models/a/b"),
            ("//v1/chat/completions", "/v1/chat/completions"),
            ("/chat/completions", "/v1/chat/completions"),
            ("/models/zai/glm", "/v1/models/zai/glm"),
            ("/v1", "/v1"),
            ("/v1/v1", "/v1/v1"),
            ("/", "/"),
            ("//", "/"),
            ("/admin", "/admin"),
        ] {
            assert_eq!(plain_path(asked), meant, "{asked}");
        }
    }

    #[test]
    fn the_query_stays() {
        let uri = plain_uri(&Uri::from_static("/messages?beta=true")).expect("it is not plain");
        assert_eq!(uri.to_string(), "/v1/messages?beta=true");
    }
}
