//! One upstream's provider: the rows of the catalogue that are about it, and what they say of each model.

use super::failure::rules::Rules;
use super::glob::{self, Glob};
use super::presets::rows::{self, Auth, Flags, Limits, Patch, Quirk, ReplayAs, Status, Thinks};
use super::profile::{Profile, Rule};
use crate::dialect::{Dialect, Prefix, Replay};
use crate::wish::Level;
use std::borrow::Cow;
use std::sync::Arc;

/// What is known of a provider, and of the models it lends.
#[derive(Debug, Clone)]
pub struct Provider {
    row: Arc<rows::Provider>,
    thinking: Arc<[(Vec<Glob>, Thinking)]>,
    models: Arc<[(Vec<Glob>, Arc<rows::Model>)]>,
    /// What its errors mean.
    pub errors: Arc<Rules>,
    overrides: Overrides,
}

/// A thinking rule, and what it says of the history.
#[derive(Debug, Clone)]
struct Thinking {
    rule: Arc<Rule>,
    replay: Option<Replay>,
    replay_as: ReplayAs,
    replay_empty: Option<String>,
}

/// What a user says of an upstream, whatever its models.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The longest answer in tokens.
    pub max_output: Option<u64>,
    /// How many tokens prompt and answer may have together.
    pub context_window: Option<u64>,
    /// How a started answer is gone on with.
    pub prefix: Option<Prefix>,
}

/// What is known of a model, whoever lends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many tokens prompt and answer may have together.
    pub context: Option<u64>,
    /// The longest answer in tokens.
    pub max_output: Option<u64>,
    /// What it reads: `text`, `image` …
    pub input: Option<Vec<String>>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it thinks.
    pub thinks: Option<Thinks>,
    /// Whose kin it is.
    pub family: Option<String>,
}

impl Facts {
    /// Whether it sees images, where known.
    pub fn vision(&self) -> Option<bool> {
        self.input.as_ref().map(|input| input.iter().any(|kind| kind == "image"))
    }
}

impl Provider {
    pub(super) fn new(
        row: rows::Provider,
        thinking: &[Arc<rows::Thinking>],
        errors: &[Arc<rows::Failure>],
        models: Vec<Arc<rows::Model>>,
    ) -> Self {
        let is_meant = |globs: &[String]| globs.iter().any(|glob| Glob::new(glob).matches(&row.id));
        let thinking = thinking.iter().filter(|rule| is_meant(&rule.provider));
        let thinking = thinking.map(|rule| (globs(&rule.model), Thinking::new(rule))).collect();
        let errors = errors.iter().filter(|rule| is_meant(&rule.provider)).cloned();
        let errors = Arc::new(Rules::new(errors));
        let models = models.into_iter().map(|model| (globs(&model.names), model)).collect();
        Self { row: Arc::new(row), thinking, models, errors, overrides: Overrides::default() }
    }

    /// The same with what a user says.
    #[must_use]
    pub fn overridden(mut self, overrides: Overrides) -> Self {
        self.overrides = overrides;
        self
    }

    /// The preset's name.
    pub fn id(&self) -> &str {
        &self.row.id
    }

    /// The provider's own name.
    pub fn name(&self) -> &str {
        self.row.name.as_deref().unwrap_or(&self.row.id)
    }

    /// Whether it is there.
    pub fn status(&self) -> Status {
        self.row.status.unwrap_or_default()
    }

    /// The day on which its service ended.
    pub fn retired(&self) -> Option<&str> {
        self.row.retired.as_deref()
    }

    /// Where it is called.
    pub fn base_url(&self) -> Option<&str> {
        self.row.base_url.as_deref()
    }

    /// Where it speaks the Anthropic API.
    pub fn anthropic_base_url(&self) -> Option<&str> {
        self.row.anthropic_base_url.as_deref().filter(|url| !url.is_empty())
    }

    /// Where started answers are gone on with, if elsewhere.
    pub fn prefix_url(&self) -> Option<&str> {
        self.row.prefix_url.as_deref()
    }

