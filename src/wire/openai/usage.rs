//! Token counts, in the words of the providers that have words of their own for them.

use serde::{Deserialize, Deserializer, Serialize};

/// The tokens that a completion used. Absent and `null` counts are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, those read from a cache included.
    #[serde(default, deserialize_with = "count")]
    pub prompt_tokens: u64,
    /// Tokens of the answer, its thoughts included.
    #[serde(default, deserialize_with = "count")]
    pub completion_tokens: u64,
    /// What of the prompt was read from a cache.
    #[serde(default)]
    pub prompt_tokens_details: Option<PromptDetails>,
    /// What of the answer was thought.
    #[serde(default)]
    pub completion_tokens_details: Option<CompletionDetails>,
    /// Kimi's word for `prompt_tokens_details.cached_tokens`.
    #[serde(default)]
    pub cached_tokens: Option<u64>,
    /// DeepSeek's word for it.
    #[serde(default)]
    pub prompt_cache_hit_tokens: Option<u64>,
    /// Our own word for an answer of more than one round (F09), or one that was repaired.
    #[serde(default)]
    pub iflow2api: Option<Rounds>,
}

/// What an answer of more than one round, or one that was repaired, was really made of; a member of `usage` on both faces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rounds {
    /// How often it went on where it was cut.
    pub continuations: u32,
    /// How often it was taken up where it broke off.
    pub rescues: u32,
    /// The prompt tokens of all rounds.
    pub billed_prompt_tokens: u64,
    /// The completion tokens of all rounds.
    pub billed_completion_tokens: u64,
    /// Whether a round ended without its counts, so that ours stand for them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// How many tool calls came as text or broken, and were repaired (B18).
    #[serde(skip_serializing_if = "is_none")]
    pub repaired_calls: u32,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

/// Details of the prompt's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct PromptDetails {
    /// Read from a cache.
    #[serde(default)]
    pub cached_tokens: Option<u64>,
}

/// Details of the answer's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct CompletionDetails {
    /// Thought rather than said.
    #[serde(default)]
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Tokens of the prompt that were read from a cache (B24).
    pub fn cached(&self) -> u64 {
        self.prompt_tokens_details
            .and_then(|details| details.cached_tokens)
            .or(self.cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .unwrap_or(0)
    }

    /// Whether the provider counted anything; zeros are as good as nothing (B25).
    pub fn is_counted(&self) -> bool {
        self.prompt_tokens > 0 || self.completion_tokens > 0
    }
}

/// Reads a count; `null` and what is no whole number is 0, so that an odd count fails no answer.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let raw = crate::wire::json::Raw::deserialize(deserializer)?;
    Ok(raw.u64().unwrap_or(0))
}
