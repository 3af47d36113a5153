//! The provider: one HTTP request out, one answer in. Which provider, and what is said, is decided above.

use crate::auth::session::Session;
use crate::error::{Error, Result};
use crate::policy;
use crate::policy::assemble::Assembler;
use crate::policy::failure::Judge;
use crate::policy::presets::rows::{Place, Quirk};
use crate::policy::provider::Provider;
use crate::policy::wrapped::unwrap;
use crate::secret::Secret;
use crate::wire::openai::Reading;
use crate::wire::sse::Frame;
use address::Headers;
use admission::Admission;
use attempt::Attempts;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use reqwest::header::HeaderMap;
use rest::Rest;
use sign::Signer;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

mod address;
mod admission;
mod attempt;
mod client;
mod failure;
mod frames;
mod manners;
mod rest;
mod sign;
mod signed_in;
pub mod silence;
mod told;

pub use address::Address;
pub use admission::Admitted;
pub use attempt::Health;
pub use client::{Clients, Proxy, Way};
pub use manners::{Manners, Timeouts};

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

/// One provider.
pub struct Upstream {
    name: String,
    base_url: String,
    prefix_url: Option<String>,
    key: Option<Secret>,
    session: Option<Arc<Session>>,
    key_origin: Option<String>,
    headers: Headers,
    anthropic: Option<Native>,
    provider: Provider,
    judge: Judge,
    timeouts: Timeouts,
    attempts: Attempts,
    rest: Rest,
    admission: Admission,
    client: reqwest::Client,
}

/// Where a provider speaks the Anthropic API. The way there may be another: a proxy leads to only one of two
/// addresses where the other is this machine's own.
struct Native {
    base_url: String,
    headers: Headers,
    client: reqwest::Client,
}

/// Who hears that an upstream is asked again.
pub type Retried<'a> = &'a (dyn Fn() + Send + Sync);

/// Which API is spoken with an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// OpenAI's, as far as each provider speaks it.
    Openai,
    /// Anthropic's, natively, with these headers of the caller's.
    Anthropic(&'a HeaderMap),
    /// OpenAI's, on a path of which we know nothing but its form.
    Unread,
}

/// One question to an upstream.
#[derive(Clone)]
pub struct Ask<'a> {
    /// Which API is spoken.
    pub wire: Wire<'a>,
    /// What is behind the base URL, such as `/chat/completions`.
    pub path: &'a str,
    /// The model's name there.
    pub model: &'a str,
    /// The request.
    pub body: Bytes,
    /// Whether it asks for a stream that has to be put together as a whole answer.
    pub assembled: bool,
    /// Who hears that it is asked again.
    pub retried: Retried<'a>,
}

impl Upstream {
    /// Sets up a provider. Nothing is sent.
    ///
    /// # Errors
    /// `Usage` where a header or the key cannot be sent, or where an https address meets a machine
    /// without CA certificates.
    pub fn new(
        address: Address,
        provider: Provider,
        manners: Manners,
        clients: &mut Clients,
    ) -> Result<Self> {
        let Manners { timeouts, retry, circuit, max_concurrent, max_queue } = manners;
        let preset: Vec<(&str, &str)> = provider.headers().collect();
        let signer = provider.has(Quirk::IflowSign).then(Signer::default);
        let headers = Headers::new(&address, provider.auth(), &preset, signer)?;
        let anthropic = match &address.anthropic_base_url {
            Some(url) => {
                let headers = Headers::new(&address, provider.anthropic_auth(), &preset, None)?;
                let client = clients.get(&address.name, url, &address.way, timeouts.connect)?;
                Some(Native { base_url: url.clone(), headers, client })
            }
            None => None,
        };
        let client = clients.get(&address.name, &address.base_url, &address.way, timeouts.connect)?;
        let Address { name, base_url, prefix_url, key, session, key_origin, .. } = address;
        Ok(Self {
            judge: Judge::new(&name, Arc::clone(&provider.errors), SystemTime::now),
            name,
            base_url,
            prefix_url,
            key,
            session,
            key_origin,
            headers,
            anthropic,
            provider,
            timeouts,
            attempts: Attempts::new(retry, circuit),
            rest: Rest::default(),
            admission: Admission::new(max_concurrent, max_queue),
            client,
        })
    }

