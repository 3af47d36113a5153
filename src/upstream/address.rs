//! Where an upstream is, and what each request to it bears: the key, its headers, its signature.

use super::client::Way;
use super::sign::Signer;
use crate::auth::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::presets::rows::Auth;
use crate::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
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
    /// The key, where it takes one that is set.
    pub key: Option<Secret>,
    /// What is stored for it, where no key is set.
    pub session: Option<Arc<Session>>,
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
    auth: Auth,
    signer: Option<Signer>,
}

impl Headers {
    /// The headers, with a key that is shown in this way; those that the user sets win.
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
        if address.key.as_ref().is_some_and(|key| sensitive(key.expose()).is_none()) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the key of upstream `{name}` has a character that no header can carry"),
            ));
        }
        Ok(Self { fixed, auth, signer })
    }

    /// The headers of a request that is sent now, signed in with this key.
    pub fn now(&self, key: Option<&Secret>) -> HeaderMap {
        let mut headers = self.fixed.clone();
        if let Some(key) = key.map(Secret::expose) {
            let shown = match self.auth {
                Auth::Bearer | Auth::Optional => Some((AUTHORIZATION, sensitive(&format!("Bearer {key}")))),
                Auth::Raw => Some((AUTHORIZATION, sensitive(key))),
                Auth::XApiKey => Some((HeaderName::from_static("x-api-key"), sensitive(key))),
                Auth::None => None,
            };
            if let Some((header, Some(value))) = shown {
                headers.entry(header).or_insert(value);
            }
        }
        for (name, value) in self.signer.iter().flat_map(|signer| signer.headers(key, SystemTime::now())) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.entry(name).or_insert(value);
            }
        }
        headers
    }

    /// The same for the Anthropic API, with what the caller says of it. What is set for the upstream wins.
    pub fn with_callers(&self, key: Option<&Secret>, callers: &HeaderMap) -> HeaderMap {
        let mut headers = self.now(key);
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
