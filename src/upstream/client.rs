//! The HTTP client: our own name, no redirects, no proxy for loopback.

use crate::error::{Error, ErrorKind, Result};
use std::time::Duration;

/// What we call ourselves; no other vendor's client is imitated.
const USER_AGENT: &str = concat!("iflow2api/", env!("CARGO_PKG_VERSION"));

/// Builds the client for one upstream.
///
/// # Errors
/// `Usage` where the upstream is behind https and this machine has no CA certificates.
pub fn build(name: &str, base_url: &str, connect: Duration) -> Result<reqwest::Client> {
    let url = reqwest::Url::parse(base_url).map_err(|error| {
        Error::new(ErrorKind::Usage, format!("the base URL of upstream `{name}` is no URL"))
            .with_source(error)
    })?;
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect);
        if is_loopback(&url) { builder.no_proxy() } else { builder }
    };
    match builder().build() {
        Ok(client) => Ok(client),
        // The builder fails on a machine without CA certificates, even for plain HTTP, which needs none.
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build().map_err(|error| {
            Error::new(ErrorKind::Internal, "the HTTP client cannot be built").with_source(error)
        }),
        Err(error) => Err(Error::new(
            ErrorKind::Usage,
            format!("upstream `{name}` is behind https, but this machine has no CA certificates"),
        )
        .with_hint("install the package `ca-certificates`, or point SSL_CERT_FILE at a bundle")
        .with_source(error)),
    }
}

/// Whether an address is this machine's own.
fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
