//! The provider: one HTTP request out, one answer in. Which provider, and what is said, is decided above.

use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::policy::circuit;
use crate::policy::profile::Profile;
use crate::policy::retry::Policy;
use crate::secret::Secret;
use crate::wire::openai::Reading;
use crate::wire::sse::Frame;
use admission::Admission;
use attempt::Attempts;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, SystemTime};

mod admission;
mod attempt;
mod client;
mod failure;
mod frames;
pub mod silence;

pub use admission::Place;
pub use attempt::Health;

/// Events of a provider, and how they fail. Dropping it closes the connection.
pub type FrameStream = BoxStream<'static, Result<Frame>>;

/// An answer, and what its headers say of the provider's limits.
pub struct Answered<T> {
    /// The answer.
    pub body: T,
    /// `x-ratelimit-*` and `anthropic-ratelimit-*`, as they came (C05).
    pub limits: Vec<(String, String)>,
}

/// How large a whole answer may be. Chosen: far above any completion, images included.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How much of a refusal's body is read for its message.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
/// How long a refusal's body may take; its status is known by then.
const REFUSAL_WAIT: Duration = Duration::from_secs(10);

/// How long a provider may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// From the request to the first frame, or the first byte of a whole answer.
    pub first_byte: Duration,
    /// Between two reads of an answer.
    pub idle: Duration,
}

/// How a provider is treated.
#[derive(Debug, Clone)]
pub struct Manners {
    /// How long it may be silent.
    pub timeouts: Timeouts,
    /// Whether and when it is asked again.
    pub retry: Policy,
    /// When it is left alone.
    pub circuit: circuit::Rules,
    /// How many calls it gets at once; `None` for any number.
    pub max_concurrent: Option<usize>,
    /// How many calls may wait for their turn.
    pub max_queue: usize,
}

/// What is needed to reach one provider.
#[derive(Debug, Clone)]
pub struct Address {
    /// The upstream's name, for messages and headers.
    pub name: String,
    /// Where it is, without a trailing slash: `https://api.example.com/v1`.
    pub base_url: String,
    /// The key, where it takes one.
    pub key: Option<Secret>,
    /// Headers of the user's own.
    pub headers: Vec<(String, Secret)>,
}

/// One provider.
pub struct Upstream {
    name: String,
    base_url: String,
    key: Option<Secret>,
    headers: HeaderMap,
    profile: Profile,
    timeouts: Timeouts,
    attempts: Attempts,
    admission: Admission,
    client: reqwest::Client,
}

/// Who hears that an upstream is asked again.
pub type Retried<'a> = &'a (dyn Fn() + Send + Sync);

/// One question to an upstream.
#[derive(Clone)]
pub struct Ask<'a> {
    /// What is behind the base URL, such as `/chat/completions`.
    pub path: &'a str,
    /// The model's name there.
    pub model: &'a str,
    /// The request.
    pub body: Bytes,
    /// Who hears that it is asked again.
    pub retried: Retried<'a>,
}

