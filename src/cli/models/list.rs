//! `models list`: all models in columns.

use super::{Common, default_upstream, listed, print_json, print_text, thinks_word};
use crate::cli::setup;
use crate::config::Resolved;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::ModelEntry;
use serde_json::{Map, Value, json};

const HEADER: [&str; 7] = ["MODEL", "CONTEXT", "MAX OUTPUT", "TOOLS", "VISION", "THINKING", "OWNER"];
/// The columns of numbers.
const RIGHT: [usize; 2] = [1, 2];

/// Lists them.
///
/// # Errors
/// `NotConfigured` without an upstream, `NotFound` where no model is known, and what a list could not be had for.
pub async fn run(common: &Common, resolved: &Resolved) -> Result<()> {
    let core = setup::core(resolved, common.demo).await?;
    let upstream = default_upstream(&core.gateway)?;
    let entries = listed(&core.gateway).await?;
    if entries.is_empty() {
        let message = format!("upstream `{upstream}` lists no models");
        return Err(Error::new(ErrorKind::NotFound, message)
            .with_hint(format!("name them in `upstream.{upstream}.models`, or one with -m")));
    }
    if common.json {
        return print_json(&entries.iter().map(|entry| Value::Object(entry_json(entry))).collect());
    }
    print_text(&table(&entries))
}

/// Columns, of which the first is what `-m` takes.
fn table(entries: &[ModelEntry]) -> String {
    let rows = entries.iter().map(cells);
    let rows: Vec<[String; HEADER.len()]> = std::iter::once(HEADER.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; HEADER.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; HEADER.len()]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if RIGHT.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cells(entry: &ModelEntry) -> [String; HEADER.len()] {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let answer = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    [
        entry.id.clone(),
        number(entry.max_input_tokens),
        number(entry.max_tokens),
        answer(entry.tools).to_owned(),
        answer(entry.vision).to_owned(),
        thinks_word(entry.thinks).unwrap_or("-").to_owned(),
        entry.alias_of.as_ref().map_or_else(|| entry.owned_by.clone(), |target| format!("alias of {target}")),
    ]
}

/// The names of `GET /v1/models`, and what only the catalogue knows.
pub fn entry_json(entry: &ModelEntry) -> Map<String, Value> {
    let members = [
        ("id", json!(entry.id)),
        ("owned_by", json!(entry.owned_by)),
        ("created", json!(entry.created_unix_seconds)),
        ("max_input_tokens", json!(entry.max_input_tokens)),
        ("max_tokens", json!(entry.max_tokens)),
        ("tools", json!(entry.tools)),
        ("vision", json!(entry.vision)),
        ("thinking", json!(thinks_word(entry.thinks))),
        ("alias_of", json!(entry.alias_of)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
