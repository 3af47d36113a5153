//! Mirrors of the Anthropic API's types, for the page alone.
//!
//! Source: <https://docs.anthropic.com/en/api/messages>.

use poem_openapi::{Enum, Object, Union};
use serde_json::Value;

/// A messages request. Members that no rule knows are accepted.
#[derive(Debug, Object)]
pub struct MessagesRequest {
    /// The model's name: an alias, `upstream/model`, or a name that an upstream lists. A `claude-*`
    /// name that nobody lists means the default model.
    pub model: String,
    /// The longest answer in tokens. Not needed to count tokens.
    pub max_tokens: Option<u64>,
    /// The conversation so far.
    #[oai(validator(min_items = 1))]
    pub messages: Vec<InputMessage>,
    /// Instructions: a text, or text blocks.
    pub system: Option<Content>,
    /// Whether to answer with events.
    #[oai(default)]
    pub stream: bool,
    /// Texts that end the answer.
    pub stop_sequences: Option<Vec<String>>,
    /// How freely to choose words, 0 to 1.
    pub temperature: Option<f64>,
    /// The share of likely words to choose from.
    pub top_p: Option<f64>,
    /// How many words to choose from.
    pub top_k: Option<u64>,
    /// The tools that the model may call.
    pub tools: Option<Vec<Tool>>,
    /// Which of them it must call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether and how much to think.
    pub thinking: Option<Thinking>,
    /// How much effort to spend, and the schema of the answer.
    pub output_config: Option<Value>,
    /// Who the user is, for the provider.
    pub metadata: Option<Value>,
}

/// One message of a conversation.
#[derive(Debug, Object)]
pub struct InputMessage {
    /// `user`, `assistant` or `system`.
    pub role: String,
    /// A text, or blocks.
    pub content: Content,
}

/// A text, or blocks.
#[derive(Debug, Union)]
#[oai(rename = "AnthropicContent")]
pub enum Content {
    /// A text.
    Text(String),
    /// Blocks.
    Blocks(Vec<Block>),
}

/// A block of a message. Which members it has, its `type` says.
#[derive(Debug, Union)]
#[oai(discriminator_name = "type")]
pub enum Block {
    /// A text.
    #[oai(mapping = "text")]
    Text(TextBlock),
    /// An image.
    #[oai(mapping = "image")]
    Image(SourceBlock),
    /// Thoughts.
    #[oai(mapping = "thinking")]
    Thinking(ThinkingBlock),
    /// A call of a tool.
    #[oai(mapping = "tool_use")]
    ToolUse(ToolUseBlock),
    /// A tool's result.
    #[oai(mapping = "tool_result")]
    ToolResult(ToolResultBlock),
}

/// A text.
#[derive(Debug, Object)]
pub struct TextBlock {
    /// The text.
    pub text: String,
    /// Where the provider may cache up to.
    pub cache_control: Option<Value>,
}

/// An image.
#[derive(Debug, Object)]
#[oai(rename = "ImageBlock")]
pub struct SourceBlock {
    /// Where it is.
    pub source: Source,
}

/// Where an image is: in the request, or at an address.
#[derive(Debug, Object)]
pub struct Source {
    /// `base64` or `url`.
    #[oai(rename = "type")]
    pub kind: String,
    /// What it is, as in `image/png`.
    pub media_type: Option<String>,
    /// Its bytes, as base64.
    pub data: Option<String>,
    /// Its address.
    pub url: Option<String>,
}

/// Thoughts.
#[derive(Debug, Object)]
pub struct ThinkingBlock {
    /// The thoughts.
    pub thinking: String,
    /// What proves to us that they were ours.
    pub signature: String,
}

/// A call of a tool.
#[derive(Debug, Object)]
pub struct ToolUseBlock {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments.
    pub input: Value,
}

/// A tool's result.
#[derive(Debug, Object)]
pub struct ToolResultBlock {
    /// Which call it answers.
    pub tool_use_id: String,
    /// A text, or blocks.
    pub content: Option<Value>,
    /// Whether the tool failed.
    pub is_error: Option<bool>,
}

/// A tool that the model may call.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicTool")]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    pub input_schema: Option<Value>,
    /// The name of a tool that the provider itself runs.
    #[oai(rename = "type")]
    pub kind: Option<String>,
}

/// Which tool the model must call.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicToolChoice")]
pub struct ToolChoice {
    /// `auto`, `any`, `tool` or `none`.
    #[oai(rename = "type")]
    pub kind: String,
    /// The tool, where `type` is `tool`.
    pub name: Option<String>,
    /// Whether only one may be called at once.
    pub disable_parallel_tool_use: Option<bool>,
}

/// Whether and how much to think.
#[derive(Debug, Object)]
pub struct Thinking {
    /// `enabled`, `adaptive` or `disabled`.
    #[oai(rename = "type")]
    pub kind: String,
    /// How much, in tokens.
    pub budget_tokens: Option<u64>,
}

