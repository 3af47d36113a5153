//! A client that is started with the environment that points it here. No file of its is touched.

use super::signals::{Signals, Told};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use std::path::Path;
use std::process::ExitCode;
use tokio::process::Command;

/// What is told to the client; an empty value hides one that the user has set.
pub type Environment = Vec<(&'static str, String)>;

/// The key where the server asks for none; the SDKs insist on having one.
const ANY_KEY: &str = "iflow2api";

/// The environment for a client of the server at `url`.
pub fn environment(url: &str, key: Option<&Secret>, model: Option<&str>) -> Environment {
    let key = key.map_or(ANY_KEY, Secret::expose).to_owned();
    let mut environment = vec![
        ("ANTHROPIC_BASE_URL", url.to_owned()),
        ("ANTHROPIC_AUTH_TOKEN", key.clone()),
        // With both, clients ask which one to use.
        ("ANTHROPIC_API_KEY", String::new()),
        ("OPENAI_BASE_URL", format!("{url}/v1")),
        ("OPENAI_API_KEY", key),
    ];
    environment.extend(models(model));
    for name in ["NO_PROXY", "no_proxy"] {
        let old = std::env::var(name).unwrap_or_default();
        let separator = if old.is_empty() { "" } else { "," };
        environment.push((name, format!("{old}{separator}localhost,127.0.0.1,::1")));
    }
    environment
}

/// Which model each class of Claude Code's means.
fn models(model: Option<&str>) -> Environment {
    let Some(model) = model else { return Vec::new() };
    let names = [
        "ANTHROPIC_DEFAULT_OPUS_MODEL",
        "ANTHROPIC_DEFAULT_SONNET_MODEL",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
        "CLAUDE_CODE_SUBAGENT_MODEL",
    ];
    names.map(|name| (name, model.to_owned())).to_vec()
}

/// Runs the command and gives its exit status, or ends it where we are told to end.
///
/// # Errors
/// `Usage` where it cannot be started.
pub async fn run(command: &[String], environment: &Environment, mut signals: Signals) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::new(ErrorKind::Usage, "no command was given behind `--`"));
    };
    let mut process = Command::new(program);
    if Path::new(program).file_stem().is_some_and(|name| name == "claude") {
        process.args(["--settings", &settings(environment)]);
    }
    process.args(arguments).envs(environment.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
    let mut child = process.spawn().map_err(|error| {
        Error::new(ErrorKind::Usage, format!("`{program}` cannot be started")).with_source(error)
    })?;
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| {
                    Error::new(ErrorKind::Internal, format!("`{program}` was lost")).with_source(error)
                })?;
                return Ok(ExitCode::from(code(status)));
            }
            told = signals.next() => match told {
                // The terminal sends it to both of us; what it means is the client's to say.
                Told::Interrupt => {}
                // The client is dropped with its handle.
                Told::Terminate => return Ok(ExitCode::from(143)),
            },
        }
    }
}

/// A user's own settings win over the environment in Claude Code, so the address goes in there as
/// well. The key does not: arguments are for everyone to read.
fn settings(environment: &Environment) -> String {
    let told =
        environment.iter().filter(|(name, _)| name.ends_with("_MODEL") || *name == "ANTHROPIC_BASE_URL");
    let told: serde_json::Map<String, serde_json::Value> =
        told.map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    serde_json::json!({ "env": told }).to_string()
}

#[cfg(unix)]
fn code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(not(unix))]
fn code(status: std::process::ExitStatus) -> u8 {
    u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)
}
