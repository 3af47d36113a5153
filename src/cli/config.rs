//! `config`: shows and changes settings. What they mean is left to `crate::config`.

use super::input;
use super::output::print;
use crate::config::keys::{AUTH_SETTINGS, PATTERN_SETTINGS, SETTINGS, UPSTREAM_SETTINGS};
use crate::config::{self, Entry, Sources};
use crate::error::Result;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;
use std::io::{self, Write as _};
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  iflow2api config show
  iflow2api config get server.port
  iflow2api config set default_model glm-4.7
  pass show zai | iflow2api config set upstream.zai.key -";

/// Show and change settings
#[derive(Debug, ClapArgs)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all settings and where each comes from
    #[command(before_help = "Examples:\n  iflow2api config show\n  iflow2api config show --json")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the value of one setting
    #[command(
        before_help = "Examples:\n  iflow2api config get server.port\n  iflow2api config get --json upstream.zai.base_url"
    )]
    Get {
        /// The setting, such as `server.port` or `upstream.zai.key`
        name: String,
        /// Print JSON, with the origin
        #[arg(long)]
        json: bool,
        /// Print a secret in the open
        #[arg(long)]
        show_key: bool,
    },
    /// Write one setting into the file
    #[command(
        before_help = "Examples:\n  iflow2api config set server.port 8080\n  iflow2api config set upstream.zai.key_env ZAI_API_KEY\n  pass show zai | iflow2api config set upstream.zai.key -",
        after_help = settings_help()
    )]
    Set {
        /// The setting, such as `server.port` or `upstream.zai.key`
        name: String,
        /// The value; lists are separated by commas, `-` reads it from stdin
        value: String,
    },
    /// Take one setting, or a whole `upstream.NAME`, out of the file
    #[command(
        before_help = "Examples:\n  iflow2api config unset default_model\n  iflow2api config unset upstream.zai"
    )]
    Unset {
        /// The setting, such as `server.port` or `upstream.zai`
        name: String,
    },
    /// Print where the file is
    #[command(before_help = "Examples:\n  iflow2api config path")]
    Path,
}

/// Runs `config`; without a subcommand it shows all settings.
///
/// # Errors
/// [`ErrorKind::Usage`] for a setting that does not exist or cannot hold the value, and for a file
/// that is broken or cannot be written.
pub fn run(args: Args, sources: &Sources<'_>) -> Result<()> {
    match args.command.unwrap_or(Command::Show { json: false }) {
        Command::Show { json } => show(sources, json),
        Command::Get { name, json, show_key } => get(sources, &name, json, show_key),
        Command::Set { name, value } => set(sources, &name, value),
        Command::Unset { name } => unset(sources, &name),
        Command::Path => print(&sources.paths.config()?.display().to_string()),
    }
}

fn show(sources: &Sources<'_>, as_json: bool) -> Result<()> {
    let resolved = config::resolve(sources)?;
    resolved.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
    let entries = config::show(&resolved);
    if as_json {
        let listed: Vec<serde_json::Value> = entries.iter().map(entry_json).collect();
        return print(&format!("{:#}", json!(listed)));
    }
    print(&table(&entries))
}

/// Name, value and origin in columns.
fn table(entries: &[Entry]) -> String {
    let value = |entry: &Entry| entry.value.as_ref().map(ToString::to_string).unwrap_or_default();
    let widest = |width: &dyn Fn(&Entry) -> usize| entries.iter().map(width).max().unwrap_or(0);
    let names = widest(&|entry| entry.name.chars().count());
    // One long list of models must not push all origins off the screen.
    let values = widest(&|entry| value(entry).chars().count()).min(48);
    let lines = entries
        .iter()
        .map(|entry| format!("{:names$}  {:values$}  {}", entry.name, value(entry), entry.origin));
    lines.collect::<Vec<_>>().join("\n")
}

fn get(sources: &Sources<'_>, name: &str, as_json: bool, show_key: bool) -> Result<()> {
    let mut entry = config::get(&config::resolve(sources)?, name)?;
    if show_key {
        entry.value = entry.value.map(|value| value.revealed());
    }
    if as_json {
        return print(&format!("{:#}", entry_json(&entry)));
    }
    match entry.value {
        Some(value) => print(&value.to_string()),
        None => {
            say(&format!("`{name}` is not set"));
            Ok(())
        }
    }
}

fn set(sources: &Sources<'_>, name: &str, value: String) -> Result<()> {
    let path = sources.paths.config()?;
    let value = if value == "-" { input::value()? } else { value };
    config::set(path, name, &value)?;
    say(&format!("`{name}` is set in `{}`", path.display()));
    let variable = SETTINGS.iter().find(|setting| setting.name == name).map(|setting| setting.variable());
    if let Some(variable) = variable.filter(|variable| (sources.environment)(variable).is_some()) {
        say(&format!("warning: `{variable}` is set too, and wins over the file"));
    }
    Ok(())
}

fn unset(sources: &Sources<'_>, name: &str) -> Result<()> {
    let path: &Path = sources.paths.config()?;
    let outcome = if config::unset(path, name)? { "is taken out of" } else { "was not in" };
    say(&format!("`{name}` {outcome} `{}`", path.display()));
    Ok(())
}

fn entry_json(entry: &Entry) -> serde_json::Value {
    json!({
        "name": entry.name,
        "value": entry.value.as_ref().map(config::Value::to_json),
        "origin": entry.origin.kind(),
        "source": entry.origin.source(),
    })
}

fn settings_help() -> String {
    let once = SETTINGS.iter().chain(PATTERN_SETTINGS).map(|setting| (setting.name.to_owned(), setting.help));
    let upstream = UPSTREAM_SETTINGS.iter();
    let upstream = upstream.map(|setting| (format!("upstream.NAME.{}", setting.name), setting.help));
    let login = AUTH_SETTINGS.iter().map(|setting| (format!("auth.NAME.{}", setting.name), setting.help));
    let rows: Vec<(String, &str)> = once.chain(login).chain(upstream).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows.iter().map(|(name, help)| format!("\n  {name:width$}  {help}"));
    format!("Settings:{}", lines.collect::<String>())
}

/// Data, on stdout. A reader that has left, as `head` does, has got what it wanted.
/// All that is not data, on stderr; without one there is nobody to tell.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "iflow2api: {text}");
}
