//! What an upstream's wire can express: the flags that `translate` obeys and a `policy` profile
//! sets. Plain data, so that neither of the two has to see the other. The words are those of presets.

use serde::Deserialize;
use std::borrow::Cow;

/// How one upstream's model wants a request written. The default suits a generic
/// OpenAI-compatible server, iFlow and llama.cpp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Where a system message that stands among the others goes (A04).
    pub inline_system: InlineSystem,
    /// What a tool-only assistant message has as its `content` (A13).
    pub empty_assistant_content: EmptyContent,
    /// Whether an empty tool result must be given a text (A15).
    pub nonempty_tool_results: bool,
    /// Whether a `tool` message may hold image parts (A16).
    pub tool_image_parts: bool,
    /// Whether the model sees images (A09).
    pub vision: bool,
    /// Whether `file` parts are understood (A10).
    pub file_parts: bool,
    /// Whether `strict` on a tool definition is understood (A21).
    pub strict_tools: bool,
    /// What form the schemas of tools must have (A24).
    pub schema: SchemaDialect,
    /// How many `stop` texts are taken; what is beyond is matched here (A31).
    pub max_stops: usize,
    /// Whether `top_k` is understood (A32).
    pub top_k: bool,
    /// How an answer can be bound to a schema (A34).
    pub structured: Structured,
    /// How a last assistant message is continued (A38).
    pub prefix: Prefix,
    /// Whether `user` is taken (A35).
    pub user: bool,
    /// Which of the earlier thoughts are sent back (T4).
    pub replay: Replay,
    /// What stands for thoughts that are missing; nothing where none need stand (E02).
    pub replay_empty: Option<Cow<'static, str>>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            inline_system: InlineSystem::Fold,
            empty_assistant_content: EmptyContent::Null,
            nonempty_tool_results: false,
            tool_image_parts: false,
            vision: true,
            file_parts: false,
            strict_tools: false,
            schema: SchemaDialect::Plain,
            max_stops: 4,
            top_k: false,
            structured: Structured::Schema,
            prefix: Prefix::None,
            user: false,
            replay: Replay::ToolTurns,
            replay_empty: None,
        }
    }
}

/// What form the schemas of tools must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaDialect {
    /// As they are.
    Plain,
    /// Moonshot's own rules; tool names begin with a letter there.
    #[serde(rename = "mfjs")]
    Moonshot,
}

/// Where a later system message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InlineSystem {
    /// It stays where it is.
    Preserve,
    /// Its text joins the neighbouring user message or the last tool result.
    Fold,
    /// Its text joins the leading system message.
    Hoist,
}

/// The `content` of an assistant message that only calls tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyContent {
    /// `null`
    Null,
    /// `""`
    Empty,
    /// no such member
    Omit,
}

/// How an answer can be bound to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// `response_format` of type `json_schema`.
    Schema,
    /// `response_format` of type `json_object`, the schema told in the system text.
    Object,
    /// Not at all.
    #[serde(rename = "none")]
    Unsupported,
}

/// What a model is told that cannot be given the start of its answer (A38, F04).
pub const GO_ON: &str = "Continue exactly where you stopped. Do not repeat or comment.";

/// How a last assistant message is continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefix {
    /// By asking for it in a user message.
    None,
    /// `prefix: true` on the message (DeepSeek's beta).
    Deepseek,
    /// `partial: true` on the message.
    Partial,
    /// `continue_final_message: true` beside the messages.
    Vllm,
    /// By standing last.
    Trailing,
}

impl Prefix {
    /// The way of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "deepseek" => Some(Self::Deepseek),
            "partial" => Some(Self::Partial),
            "vllm" => Some(Self::Vllm),
            "trailing" => Some(Self::Trailing),
            _ => None,
        }
    }
}

/// Which of the earlier turns' thoughts are sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// None: they would be refused.
    Never,
    /// Those of turns that call tools.
    ToolTurns,
    /// All.
    All,
}
