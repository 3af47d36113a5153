//! Who may call: the `Host` rule, the rule for browsers of other origins, and callers' keys.
//!
//! A page in the user's browser can reach the loopback. Rebinding a name to 127.0.0.1 makes it
//! same-origin, but not its `Host`; and what it asks across origins bears an `Origin` or
//! `Sec-Fetch-Site`. Both rules stand before anything else.

use super::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use poem::http::uri::Authority;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How long a browser may remember a preflight's answer, in seconds. Chosen: Chromium's own limit
/// is two hours.
const PREFLIGHT_SECONDS: &str = "600";
/// What a page may read of an answer's headers.
const EXPOSED: &str = "x-request-id, request-id, retry-after, x-should-retry, x-iflow2api-error, \
    x-iflow2api-upstream, x-iflow2api-model, x-iflow2api-thinking, x-iflow2api-warning";

/// The rules, read from the settings once.
pub struct Access {
    keys: Vec<Secret>,
    hosts: Vec<String>,
    origins: Vec<String>,
    own: IpAddr,
}

impl Access {
    /// The rules of these settings.
    pub fn new(settings: &Settings) -> Self {
        let lower = |texts: &[String]| texts.iter().map(|text| text.trim().to_ascii_lowercase()).collect();
        let origins: Vec<String> = lower(&settings.allowed_origins);
        Self {
            keys: settings.keys.clone(),
            hosts: lower(&settings.allowed_hosts),
            origins: origins.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect(),
            own: settings.host,
        }
    }

    /// The `Host` rule: one host, and one of ours (S-2). The port is not compared, since tunnels and
    /// container port maps change it.
    ///
    /// # Errors
    /// `AccessDenied` with 403.
    pub fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<()> {
        let mut values = headers.get_all(header::HOST).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(denied("a request needs one `Host` header"));
        };
        let host = value.to_str().ok().and_then(host_of);
        let named = uri.authority().map(Authority::as_str);
        // A request line with an authority overrides the header (RFC 9112, 3.2.2).
        let line = named.map_or(Some(""), |authority| host_of(authority));
        let is_ours = |host: &str| host.is_empty() || self.is_own_host(host);
        match (host, line) {
            (Some(host), Some(line)) if !host.is_empty() && is_ours(host) && is_ours(line) => Ok(()),
            _ => {
                let shown: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
                let hint = "if the name is yours, list it in `server.allowed_hosts`";
                Err(denied(format!("the host `{shown}` is not one of ours")).with_hint(hint))
            }
        }
    }

    fn is_own_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if host == "localhost" || self.hosts.contains(&host) {
            return true;
        }
        let literal = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inside) => inside.parse::<Ipv6Addr>().map(IpAddr::from),
            None => host.parse::<Ipv4Addr>().map(IpAddr::from),
        };
        let Ok(address) = literal else { return false };
        if address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST || address == self.own {
            return !address.is_unspecified();
        }
        // Rebinding needs a name, and beyond the loopback a caller's key is required.
        !self.own.to_canonical().is_loopback() && !address.to_canonical().is_unspecified()
    }

    /// The rule for browsers (S-3): the origin to be answered with, where the settings name it.
    ///
    /// # Errors
    /// `AccessDenied` with 403 for a page of another origin, `null` included.
    pub fn check_origin(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>> {
        let origin = headers.get(header::ORIGIN);
        if let Some(origin) = origin.filter(|origin| self.is_allowed_origin(origin)) {
            return Ok(Some(origin.clone()));
        }
        let guarded = path.starts_with("/v1") || !matches!(*method, Method::GET | Method::HEAD);
        if guarded && origin.is_some_and(|origin| !is_same_origin(origin, headers)) {
            let hint = "list it in `server.allowed_origins` if it is yours";
            return Err(denied("pages of this origin may not call").with_hint(hint));
        }
        let site = text(headers, "sec-fetch-site");
        if site == "cross-site" && (guarded || !is_navigation(headers)) {
            return Err(denied("pages of other sites may not call"));
        }
        Ok(None)
    }

    fn is_allowed_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// The callers' keys, where there are any: `Authorization: Bearer` or `x-api-key`, whichever the
    /// client sends, compared in constant time.
    ///
    /// # Errors
    /// `AccessDenied` with 401.
    pub fn check_key(&self, path: &str, headers: &HeaderMap) -> Result<()> {
        if self.keys.is_empty() || is_open_path(path) {
            return Ok(());
        }
        let bearer = text(headers, "authorization").split_once(' ');
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let given = [bearer.map_or("", |(_, key)| key.trim()), text(headers, "x-api-key")];
        let given = given.map(Secret::new);
        // No early exit: the time taken says nothing about which key was nearly right.
        let matching = self.keys.iter().filter(|key| given.iter().filter(|given| given == key).count() > 0);
        if matching.count() > 0 {
            return Ok(());
        }
        let message = match given.iter().all(|key| key.expose().is_empty()) {
            true => "a caller's key is needed",
            false => "this caller's key is not known",
        };
        let hint = "send one of `server.keys` as `Authorization: Bearer KEY` or `x-api-key: KEY`";
        Err(Error::new(ErrorKind::AccessDenied, message).with_hint(hint))
    }
}

fn denied(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::AccessDenied, message).with_status(403)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The host in `host:port`, with the brackets of an IPv6 address; nothing where it is malformed.
fn host_of(authority: &str) -> Option<&str> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end)?;
    let port = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)
}

/// Whether a page that we served ourselves asks. `Host` has been checked before.
fn is_same_origin(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    // A tunnel in front of us may speak TLS.
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(text(headers, "host")))
}

/// Whether the user follows a link to one of our pages, rather than another page asking.
fn is_navigation(headers: &HeaderMap) -> bool {
    text(headers, "sec-fetch-mode") == "navigate" && text(headers, "sec-fetch-dest") == "document"
}

/// Paths that need no key. What is not listed needs one, known or not.
fn is_open_path(path: &str) -> bool {
    let open = [
        "/",
        "/health",
        "/v1/health",
        "/readyz",
        "/docs",
        "/favicon.ico",
        "/docs/rapidoc.js",
        "/openapi.json",
    ];
    open.contains(&path)
        || path == "/admin"
        || path.starts_with("/admin/")
        || path == "/api/hello"
        || path.starts_with("/api/event_logging/")
}

/// The answer to a preflight of an allowed origin.
pub fn answer_preflight(asked: &HeaderMap, answer: &mut HeaderMap) {
    let wish = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let fields = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, HEAD")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS)),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, wish.unwrap_or(HeaderValue::from_static("content-type"))),
    ];
    answer.extend(fields);
    if asked.contains_key("access-control-request-private-network") {
        let name = HeaderName::from_static("access-control-allow-private-network");
        answer.insert(name, HeaderValue::from_static("true"));
    }
}

/// Lets a page of an allowed origin read an answer.
pub fn allow_origin(origin: HeaderValue, answer: &mut HeaderMap) {
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    answer.append(header::VARY, HeaderValue::from_static("origin"));
}
