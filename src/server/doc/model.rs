//! Mirrors of what both SDKs read, and of the OpenAI API's smaller bodies, for the page alone.

use super::openai::{FinishReason, TextOrTexts, Usage};
use poem_openapi::Object;
use serde_json::Value;

/// The models on offer, in the words of both APIs.
#[derive(Debug, Object)]
pub struct ModelList {
    /// `list`
    pub object: String,
    /// The models.
    pub data: Vec<Model>,
    /// Whether more follow.
    pub has_more: bool,
    /// The first model's id.
    pub first_id: Option<String>,
    /// The last model's id, for `after_id`.
    pub last_id: Option<String>,
}

/// One model, in the words of both APIs.
#[derive(Debug, Object)]
pub struct Model {
    /// Its name.
    pub id: String,
    /// `model`
    pub object: String,
    /// When it was made, in seconds since 1970; 0 where nobody says.
    pub created: u64,
    /// The upstream that lends it.
    pub owned_by: String,
    /// `model`
    #[oai(rename = "type")]
    pub kind: String,
    /// Its name, for people.
    pub display_name: String,
    /// When it was made, as RFC 3339 has it.
    pub created_at: String,
    /// Its window in tokens, where known.
    pub max_input_tokens: Option<u64>,
    /// Its longest answer in tokens, where known.
    pub max_tokens: Option<u64>,
}

/// A request for embeddings.
#[derive(Debug, Object)]
pub struct EmbeddingRequest {
    /// The model's name.
    pub model: String,
    /// One text, several, or their tokens.
    pub input: Value,
    /// `float` or `base64`.
    pub encoding_format: Option<String>,
    /// How long each vector is to be.
    pub dimensions: Option<u64>,
    /// Who the user is, for the provider.
    pub user: Option<String>,
}

/// Embeddings.
#[derive(Debug, Object)]
pub struct EmbeddingList {
    /// `list`
    pub object: String,
    /// The vectors.
    pub data: Vec<Embedding>,
    /// The model.
    pub model: String,
    /// What it took.
    pub usage: Option<EmbeddingUsage>,
}

/// One vector.
#[derive(Debug, Object)]
pub struct Embedding {
    /// `embedding`
    pub object: String,
    /// Which text it belongs to.
    pub index: u64,
    /// Its numbers, or these as base64.
    pub embedding: Value,
}

/// What embeddings took, in tokens.
#[derive(Debug, Object)]
pub struct EmbeddingUsage {
    /// The request.
    pub prompt_tokens: u64,
    /// All.
    pub total_tokens: u64,
}

/// A request to go on with a text.
#[derive(Debug, Object)]
pub struct CompletionRequest {
    /// The model's name.
    pub model: String,
    /// One text or several.
    pub prompt: TextOrTexts,
    /// What stands after the answer.
    pub suffix: Option<String>,
    /// The longest answer in tokens.
    pub max_tokens: Option<u64>,
    /// How freely to choose words, 0 to 2.
    pub temperature: Option<f64>,
    /// The share of likely words to choose from.
    pub top_p: Option<f64>,
    /// Texts that end the answer.
    pub stop: Option<TextOrTexts>,
    /// Whether to answer with events.
    #[oai(default)]
    pub stream: bool,
}

/// How a text goes on, whole or as one event.
#[derive(Debug, Object)]
pub struct Completion {
    /// The answer's id.
    pub id: String,
    /// `text_completion`
    pub object: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: String,
    /// The answers.
    pub choices: Vec<CompletionChoice>,
    /// What it took.
    pub usage: Option<Usage>,
}

/// One answer.
#[derive(Debug, Object)]
pub struct CompletionChoice {
    /// Its number.
    pub index: u64,
    /// Its text.
    pub text: String,
    /// Why it ended.
    pub finish_reason: Option<FinishReason>,
}

/// A failure in the OpenAI API's words.
#[derive(Debug, Object)]
#[oai(rename = "OpenAiError")]
pub struct ErrorEnvelope {
    /// What failed.
    pub error: ErrorBody,
}

/// What failed.
#[derive(Debug, Object)]
#[oai(rename = "OpenAiErrorBody")]
pub struct ErrorBody {
    /// What failed, and what to do about it.
    pub message: String,
    /// `invalid_request_error`, `rate_limit_error`, `insufficient_quota` or `server_error`.
    #[oai(rename = "type")]
    pub kind: String,
    /// The path of the member at fault.
    pub param: Option<String>,
    /// The failure's name, as in `model_not_found`.
    pub code: Option<String>,
}
