//! The few small requests of a login, bounded in time and size, for the `oauth2` crate and for ourselves. No redirect
//! is followed: what is sent here is nobody else's business.

use crate::error::{Error, ErrorKind, Result, root_cause};
use http::{Request, Response};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a login server may take. Chosen: it is asked while callers wait.
const LIMIT: Duration = Duration::from_secs(20);
/// How large its answer may be. Chosen: tokens are a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

/// Finds the client that leads to an address.
type Clients = dyn Fn(&str) -> Result<reqwest::Client> + Send + Sync;

/// Sends the requests of logins.
#[derive(Clone)]
pub struct Http {
    clients: Arc<Clients>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Requests go through these clients.
    pub fn new(clients: impl Fn(&str) -> Result<reqwest::Client> + Send + Sync + 'static) -> Self {
        Self { clients: Arc::new(clients) }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn get(&self, address: &str) -> Result<Response<Vec<u8>>> {
        let request = Request::get(address).header(http::header::ACCEPT, "application/json").body(Vec::new());
        self.send(request.map_err(unsendable)?).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn post_json(&self, address: &str, body: &serde_json::Value) -> Result<Response<Vec<u8>>> {
        let request = Request::post(address)
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes());
        self.send(request.map_err(unsendable)?).await
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// `Unreachable` and `TimedOut`, `BadAnswer` where the answer is endless or broke off. Their messages are for the
    /// end of "the login server of `x` …", and hold no address: it may bear a token.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let client = (self.clients)(&request.uri().to_string())?;
        let answered = async {
            let request = reqwest::Request::try_from(request).map_err(of_transport)?;
            let mut response = client.execute(request).await.map_err(of_transport)?;
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(of_transport)? {
                body.extend_from_slice(&chunk);
                if body.len() > MAX_BYTES {
                    let message = format!("answered with more than {MAX_BYTES} bytes");
                    return Err(Error::new(ErrorKind::BadAnswer, message));
                }
            }
            let mut answer = Response::new(body);
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            Ok(answer)
        };
        tokio::time::timeout(LIMIT, answered).await.unwrap_or_else(|_| {
            let message = format!("did not answer within {} s", LIMIT.as_secs());
            Err(Error::new(ErrorKind::TimedOut, message))
        })
    }
}

fn of_transport(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let (kind, message) = if error.is_timeout() {
        (ErrorKind::TimedOut, "did not answer in time".to_owned())
    } else if error.is_body() || error.is_decode() {
        (ErrorKind::BadAnswer, "broke off its answer".to_owned())
    } else {
        (ErrorKind::Unreachable, format!("cannot be reached: {}", root_cause(&error)))
    };
    Error::new(kind, message).with_source(error)
}

fn unsendable(error: http::Error) -> Error {
    Error::new(ErrorKind::Usage, "has no address that can be asked").with_source(error)
}

/// Whether an address is this machine's own.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
