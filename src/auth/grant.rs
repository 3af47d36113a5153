//! What is asked of a token endpoint: a code for tokens, a refresh token for new ones, a device's code, a revocation.
//! The `oauth2` crate makes the requests; what a server answers in its own way is understood here.

use super::http::Http;
use super::method::{ClientAuth, Flow, Method};
use super::words::said;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oauth2::basic::{BasicErrorResponse, BasicTokenType};
use oauth2::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, DeviceAuthorizationUrl, EndpointNotSet,
    EndpointSet, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tokens as a server grants them, without insisting on what nobody here needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Granted {
    access_token: AccessToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

/// A number of seconds, which some write as a text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

impl TokenResponse for Granted {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// Tokens that were granted.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: Secret,
    /// The next refresh token; `None` where the old one stays good, or there is none.
    pub refresh_token: Option<Secret>,
    /// How long the access token lives.
    pub life: Option<Duration>,
    /// What it may do.
    pub scope: Option<String>,
}

impl From<Granted> for Tokens {
    fn from(granted: Granted) -> Self {
        Self {
            access_token: Secret::new(granted.access_token.secret()),
            refresh_token: granted.refresh_token.map(|token| Secret::new(token.secret())),
            life: granted.expires_in.map(Duration::from_secs),
            scope: granted.scope,
        }
    }
}

type Client = oauth2::Client<
    BasicErrorResponse,
    Granted,
    oauth2::basic::BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    oauth2::basic::BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Asks one provider's endpoints.
#[derive(Debug, Clone)]
pub struct Grants<'a> {
    method: &'a Method,
    http: &'a Http,
}

/// The code that the refusal of a dead refresh token, or a used code, has (RFC 6749, section 5.2).
pub const INVALID_GRANT: &str = "invalid_grant";

impl<'a> Grants<'a> {
    /// Asks the endpoints of this method.
    pub fn new(method: &'a Method, http: &'a Http) -> Self {
        Self { method, http }
    }

