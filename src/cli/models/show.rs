//! `models show`: what is known of one model.

use super::list::entry_json;
use super::{Common, print_json, print_text, thinks_word};
use crate::cli::setup;
use crate::config::Resolved;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Known;
use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

/// Show what is known of a model
///
/// Its upstream is asked for its list; what that does not say comes from the built-in catalogue.
#[derive(Debug, ClapArgs)]
#[command(
    before_help = "Examples:\n  iflow2api models show glm-4.7\n  iflow2api models show deepseek/deepseek-chat --json"
)]
pub struct Args {
    /// The model, as `-m` takes it
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub model: String,
}

/// Shows it.
///
/// # Errors
/// `NotConfigured` without an upstream, `NotFound` where nobody knows the model.
pub async fn run(args: &Args, common: &Common, resolved: &Resolved) -> Result<()> {
    let core = setup::core(resolved, common.demo).await?;
    let known = core.gateway.model(&args.model).await?;
    if !known.is_known() {
        let message = format!(
            "neither upstream `{}` nor the catalogue knows `{}`",
            known.route.upstream.name(),
            args.model
        );
        let hint = if known.near.is_empty() {
            "`iflow2api models` lists what there is; calls with this name are sent on all the same".to_owned()
        } else {
            format!("names near to it: {}", known.near.join(", "))
        };
        return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
    }
    if common.json { print_json(&as_json(&known)) } else { print_text(&as_text(&known)) }
}

fn as_json(known: &Known) -> Value {
    let (route, provider) = (&known.route, known.route.upstream.provider());
    let mut members = entry_json(&known.entry);
    members.extend([
        ("upstream".to_owned(), json!(route.upstream.name())),
        ("provider".to_owned(), json!(provider.id())),
        ("provider_name".to_owned(), json!(provider.name())),
        ("retired".to_owned(), json!(provider.retired())),
        ("checked".to_owned(), json!(provider.checked())),
        ("terms".to_owned(), json!(provider.terms())),
        ("how".to_owned(), json!(route.how.to_string())),
        ("listed".to_owned(), json!(known.listed)),
    ]);
    Value::Object(members)
}

fn as_text(known: &Known) -> String {
    let entry = &known.entry;
    let tokens =
        |number: Option<u64>| number.map_or("not known".to_owned(), |number| format!("{number} tokens"));
    let answer = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    };
    let thinking = match thinks_word(entry.thinks) {
        Some("never") => "no",
        Some("switch") => "yes, can be switched off",
        Some("always") => "yes, cannot be switched off",
        _ => "not known",
    };
    let listed = if known.listed { "listed there" } else { "no list names it; figures from the catalogue" };
    let (route, provider) = (&known.route, known.route.upstream.provider());
    let mut lines = vec![
        entry.id.clone(),
        format!("  upstream    {} ({})", route.upstream.name(), route.how),
        format!(
            "  provider    {} (preset {}, documentation of {})",
            provider.name(),
            provider.id(),
            provider.checked()
        ),
        format!("  list        {listed}"),
        format!("  context     {}", tokens(entry.max_input_tokens)),
        format!("  max output  {}", tokens(entry.max_tokens)),
        format!("  tools       {}", answer(entry.tools)),
        format!("  vision      {}", answer(entry.vision)),
        format!("  thinking    {thinking}"),
    ];
    lines.extend(provider.retired().map(|day| format!("  ended       its service ended on {day}")));
    lines.extend(provider.terms().map(|terms| format!("  terms       {terms}")));
    lines.join("\n")
}
