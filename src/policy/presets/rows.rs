//! The four kinds of rows as they are written in TOML, built in or in a user's configuration.

use crate::dialect::{EmptyContent, InlineSystem, Prefix, Replay, SchemaDialect, Structured};
use crate::error::{Class, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Members of a request that are merged into it.
pub type Patch = Map<String, Value>;

/// One file of rows. What else a user's configuration holds is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// The version of the schema of the built-in rows.
    pub schema: u64,
    /// The day of the built-in rows, `YYYY-MM-DD`.
    pub checked: String,
    /// Where and how providers are called.
    pub provider: Vec<Provider>,
    /// How models are asked to think.
    pub thinking: Vec<Thinking>,
    /// What errors mean.
    pub error: Vec<Failure>,
    /// What models can do.
    pub model: Vec<Model>,
}

/// A provider. Each member is optional but `id`, and copied from the row that it extends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "ARCHITECTURE.md, Presets, has the table of all members")]
pub struct Provider {
    pub id: String,
    pub name: Option<String>,
    pub extends: Option<String>,
    pub status: Option<Status>,
    pub retired: Option<String>,
    pub base_url: Option<String>,
    pub anthropic_base_url: Option<String>,
    pub prefix_url: Option<String>,
    pub auth: Option<Auth>,
    pub anthropic_auth: Option<Auth>,
    pub headers: Option<BTreeMap<String, String>>,
    pub key_env: Option<Vec<String>>,
    pub key_alone: Option<bool>,
    pub key_prefix: Option<Vec<String>>,
    pub key_check: Option<String>,
    pub login: Option<Login>,
    pub models: Option<ModelList>,
    pub known: Option<Vec<String>>,
    pub reasoning_in: Option<Vec<String>>,
    pub always_stream: Option<bool>,
    pub patch_stream_tools: Option<Patch>,
    pub drop: Option<Vec<String>>,
    pub strip_fields: Option<Vec<String>>,
    pub limits: Option<Limits>,
    pub rate_headers: Option<Vec<String>>,
    pub quota: Option<Quota>,
    pub terms: Option<String>,
    pub docs: Option<String>,
    pub checked: Option<String>,
    pub code: Option<Vec<Quirk>>,
    #[serde(flatten)]
    pub flags: Flags,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

/// Whether a provider is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is served by somebody.
    #[default]
    Live,
    /// It runs on the user's own machine.
    Local,
    /// Its service has ended.
    Retired,
}

/// How a key is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// `Authorization: Bearer KEY`
    #[default]
    Bearer,
    /// `x-api-key: KEY`
    XApiKey,
    /// `Authorization: KEY`
    Raw,
    /// `Authorization: Bearer KEY`, where there is one.
    Optional,
    /// Not at all.
    None,
}

/// Where the list of models comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelList {
    /// The provider is asked.
    #[default]
    List,
    /// It is `known`: the provider has none.
    Static,
}

/// What a provider allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many calls at once.
    pub concurrency: Option<usize>,
    /// How long the first byte may take, in seconds.
    pub first_byte_s: Option<u64>,
}

/// How one logs in at a provider. What is not said is as in the settings `auth.NAME.*`, which lie over it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are those of the settings")]
pub struct Login {
    pub flow: LoginFlow,
    pub issuer: Option<String>,
    pub authorize_url: Option<String>,
    pub token_url: Option<String>,
    pub device_url: Option<String>,
    pub revoke_url: Option<String>,
    pub userinfo_url: Option<String>,
    pub client_id: Option<String>,
    /// Whether there is no login without the client's secret, which no row carries.
    pub needs_secret: bool,
    pub client_auth: Option<String>,
    pub scopes: Vec<String>,
    pub redirect_url: Option<String>,
    pub ports: Vec<String>,
}

/// Which steps a login takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginFlow {
    /// Those of the standards.
    #[default]
    Standard,
    /// iFlow's own.
    Iflow,
    /// OpenRouter's own.
    Openrouter,
}

/// Where a provider tells what is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// The address.
    pub url: String,
    /// How the key is shown there.
    pub auth: Auth,
}

/// Habits that data cannot say; the only place where a preset needs code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// Each request is signed with the key (iFlow).
    IflowSign,
    /// A completion may stand in `data` (iFlow).
    IflowUnwrap,
}

/// What a model's wire can express, of a provider or of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of `dialect::Dialect` and of `policy::Profile`")]
pub struct Flags {
    pub inline_system: Option<InlineSystem>,
    pub developer_role: Option<bool>,
    pub empty_assistant_content: Option<EmptyContent>,
    pub nonempty_tool_results: Option<bool>,
    pub tool_image_parts: Option<bool>,
    pub file_parts: Option<bool>,
    pub strict_tools: Option<bool>,
    pub schema_dialect: Option<SchemaDialect>,
    pub max_stops: Option<usize>,
    pub top_k: Option<bool>,
    pub json_schema: Option<Structured>,
    pub prefix_mode: Option<Prefix>,
    pub user: Option<bool>,
    pub stream_options: Option<bool>,
    pub parallel_tool_calls: Option<bool>,
    pub max_tokens_field: Option<String>,
}

