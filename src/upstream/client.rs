//! The HTTP clients: our own name, no redirects, no proxy for loopback. Upstreams that are reached alike share
//! one, since each costs the reading of all CA certificates.

use crate::auth::http::is_loopback;
use crate::error::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::time::Duration;

/// What we call ourselves; no other vendor's client is imitated.
pub const USER_AGENT: &str = concat!("iflow2api/", env!("CARGO_PKG_VERSION"));

/// Which way leads to an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Way {
    /// The proxy on it.
    pub proxy: Proxy,
    /// A file of CA certificates that are trusted beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Which proxy calls go through. Those to this machine go through none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// The one that the environment names.
    #[default]
    Environment,
    /// None.
    None,
    /// This one: `http://…`, `https://…`, `socks5://…` or `socks5h://…`.
    Url(String),
}

/// The clients that were built so far.
#[derive(Debug, Default)]
pub struct Clients(Vec<(Kind, reqwest::Client)>);

/// What tells one client from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    is_loopback: bool,
    is_plain: bool,
    way: Way,
    connect: Duration,
}

impl Clients {
    /// The client for one upstream.
    ///
    /// # Errors
    /// `Usage` where the address, the proxy or the file of certificates cannot be used, or where the upstream
    /// is behind https and this machine has no CA certificates.
    pub fn get(
        &mut self,
        name: &str,
        base_url: &str,
        way: &Way,
        connect: Duration,
    ) -> Result<reqwest::Client> {
        let url = reqwest::Url::parse(base_url).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("the base URL of upstream `{name}` is no URL"))
                .with_source(error)
        })?;
        let kind = Kind {
            is_loopback: is_loopback(&url),
            is_plain: url.scheme() == "http",
            way: way.clone(),
            connect,
        };
        if let Some((_, client)) = self.0.iter().find(|(known, _)| *known == kind) {
            return Ok(client.clone());
        }
        let client = kind.build(name)?;
        self.0.push((kind, client.clone()));
        Ok(client)
    }
}

impl Kind {
    fn build(&self, name: &str) -> Result<reqwest::Client> {
        match self.builder(name)?.build() {
            Ok(client) => Ok(client),
            // The builder fails on a machine without CA certificates, even for plain HTTP, which needs none.
            Err(_) if self.is_plain => self.builder(name)?.tls_certs_only([]).build().map_err(|error| {
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

    fn builder(&self, name: &str) -> Result<reqwest::ClientBuilder> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect);
        if let Some(path) = &self.way.ca_file {
            let fault = |why: &str| {
                let path = path.display();
                Error::new(ErrorKind::Usage, format!("`upstream.{name}.ca_file`: `{path}` {why}"))
            };
            let text = std::fs::read(path).map_err(|error| fault("cannot be read").with_source(error))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&text)
                .map_err(|error| fault("is no PEM file").with_source(error))?;
            if certificates.is_empty() {
                return Err(fault("holds no certificate in PEM"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(match &self.way.proxy {
            _ if self.is_loopback => builder.no_proxy(),
            Proxy::Environment => builder,
            Proxy::None => builder.no_proxy(),
            Proxy::Url(url) => builder.proxy(reqwest::Proxy::all(url).map_err(|error| {
                // The address may hold a password, so it is not repeated.
                Error::new(ErrorKind::Usage, format!("`upstream.{name}.proxy` is no address of a proxy"))
                    .with_hint("write it like `http://127.0.0.1:3128` or `socks5h://127.0.0.1:1080`")
                    .with_source(error.without_url())
            })?),
        })
    }
}