impl Upstream {
    /// Sets up a provider. Nothing is sent.
    ///
    /// # Errors
    /// `Usage` where a header or the key cannot be sent, or where an https address meets a machine
    /// without CA certificates.
    pub fn new(address: Address, profile: Profile, manners: Manners) -> Result<Self> {
        let Manners { timeouts, retry, circuit, max_concurrent, max_queue } = manners;
        let Address { name, base_url, key, headers } = address;
        let mut sent = HeaderMap::new();
        for (header, value) in headers {
            let parsed = HeaderName::try_from(header.as_str()).ok().zip(sensitive(value.expose()));
            let Some((header, value)) = parsed else {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("`upstream.{name}.headers.{header}` is no HTTP header"),
                ));
            };
            sent.insert(header, value);
        }
        if let Some(key) = &key {
            let Some(value) = sensitive(&format!("Bearer {}", key.expose())) else {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the key of upstream `{name}` has a character that no header can carry"),
                ));
            };
            sent.entry(reqwest::header::AUTHORIZATION).or_insert(value);
        }
        let client = client::build(&name, &base_url, timeouts.connect)?;
        Ok(Self {
            name,
            base_url,
            key,
            headers: sent,
            profile,
            timeouts,
            attempts: Attempts::new(retry, circuit),
            admission: Admission::new(max_concurrent, max_queue),
            client,
        })
    }

    /// The upstream's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its habits.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Where it is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether calls may go to it now, and to which of its models they may not.
    pub fn health(&self) -> (Health, Vec<(String, Health)>) {
        self.attempts.health()
    }

    /// Waits for a place among the calls that it gets at once; one call has one place, however often it
    /// asks. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `RateLimited` where the queue is full, or the wait longer than the first byte may take.
    pub async fn admit(&self) -> Result<Place> {
        self.admission.enter(&self.name, self.timeouts.first_byte).await
    }

    /// Asks for a stream. Returns once its first frame is here, so that a failure before it can be
    /// retried or answered with a status (B29). Dropping the future drops the request.
    ///
    /// # Errors
    /// What the provider's refusal means, `Unreachable`, `TimedOut`, or `BadAnswer` where the
    /// stream ends before it began; the last of these, where it was asked again.
    pub async fn stream(&self, ask: Ask<'_>) -> Result<Answered<FrameStream>> {
        self.attempts
            .run(&self.name, ask.model, ask.retried, || self.open(ask.path, ask.body.clone(), true))
            .await
    }

    /// Asks for a stream of which we know nothing but its form.
    ///
    /// # Errors
    /// As [`Upstream::stream`], but for what the frames say.
    pub async fn raw_stream(&self, ask: Ask<'_>) -> Result<Answered<FrameStream>> {
        self.attempts
            .run(&self.name, ask.model, ask.retried, || self.open(ask.path, ask.body.clone(), false))
            .await
    }

    /// One try. Where the frames are ours to read, an error in the first one still has a status to
    /// answer with (C07).
    async fn open(&self, path: &str, body: Bytes, readable: bool) -> Result<Answered<FrameStream>> {
        let limit = self.timeouts.first_byte;
        let opened = async {
            let response = self.post(path, body).await?;
            let limits = failure::limits(response.headers());
            let mut frames = frames::frames(self.name.clone(), response, self.timeouts.idle);
            let first = frames.next().await.unwrap_or_else(|| Err(policy::failure::empty(&self.name)))?;
            if first.is_done() {
                return Err(policy::failure::empty(&self.name));
            }
            if readable {
                policy::failure::read_frame(&self.name, &first.data)?;
            }
            Ok((first, frames, limits))
        };
        let opened = tokio::time::timeout(limit, opened).await.map_err(|_| self.silent(limit))?;
        let (first, rest, limits) = opened.map_err(|error| self.mask(error))?;
        let first = futures_util::stream::once(std::future::ready(Ok(first)));
        Ok(Answered { body: first.chain(rest).boxed(), limits })
    }

    /// Reads one frame of a stream.
    ///
    /// # Errors
    /// As [`policy::failure::read_frame`].
    pub fn read(&self, frame: &Frame) -> Result<Reading> {
        policy::failure::read_frame(&self.name, &frame.data).map_err(|error| self.mask(error))
    }

    /// Asks for a whole answer. `read` judges its body, so that an error at status 200 is retried too.
    ///
    /// # Errors
    /// As [`Upstream::stream`], and what `read` says.
    pub async fn complete<T>(&self, ask: Ask<'_>, read: impl Fn(Bytes) -> Result<T>) -> Result<Answered<T>> {
        let limit = self.timeouts.first_byte;
        let attempt = async || {
            let response = tokio::time::timeout(limit, self.post(ask.path, ask.body.clone())).await;
            let response = response.map_err(|_| self.silent(limit))??;
            let limits = failure::limits(response.headers());
            Ok(Answered { body: read(self.read_whole(response).await?)?, limits })
        };
        self.attempts
            .run(&self.name, ask.model, ask.retried, || async {
                attempt().await.map_err(|error| self.mask(error))
            })
            .await
    }

    /// The provider's list of models, as it sent it.
    ///
    /// # Errors
    /// As [`Upstream::stream`].
    pub async fn models(&self, limit: Duration) -> Result<Bytes> {
        let listed = async {
            let request = self.client.get(format!("{}/models", self.base_url)).headers(self.headers.clone());
            let response = request.send().await.map_err(|error| failure::of_transport(&self.name, error))?;
            self.read_whole(self.accepted(response).await?).await
        };
        let listed = tokio::time::timeout(limit, listed).await.map_err(|_| self.silent(limit))?;
        listed.map_err(|error| self.mask(error))
    }

    async fn post(&self, path: &str, body: Bytes) -> Result<reqwest::Response> {
        let request = self
            .client
            .post(self.address(path))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(reqwest::header::ACCEPT_ENCODING, "identity")
            .headers(self.headers.clone())
            .body(body);
        let response = request.send().await.map_err(|error| failure::of_transport(&self.name, error))?;
        self.accepted(response).await
    }

    /// Where a path is; what is below `/beta` stands beside `/v1` (DeepSeek).
    fn address(&self, path: &str) -> String {
        let base = &self.base_url;
        match path.strip_prefix("/beta/") {
            Some(path) => format!("{}/beta/{path}", base.strip_suffix("/v1").unwrap_or(base)),
            None => format!("{base}{path}"),
        }
    }

    async fn accepted(&self, response: reqwest::Response) -> Result<reqwest::Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = failure::retry_after(response.headers(), SystemTime::now());
        let limits = failure::limits(response.headers());
        let body = frames::read_bounded(&self.name, response, MAX_REFUSAL_BYTES, REFUSAL_WAIT);
        let body =
            tokio::time::timeout(REFUSAL_WAIT, body).await.ok().and_then(Result::ok).unwrap_or_default();
        Err(policy::failure::of_status(&self.name, status.as_u16(), retry_after, &body).with_limits(limits))
    }

    async fn read_whole(&self, response: reqwest::Response) -> Result<Bytes> {
        frames::read_bounded(&self.name, response, MAX_ANSWER_BYTES, self.timeouts.idle).await
    }

    fn silent(&self, limit: Duration) -> Error {
        failure::silent(&self.name, limit)
    }

    /// Takes our key out of what the provider said of it.
    pub fn mask(&self, error: Error) -> Error {
        match &self.key {
            Some(key) => error.masking(key.expose()),
            None => error,
        }
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}
