//! F-1: the upstream is killed at every byte of recorded streams.

use super::recorded::{self, chunks, said};
use crate::golden::grammar;
use crate::support::client::events;
use crate::support::program::{Program, setup};
use futures_util::StreamExt as _;
use iflow2api::wire::anthropic::{Block, Event};
use iflow2api::wire::json::Raw;
use serde_json::{Value, json};
use std::collections::HashSet;

/// How many calls run at once.
const AT_ONCE: usize = 8;

const PATHS: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];

async fn program(rescue: &str) -> Program {
    let address = recorded::start().await;
    let setup = setup(&["serve", "--port", "0"]).env("IFLOW2API_BASE_URL", &format!("http://{address}/v1"));
    setup.env("IFLOW2API_CONTINUATION_RESCUE", rescue).start().await
}

/// Calls one face; the status and the body.
async fn call(program: &Program, path: &str, model: &str) -> (u16, String) {
    let mut request =
        json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    if path == "/v1/messages" {
        request["max_tokens"] = json!(1000);
        request["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    } else {
        request["stream_options"] = json!({"include_usage": true});
    }
    let mut answer = program.post(path, request.to_string()).await;
    (answer.status, answer.text().await)
}

fn finished(chunks: &[Value]) -> bool {
    chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"].is_string())
}

/// What a face must say where nothing of the answer came.
fn check_refusal(status: u16, body: &str, name: &str) {
    assert_eq!(status, 502, "{name}: {body}");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
    assert!(body["error"]["message"].is_string(), "{name}: {body}");
}

/// What the OpenAI face must say of this part of a recording.
fn check_chat(part: &[u8], status: u16, body: &str, name: &str) {
    let (expected, done) = chunks(part);
    if expected.is_empty() {
        return check_refusal(status, body, name);
    }
    assert_eq!(status, 200, "{name}: {body}");
    let mut told = events(body);
    if finished(&expected) {
        assert!(body.ends_with("data: [DONE]\n\n"), "{name}: {body}");
    } else {
        assert!(!done && !body.contains("[DONE]"), "{name}: {body}");
        let error = told.pop().unwrap();
        assert!(error["error"]["message"].is_string(), "{name}: {body}");
    }
    assert_eq!(told, expected, "{name}: exactly the events of the part");
    let frames: String =
        told.iter().map(|_| ()).zip(body.split_inclusive("\n\n")).map(|(_, frame)| frame).collect();
    let sent = String::from_utf8_lossy(part);
    // A last line without its end is an event too; all before it is as it was, byte for byte.
    assert!(
        frames.starts_with(
            sent.rsplit_once("\n\n")
                .map_or("", |(whole, _)| whole)
                .trim_end_matches("data: [DONE]")
                .trim_end()
        ),
        "{name}: {body}"
    );
}

/// An event. A call's input is raw text, which serde does not read from a tagged value.
fn event(value: Value) -> Event {
    if value["content_block"]["type"] != "tool_use" {
        return serde_json::from_value(value).unwrap();
    }
    let text = |key: &str| value["content_block"][key].as_str().unwrap().to_owned();
    let input = Raw::from_static("{}");
    let content_block = Block::ToolUse { id: text("id"), name: text("name"), input };
    Event::ContentBlockStart { index: serde_json::from_value(value["index"].clone()).unwrap(), content_block }
}

/// The events of an Anthropic stream, which keep the grammar.
fn parsed(body: &str, name: &str) -> Vec<Event> {
    let events: Vec<Event> = events(body).into_iter().map(event).collect();
    grammar::check(&events, name);
    events
}

/// What the Anthropic face must say of this part of a recording.
fn check_messages(part: &[u8], status: u16, body: &str, name: &str) {
    let (expected, _) = chunks(part);
    if expected.is_empty() {
        return check_refusal(status, body, name);
    }
    assert_eq!(status, 200, "{name}: {body}");
    let last = parsed(body, name).pop();
    let ends = matches!(last, Some(Event::MessageStop));
    assert_eq!(ends, finished(&expected), "{name}: {body}");
    assert!(ends || matches!(last, Some(Event::Error { .. })), "{name}: {body}");
    let told = events(body);
    let of =
        |path: &str| -> String { told.iter().filter_map(|event| event.pointer(path)?.as_str()).collect() };
    assert_eq!(of("/delta/text"), said(&expected, "content"), "{name}: {body}");
    assert_eq!(of("/delta/thinking"), said(&expected, "reasoning_content"), "{name}: {body}");
    let of_calls = inputs(&told);
    let began = expected.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/id")).count();
    assert_eq!(of_calls.len(), began, "{name}: {body}");
    for (call, input) in of_calls.iter().enumerate() {
        let arguments = arguments(&expected, call);
        // An empty object needs no delta.
        assert!(input == &arguments || (input.is_empty() && arguments == "{}"), "{name}: {input:?}: {body}");
    }
}

/// The arguments of one call of a recording.
fn arguments(chunks: &[Value], call: usize) -> String {
    let deltas = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0"));
    deltas
        .filter(|delta| delta["index"] == call)
        .filter_map(|delta| delta["function"]["arguments"].as_str())
        .collect()
}

/// The input of each call of an Anthropic stream.
fn inputs(told: &[Value]) -> Vec<String> {
    let starts = told.iter().filter(|event| event["content_block"]["type"] == "tool_use");
    let pieces = |index: &Value| {
        let deltas = told.iter().filter(|event| &event["index"] == index);
        deltas.filter_map(|event| event["delta"]["partial_json"].as_str()).collect()
    };
    starts.map(|start| pieces(&start["index"])).collect()
}

/// What a line of the log says of a field.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// Waits until the log names the fault of each of these calls.
async fn check_log(program: &mut Program, failed: Vec<(&str, String)>) {
    let said = program.said();
    let failures = said.lines().filter(|line| field(line, "failure").is_some());
    let named: HashSet<_> =
        failures.filter_map(|line| Some((field(line, "path")?, field(line, "model")?))).collect();
    for (path, model) in failed {
        if !named.contains(&(path, model.as_str())) {
            let wanted = [format!("path=\"{path}\""), format!("model=\"{model}\"")];
            program.line(&[&wanted[0], &wanted[1], "failure=\""]).await;
        }
    }
}

#[tokio::test]
async fn f_1_killed_at_every_byte_the_client_gets_what_was_whole_and_one_error() {
    let mut program = program("off").await;
    let mut calls = Vec::new();
    for name in ["text", "thinking", "tools"] {
        let length = recorded::recording(name).len();
        calls.extend((0..=length).map(|offset| (name, offset, "")));
        calls.extend((0..length).step_by(37).map(|offset| (name, offset, "/reset")));
        calls.extend((0..=length).step_by(13).map(|offset| (name, offset, "/chunked")));
    }
    let asked = &program;
    let run = futures_util::stream::iter(calls).map(|(name, offset, how)| async move {
        let recording = recorded::recording(name);
        // What is broken has no end, and so no last line without one.
        let sent = &recording[..recording.floor_char_boundary(offset)];
        let whole = sent.rfind("\n\n").map_or(0, |end| end + 2);
        let part = &recording.as_bytes()[..if how.is_empty() { offset } else { whole }];
        let model = format!("{name}@{offset}{how}");
        let (status, body) = call(asked, PATHS[0], &model).await;
        check_chat(part, status, &body, &model);
        let (status, body) = call(asked, PATHS[1], &model).await;
        check_messages(part, status, &body, &model);
        (!finished(&chunks(part).0)).then_some(model)
    });
    let failed: Vec<_> = run.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    for path in PATHS {
        let (status, body) = call(&program, path, "text@99999").await;
        assert!(status == 200 && !body.contains("error"), "the next request succeeds: {body}");
    }
    let failed = failed.into_iter().flat_map(|model| PATHS.map(|path| (path, model.clone())));
    check_log(&mut program, failed.collect()).await;
    assert!(!program.said().contains("panicked"), "{}", program.said());
}

#[tokio::test]
async fn f_1_killed_at_every_byte_of_a_text_the_answer_is_whole_where_it_is_rescued() {
    let program = program("on").await;
    let program = &program;
    let recording = recorded::recording("text");
    let whole = said(&chunks(recording.as_bytes()).0, "content");
    let first = recording.find("\n\n").unwrap();
    let hows = ["/rescue", "/rescue-overlap", "/rescue-reset"];
    let calls = (first..=recording.len()).flat_map(|offset| hows.map(|how| (offset, how)));
    let calls: Vec<_> = calls.filter(|(offset, how)| !how.contains("reset") || offset % 37 == 0).collect();
    let run = futures_util::stream::iter(calls).map(|(offset, how)| {
        let whole = &whole;
        async move {
            for face in ["chat", "messages"] {
                let model = format!("text@{offset}{how}-{face}");
                let path = if face == "chat" { "/v1/chat/completions" } else { "/v1/messages" };
                let (status, body) = call(program, path, &model).await;
                assert!(status == 200 && !body.contains("\"error\""), "{model}: {body}");
                let told = events(&body);
                let of = |path: &str| -> Vec<&str> {
                    told.iter().filter_map(|event| event.pointer(path)?.as_str()).collect()
                };
                if face == "chat" {
                    assert_eq!(&of("/choices/0/delta/content").concat(), whole, "{model}: {body}");
                    assert_eq!(of("/choices/0/finish_reason"), ["stop"], "{model}: {body}");
                    assert!(told.iter().all(|chunk| chunk["id"] == "chatcmpl-7"), "{model}: {body}");
                } else {
                    assert!(
                        matches!(parsed(&body, &model).pop(), Some(Event::MessageStop)),
                        "{model}: {body}"
                    );
                    assert_eq!(&of("/delta/text").concat(), whole, "{model}: {body}");
                    assert_eq!(of("/delta/stop_reason"), ["end_turn"], "{model}: {body}");
                }
            }
        }
    });
    run.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    assert!(!program.said().contains("panicked"), "{}", program.said());
}