/// How models are asked to think.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "ARCHITECTURE.md, Presets, has the table of all members")]
pub struct Thinking {
    pub provider: Vec<String>,
    pub model: Vec<String>,
    pub clear: Vec<String>,
    pub always: Patch,
    pub on: Option<Patch>,
    pub off: Option<Patch>,
    pub levels: BTreeMap<String, Patch>,
    pub budget: Option<Budget>,
    pub default: Option<String>,
    pub replay: Option<Replay>,
    pub replay_as: Option<ReplayAs>,
    pub replay_empty: Option<String>,
    pub forced_tool_choice: Option<bool>,
    pub drop_on: Vec<String>,
}

/// Where a number of tokens to think for is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// The path of the member, with dots.
    pub path: String,
    /// The fewest.
    pub min: u64,
    /// The most.
    pub max: Option<u64>,
    /// Whether it stands alone, without what switches thinking on.
    pub bare: bool,
}

/// In what form it wants them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayAs {
    /// `reasoning_content`
    #[default]
    ReasoningContent,
    /// `reasoning`
    Reasoning,
    /// `reasoning_details`, as they came.
    ReasoningDetails,
    /// `<think>…</think>` before the text.
    InlineThink,
}

/// What an error means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Globs of providers.
    pub provider: Vec<String>,
    /// Where it is met.
    #[serde(default, rename = "where")]
    pub place: Place,
    /// The statuses; any where there are none.
    #[serde(default)]
    pub http: Vec<u16>,
    /// A pointer into the body, such as `/error/code`.
    #[serde(default)]
    pub at: Option<String>,
    /// What stands there.
    #[serde(default)]
    pub is: Vec<String>,
    /// How that begins.
    #[serde(default)]
    pub prefix: Vec<String>,
    /// A text anywhere in the body.
    #[serde(default)]
    pub contains: Option<String>,
    /// What it is.
    pub class: Class,
    /// A regular expression whose first group is the time from which on it may be gone.
    #[serde(default)]
    pub reset: Option<String>,
    /// The zone of that time, such as `+08:00`.
    #[serde(default)]
    pub reset_tz: Option<String>,
}

/// Where an error is met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// At a status other than 2xx.
    Http,
    /// In a whole answer at 2xx.
    Body,
    /// In an event.
    Stream,
    /// Anywhere.
    #[default]
    Any,
}

/// What models can do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "ARCHITECTURE.md, Presets, has the table of all members")]
pub struct Model {
    #[serde(rename = "match")]
    pub names: Vec<String>,
    pub thinks: Option<Thinks>,
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    pub input: Option<Vec<String>>,
    pub tools: Option<bool>,
    pub family: Option<String>,
    /// Whether it is the user's own, who knows what their server calls by this name.
    #[serde(skip)]
    pub own: bool,
    #[serde(flatten)]
    pub flags: Flags,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

/// Whether a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinks {
    /// It does not.
    Never,
    /// It can be switched on and off.
    Switch,
    /// It cannot be switched off.
    Always,
}

impl File {
    /// Reads a file of rows; `source` names it in messages.
    ///
    /// # Errors
    /// `Usage` where it is not as the schema says, with the place.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        let file = Self::read(text, source)?;
        file.check(source)?;
        Ok(file)
    }

    /// The same for a text that a test has judged.
    pub(super) fn read(text: &str, source: &str) -> Result<Self> {
        toml_edit::de::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_of(text, span.start));
            let message = error.message().replace('\n', ", ");
            Error::new(ErrorKind::Usage, format!("`{source}` line {line}: {message}"))
        })
    }

    fn check(&self, source: &str) -> Result<()> {
        let unknown = |kind: &str, name: &str, members: &BTreeMap<String, Value>| match members.keys().next()
        {
            None => Ok(()),
            Some(member) => {
                Err(fault(source, &format!("`[[{kind}]]` {name}"), &format!("unknown member `{member}`")))
            }
        };
        for row in &self.provider {
            if row.id.is_empty() {
                return Err(fault(source, "`[[provider]]`", "`id` is missing"));
            }
            unknown("provider", &format!("`{}`", row.id), &row.unknown)?;
        }
        for row in &self.model {
            unknown("model", &format!("{:?}", row.names), &row.unknown)?;
        }
        for row in &self.thinking {
            if let Some(level) = row.levels.keys().find(|level| crate::wish::Level::of(level).is_none()) {
                return Err(fault(
                    source,
                    &format!("`[[thinking]]` {:?}", row.model),
                    &format!("there is no level `{level}`"),
                ));
            }
        }
        for row in &self.error {
            if let Some(Err(error)) = row.reset.as_deref().map(regex::Regex::new) {
                return Err(
                    fault(source, "`[[error]]`", "`reset` is no regular expression").with_source(error)
                );
            }
        }
        Ok(())
    }
}

fn fault(source: &str, row: &str, what: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("`{source}`: {row}: {what}"))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}
