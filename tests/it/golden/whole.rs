//! Whole answers: such as came whole, and such as were put together from a stream.

use super::{blur, cases, echo, frames, json};
use bytes::Bytes;
use iflow2api::policy::assemble::Assembler;
use iflow2api::policy::failure::Judge;
use iflow2api::policy::filters::Filters;
use iflow2api::step::Step as _;
use iflow2api::translate::completion_to_message;
use iflow2api::wire::openai::Reading;
use serde_json::Value;
use std::path::Path;

/// The message that a completion becomes.
fn message(body: &Bytes, case: &Value) -> Value {
    let mut readings = Vec::new();
    let inline = case["inline_think"].as_bool().unwrap_or(false);
    let mut filters = Filters::new(inline, None, "test");
    filters.push(Judge::plain("test").read_frame(body).unwrap(), &mut readings).unwrap();
    filters.push(Reading::Done, &mut readings).unwrap();
    let mut message = serde_json::to_value(completion_to_message(readings, echo(case)).unwrap()).unwrap();
    blur(&mut message, &mut Vec::new());
    message
}

fn assembled(stream: &[u8]) -> Bytes {
    let mut assembler = Assembler::new(Judge::plain("test"), "test");
    frames(&[stream]).iter().for_each(|frame| assembler.push(frame).unwrap());
    assembler.finish().unwrap()
}

/// Compares the messages of all vectors that have a whole answer, whose body `read` makes.
fn compare(read: impl Fn(&Path) -> Bytes) {
    let mut failures = Vec::new();
    let mut count = 0;
    for path in cases("stream").iter().filter(|path| path.join("whole.json").exists()) {
        count += 1;
        let expected = json(&path.join("expected.json"));
        let mut actual = message(&read(path), &json(&path.join("case.json")));
        if expected["usage"]["output_tokens"] == "ESTIMATED" {
            actual["usage"]["output_tokens"] = Value::from("ESTIMATED");
        }
        if actual != expected {
            failures.push(format!("{}\n  expected {expected}\n  actual   {actual}", path.display()));
        }
    }
    assert!(count >= 10, "there are vectors of whole answers");
    assert!(failures.is_empty(), "{} vectors differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_completion_gives_its_message() {
    compare(|path| std::fs::read(path.join("whole.json")).unwrap().into());
}

#[test]
fn every_completion_put_together_from_its_stream_gives_the_same_message() {
    compare(|path| assembled(&std::fs::read(path.join("upstream.sse")).unwrap()));
}
