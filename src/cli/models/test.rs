//! `models test`: a model, tried.

use super::probe::{Outcome, Probe};
use super::{Common, print_json, print_text};
use crate::cli::setup;
use crate::config::Resolved;
use crate::error::{Error, ErrorKind, Result};
use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};
use std::time::Duration;

/// Try a model: text, stream, tool call, thinking on and off, both APIs
///
/// Six short calls, each bounded to 1024 tokens. The exit status is 0 where text and stream work; what else a model
/// cannot do is only told.
#[derive(Debug, ClapArgs)]
#[command(
    before_help = "Examples:\n  iflow2api models test glm-4.7\n  iflow2api models test zai/glm-4.7 --json"
)]
pub struct Args {
    /// The model, as `-m` takes it
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub model: String,
}

/// Tries it.
///
/// # Errors
/// What text or stream failed with.
pub async fn run(args: &Args, common: &Common, resolved: &Resolved) -> Result<()> {
    let core = setup::core(resolved, common.demo).await?;
    let route = core.gateway.route(&args.model)?;
    let upstream = route.upstream.name().to_owned();
    if !common.json {
        print_text(&format!("{} at {upstream} ({})", route.model, route.upstream.provider().name()))?;
    }
    let mut tried: Vec<Value> = Vec::new();
    let mut failed: Option<Error> = None;
    for probe in Probe::ALL {
        let outcome = probe.run(&core.gateway, &args.model).await;
        if common.json {
            tried.push(as_json(probe, &outcome));
        } else {
            print_text(&as_line(probe, &outcome))?;
        }
        let error = match outcome {
            Ok(outcome) if outcome.ok => continue,
            Ok(outcome) => Error::new(
                ErrorKind::BadAnswer,
                format!("`{}` gives no usable {}: {}", args.model, probe.name(), outcome.detail),
            ),
            // Where not even a line of text can be had, the rest would fail alike.
            Err(error) if probe == Probe::Text => {
                failed = Some(error);
                break;
            }
            Err(error) => error,
        };
        if probe.is_needed() {
            failed.get_or_insert(error);
        }
    }
    if common.json {
        let report = json!({ "model": route.model, "upstream": upstream, "tried": tried });
        print_json(&report)?;
    }
    failed.map_or(Ok(()), Err)
}

fn as_line(probe: Probe, outcome: &Result<Outcome>) -> String {
    let name = probe.name();
    match outcome {
        Ok(Outcome { ok, detail, took, .. }) => {
            let mark = if *ok { "ok" } else { "no" };
            format!("  {name:<12}  {mark:<6}  {:>6} ms  {detail}", took.as_millis())
        }
        Err(error) => format!("  {name:<12}  failed             {error}"),
    }
}

fn as_json(probe: Probe, outcome: &Result<Outcome>) -> Value {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok(Outcome { ok, detail, took, first_token, tokens_per_second }) => json!({
            "name": probe.name(),
            "ok": ok,
            "detail": detail,
            "took_ms": milliseconds(*took),
            "first_token_ms": first_token.map(milliseconds),
            "tokens_per_second": tokens_per_second.map(|rate| (rate * 10.0).round() / 10.0),
        }),
        Err(error) => json!({ "name": probe.name(), "ok": false, "error": error.to_string() }),
    }
}
