//! The events of a streamed message, and the message itself.
//!
//! Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use crate::wire::json::Raw;
use crate::wire::openai::Rounds;
use crate::wire::sse::Frame;
use serde::{Deserialize, Serialize};

/// One event of a streamed message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The message begins.
    MessageStart {
        /// The message, still empty.
        message: Message,
    },
    /// Nothing happened, but the connection lives.
    Ping,
    /// A block begins.
    ContentBlockStart {
        /// Its place among the message's blocks, counted from 0.
        index: u32,
        /// The block, still empty.
        content_block: Block,
    },
    /// A block grows.
    ContentBlockDelta {
        /// Which block.
        index: u32,
        /// By what.
        delta: BlockDelta,
    },
    /// A block ends.
    ContentBlockStop {
        /// Which block.
        index: u32,
    },
    /// The message is about to end.
    MessageDelta {
        /// Why it ends.
        delta: MessageDelta,
        /// What it cost; these counts replace those of the start.
        usage: Usage,
    },
    /// The message has ended.
    MessageStop,
    /// The message will not be finished.
    Error {
        /// The error's inner object, as the envelope has it.
        error: Failure,
    },
}

impl Event {
    /// The name that the frame bears.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::Ping => "ping",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Error { .. } => "error",
        }
    }

    /// The event as a frame (B04).
    pub fn to_frame(&self) -> Frame {
        Frame::json(Some(self.name()), self)
    }
}

/// A message: whole, or as the start event has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `msg_…`
    pub id: String,
    /// Always `message`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always `assistant`.
    pub role: String,
    /// The name that the caller asked for.
    pub model: String,
    /// The blocks.
    pub content: Vec<Block>,
    /// Why it ended.
    pub stop_reason: Option<String>,
    /// The caller's stop sequence that ended it.
    pub stop_sequence: Option<String>,
    /// More on a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_details: Option<StopDetails>,
    /// What it cost.
    pub usage: Usage,
}

/// A block of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Visible text.
    Text {
        /// The text.
        text: String,
    },
    /// Thoughts.
    Thinking {
        /// The thoughts.
        thinking: String,
        /// What vouches for them when they come back (E07).
        signature: String,
    },
    /// A call of a tool.
    ToolUse {
        /// The call's id.
        id: String,
        /// The tool's name, as the caller knows it.
        name: String,
        /// The arguments, an object as it was written.
        input: Raw,
    },
}

/// What a block grows by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BlockDelta {
    /// More text.
    TextDelta {
        /// The text.
        text: String,
    },
    /// More thoughts.
    ThinkingDelta {
        /// The thoughts.
        thinking: String,
    },
    /// What vouches for the thoughts.
    SignatureDelta {
        /// The signature.
        signature: String,
    },
    /// More of the arguments' JSON text.
    InputJsonDelta {
        /// The piece of text.
        partial_json: String,
    },
}

/// Why a message ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageDelta {
    /// The reason.
    pub stop_reason: String,
    /// The caller's stop sequence that matched.
    pub stop_sequence: Option<String>,
    /// More on a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_details: Option<StopDetails>,
}

/// More on a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopDetails {
    /// Always `refusal`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The policy's name, where somebody says it.
    pub category: Option<String>,
    /// What the model said of it.
    pub explanation: Option<String>,
}

/// Token counts. The prompt's tokens are the sum of all three input counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt that no cache held.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Tokens written to a cache; no OpenAI-compatible provider tells them.
    pub cache_creation_input_tokens: u64,
    /// Tokens read from a cache.
    pub cache_read_input_tokens: u64,
    /// Our own word for an answer of more than one round (F09).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iflow2api: Option<Rounds>,
}

/// The inner object of the error envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One of the API's error types.
    #[serde(rename = "type")]
    pub kind: String,
    /// What failed.
    pub message: String,
}
