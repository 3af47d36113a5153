//! Mirrors of the OpenAI API's types, for the page alone.
//!
//! Source: <https://platform.openai.com/docs/api-reference>.

use poem_openapi::{Enum, Object, Union};
use serde_json::Value;

/// A chat completion request. Members that are not listed are passed on as they are.
#[derive(Debug, Object)]
pub struct ChatCompletionRequest {
    /// The model's name: an alias, `upstream/model`, or a name that an upstream lists. A suffix as in
    /// `glm-4.7(high)` says how much to think.
    pub model: String,
    /// The conversation so far.
    #[oai(validator(min_items = 1))]
    pub messages: Vec<ChatMessage>,
    /// Whether to answer with events.
    #[oai(default)]
    pub stream: bool,
    /// What events say beside the answer.
    pub stream_options: Option<StreamOptions>,
    /// The longest answer in tokens.
    pub max_tokens: Option<u64>,
    /// The longest answer in tokens, thoughts included.
    pub max_completion_tokens: Option<u64>,
    /// How freely to choose words, 0 to 2.
    pub temperature: Option<f64>,
    /// The share of likely words to choose from.
    pub top_p: Option<f64>,
    /// How many answers.
    pub n: Option<u64>,
    /// Texts that end the answer: one, or a list.
    pub stop: Option<TextOrTexts>,
    /// Against words that stand there already, −2 to 2.
    pub presence_penalty: Option<f64>,
    /// Against words that stand there often, −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// What makes an answer repeatable, as far as the model can.
    pub seed: Option<i64>,
    /// The tools that the model may call.
    pub tools: Option<Vec<Tool>>,
    /// `auto`, `none`, `required`, or one tool as an object.
    pub tool_choice: Option<Value>,
    /// Whether several tools may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// What binds the answer to JSON or to a schema.
    pub response_format: Option<Value>,
    /// How much to think.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Who the user is, for the provider.
    pub user: Option<String>,
}

/// What events say beside the answer.
#[derive(Debug, Object)]
pub struct StreamOptions {
    /// Whether one more chunk with the usage comes last.
    pub include_usage: Option<bool>,
}

/// How much to think.
#[derive(Debug, Enum)]
#[oai(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
}

/// One text or several.
#[derive(Debug, Union)]
pub enum TextOrTexts {
    /// One.
    Text(String),
    /// Several.
    Texts(Vec<String>),
}

/// Who speaks.
#[derive(Debug, Enum)]
#[oai(rename_all = "lowercase")]
pub enum ChatRole {
    /// Instructions.
    System,
    /// Instructions, by their newer name.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// One message of a conversation.
#[derive(Debug, Object)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: ChatRole,
    /// A text, or parts; `null` where an assistant only calls tools.
    pub content: Option<ChatContent>,
    /// The speaker's name.
    pub name: Option<String>,
    /// The model's thoughts, given back.
    pub reasoning_content: Option<String>,
    /// The tools that an assistant called.
    pub tool_calls: Option<Vec<ToolCall>>,
    /// Which call a `tool` message answers.
    pub tool_call_id: Option<String>,
}

/// A text, or parts.
#[derive(Debug, Union)]
pub enum ChatContent {
    /// A text.
    Text(String),
    /// Parts.
    Parts(Vec<ChatPart>),
}

/// One part of a message.
#[derive(Debug, Object)]
pub struct ChatPart {
    /// `text`, `image_url`, `input_audio` or `file`.
    #[oai(rename = "type")]
    pub kind: String,
    /// The text.
    pub text: Option<String>,
    /// The image.
    pub image_url: Option<ImageUrl>,
}

/// Where an image is.
#[derive(Debug, Object)]
pub struct ImageUrl {
    /// An address, or `data:image/png;base64,…`.
    pub url: String,
    /// `low`, `high` or `auto`.
    pub detail: Option<String>,
}

/// A tool that the model may call.
#[derive(Debug, Object)]
pub struct Tool {
    /// `function`
    #[oai(rename = "type")]
    pub kind: String,
    /// The function.
    pub function: FunctionDefinition,
}

/// A function that the model may call.
#[derive(Debug, Object)]
pub struct FunctionDefinition {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema.
    pub strict: Option<bool>,
}