    /// The upstream's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known of its provider.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Whether it is not where its preset says.
    pub fn is_elsewhere(&self) -> bool {
        self.provider.base_url() != Some(&self.base_url)
    }

    /// Reads what it says.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Whether calls of the Anthropic API are passed on to it as they are.
    pub fn is_native(&self) -> bool {
        self.anthropic.is_some()
    }

    /// Whether a call had better go elsewhere, where it can: its quota is used up, or it keeps failing.
    pub fn is_out(&self, model: &str) -> bool {
        self.rest.left().is_some() || self.attempts.keeps_out(model)
    }

    /// For how long it has nothing left to give.
    pub fn rests(&self) -> Option<Duration> {
        self.rest.left()
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
    pub async fn admit(&self) -> Result<Admitted> {
        self.admission.enter(&self.name, self.timeouts.first_byte).await
    }

    /// Asks for a stream. Returns once its first frame is here, so that a failure before it can be
    /// retried or answered with a status (B29). Dropping the future drops the request.
    ///
    /// # Errors
    /// What the provider's refusal means, `Unreachable`, `TimedOut`, or `BadAnswer` where the
    /// stream ends before it began; the last of these, where it was asked again.
    pub async fn stream(&self, ask: Ask<'_>) -> Result<Answered<FrameStream>> {
        let ask = &ask;
        let attempt = || self.signed_in(move |key| async move { self.open(ask, key.as_ref()).await });
        let opened = self.attempts.run(&self.name, ask.model, ask.retried, attempt).await;
        self.rest.end(opened.as_ref().err());
        opened
    }

    /// One try. Where the frames are ours to read, an error in the first one still has a status to
    /// answer with (C07).
    async fn open(&self, ask: &Ask<'_>, key: Option<&Secret>) -> Result<Answered<FrameStream>> {
        let limit = self.timeouts.first_byte;
        let opened = async {
            let response = self.post(ask, key).await?;
            let limits = self.limits(&response);
            let mut frames = self.frames(response);
            let first = frames.next().await.unwrap_or_else(|| Err(policy::failure::empty(&self.name)))?;
            if first.is_done() {
                return Err(policy::failure::empty(&self.name));
            }
            match ask.wire {
                Wire::Openai => drop(self.judge.read_frame(&first.data)?),
                Wire::Anthropic(_) => self.judge.in_band(Place::Stream, &first.data).map_or(Ok(()), Err)?,
                Wire::Unread => {}
            }
            Ok((first, frames, limits))
        };
        let opened = tokio::time::timeout(limit, opened).await.map_err(|_| self.silent(limit))?;
        let (first, rest, limits) = opened.map_err(|error| self.failed(error))?;
        let first = futures_util::stream::once(std::future::ready(Ok(first)));
        Ok(Answered { body: first.chain(rest).boxed(), limits })
    }

    /// Reads one frame of a stream.
    ///
    /// # Errors
    /// As [`Judge::read_frame`].
    pub fn read(&self, frame: &Frame) -> Result<Reading> {
        self.judge.read_frame(&frame.data).map_err(|error| self.told(error))
    }

    /// Asks for a whole answer. `read` judges its body, so that an error at status 200 is retried too.
    ///
    /// # Errors
    /// As [`Upstream::stream`], and what `read` says.
    pub async fn complete<T>(&self, ask: Ask<'_>, read: impl Fn(Bytes) -> Result<T>) -> Result<Answered<T>> {
        let limit = self.timeouts.first_byte;
        let (ask, read) = (&ask, &read);
        let attempt = move |key: Option<Secret>| async move {
            let response = tokio::time::timeout(limit, self.post(ask, key.as_ref())).await;
            let response = response.map_err(|_| self.silent(limit))??;
            let limits = self.limits(&response);
            let body = if ask.assembled {
                self.assemble(response).await?
            } else {
                self.read_whole(response).await?
            };
            let body =
                if self.provider.has(Quirk::IflowUnwrap) { unwrap(&body).unwrap_or(body) } else { body };
            Ok(Answered { body: read(body)?, limits })
        };
        let attempt = || {
            self.signed_in(move |key| async move { attempt(key).await.map_err(|error| self.failed(error)) })
        };
        let completed = self.attempts.run(&self.name, ask.model, ask.retried, attempt).await;
        self.rest.end(completed.as_ref().err());
        completed
    }

    /// The frames of a response, each without iFlow's wrapper, if it has one.
    fn frames(&self, response: reqwest::Response) -> FrameStream {
        let frames = frames::frames(self.name.clone(), response, self.timeouts.idle);
        if !self.provider.has(Quirk::IflowUnwrap) {
            return frames;
        }
        let unwrapped = |frame: Frame| unwrap(&frame.data).map(Frame::data).unwrap_or(frame);
        frames.map(move |frame| frame.map(unwrapped)).boxed()
    }

    /// A stream as one whole answer, for providers that give nothing else.
    async fn assemble(&self, response: reqwest::Response) -> Result<Bytes> {
        let seed: String = std::iter::repeat_with(fastrand::alphanumeric).take(12).collect();
        let mut assembler = Assembler::new(self.judge.clone(), seed);
        let mut frames = self.frames(response);
        while let Some(frame) = frames.next().await {
            match frame {
                Ok(frame) => assembler.push(&frame)?,
                // All was said that a caller waits for (D06).
                Err(error) if assembler.is_finished() && error.is_break() => break,
                Err(error) => return Err(error),
            }
            if assembler.is_over() {
                break;
            }
        }
        assembler.finish()
    }

    /// The provider's list of models, as it sent it.
    ///
    /// # Errors
    /// As [`Upstream::stream`].
    pub async fn models(&self, limit: Duration) -> Result<Bytes> {
        self.get("/models", limit).await
    }

    async fn post(&self, ask: &Ask<'_>, key: Option<&Secret>) -> Result<reqwest::Response> {
        let (address, headers, client) = match (ask.wire, &self.anthropic) {
            (Wire::Anthropic(callers), Some(native)) => {
                let address = format!("{}{}", native.base_url, ask.path);
                (address, native.headers.with_callers(key, callers), &native.client)
            }
            _ => (self.url(ask.path), self.headers.now(key), &self.client),
        };
        let request = client
            .post(address)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(reqwest::header::ACCEPT_ENCODING, "identity")
            .headers(headers)
            .body(ask.body.clone());
        let response = request.send().await.map_err(|error| failure::of_transport(&self.name, error))?;
        self.accepted(response).await
    }

    /// Where a path of the OpenAI API is; what is below `/beta` is where started answers are gone on with
    /// (DeepSeek).
    pub fn url(&self, path: &str) -> String {
        let base = &self.base_url;
        match (path.strip_prefix("/beta/"), &self.prefix_url) {
            (Some(path), Some(prefix_url)) => format!("{prefix_url}/{path}"),
            (Some(path), None) => format!("{}/beta/{path}", base.strip_suffix("/v1").unwrap_or(base)),
            (None, _) => format!("{base}{path}"),
        }
    }

    /// Where a path of the Anthropic API is, where that is spoken natively.
    pub fn native_url(&self, path: &str) -> Option<String> {
        self.anthropic.as_ref().map(|native| format!("{}{path}", native.base_url))
    }

    fn limits(&self, response: &reqwest::Response) -> Vec<(String, String)> {
        failure::limits(response.headers(), self.provider.rate_headers())
    }

    async fn accepted(&self, response: reqwest::Response) -> Result<reqwest::Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = failure::retry_after(response.headers(), SystemTime::now());
        let limits = self.limits(&response);
        let body = frames::read_bounded(&self.name, response, MAX_REFUSAL_BYTES, REFUSAL_WAIT);
        let body =
            tokio::time::timeout(REFUSAL_WAIT, body).await.ok().and_then(Result::ok).unwrap_or_default();
        Err(self.judge.of_status(status.as_u16(), retry_after, &body).with_limits(limits))
    }

    async fn read_whole(&self, response: reqwest::Response) -> Result<Bytes> {
        frames::read_bounded(&self.name, response, MAX_ANSWER_BYTES, self.timeouts.idle).await
    }

    fn silent(&self, limit: Duration) -> Error {
        failure::silent(&self.name, limit)
    }
}