    /// Exchanges a code for tokens.
    ///
    /// # Errors
    /// `Usage` where a setting is missing; `LoginRequired` where the code is refused; else as [`Http::send`].
    pub async fn code(&self, code: &str, redirect: &str, verifier: Option<&Secret>) -> Result<Tokens> {
        let client = self.client()?;
        let redirect = RedirectUrl::new(redirect.to_owned())
            .map_err(|error| self.method.bad("our own redirect is no URL").with_source(error))?;
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect));
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
        }
        for (name, value) in self.both() {
            request = request.add_extra_param(name, value);
        }
        let wire = Wire::new(self.http);
        let answer = request.request_async(&|request| wire.send(request)).await;
        self.granted(answer, &wire)
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    /// `LoginRequired` with the code [`INVALID_GRANT`] where it is good for nothing any more; else as [`Http::send`].
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<Tokens> {
        let client = self.client()?;
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = client.exchange_refresh_token(&token);
        for (name, value) in self.both() {
            request = request.add_extra_param(name, value);
        }
        let wire = Wire::new(self.http);
        let answer = request.request_async(&|request| wire.send(request)).await;
        self.granted(answer, &wire)
    }

    /// Begins a device flow.
    ///
    /// # Errors
    /// As [`Grants::code`].
    pub async fn device(&self) -> Result<StandardDeviceAuthorizationResponse> {
        let url = self.method.endpoint("device_url", self.method.device_url.as_ref())?;
        let client = self.client()?.set_device_authorization_url(DeviceAuthorizationUrl::from_url(url));
        let mut request = client.exchange_device_code().add_scopes(self.scopes());
        for (name, value) in self.both() {
            request = request.add_extra_param(name, value);
        }
        let wire = Wire::new(self.http);
        let answer = request.request_async(&|request| wire.send(request)).await;
        answer.map_err(|error| self.failed(error, &wire))
    }

    /// Waits until somebody has confirmed a device flow, as often as the server wants to be asked.
    ///
    /// # Errors
    /// `LoginRequired` where it was denied, `TimedOut` where nobody came; else as [`Http::send`].
    pub async fn confirmed(&self, details: &StandardDeviceAuthorizationResponse) -> Result<Tokens> {
        let client = self.client()?;
        let mut request = client.exchange_device_access_token(details);
        for (name, value) in self.both() {
            request = request.add_extra_param(name, value);
        }
        let wire = Wire::new(self.http);
        let answer = request.request_async(&|request| wire.send(request), tokio::time::sleep, None).await;
        match answer {
            Ok(granted) => Ok(granted.into()),
            Err(RequestTokenError::ServerResponse(said)) => match said.error().to_string().as_str() {
                "expired_token" => {
                    let message = "nobody confirmed the login in time";
                    Err(Error::new(ErrorKind::TimedOut, message).with_hint("log in again"))
                }
                code => Err(self.refused(code, said.error_description().map(String::as_str))),
            },
            Err(RequestTokenError::Request(error)) => Err(self.method.about(error)),
            Err(RequestTokenError::Parse(error, body)) => {
                Err(self.not_granted(error.inner(), &body, wire.status()))
            }
            Err(RequestTokenError::Other(_)) => Err(self.not_understood(wire.status())),
        }
    }

    /// Takes a login's tokens back (RFC 7009). The `oauth2` crate would do so behind https alone, and so not on this
    /// machine.
    ///
    /// # Errors
    /// `BadAnswer` where the server refuses; else as [`Http::send`].
    pub async fn revoke(&self, refresh_token: Option<&Secret>, access_token: Option<&Secret>) -> Result<()> {
        let method = self.method;
        let url = method.endpoint("revoke_url", method.revoke_url.as_ref())?;
        // The one that lives longer goes first; at most servers the other ends with it.
        let tokens = [(refresh_token, "refresh_token"), (access_token, "access_token")];
        for (token, hint) in tokens.into_iter().filter_map(|(token, hint)| Some((token?, hint))) {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("token", token.expose()).append_pair("token_type_hint", hint);
            let mut request = http::Request::post(url.as_str())
                .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let client_id = method.client_id()?;
            if let (Some(secret), ClientAuth::Basic | ClientAuth::Both) =
                (&method.client_secret, method.client_auth)
            {
                request = request.header(http::header::AUTHORIZATION, basic(client_id, secret));
            }
            if method.client_secret.is_none() || method.client_auth != ClientAuth::Basic {
                form.append_pair("client_id", client_id);
                if let Some(secret) = &method.client_secret {
                    form.append_pair("client_secret", secret.expose());
                }
            }
            let request = request
                .body(form.finish().into_bytes())
                .map_err(|error| method.bad("its revocation endpoint cannot be asked").with_source(error))?;
            let answer = self.http.send(request).await.map_err(|error| method.about(error))?;
            if !answer.status().is_success() {
                return Err(
                    method.bad(&format!("it answered a revocation with status {}", answer.status().as_u16()))
                );
            }
        }
        Ok(())
    }

    /// What is asked for.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + 'a {
        self.method.scopes.iter().map(|scope| Scope::new(scope.clone()))
    }

    fn client(&self) -> Result<Client> {
        let method = self.method;
        let url = method.endpoint("token_url", method.token_url.as_ref())?;
        let mut client = oauth2::Client::new(ClientId::new(method.client_id()?.to_owned()))
            .set_token_uri(TokenUrl::from_url(url))
            .set_auth_type(match method.client_auth {
                ClientAuth::Basic | ClientAuth::Both => AuthType::BasicAuth,
                ClientAuth::Body => AuthType::RequestBody,
            });
        if let Some(secret) = &method.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        } else if method.needs_secret {
            return Err(method.secret_is_missing());
        }
        Ok(client)
    }

    /// What is in the body beside the header, where both are wanted.
    fn both(&self) -> Vec<(&'static str, String)> {
        match (self.method.client_auth, &self.method.client_secret, &self.method.client_id) {
            (ClientAuth::Both, Some(secret), Some(id)) => {
                vec![("client_id", id.clone()), ("client_secret", secret.expose().to_owned())]
            }
            _ => Vec::new(),
        }
    }

    fn granted(&self, answer: Answer<Granted>, wire: &Wire<'_>) -> Result<Tokens> {
        let granted = answer.map_err(|error| self.failed(error, wire))?;
        if granted.access_token.secret().is_empty() {
            return Err(self.method.bad("it granted an empty access token"));
        }
        Ok(granted.into())
    }

    fn failed(&self, error: RequestTokenError<Error, BasicErrorResponse>, wire: &Wire<'_>) -> Error {
        match error {
            RequestTokenError::ServerResponse(said) => {
                self.refused(said.error().as_ref(), said.error_description().map(String::as_str))
            }
            RequestTokenError::Request(error) => self.method.about(error),
            RequestTokenError::Parse(error, body) => self.not_granted(error.inner(), &body, wire.status()),
            RequestTokenError::Other(_) => self.not_understood(wire.status()),
        }
    }

    /// What a refusal means, by its code (RFC 6749 section 5.2, RFC 8628 section 3.5).
    fn refused(&self, code: &str, description: Option<&str>) -> Error {
        let name = &self.method.upstream;
        let words = description.map(|text| format!(": {}", said(text))).unwrap_or_default();
        let shown = said(code);
        let message = format!("the login server of `{name}` refuses ({shown}){words}");
        let login = format!("`iflow2api auth login {name}` logs in anew");
        match code {
            "invalid_client" | "unauthorized_client" => Error::new(ErrorKind::LoginRequired, message)
                .with_code("invalid_client")
                .with_hint(format!("check `auth.{name}.client_id` and `auth.{name}.client_secret`")),
            INVALID_GRANT => {
                Error::new(ErrorKind::LoginRequired, message).with_code(INVALID_GRANT).with_hint(login)
            }
            "access_denied" => {
                let message = format!("the login at `{name}` was denied{words}");
                Error::new(ErrorKind::LoginRequired, message).with_code("access_denied").with_hint(login)
            }
            "temporarily_unavailable" | "server_error" => Error::new(ErrorKind::BadAnswer, message),
            _ => Error::new(ErrorKind::LoginRequired, message).with_hint(login),
        }
    }

    /// An answer without tokens. iFlow says its errors at status 200, GitHub too; a proxy in between says HTML.
    fn not_granted(&self, at: &serde_json::Error, body: &[u8], status: u16) -> Error {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if let Some(code) = text("error") {
            return self.refused(code, text("error_description"));
        }
        if self.method.flow == Flow::Iflow && value.get("success") == Some(&Value::Bool(false)) {
            let code =
                value.get("code").map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned));
            let code = code.unwrap_or_default();
            let words = text("message").map(said).unwrap_or_default();
            return self.method.bad(&format!("it refused with code {}: {words}", said(&code)));
        }
        // The parser's own words may repeat a token; where it stopped is enough.
        let (line, column) = (at.line(), at.column());
        tracing::debug!(line, column, status, "a token endpoint's answer is not understood");
        self.not_understood(status)
    }

    /// An answer that is neither tokens nor a refusal.
    fn not_understood(&self, status: u16) -> Error {
        let what = match status {
            200 => "its answer holds no access token".to_owned(),
            _ => format!("it answered with status {status}"),
        };
        self.method.bad(&what).with_status(if status == 200 { 502 } else { status })
    }
}

type Answer<T> = Result<T, RequestTokenError<Error, BasicErrorResponse>>;

/// One request, of which the status is remembered: the `oauth2` crate keeps it to itself.
struct Wire<'a> {
    http: &'a Http,
    status: Arc<Mutex<u16>>,
}

impl<'a> Wire<'a> {
    fn new(http: &'a Http) -> Self {
        Self { http, status: Arc::default() }
    }

    fn status(&self) -> u16 {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(
        &self,
        request: oauth2::HttpRequest,
    ) -> impl Future<Output = Result<oauth2::HttpResponse>> + Send + 'a {
        let (http, status) = (self.http, Arc::clone(&self.status));
        async move {
            let mut answer = http.send(request).await?;
            *status.lock().unwrap_or_else(PoisonError::into_inner) = answer.status().as_u16();
            // Not every server names the type of what it answers; what it is shows when it is read.
            answer.headers_mut().remove(http::header::CONTENT_TYPE);
            Ok(answer)
        }
    }
}

/// The header of a client with a secret (RFC 6749, section 2.3.1: both are encoded like a form first).
fn basic(client_id: &str, secret: &Secret) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", BASE64.encode(format!("{}:{}", encoded(client_id), encoded(secret.expose()))))
}
