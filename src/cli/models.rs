//! `models`: what there is to talk to.

use super::output::print;
use super::setup;
use crate::chat::sanitiser::Sanitiser;
use crate::config::{Flags, Resolved, Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Gateway, ModelEntry, not_configured};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _};

const EXAMPLES: &str = "\
Examples:
  iflow2api models
  iflow2api models --upstream http://127.0.0.1:11434/v1
  iflow2api models --json | jq -r '.[].id'";

/// List the models that can be asked for
#[derive(Debug, ClapArgs)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// Ask this upstream first: the name of one that is set up, or a base URL
    #[arg(long, global = true, value_name = "NAME|URL")]
    upstream: Option<String>,
    /// Ask the built-in demo upstream, without any account
    #[arg(long, global = true)]
    demo: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the models that can be asked for
    #[command(
        before_help = "Examples:\n  iflow2api models list\n  iflow2api models list --json | jq -r '.[].id'"
    )]
    List,
}

/// Runs `models`; without a subcommand it lists.
///
/// # Errors
/// `Usage` for settings that cannot work, `NotConfigured` without an upstream, `Unreachable` where
/// no model is known.
pub fn run<'a>(args: Args, sources: impl FnOnce(Flags) -> Sources<'a>) -> Result<()> {
    let Args { command, json, upstream, demo } = args;
    let Command::List = command.unwrap_or(Command::List);
    let resolved = resolve(&sources(Flags { upstream, ..Flags::default() }))?;
    setup::warn(&resolved);
    let entries = setup::runtime()?.block_on(list(&resolved, demo))?;
    if json {
        let listed: Vec<Value> = entries.iter().map(entry_json).collect();
        return print(&format!("{:#}", Value::from(listed)));
    }
    let table = table(&entries);
    print(&if io::stdout().is_terminal() { Sanitiser::default().clean(&table) } else { table })
}

async fn list(resolved: &Resolved, demo: bool) -> Result<Vec<ModelEntry>> {
    let core = setup::core(resolved, demo).await?;
    let upstream = default_upstream(&core.gateway)?;
    let entries = core.gateway.models().await;
    if entries.is_empty() {
        let message = format!("upstream `{upstream}` lists no models, or cannot be reached");
        return Err(Error::new(ErrorKind::Unreachable, message).with_hint("`-v` says why"));
    }
    Ok(entries)
}

/// The upstream that is asked first.
///
/// # Errors
/// `NotConfigured` where there is none.
pub fn default_upstream(gateway: &Gateway) -> Result<&str> {
    gateway.default_upstream().ok_or_else(not_configured)
}

/// Columns, of which the first is what `-m` takes.
fn table(entries: &[ModelEntry]) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let header = ["MODEL", "CONTEXT", "MAX OUTPUT", "OWNER"].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        [entry.id.clone(), number(entry.max_input_tokens), number(entry.max_tokens), entry.owned_by.clone()]
    });
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(rows).collect();
    let width = |column: fn(&[String; 4]) -> &str| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0)
    };
    let [id, context, output] =
        [width(|[id, ..]| id), width(|[_, context, ..]| context), width(|[_, _, output, _]| output)];
    let lines = rows.iter().map(|[model, window, longest, owner]| {
        format!("{model:id$}  {window:>context$}  {longest:>output$}  {owner}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names of `GET /v1/models`.
fn entry_json(entry: &ModelEntry) -> Value {
    json!({
        "id": entry.id,
        "owned_by": entry.owned_by,
        "created": entry.created_unix_seconds,
        "max_input_tokens": entry.max_input_tokens,
        "max_tokens": entry.max_tokens,
    })
}
