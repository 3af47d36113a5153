//! One login in a browser: the address to open, and what comes back from it, whichever way it comes.

use super::credential::{Credential, Login};
use super::grant::Grants;
use super::http::Http;
use super::iflow;
use super::method::{Flow, Method};
use super::refresh;
use super::words::said;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use serde_json::{Value, json};
use std::borrow::Cow;
use subtle::ConstantTimeEq as _;
use url::Url;

/// A login that was begun.
pub struct Pending {
    method: Method,
    /// Where the browser is sent.
    address: Url,
    /// Where it is sent back to.
    redirect: Url,
    state: Secret,
    verifier: Option<Secret>,
}

/// What came back from the browser.
#[derive(Debug)]
pub enum Returned {
    /// A code to be exchanged.
    Code(Secret),
    /// The provider, or the user there, has refused: its code and its words.
    Refused(String),
}

/// Why something that came back is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOurs {
    /// It belongs to no login of ours: its state is another's, or missing.
    State,
    /// Another server than the one that was asked has answered (RFC 9207).
    Issuer,
    /// It holds neither a code nor an error.
    Empty,
}

impl Pending {
    /// Begins a login whose browser is sent back to a port of this machine.
    ///
    /// # Errors
    /// `Usage` where a setting is missing or no URL.
    pub fn begin(method: Method, port: u16) -> Result<Self> {
        let mut redirect = Url::parse(&method.redirect_url)
            .map_err(|error| redirect_is_wrong(&method).with_source(error))?;
        if redirect.scheme() != "http" || !super::http::is_loopback(&redirect) {
            return Err(redirect_is_wrong(&method));
        }
        redirect.set_port(Some(port)).map_err(|()| redirect_is_wrong(&method))?;
        let state = random();
        let authorize = method.endpoint("authorize_url", method.authorize_url.as_ref())?;
        // What will be needed later is better missed before somebody logs in.
        method.endpoint("token_url", method.token_url.as_ref())?;
        if method.flow == Flow::Iflow {
            method.endpoint("userinfo_url", method.userinfo_url.as_ref())?;
        }
        if method.lacks_secret() {
            return Err(method.secret_is_missing());
        }
        let (address, verifier) = match method.flow {
            Flow::Standard => standard(&method, authorize, &redirect, &state)?,
            Flow::Iflow => {
                let mut address = authorize;
                address
                    .query_pairs_mut()
                    .append_pair("loginMethod", "phone")
                    .append_pair("type", "phone")
                    .append_pair("redirect", redirect.as_str())
                    .append_pair("state", state.expose())
                    .append_pair("client_id", method.client_id()?);
                (address, None)
            }
            Flow::Openrouter => {
                // It has no parameter for the state, but keeps the path that it is given.
                let path = format!("{}/{}", redirect.path().trim_end_matches('/'), state.expose());
                redirect.set_path(&path);
                let (challenge, verifier) = pkce();
                let mut address = authorize;
                address
                    .query_pairs_mut()
                    .append_pair("callback_url", redirect.as_str())
                    .append_pair("code_challenge", challenge.as_str())
                    .append_pair("code_challenge_method", challenge.method().as_str());
                (address, Some(verifier))
            }
        };
        Ok(Self { method, address, redirect, state, verifier })
    }

    /// Where the browser is sent.
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// The path that it is sent back to.
    pub fn path(&self) -> &str {
        self.redirect.path()
    }

    /// Reads what came back: the path and query of a request to our listener.
    ///
    /// # Errors
    /// Why it is not ours; nothing of it may be shown.
    pub fn returned(&self, url: &Url) -> Result<Returned, NotOurs> {
        let value = |wanted: &str| {
            let mut found = url.query_pairs().filter(|(name, _)| name == wanted);
            // Twice the same parameter is nobody's honest answer (RFC 6749, section 3.1).
            found.next().map(|(_, value)| value.into_owned()).filter(|_| found.next().is_none())
        };
        let state = match self.method.flow {
            Flow::Openrouter => url.path().rsplit('/').next().map(str::to_owned),
            Flow::Standard | Flow::Iflow => value("state"),
        };
        if !state.is_some_and(|state| bool::from(state.as_bytes().ct_eq(self.state.expose().as_bytes()))) {
            return Err(NotOurs::State);
        }
        let issuer = |url: &str| url.trim_end_matches('/').to_owned();
        let is_its_own = match (value("iss"), &self.method.issuer) {
            (Some(theirs), Some(ours)) => issuer(&theirs) == issuer(ours),
            (None, Some(_)) => !self.method.names_itself,
            (_, None) => true,
        };
        if !is_its_own {
            return Err(NotOurs::Issuer);
        }
        if let Some(error) = value("error").filter(|error| !error.is_empty()) {
            let words =
                value("error_description").map(|words| format!(": {}", said(&words))).unwrap_or_default();
            return Ok(Returned::Refused(format!("{}{words}", said(&error))));
        }
        match value("code").filter(|code| !code.is_empty()) {
            Some(code) => Ok(Returned::Code(Secret::new(code))),
            None => Err(NotOurs::Empty),
        }
    }

