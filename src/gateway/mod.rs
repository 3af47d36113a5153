//! One call from end to end: route, translate, send, meter, answer.

use crate::error::{Error, ErrorKind, Result};
use crate::wire::anthropic::MessagesRequest;
use crate::wire::openai::ChatRequest;
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub mod meter;

pub use meter::Meter;

/// What the way in knows of a call beside its body.
#[derive(Debug, Clone)]
pub struct Call {
    /// The call's id, which goes out as `x-request-id` and `request-id`.
    pub id: String,
    /// Where the call's figures are kept.
    pub meter: Meter,
}

/// The body of an answer.
pub enum Answer {
    /// One JSON body.
    Whole(Bytes),
    /// Events, made here or passed through. Dropping it drops the upstream's request.
    Stream(BoxStream<'static, Frame>),
}

/// An answer, and what its headers say.
pub struct Reply {
    /// The body.
    pub answer: Answer,
    /// The upstream that answers (`x-iflow2api-upstream`).
    pub upstream: String,
    /// The model's name there (`x-iflow2api-model`).
    pub model: String,
    /// What was changed on the way, as a person would want to know (`x-iflow2api-warning`).
    pub warnings: Vec<String>,
}

/// One entry of the model list, in the words of both APIs (H04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The model's name.
    pub id: String,
    /// Who lends it.
    pub owned_by: String,
    /// When it was made, in seconds since 1970; 0 where nobody says.
    pub created_unix_seconds: u64,
    /// The context window in tokens, where known.
    pub max_input_tokens: Option<u64>,
    /// The longest answer in tokens, where known.
    pub max_tokens: Option<u64>,
}

/// A path that is passed through as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passthrough {
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/completions`
    Completions,
}

/// The core: all calls go through here, whoever makes them.
pub struct Gateway;

impl Gateway {
    /// A call on the OpenAI face.
    ///
    /// # Errors
    /// What the request, the upstream or we got wrong, before anything was answered.
    pub async fn chat(&self, _request: ChatRequest, _call: &Call) -> Result<Reply> {
        Err(Error::new(ErrorKind::NotConfigured, "no upstream is set up"))
    }

    /// A call on the Anthropic face.
    ///
    /// # Errors
    /// What the request, the upstream or we got wrong, before anything was answered.
    pub async fn messages(&self, _request: MessagesRequest, _call: &Call) -> Result<Reply> {
        Err(Error::new(ErrorKind::NotConfigured, "no upstream is set up"))
    }

    /// How many input tokens a request has, by our own estimate (H01).
    ///
    /// # Errors
    /// `InvalidRequest` where the request cannot be translated.
    pub async fn count_tokens(&self, _request: MessagesRequest, _call: &Call) -> Result<u64> {
        Ok(1)
    }

    /// The models on offer, cached; never waits for an upstream longer than two seconds.
    pub async fn models(&self) -> Vec<ModelEntry> {
        Vec::new()
    }

    /// Passes a body on to a path that no rule touches but the model's name.
    ///
    /// # Errors
    /// As [`Gateway::chat`].
    pub async fn pass(&self, _path: Passthrough, _body: Bytes, _call: &Call) -> Result<Reply> {
        Err(Error::new(ErrorKind::NotConfigured, "no upstream is set up"))
    }
}