/// One call of a tool.
#[derive(Debug, Object)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// `function`
    #[oai(rename = "type")]
    pub kind: String,
    /// What is called.
    pub function: FunctionCall,
}

/// A function with its arguments.
#[derive(Debug, Object)]
pub struct FunctionCall {
    /// Its name.
    pub name: String,
    /// The arguments, as JSON in a text.
    pub arguments: String,
}

/// Why an answer ended.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was complete.
    Stop,
    /// It met a limit.
    Length,
    /// It calls tools.
    ToolCalls,
    /// The provider cut it.
    ContentFilter,
}

/// A whole answer.
#[derive(Debug, Object)]
pub struct ChatCompletion {
    /// The answer's id.
    pub id: String,
    /// `chat.completion`
    pub object: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// What it took.
    pub usage: Option<Usage>,
    /// The provider's build.
    pub system_fingerprint: Option<String>,
}

/// One answer.
#[derive(Debug, Object)]
pub struct ChatChoice {
    /// Its number.
    pub index: u64,
    /// What the model says.
    pub message: AnswerMessage,
    /// Why it ended.
    pub finish_reason: Option<FinishReason>,
    /// The likelihood of its words.
    pub logprobs: Option<Value>,
}

/// What the model says.
#[derive(Debug, Object)]
pub struct AnswerMessage {
    /// `assistant`
    pub role: String,
    /// The text.
    pub content: Option<String>,
    /// The thoughts before it.
    pub reasoning_content: Option<String>,
    /// Why it says nothing.
    pub refusal: Option<String>,
    /// The tools that it calls.
    pub tool_calls: Option<Vec<ToolCall>>,
}

/// One event of an answer.
#[derive(Debug, Object)]
pub struct ChatCompletionChunk {
    /// The answer's id, the same in each chunk.
    pub id: String,
    /// `chat.completion.chunk`
    pub object: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: String,
    /// The pieces; none in the chunk with the usage.
    pub choices: Vec<ChunkChoice>,
    /// What it took, in the last chunk, where `include_usage` was set.
    pub usage: Option<Usage>,
}

/// A piece of one answer.
#[derive(Debug, Object)]
pub struct ChunkChoice {
    /// The answer's number.
    pub index: u64,
    /// The piece.
    pub delta: Delta,
    /// Why it ended, in its last piece.
    pub finish_reason: Option<FinishReason>,
}

/// What is added.
#[derive(Debug, Object)]
pub struct Delta {
    /// `assistant`, in the first piece.
    pub role: Option<String>,
    /// More text.
    pub content: Option<String>,
    /// More thoughts.
    pub reasoning_content: Option<String>,
    /// More of the calls.
    pub tool_calls: Option<Vec<ToolCallDelta>>,
}

/// More of a call.
#[derive(Debug, Object)]
pub struct ToolCallDelta {
    /// Which call.
    pub index: u64,
    /// Its id, in its first piece.
    pub id: Option<String>,
    /// `function`, in its first piece.
    #[oai(rename = "type")]
    pub kind: Option<String>,
    /// More of the function.
    pub function: Option<FunctionDelta>,
}

/// More of a function's call.
#[derive(Debug, Object)]
pub struct FunctionDelta {
    /// Its name, in the first piece.
    pub name: Option<String>,
    /// More of the arguments.
    pub arguments: Option<String>,
}

/// What an answer took, in tokens.
#[derive(Debug, Object)]
pub struct Usage {
    /// The request, what was read from a cache included.
    pub prompt_tokens: u64,
    /// The answer, thoughts included.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// What of the request came from a cache.
    pub prompt_tokens_details: Option<PromptTokensDetails>,
    /// What of the answer was thought.
    pub completion_tokens_details: Option<CompletionTokensDetails>,
}

/// What of a request was special.
#[derive(Debug, Object)]
pub struct PromptTokensDetails {
    /// Read from a cache.
    pub cached_tokens: Option<u64>,
}

/// What of an answer was special.
#[derive(Debug, Object)]
pub struct CompletionTokensDetails {
    /// Thoughts.
    pub reasoning_tokens: Option<u64>,
}