    /// How a key is shown.
    pub fn auth(&self) -> Auth {
        self.row.auth.unwrap_or_default()
    }

    /// How a key is shown where it speaks the Anthropic API.
    pub fn anthropic_auth(&self) -> Auth {
        self.row.anthropic_auth.unwrap_or_else(|| self.auth())
    }

    /// Headers that it wants.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.row.headers.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The variables of the environment that usually hold a key of it; the first is ours.
    pub fn key_variables(&self) -> &[String] {
        self.row.key_env.as_deref().unwrap_or_default()
    }

    /// Whether a key in one of them is enough to set it up.
    pub fn key_alone(&self) -> bool {
        self.row.key_alone.unwrap_or(true)
    }

    /// How its keys begin.
    pub fn key_prefixes(&self) -> &[String] {
        self.row.key_prefix.as_deref().unwrap_or_default()
    }

    /// Whether it has no list of models of its own.
    pub fn is_static(&self) -> bool {
        self.row.is_static()
    }

    /// The models that it is known to lend.
    pub fn known_models(&self) -> &[String] {
        self.row.known.as_deref().unwrap_or_default()
    }

    /// What it allows.
    pub fn limits(&self) -> Limits {
        self.row.limits.unwrap_or_default()
    }

    /// Headers of its answers that say what is left, in lower case.
    pub fn rate_headers(&self) -> &[String] {
        self.row.rate_headers.as_deref().unwrap_or_default()
    }

    /// What a user agrees to.
    pub fn terms(&self) -> Option<&str> {
        self.row.terms.as_deref()
    }

    /// The day on which this was last compared with its documentation.
    pub fn checked(&self) -> &str {
        self.row.checked.as_deref().unwrap_or_default()
    }

    /// Members that its Anthropic endpoint does not take.
    pub fn strip_fields(&self) -> &[String] {
        self.row.strip_fields.as_deref().unwrap_or_default()
    }

    /// Whether it has a habit that data cannot say.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.row.code.iter().flatten().any(|code| *code == quirk)
    }

    /// The window that the user says it has, whatever the model.
    pub fn own_window(&self) -> Option<u64> {
        self.overrides.context_window
    }

    /// What is known of a model.
    ///
    /// Of a server of which only the address is known, the built-in rows say little: its limits are its own. An
    /// engine on the user's machine has the window that it was started with. The user's rows hold everywhere.
    pub fn facts(&self, model: &str) -> Facts {
        let model = model.to_lowercase();
        let mut facts = Facts::default();
        for row in self.rows_of(&model) {
            let is_meant = row.own || self.row.id != super::presets::GENERIC;
            let has_limits = is_meant && (row.own || self.status() != Status::Local);
            facts.context = facts.context.or(row.context.filter(|_| has_limits));
            facts.max_output = facts.max_output.or(row.max_output.filter(|_| has_limits));
            facts.thinks = facts.thinks.or(row.thinks);
            if is_meant {
                facts.tools = facts.tools.or(row.tools);
                facts.input = facts.input.or_else(|| row.input.clone());
                facts.family = facts.family.or_else(|| row.family.clone());
            }
        }
        facts
    }

    /// Whether a model thinks, where the catalogue says it or it is told by name how to.
    pub fn thinks(&self, model: &str) -> Option<Thinks> {
        let lower = model.to_lowercase();
        // A rule for whatever models there are says nothing of this one.
        let mut rules = self.thinking.iter().filter(|(globs, _)| !glob::any(globs, ""));
        let told = || {
            let (_, thinking) = rules.find(|(globs, _)| glob::any(globs, &lower))?;
            Some(if thinking.rule.off.is_some() { Thinks::Switch } else { Thinks::Always })
        };
        self.facts(model).thinks.or_else(told)
    }

    fn rows_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a rows::Model> {
        self.models.iter().filter(move |(globs, _)| glob::any(globs, model)).map(|(_, row)| row.as_ref())
    }

    /// The habits of one of its models.
    pub fn profile(&self, model: &str) -> Profile {
        let lower = model.to_lowercase();
        let facts = self.facts(model);
        let mut flags = Flags::default();
        self.rows_of(&lower).for_each(|row| flags.lay_over(&row.flags));
        flags.lay_over(&self.row.flags);
        let thinking = self.thinking.iter().find(|(globs, _)| glob::any(globs, &lower)).map(|(_, rule)| rule);
        let thinking = thinking.filter(|_| facts.thinks != Some(Thinks::Never));
        let mut dialect = dialect(&flags);
        dialect.vision = facts.vision().unwrap_or(true);
        dialect.prefix = self.overrides.prefix.unwrap_or(dialect.prefix);
        if let Some(thinking) = thinking {
            dialect.replay_empty = thinking.replay_empty.clone().map(Cow::Owned);
            dialect.replay = thinking.replay.unwrap_or(dialect.replay);
        }
        Profile {
            id: self.row.id.clone(),
            dialect,
            inline_think: self.row.reasoning_in.iter().flatten().any(|place| place == "<think>"),
            max_tokens_field: flags.max_tokens_field.unwrap_or_else(|| "max_tokens".to_owned()),
            max_output: self.overrides.max_output.or(facts.max_output),
            context_window: self.overrides.context_window.or(facts.context),
            developer_role: flags.developer_role.unwrap_or(false),
            stream_options: flags.stream_options.unwrap_or(true),
            parallel_tool_calls: flags.parallel_tool_calls.unwrap_or(true),
            drop: self.row.drop.as_deref().unwrap_or_default().into(),
            stream_tools: self.row.patch_stream_tools.clone().map(Arc::new),
            always_stream: self.row.always_stream.unwrap_or(false),
            thinking: thinking.map(|thinking| Arc::clone(&thinking.rule)),
            thinks: facts.thinks,
            replay_as: thinking.map(|thinking| thinking.replay_as).unwrap_or_default(),
        }
    }
}

