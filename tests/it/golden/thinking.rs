//! What each provider's models are sent for each wish to think: the tables of `tests/golden/thinking/`.

use bytes::Bytes;
use iflow2api::policy::presets::Catalogue;
use iflow2api::policy::request::fit;
use iflow2api::policy::think::{Asked, Source};
use iflow2api::wire::openai::ChatRequest;
use iflow2api::wish::Wish;
use serde_json::{Value, json};
use std::path::Path;

/// The rows of a preset's file, or of the one that it names.
fn rows(preset: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/thinking/{preset}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    match lines.as_slice() {
        [one] if one.starts_with('=') => rows(one.trim_start_matches('=').trim()),
        _ => lines,
    }
}

/// The members beside model and messages that are sent, and what the answer's header says.
fn sent(preset: &str, model: &str, wish: Option<Wish>) -> (Value, String) {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }).to_string();
    let mut request = ChatRequest::parse(&Bytes::from(body)).unwrap();
    let profile = Catalogue::built_in().provider(preset).profile(model);
    let asked = Asked { wish, source: Source::Translated };
    let fitted = fit(&mut request, &profile, asked, &|_| None);
    let mut sent: Value = serde_json::from_slice(&request.to_bytes()).unwrap();
    for key in ["model", "messages"] {
        sent.as_object_mut().unwrap().remove(key);
    }
    (sent, fitted.thinking.unwrap_or_else(|| "-".to_owned()))
}

#[test]
fn every_model_is_asked_to_think_as_its_provider_says() {
    let mut failures = Vec::new();
    let mut count = 0;
    for preset in Catalogue::built_in().names().into_iter().filter(|name| *name != "demo") {
        for row in rows(preset) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let &[model, wish, expected, note] = cells.as_slice() else { panic!("{preset}: {row}") };
            let wished =
                (wish != "absent").then(|| Wish::of(wish).unwrap_or_else(|| panic!("{preset}: {row}")));
            let expected: Value = serde_json::from_str(expected).unwrap();
            let found = sent(preset, model, wished);
            if found != (expected.clone(), note.to_owned()) {
                failures.push(format!(
                    "{preset} {model} {wish}\n  expected {expected} {note}\n  sent     {} {}",
                    found.0, found.1
                ));
            }
            count += 1;
        }
    }
    assert!(count > 2_000, "{count} rows");
    assert!(failures.is_empty(), "{} of {count} rows differ:\n{}", failures.len(), failures.join("\n"));
}
