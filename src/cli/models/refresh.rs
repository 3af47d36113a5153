//! `models refresh`: the lists, asked for now and kept.

use super::{Common, answered, default_upstream, print_json, print_text};
use crate::cli::setup;
use crate::config::Resolved;
use crate::error::Result;
use serde_json::{Value, json};

/// Asks every upstream.
///
/// # Errors
/// `NotConfigured` without an upstream; the first upstream's failure where none answers.
pub async fn run(common: &Common, resolved: &Resolved) -> Result<()> {
    let core = setup::core(resolved, common.demo).await?;
    default_upstream(&core.gateway)?;
    let answers = core.gateway.refresh_models().await;
    if common.json {
        let as_json = |(name, answer): &(String, Result<usize>)| match answer {
            Ok(count) => json!({ "upstream": name, "models": count }),
            Err(error) => json!({ "upstream": name, "error": error.to_string() }),
        };
        print_json(&answers.iter().map(as_json).collect::<Value>())?;
    } else {
        let width = answers.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let line = |(name, answer): &(String, Result<usize>)| match answer {
            Ok(0) => format!("{name:width$}  lists none; what is known of it stands"),
            Ok(1) => format!("{name:width$}  1 model"),
            Ok(count) => format!("{name:width$}  {count} models"),
            Err(error) => format!("{name:width$}  {error}"),
        };
        print_text(&answers.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    }
    answered(answers)
}
