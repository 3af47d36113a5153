//! `models`: what there is to talk to.

mod list;
mod probe;
mod refresh;
mod resolve;
mod show;
mod test;

use super::output::{print, print_text};
use super::setup;
use crate::config::{self, Flags, Resolved, Sources};
use crate::error::{Error, Result};
use crate::gateway::{Gateway, ModelEntry, not_configured};
use crate::policy::presets::rows::Thinks;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::Value;

const EXAMPLES: &str = "\
Examples:
  iflow2api models
  iflow2api models --upstream http://127.0.0.1:11434/v1
  iflow2api models --json | jq -r '.[].id'
  iflow2api models test glm-4.7
  iflow2api models resolve zai/glm-4.7 --effort high";

/// List, try and explain models
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
    /// Show what is known of a model
    Show(show::Args),
    /// Try a model: text, stream, tool call, thinking on and off, both APIs
    Test(test::Args),
    /// Ask every upstream for its list now
    #[command(before_help = "Examples:\n  iflow2api models refresh\n  iflow2api models refresh --json")]
    Refresh,
    /// Show where a name leads and what would be sent, without sending it
    Resolve(resolve::Args),
}

/// What all subcommands share.
struct Common {
    json: bool,
    upstream: Option<String>,
    demo: bool,
}

impl Common {
    fn flags(&self) -> Flags {
        Flags { upstream: self.upstream.clone(), ..Flags::default() }
    }
}

/// Runs `models`; without a subcommand it lists.
///
/// # Errors
/// `Usage` for settings that cannot work, `NotConfigured` without an upstream, `Unreachable` where
/// no model is known, and what a model that is tried fails with.
pub fn run<'a>(args: Args, sources: impl FnOnce(Flags) -> Sources<'a>) -> Result<()> {
    let Args { command, json, upstream, demo } = args;
    let common = Common { json, upstream, demo };
    match command.unwrap_or(Command::List) {
        Command::List => {
            let resolved = settled(&sources(common.flags()))?;
            setup::runtime()?.block_on(list::run(&common, &resolved))
        }
        Command::Refresh => {
            let resolved = settled(&sources(common.flags()))?;
            setup::runtime()?.block_on(refresh::run(&common, &resolved))
        }
        Command::Show(args) => {
            let flags = Flags { described: Some(args.model.clone()), ..common.flags() };
            let resolved = settled(&sources(flags))?;
            setup::runtime()?.block_on(show::run(&args, &common, &resolved))
        }
        Command::Test(args) => {
            let flags = Flags { model: Some(args.model.clone()), ..common.flags() };
            let mut resolved = settled(&sources(flags))?;
            // This model is tried, and no other in its place.
            resolved.config.fallbacks.clear();
            setup::runtime()?.block_on(test::run(&args, &common, &resolved))
        }
        Command::Resolve(args) => {
            let flags = Flags { described: Some(args.model.clone()), ..common.flags() };
            // Nothing is sent, so nobody has to be told of terms.
            let resolved = config::resolve(&sources(flags))?;
            setup::runtime()?.block_on(resolve::run(&args, &common, &resolved))
        }
    }
}

/// The settings, with what is worth a warning said.
fn settled(sources: &Sources<'_>) -> Result<Resolved> {
    let resolved = config::resolve(sources)?;
    setup::warn(&resolved);
    Ok(resolved)
}

/// The upstream that is asked first.
///
/// # Errors
/// `NotConfigured` where there is none.
pub fn default_upstream(gateway: &Gateway) -> Result<&str> {
    gateway.default_upstream().ok_or_else(not_configured)
}

/// All models, asked for now; none where upstreams answer that they have none.
///
/// # Errors
/// What the first upstream failed with, where none answers and nothing is known of any.
pub async fn listed(gateway: &Gateway) -> Result<Vec<ModelEntry>> {
    let answers = gateway.refresh_models().await;
    let entries = gateway.models().await;
    if entries.is_empty() {
        answered(answers)?;
    }
    Ok(entries)
}

/// Whether some upstream answered.
fn answered(answers: Vec<(String, Result<usize>)>) -> Result<()> {
    let mut failed: Option<Error> = None;
    for (_, answer) in answers {
        match answer {
            Ok(_) => return Ok(()),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Prints for programs.
fn print_json(value: &Value) -> Result<()> {
    print(&format!("{value:#}"))
}

fn thinks_word(thinks: Option<Thinks>) -> Option<&'static str> {
    thinks.map(|thinks| match thinks {
        Thinks::Never => "never",
        Thinks::Switch => "switch",
        Thinks::Always => "always",
    })
}
