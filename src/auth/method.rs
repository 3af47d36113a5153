//! How one logs in at a provider: where its endpoints are, who we are there, and which flow it wants.

use super::http::Http;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use serde::Deserialize;
use url::Url;

/// Which flow a provider wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// RFC 6749 with PKCE (RFC 7636), a loopback redirect (RFC 8252), and the device flow (RFC 8628) where there is
    /// an endpoint for it.
    #[default]
    Standard,
    /// iFlow's: its own names of parameters, no PKCE, and a key that is asked for with the access token.
    Iflow,
    /// OpenRouter's: PKCE without a client, which ends in a key (<https://openrouter.ai/docs/oauth>).
    Openrouter,
}

/// Where a client shows who it is (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// In the header `Authorization`.
    #[default]
    Basic,
    /// In the body.
    Body,
    /// In both (iFlow).
    Both,
}

/// How one logs in at a provider.
#[derive(Debug, Clone, Default)]
pub struct Method {
    /// The upstream's name, for messages.
    pub upstream: String,
    /// Which flow.
    pub flow: Flow,
    /// Where the endpoints can be asked for (RFC 8414, OpenID Connect Discovery).
    pub issuer: Option<String>,
    /// Where the user's browser is sent.
    pub authorize_url: Option<String>,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Option<String>,
    /// Where a device flow begins.
    pub device_url: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revoke_url: Option<String>,
    /// Where iFlow tells the key.
    pub userinfo_url: Option<String>,
    /// Who we are there.
    pub client_id: Option<String>,
    /// What proves it, for clients that have such a thing.
    pub client_secret: Option<Secret>,
    /// Whether there is no login without it.
    pub needs_secret: bool,
    /// Where the secret is shown.
    pub client_auth: ClientAuth,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Where the browser is sent back to; its port stands for nothing.
    pub redirect_url: String,
    /// The ports that are tried for that, in order.
    pub ports: Vec<u16>,
    /// Whether any other will do too.
    pub any_port: bool,
    /// Since when its service has ended, where it has and these are still its own addresses.
    pub retired: Option<String>,
    /// Whether its answers to a browser always say whose they are (RFC 9207).
    pub names_itself: bool,
}

/// What an authorization server says of itself, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Method {
    /// The same with the endpoints that its issuer names, where they are not said otherwise. Asks the issuer only
    /// where something is missing.
    ///
    /// # Errors
    /// What asking fails with; `BadAnswer` where the answer is another issuer's.
    pub async fn discovered(mut self, http: &Http) -> Result<Self> {
        let Some(issuer) = self.issuer.clone() else { return Ok(self) };
        let complete = [&self.authorize_url, &self.token_url, &self.device_url, &self.revoke_url]
            .iter()
            .all(|url| url.is_some());
        if complete {
            return Ok(self);
        }
        let metadata = self.metadata(&issuer, http).await?;
        // RFC 8414, section 3.3: otherwise one server could speak for another.
        if metadata.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(self.bad("its metadata names another issuer"));
        }
        self.authorize_url = self.authorize_url.or(metadata.authorization_endpoint);
        self.token_url = self.token_url.or(metadata.token_endpoint);
        self.device_url = self.device_url.or(metadata.device_authorization_endpoint);
        self.revoke_url = self.revoke_url.or(metadata.revocation_endpoint);
        self.names_itself = metadata.authorization_response_iss_parameter_supported;
        Ok(self)
    }

    /// The same, as far as a refresh needs it: an issuer that is down must not keep a token endpoint from being asked.
    ///
    /// # Errors
    /// As [`Method::discovered`].
    pub async fn for_refresh(self, http: &Http) -> Result<Self> {
        if self.token_url.is_some() { Ok(self) } else { self.discovered(http).await }
    }

    async fn metadata(&self, issuer: &str, http: &Http) -> Result<Metadata> {
        let parsed = self.endpoint("issuer", Some(&issuer.to_owned()))?;
        let base = issuer.trim_end_matches('/');
        // OpenID Connect puts the name behind the issuer's path, RFC 8414 before it.
        let mut oauth = parsed.clone();
        oauth.set_path(&format!(
            "/.well-known/oauth-authorization-server{}",
            parsed.path().trim_end_matches('/')
        ));
        let mut status = 0;
        for address in [format!("{base}/.well-known/openid-configuration"), oauth.into()] {
            let answer = http.get(&address).await.map_err(|error| self.about(error))?;
            if answer.status().is_success() {
                return serde_json::from_slice(answer.body())
                    .map_err(|error| self.bad("its metadata is not understood").with_source(error));
            }
            status = answer.status().as_u16();
        }
        Err(self.bad(&format!("its issuer has no metadata (status {status})")))
    }

    /// The address of an endpoint.
    ///
    /// # Errors
    /// `Usage` where it is not set, or is no address.
    pub fn endpoint(&self, setting: &str, url: Option<&String>) -> Result<Url> {
        let url = url.ok_or_else(|| {
            let name = &self.upstream;
            Error::new(ErrorKind::Usage, format!("`auth.{name}.{setting}` is not set"))
                .with_hint(format!("set it, or `auth.{name}.issuer`, which may know it"))
        })?;
        let url = Url::parse(url).map_err(|error| self.not_a_url(setting).with_source(error))?;
        // Tokens are nobody else's business (RFC 6749, section 3.1 and 3.2).
        let is_here = super::http::is_loopback(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            let name = &self.upstream;
            let message =
                format!("`auth.{name}.{setting}` must begin with `https://`, but for this machine's own");
            return Err(Error::new(ErrorKind::Usage, message));
        }
        Ok(url)
    }

    fn not_a_url(&self, setting: &str) -> Error {
        Error::new(ErrorKind::Usage, format!("`auth.{}.{setting}` is no URL", self.upstream))
    }

    /// Our name there.
    ///
    /// # Errors
    /// `Usage` where it is not set.
    pub fn client_id(&self) -> Result<&str> {
        self.client_id.as_deref().ok_or_else(|| {
            let name = &self.upstream;
            Error::new(ErrorKind::Usage, format!("`auth.{name}.client_id` is not set")).with_hint(format!(
                "register a client at the provider, then `iflow2api config set auth.{name}.client_id ID`"
            ))
        })
    }

    /// Whether a login needs the client's secret, and there is none.
    pub fn lacks_secret(&self) -> bool {
        self.needs_secret && self.client_secret.is_none()
    }

    /// What is said where it does.
    pub fn secret_is_missing(&self) -> Error {
        let name = &self.upstream;
        let variable = name.replace('-', "_").to_ascii_uppercase();
        Error::new(ErrorKind::Usage, format!("a login at `{name}` needs the client's secret, which no preset carries"))
            .with_hint(format!(
                "set `IFLOW2API_AUTH_{variable}_CLIENT_SECRET`, or `iflow2api config set auth.{name}.client_secret -`"
            ))
    }

    /// A login server that does not do what it should.
    pub(super) fn bad(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::BadAnswer,
            format!("the login server of `{}` cannot be used: {what}", self.upstream),
        )
    }

    /// An error that names whose server it was.
    pub(super) fn about(&self, error: Error) -> Error {
        let message = format!("the login server of `{}` {}", self.upstream, error.message());
        Error::new(error.kind(), message).with_source(error)
    }
}
