//! Whole answers.

use super::{blur, cases, echo, json};
use bytes::Bytes;
use iflow2api::policy::calls::CallFilter;
use iflow2api::policy::failure::read_frame;
use iflow2api::policy::thinking::ThinkingFilter;
use iflow2api::step::{Step as _, Then};
use iflow2api::translate::completion_to_message;
use iflow2api::wire::openai::Reading;
use serde_json::Value;

#[test]
fn every_completion_gives_its_message() {
    let mut failures = Vec::new();
    let mut count = 0;
    for path in cases("stream") {
        if !path.join("whole.json").exists() {
            continue;
        }
        count += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = json(&path.join("case.json"));
        let body = Bytes::from(std::fs::read(path.join("whole.json")).unwrap());
        let mut readings = Vec::new();
        let inline = case["inline_think"].as_bool().unwrap_or(false);
        let mut filters = Then::new(CallFilter::new("test"), ThinkingFilter::new(inline));
        filters.push(read_frame("test", &body).unwrap(), &mut readings).unwrap();
        filters.push(Reading::Done, &mut readings).unwrap();
        let message = completion_to_message(readings, echo(&case)).unwrap();
        let mut actual = serde_json::to_value(&message).unwrap();
        blur(&mut actual, &mut Vec::new());
        let expected = json(&path.join("expected.json"));
        if expected["usage"]["output_tokens"] == "ESTIMATED" {
            actual["usage"]["output_tokens"] = Value::from("ESTIMATED");
        }
        if actual != expected {
            failures.push(format!("{name}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(count >= 10, "there are vectors of whole answers");
    assert!(failures.is_empty(), "{} vectors differ:\n{}", failures.len(), failures.join("\n"));
}
