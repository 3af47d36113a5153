//! Arguments, dispatch and exit status.

mod auth;
mod chat;
mod child;
mod config;
mod engines;
mod exit;
mod input;
mod logging;
mod logins;
mod models;
mod output;
mod ports;
mod serve;
mod setup;
mod signals;

use crate::auth::refresh::settle;
use crate::config::{Flags, Paths, Sources};
use crate::error::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  iflow2api serve --demo
  iflow2api serve --upstream http://127.0.0.1:8080/v1
  iflow2api serve -- claude
  iflow2api chat -m glm-4.7 \"hello\"
  cat notes.txt | iflow2api chat -m glm-4.7 \"sum up\"";

/// Lend OpenAI-compatible model services to OpenAI and Anthropic clients
#[derive(Debug, Parser)]
#[command(version, before_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    /// Read this configuration file instead of the user's own
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log more; twice for all
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How the log is written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: logging::Format,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: clap::ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve both APIs on this machine
    Serve(serve::Args),
    /// Ask a model, or talk with it
    Chat(Box<chat::Args>),
    /// Log in at providers, and look after keys and logins
    Auth(auth::Args),
    /// List, try and explain models
    Models(models::Args),
    /// Show and change settings
    Config(config::Args),
}

/// The whole command line, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::of_usage(&error),
    };
    let wish = logging::Wish {
        verbose: cli.verbose,
        quiet: cli.quiet,
        format: cli.log_format,
        color: exit::use_color(cli.color),
        // The screen of a client that is started belongs to that client.
        requests: matches!(&cli.command, Command::Serve(args) if args.command.is_empty()),
    };
    logging::start(&wish);
    let code = match dispatch(cli, wish.color) {
        Ok(code) => code,
        Err(error) => exit::of_error(&error, wish.color),
    };
    // Somebody who interrupts twice does not want to wait.
    settle(if code == ExitCode::from(130) { LAST_WAIT } else { LONGEST_WAIT });
    code
}

/// How long the end is put off for a refresh that is under way: its token would be lost.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The same where somebody does not want to wait.
const LAST_WAIT: Duration = Duration::from_millis(800);

fn dispatch(cli: Cli, color: bool) -> Result<ExitCode> {
    let choice = cli.color;
    let environment = |name: &str| std::env::var(name).ok();
    let paths = Paths::of_user(cli.config.as_deref(), &environment);
    let sources = |flags: Flags| Sources {
        paths: paths.clone(),
        environment: &environment,
        flags,
        presets: setup::presets,
        stored: logins::stored,
    };
    match cli.command {
        Command::Serve(args) => serve::run(args, sources),
        Command::Chat(args) => chat::run(*args, sources, color, choice).map(|()| ExitCode::SUCCESS),
        Command::Auth(args) => auth::run(args, sources, color).map(|()| ExitCode::SUCCESS),
        Command::Models(args) => models::run(args, sources).map(|()| ExitCode::SUCCESS),
        Command::Config(args) => config::run(args, &sources(Flags::default())).map(|()| ExitCode::SUCCESS),
    }
}
