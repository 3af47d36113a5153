//! Streams: each vector whole, and cut at every byte.

use super::{blur, cases, drive, frames, grammar, json, steps};
use iflow2api::wire::anthropic::Event;
use serde_json::Value;

/// The events as the vectors write them.
fn shown(events: &[Event], expected: &[Value]) -> Vec<Value> {
    let mut minted = Vec::new();
    events
        .iter()
        .enumerate()
        .map(|(at, event)| {
            let mut value = serde_json::to_value(event).unwrap();
            blur(&mut value, &mut minted);
            if let Event::Error { .. } = event {
                value["error"]["message"] = Value::from("MESSAGE");
            }
            if expected.get(at).is_some_and(|expected| expected["usage"]["output_tokens"] == "ESTIMATED") {
                assert!(value["usage"]["output_tokens"].is_u64(), "{value}");
                value["usage"]["output_tokens"] = Value::from("ESTIMATED");
            }
            value
        })
        .collect()
}

#[test]
fn every_vector_gives_its_events_wherever_it_is_cut() {
    let mut failures = Vec::new();
    for path in cases("stream") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = json(&path.join("case.json"));
        let upstream = std::fs::read(path.join("upstream.sse")).unwrap();
        let expected: Vec<Value> = frames(&[&std::fs::read(path.join("expected.sse")).unwrap()])
            .iter()
            .map(|frame| {
                let value: Value = serde_json::from_slice(&frame.data).unwrap();
                assert_eq!(frame.event.as_deref(), value["type"].as_str(), "{name}");
                value
            })
            .collect();
        let events = drive(frames(&[&upstream]), steps(&case));
        grammar::check(&events, &name);
        let actual = shown(&events, &expected);
        if actual != expected {
            let lines = |values: &[Value]| values.iter().map(|v| format!("    {v}\n")).collect::<String>();
            failures.push(format!("{name}\n  expected\n{}  actual\n{}", lines(&expected), lines(&actual)));
            continue;
        }
        for cut in 0..=upstream.len() {
            let (head, tail) = upstream.split_at(cut);
            assert_eq!(drive(frames(&[head, tail]), steps(&case)), events, "{name} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = upstream.chunks(1).collect();
        assert_eq!(drive(frames(&bytes), steps(&case)), events, "{name} byte by byte");
    }
    assert!(failures.is_empty(), "{} vectors differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_vector_that_ends_anywhere_keeps_the_grammar() {
    for path in cases("stream") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = json(&path.join("case.json"));
        let upstream = std::fs::read(path.join("upstream.sse")).unwrap();
        for end in 0..upstream.len() {
            let events = drive(frames(&[&upstream[..end]]), steps(&case));
            grammar::check(&events, &format!("{name} ended at {end}"));
        }
    }
}