impl Thinking {
    fn new(row: &rows::Thinking) -> Self {
        let levels = row.levels.iter();
        let levels =
            levels.filter_map(|(name, patch): (&String, &Patch)| Some((Level::of(name)?, patch.clone())));
        let rule = Rule {
            clear: row.clear.clone(),
            always: row.always.clone(),
            on: row.on.clone(),
            off: row.off.clone(),
            levels: levels.collect(),
            budget: row.budget.clone(),
            default: row.default.clone(),
            forced_tool_choice: row.forced_tool_choice.unwrap_or(true),
            drop_on: row.drop_on.clone(),
        };
        Self {
            rule: Arc::new(rule),
            replay: row.replay,
            replay_as: row.replay_as.unwrap_or_default(),
            replay_empty: row.replay_empty.clone(),
        }
    }
}

fn globs(patterns: &[String]) -> Vec<Glob> {
    patterns.iter().map(|pattern| Glob::new(pattern)).collect()
}

/// The flags that `translate` obeys; what is not said is as a generic server has it.
fn dialect(flags: &Flags) -> Dialect {
    let usual = Dialect::default();
    Dialect {
        inline_system: flags.inline_system.unwrap_or(usual.inline_system),
        empty_assistant_content: flags.empty_assistant_content.unwrap_or(usual.empty_assistant_content),
        nonempty_tool_results: flags.nonempty_tool_results.unwrap_or(usual.nonempty_tool_results),
        tool_image_parts: flags.tool_image_parts.unwrap_or(usual.tool_image_parts),
        file_parts: flags.file_parts.unwrap_or(usual.file_parts),
        strict_tools: flags.strict_tools.unwrap_or(usual.strict_tools),
        schema: flags.schema_dialect.unwrap_or(usual.schema),
        max_stops: flags.max_stops.unwrap_or(usual.max_stops),
        top_k: flags.top_k.unwrap_or(usual.top_k),
        structured: flags.json_schema.unwrap_or(usual.structured),
        prefix: flags.prefix_mode.unwrap_or(usual.prefix),
        user: flags.user.unwrap_or(usual.user),
        ..usual
    }
}
