//! Token counts, in the words of the providers that have words of their own for them.

use serde::{Deserialize, Deserializer};

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
