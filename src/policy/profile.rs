//! What is peculiar about one provider, as data.

use crate::dialect::Dialect;

/// One provider's habits. The default suits a generic OpenAI-compatible server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The preset's name.
    pub id: &'static str,
    /// Where it is called, without a user's word on it.
    pub base_url: Option<&'static str>,
    /// How requests are written for it.
    pub dialect: Dialect,
    /// Whether its models write `<think>` into their text (B11).
    pub inline_think: bool,
    /// The member that bounds an answer (A30).
    pub max_tokens_field: &'static str,
    /// The longest answer in tokens; what is asked beyond it is lowered (A30).
    pub max_output: Option<u64>,
    /// How many tokens prompt and answer may have together, whatever the model.
    pub context_window: Option<u64>,
    /// Whether `developer` is a role there (D04).
    pub developer_role: bool,
    /// Whether `stream_options` is taken (A39).
    pub stream_options: bool,
    /// Whether `parallel_tool_calls` is taken (A29).
    pub parallel_tool_calls: bool,
    /// Models that are shown when it has no list of its own.
    pub known_models: &'static [&'static str],
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            id: "openai",
            base_url: None,
            dialect: Dialect::default(),
            inline_think: false,
            max_tokens_field: "max_tokens",
            max_output: None,
            context_window: None,
            developer_role: false,
            stream_options: true,
            parallel_tool_calls: true,
            known_models: &[],
        }
    }
}