/// A whole answer.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicMessage")]
pub struct Message {
    /// The answer's id.
    pub id: String,
    /// `message`
    #[oai(rename = "type")]
    pub kind: String,
    /// `assistant`
    pub role: String,
    /// The model that was asked for.
    pub model: String,
    /// What it says: thoughts, then text, then calls.
    pub content: Vec<Block>,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// The text that ended it.
    pub stop_sequence: Option<String>,
    /// More on a refusal.
    pub stop_details: Option<StopDetails>,
    /// What it took.
    pub usage: Usage,
}

/// More on a refusal.
#[derive(Debug, Object)]
pub struct StopDetails {
    /// Always `refusal`.
    #[oai(rename = "type")]
    pub kind: String,
    /// The policy's name, where somebody says it.
    pub category: Option<String>,
    /// What the model said of it.
    pub explanation: Option<String>,
}

/// Why an answer ended.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum StopReason {
    /// It was complete.
    EndTurn,
    /// It met a limit.
    MaxTokens,
    /// It met one of `stop_sequences`.
    StopSequence,
    /// It calls tools.
    ToolUse,
    /// The provider cut it, or the model would not answer.
    Refusal,
    /// The prompt and the answer filled the model's window.
    ModelContextWindowExceeded,
}

/// What an answer took, in tokens.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicUsage")]
pub struct Usage {
    /// The request, without what was read from a cache.
    pub input_tokens: u64,
    /// The answer, thoughts included.
    pub output_tokens: u64,
    /// What was read from a cache.
    pub cache_read_input_tokens: Option<u64>,
    /// What an answer of more than one round was made of.
    pub iflow2api: Option<Rounds>,
    /// What was written to a cache.
    pub cache_creation_input_tokens: Option<u64>,
}

/// What an answer of more than one round was made of.
#[derive(Debug, Object)]
pub struct Rounds {
    /// How often it went on where it was cut.
    pub continuations: u32,
    /// How often it was taken up where it broke off.
    pub rescues: u32,
    /// The prompt tokens of all rounds.
    pub billed_prompt_tokens: u64,
    /// The completion tokens of all rounds.
    pub billed_completion_tokens: u64,
    /// Whether counts of ours stand for those of a round that broke off.
    pub estimated: Option<bool>,
    /// How many tool calls came as text or broken, and were repaired.
    pub repaired_calls: Option<u32>,
}

/// One event of an answer; its `type` is also the event's name.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicEvent")]
pub struct Event {
    /// What happens.
    #[oai(rename = "type")]
    pub kind: EventType,
    /// The answer as it begins, in `message_start`.
    pub message: Option<Message>,
    /// Which block is meant, in `content_block_*`.
    pub index: Option<u64>,
    /// The block as it begins, in `content_block_start`.
    pub content_block: Option<Block>,
    /// What is added to the block, or to the message.
    pub delta: Option<EventDelta>,
    /// What it took, in `message_delta`.
    pub usage: Option<Usage>,
    /// What failed, in `error`.
    pub error: Option<ErrorBody>,
}

/// What happens.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub enum EventType {
    /// The answer begins.
    MessageStart,
    /// A block begins.
    ContentBlockStart,
    /// A block grows.
    ContentBlockDelta,
    /// A block ends.
    ContentBlockStop,
    /// The answer's end is known.
    MessageDelta,
    /// The answer ends.
    MessageStop,
    /// Nothing, but the connection lives.
    Ping,
    /// The answer failed; nothing follows.
    Error,
}

/// What is added.
#[derive(Debug, Object)]
pub struct EventDelta {
    /// `text_delta`, `thinking_delta`, `signature_delta` or `input_json_delta`.
    #[oai(rename = "type")]
    pub kind: Option<String>,
    /// More text.
    pub text: Option<String>,
    /// More thoughts.
    pub thinking: Option<String>,
    /// What proves to us that the thoughts were ours.
    pub signature: Option<String>,
    /// More of the arguments.
    pub partial_json: Option<String>,
    /// Why the answer ended.
    pub stop_reason: Option<StopReason>,
    /// The text that ended it.
    pub stop_sequence: Option<String>,
    /// More on a refusal.
    pub stop_details: Option<StopDetails>,
}

/// How many tokens a request has.
#[derive(Debug, Object)]
pub struct TokenCount {
    /// The tokens of the whole request, estimated.
    pub input_tokens: u64,
}

/// A failure in the Anthropic API's words.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicError")]
pub struct ErrorEnvelope {
    /// `error`
    #[oai(rename = "type")]
    pub kind: String,
    /// What failed.
    pub error: ErrorBody,
    /// The call's id.
    pub request_id: Option<String>,
}

/// What failed.
#[derive(Debug, Object)]
#[oai(rename = "AnthropicErrorBody")]
pub struct ErrorBody {
    /// `invalid_request_error`, `authentication_error`, `billing_error`, `permission_error`,
    /// `not_found_error`, `request_too_large`, `rate_limit_error`, `timeout_error`, `overloaded_error`
    /// or `api_error`.
    #[oai(rename = "type")]
    pub kind: String,
    /// What failed, and what to do about it.
    pub message: String,
}
