//! Where an upstream is, and what each request to it bears: the key, its headers, its signature.

use super::client::Way;
use super::sign::Signer;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::presets::rows::Auth;
use crate::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::time::SystemTime;

/// The version of the Anthropic API, which its upstreams insist on and some callers leave out
/// (<https://docs.anthropic.com/en/api/versioning>).
const ANTHROPIC_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// What is needed to reach one provider.
#[derive(Debug, Clone, Default)]
pub struct Address {
    /// The upstream's name, for messages and headers.
    pub name: String,
    /// Where it is, without a trailing slash: `https://api.example.com/v1`.
    pub base_url: String,
    /// Where started answers are gone on with, if elsewhere.
    pub prefix_url: Option<String>,
    /// Where it speaks the Anthropic API, where calls of that API are passed on as they are.
    pub anthropic_base_url: Option<String>,
    /// The key, where it takes one.
    pub key: Option<Secret>,
    /// Where that key comes from, for messages: a setting or a variable.
    pub key_origin: Option<String>,
    /// Headers of the user's own.
    pub headers: Vec<(String, Secret)>,
    /// Which way leads there.
    pub way: Way,
}

/// The headers of requests to one wire of a provider.
pub struct Headers {
    fixed: HeaderMap,
    signer: Option<Signer>,
}

impl Headers {
    /// The headers for a key that is shown in this way; those that the user sets win.
    ///
    /// # Errors
    /// `Usage` where a header or the key cannot be sent.
    pub fn new(
        address: &Address,
        auth: Auth,
        preset: &[(&str, &str)],
        signer: Option<Signer>,
    ) -> Result<Self> {
        let name = &address.name;
        let mut fixed = HeaderMap::new();
        for (header, value) in &address.headers {
            let parsed = HeaderName::try_from(header.as_str()).ok().zip(sensitive(value.expose()));
            let Some((header, value)) = parsed else {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("`upstream.{name}.headers.{header}` is no HTTP header"),
                ));
            };
            fixed.insert(header, value);
        }
        for (header, value) in preset {
            let parsed = HeaderName::try_from(*header).ok().zip(HeaderValue::try_from(*value).ok());
            if let Some((header, value)) = parsed {
                fixed.entry(header).or_insert(value);
            }
        }
        if let Some(key) = &address.key {
            let (header, value) = match auth {
                Auth::Bearer | Auth::Optional => (AUTHORIZATION, format!("Bearer {}", key.expose())),
                Auth::Raw => (AUTHORIZATION, key.expose().to_owned()),
                Auth::XApiKey => (HeaderName::from_static("x-api-key"), key.expose().to_owned()),
                Auth::None => return Ok(Self { fixed, signer }),
            };
            let Some(value) = sensitive(&value) else {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the key of upstream `{name}` has a character that no header can carry"),
                ));
            };
            fixed.entry(header).or_insert(value);
        }
        Ok(Self { fixed, signer })
    }

    /// The headers of a request that is sent now.
    pub fn now(&self) -> HeaderMap {
        let mut headers = self.fixed.clone();
        for (name, value) in self.signer.iter().flat_map(|signer| signer.headers(SystemTime::now())) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.entry(name).or_insert(value);
            }
        }
        headers
    }

    /// The same for the Anthropic API, with what the caller says of it. What is set for the upstream wins.
    pub fn with_callers(&self, callers: &HeaderMap) -> HeaderMap {
        let mut headers = self.now();
        for name in callers.keys().filter(|name| !self.fixed.contains_key(*name)) {
            for value in callers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        let (name, version) = ANTHROPIC_VERSION;
        headers.entry(name).or_insert(version);
        headers
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}