    /// Reads what somebody pasted: the whole address they were sent to, or the code alone.
    ///
    /// # Errors
    /// `Usage`, with what to do instead.
    pub fn pasted(&self, text: &str) -> Result<Returned> {
        let text = text.trim().trim_matches(['"', '\'', '<', '>']);
        let fault = |why: &str| Error::new(ErrorKind::Usage, why.to_owned());
        if text.is_empty() {
            return Err(fault("nothing was pasted"));
        }
        if text.contains("://") || text.contains("code=") {
            // Some browsers leave out how an address begins.
            let query = text.split_once('?').map_or(text, |(_, query)| query);
            let url = Url::parse(text).ok().filter(|url| url.has_host()).or_else(|| {
                let mut url = self.redirect.clone();
                url.set_query(Some(query));
                Some(url)
            });
            let url = url.ok_or_else(|| fault("this is no address"))?;
            return self.returned(&url).map_err(|why| match why {
                NotOurs::State => fault(
                    "this address belongs to another login; open the one above, and paste where it leads",
                ),
                NotOurs::Issuer => {
                    fault("this address was made by another server than the one that was asked")
                }
                NotOurs::Empty => {
                    fault("this address holds no code; paste the one that the browser ended at")
                }
            });
        }
        if text.contains(char::is_whitespace) {
            return Err(fault("this is neither an address nor a code"));
        }
        Ok(Returned::Code(Secret::new(text)))
    }

    /// Exchanges what came back for what is stored.
    ///
    /// # Errors
    /// `LoginRequired` where the login was refused; `BadAnswer` and the like where the server failed.
    pub async fn finish(&self, returned: Returned, http: &Http) -> Result<Credential> {
        let method = &self.method;
        let code = match returned {
            Returned::Code(code) => code,
            Returned::Refused(words) => {
                let name = &method.upstream;
                let message = format!("the login at `{name}` was refused: {words}");
                return Err(Error::new(ErrorKind::LoginRequired, message)
                    .with_hint(format!("`iflow2api auth login {name}` begins anew")));
            }
        };
        let finished = match method.flow {
            Flow::Openrouter => self.key(&code, http).await,
            Flow::Standard | Flow::Iflow => self.tokens(&code, http).await,
        };
        // What a server says of what it was shown may repeat it.
        let shown = [Some(&code), self.verifier.as_ref(), method.client_secret.as_ref()];
        finished.map_err(|error| {
            shown.into_iter().flatten().fold(error, |error, secret| error.masking(secret.expose()))
        })
    }

    /// Exchanges a code for tokens, and for what else belongs to them.
    async fn tokens(&self, code: &Secret, http: &Http) -> Result<Credential> {
        let grants = Grants::new(&self.method, http);
        let tokens = grants.code(code.expose(), self.redirect.as_str(), self.verifier.as_ref()).await?;
        complete(&self.method, refresh::first(tokens), http).await
    }

    /// Exchanges OpenRouter's code for a key.
    async fn key(&self, code: &Secret, http: &Http) -> Result<Credential> {
        let method = &self.method;
        let url = method.endpoint("token_url", method.token_url.as_ref())?;
        let body = json!({
            "code": code.expose(),
            "code_verifier": self.verifier.as_ref().map(Secret::expose),
            "code_challenge_method": "S256",
        });
        let answer = http.post_json(url.as_str(), &body).await.map_err(|error| method.about(error))?;
        let status = answer.status();
        let value: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let key = value.get("key").and_then(Value::as_str).filter(|key| !key.trim().is_empty());
        match key.filter(|_| status.is_success()) {
            Some(key) => {
                let account = value.get("user_id").and_then(Value::as_str).map(said);
                Ok(Credential::key(Secret::new(key.trim()), account, Timestamp::now()))
            }
            None => {
                let words = value.pointer("/error/message").or(value.get("error")).and_then(Value::as_str);
                let words = words.map(|words| format!(": {}", said(words))).unwrap_or_default();
                let name = &method.upstream;
                let message = format!("`{name}` gave no key for this login (status {status}){words}");
                let kind =
                    if status.is_client_error() { ErrorKind::LoginRequired } else { ErrorKind::BadAnswer };
                Err(Error::new(kind, message).with_hint(format!("`iflow2api auth login {name}` begins anew")))
            }
        }
    }
}

/// A login with all that belongs to it.
///
/// # Errors
/// As [`iflow::user`].
pub async fn complete(method: &Method, login: Login, http: &Http) -> Result<Credential> {
    if method.flow != Flow::Iflow {
        return Ok(Credential::login(login));
    }
    let token = login.access_token.clone().unwrap_or_else(|| Secret::new(""));
    let user = iflow::user(method, http, &token).await?;
    Ok(Credential::login(Login { api_key: Some(user.api_key), account: user.account, ..login }))
}

fn standard(
    method: &Method,
    authorize: Url,
    redirect: &Url,
    state: &Secret,
) -> Result<(Url, Option<Secret>)> {
    let (challenge, verifier) = pkce();
    let client = oauth2::basic::BasicClient::new(oauth2::ClientId::new(method.client_id()?.to_owned()))
        .set_auth_uri(oauth2::AuthUrl::from_url(authorize));
    let state = state.expose().to_owned();
    let (address, _) = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(method.scopes.iter().map(|scope| oauth2::Scope::new(scope.clone())))
        .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect.clone())))
        .set_pkce_challenge(challenge)
        .url();
    Ok((address, Some(verifier)))
}

fn pkce() -> (PkceCodeChallenge, Secret) {
    let verifier = random();
    let challenge =
        PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.expose().to_owned()));
    (challenge, verifier)
}

/// 256 random bits, as text that any URL can bear.
fn random() -> Secret {
    let mut bytes = [0; 32];
    // It fails only where the system has no randomness at all, and then nothing here may go on.
    let filled = rand::fill(&mut bytes);
    assert!(filled.is_ok(), "the system has no randomness");
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

fn redirect_is_wrong(method: &Method) -> Error {
    let message = format!("`auth.{}.redirect_url` must be an address of this machine's own", method.upstream);
    Error::new(ErrorKind::Usage, message).with_hint("write it like `http://127.0.0.1/oauth2callback`")
}
