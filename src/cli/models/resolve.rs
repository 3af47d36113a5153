//! `models resolve`: where a name leads and what would be sent.

use super::{Common, print_json, print_text};
use crate::cli::setup;
use crate::config::Resolved;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Api, Change, Resolution};
use crate::wish::Wish;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Map, Value};

const EXAMPLES: &str = "\
Examples:
  iflow2api models resolve glm-4.7
  iflow2api models resolve 'zai/glm-4.7(high)'
  iflow2api models resolve deepseek/deepseek-chat --effort none --face anthropic
  iflow2api models resolve claude-sonnet-4-5 --json | jq .sent";

/// Show where a name leads and what would be sent, without sending it
///
/// A model of any preset can be named as PRESET/MODEL, without a key. The request that is tried is a short one; the
/// members that would be added (+), changed (~) and removed (-) are those of any.
#[derive(Debug, ClapArgs)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// The model, as a client or `-m` names it
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub model: String,
    /// How hard the caller wants the model to think: none, low, medium, high, xhigh, max, auto, or a number of tokens
    #[arg(long, value_name = "LEVEL|TOKENS", value_parser = effort)]
    effort: Option<Wish>,
    /// The API that the caller speaks
    #[arg(long, value_enum, default_value_t = Face::Openai)]
    face: Face,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Face {
    /// /v1/chat/completions
    Openai,
    /// /v1/messages
    Anthropic,
}

fn effort(word: &str) -> std::result::Result<Wish, String> {
    Wish::of(word)
        .ok_or_else(|| "it is none, low, medium, high, xhigh, max, auto, or a number of tokens".into())
}

/// Resolves it.
///
/// # Errors
/// `NotConfigured` where the name says no preset and nothing is set up.
pub async fn run(args: &Args, common: &Common, resolved: &Resolved) -> Result<()> {
    let core = setup::core(resolved, common.demo).await?;
    let face = match args.face {
        Face::Openai => Api::Openai,
        Face::Anthropic => Api::Anthropic,
    };
    let found = core.gateway.resolve(&args.model, face, args.effort).await;
    let resolution = found.map_err(|error| with_presets(error, &args.model, resolved))?;
    if common.json {
        let value = serde_json::to_value(&resolution).map_err(|error| {
            Error::new(ErrorKind::Internal, "the answer could not be written").with_source(error)
        })?;
        return print_json(&value);
    }
    print_text(&as_text(&resolution))
}

/// Says which presets know the model, where nothing is set up.
fn with_presets(error: Error, model: &str, resolved: &Resolved) -> Error {
    if error.kind() != ErrorKind::NotConfigured {
        return error;
    }
    let (model, _) = crate::wish::of_name(model);
    match setup::presets_with(model, resolved).as_slice() {
        [] => error.with_hint(format!("name its provider as well, as in `zai/{model}`")),
        known => {
            let names: Vec<String> = known.iter().map(|preset| format!("`{preset}/{model}`")).collect();
            error.with_hint(format!("say whose it is: {}", names.join(", ")))
        }
    }
}

fn as_text(resolution: &Resolution) -> String {
    let Resolution { provider, provider_name, checked, .. } = resolution;
    let mut lines = vec![format!("{} -> {}/{}", resolution.asked, resolution.upstream, resolution.model)];
    let mut say = |label: &str, text: &str| lines.push(format!("  {label:<9} {text}"));
    say("how", &resolution.how);
    say("provider", &format!("{provider_name} (preset {provider}, documentation of {checked})"));
    if let Some(day) = &resolution.retired {
        say("ended", &format!("its service ended on {day}"));
    }
    say("url", &resolution.url);
    say(
        "wire",
        match (resolution.face, resolution.wire) {
            (Api::Openai, Api::Anthropic) | (Api::Anthropic, Api::Anthropic) => "Anthropic, passed through",
            (Api::Anthropic, Api::Openai) => "OpenAI, translated",
            (Api::Openai, Api::Openai) => "OpenAI",
        },
    );
    if let Some(thinking) = &resolution.thinking {
        say("thinking", thinking);
    }
    for name in &resolution.fallbacks {
        say("fallback", name);
    }
    for warning in &resolution.warnings {
        say("warning", warning);
    }
    if let Some(terms) = &resolution.terms {
        say("terms", terms);
    }
    let Resolution { added, changed, removed, .. } = resolution;
    lines.extend(members('+', added));
    for (key, change) in changed {
        let Change { from, to } = change;
        lines.push(format!("  ~ {key} = {to}  (was {from})"));
    }
    lines.extend(members('-', removed));
    if added.is_empty() && changed.is_empty() && removed.is_empty() {
        lines.push("  nothing is added, changed or removed".to_owned());
    }
    lines.join("\n")
}

fn members(mark: char, members: &Map<String, Value>) -> impl Iterator<Item = String> {
    members.iter().map(move |(key, value)| format!("  {mark} {key} = {value}"))
}
