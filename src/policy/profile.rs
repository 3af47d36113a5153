//! What is peculiar about one model at one provider, as data.

use super::presets::rows::{Budget, Patch, ReplayAs, Thinks};
use crate::dialect::Dialect;
use crate::wish::Level;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The habits of one model at one provider. The default suits a generic OpenAI-compatible server.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The preset's name.
    pub id: String,
    /// How requests are written for it.
    pub dialect: Dialect,
    /// Whether it writes `<think>` into its text (B11).
    pub inline_think: bool,
    /// The member that bounds an answer (A30).
    pub max_tokens_field: String,
    /// The longest answer in tokens; what is asked beyond it is lowered (A30).
    pub max_output: Option<u64>,
    /// How many tokens prompt and answer may have together.
    pub context_window: Option<u64>,
    /// Whether `developer` is a role there (D04).
    pub developer_role: bool,
    /// Whether `stream_options` is taken (A39).
    pub stream_options: bool,
    /// Whether `parallel_tool_calls` is taken (A29).
    pub parallel_tool_calls: bool,
    /// Members that are never sent.
    pub drop: Arc<[String]>,
    /// What is merged into streamed requests with tools.
    pub stream_tools: Option<Arc<Patch>>,
    /// Whether it answers streams only (A33).
    pub always_stream: bool,
    /// How it is asked to think; nothing where nobody knows.
    pub thinking: Option<Arc<Rule>>,
    /// Whether it thinks at all, where known.
    pub thinks: Option<Thinks>,
    /// In what form it wants its thoughts back.
    pub replay_as: ReplayAs,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            id: super::presets::GENERIC.to_owned(),
            dialect: Dialect::default(),
            inline_think: false,
            max_tokens_field: "max_tokens".to_owned(),
            max_output: None,
            context_window: None,
            developer_role: false,
            stream_options: true,
            parallel_tool_calls: true,
            drop: Arc::default(),
            stream_tools: None,
            always_stream: false,
            thinking: None,
            thinks: None,
            replay_as: ReplayAs::ReasoningContent,
        }
    }
}

/// How a model is asked to think.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// Paths that are taken out of the request first, so that a caller's foreign words cannot collide.
    pub clear: Vec<String>,
    /// What every request gets.
    pub always: Patch,
    /// What switches thinking on.
    pub on: Option<Patch>,
    /// What switches it off; nothing where it cannot be.
    pub off: Option<Patch>,
    /// What makes it think so hard.
    pub levels: BTreeMap<Level, Patch>,
    /// Where a number of tokens is said.
    pub budget: Option<Budget>,
    /// What happens where nothing is sent, in a word.
    pub default: Option<String>,
    /// Whether a tool can be forced while it thinks (A28).
    pub forced_tool_choice: bool,
    /// What is not sent while it thinks.
    pub drop_on: Vec<String>,
}

impl Rule {
    /// Whether the provider is ever told something in this member.
    pub fn uses(&self, member: &str) -> bool {
        let switches = [Some(&self.always), self.on.as_ref(), self.off.as_ref()].into_iter().flatten();
        let mut patches = switches.chain(self.levels.values());
        let budget = self.budget.as_ref().and_then(|budget| budget.path.split('.').next());
        patches.any(|patch| patch.contains_key(member)) || budget == Some(member)
    }
}
