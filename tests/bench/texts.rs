//! Texts and requests of any size, out of the fixtures that the token counts are checked with.

use crate::load::Face;
use bytes::Bytes;
use serde_json::{Value, json};
use std::fs;

/// One megabyte.
pub const MEGABYTE: usize = 1_000_000;

/// A fixture of `tests/fixtures/tokens`.
pub fn fixture(name: &str) -> String {
    fs::read_to_string(format!("{}/tests/fixtures/tokens/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A fixture, again and again, up to `length` bytes.
pub fn repeated(name: &str, length: usize) -> String {
    let text = fixture(name);
    let mut repeated = String::with_capacity(length + text.len());
    while repeated.len() < length {
        repeated.push_str(&text);
    }
    repeated.truncate(repeated.floor_char_boundary(length));
    repeated
}

/// A request of a few words.
pub fn small(face: Face, model: &str) -> Bytes {
    let messages = json!([{"role": "user", "content": "Say that it is done."}]);
    let mut request = json!({"model": model, "stream": model.starts_with("stream"), "messages": messages});
    if face == Face::Anthropic {
        request["max_tokens"] = json!(1000);
    }
    Bytes::from(request.to_string())
}

/// A request as a coding agent sends it after many turns: a prompt, tools, calls and their results.
pub fn agent(face: Face, model: &str, length: usize) -> Bytes {
    let fixture: Value = serde_json::from_str(&fixture("agent_request.json")).unwrap();
    let prompt = fixture["messages"][0]["content"].clone();
    let tools = fixture["tools"].as_array().unwrap().iter().map(|tool| tool_of(face, &tool["function"]));
    let tools: Vec<Value> = tools.collect();
    let mut request = json!({"model": model, "max_tokens": 32000, "stream": model.starts_with("stream")});
    let mut messages = Vec::new();
    match face {
        Face::OpenAi => messages.push(json!({"role": "system", "content": prompt})),
        Face::Anthropic => {
            request["system"] =
                json!([{"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}]);
        }
    }
    request["tools"] = json!(tools);
    let mut written = request.to_string().len();
    for turn in 0.. {
        let added = turn_of(face, turn);
        let size: usize = added.iter().map(|message| message.to_string().len() + 1).sum();
        if written + size > length && turn > 0 {
            break;
        }
        written += size;
        messages.extend(added);
    }
    messages.push(json!({"role": "user", "content": "Go on."}));
    request["messages"] = json!(messages);
    Bytes::from(request.to_string())
}

fn tool_of(face: Face, function: &Value) -> Value {
    match face {
        Face::OpenAi => json!({"type": "function", "function": function}),
        Face::Anthropic => json!({
            "name": function["name"],
            "description": function["description"],
            "input_schema": function["parameters"],
        }),
    }
}

/// A question, a call, its result (a file of 2 to 8 KB, no two alike), and a sentence.
fn turn_of(face: Face, turn: usize) -> Vec<Value> {
    let id = format!("call_{turn:06}");
    let path = format!("/home/user/project/src/part_{turn}.rs");
    let question = format!("Look at part {turn} too.\nWhat does it do, and is it \"tested\"?");
    let file = format!("// part {turn}\n{}", repeated("code.txt", 2000 + (turn * 1237) % 6000));
    let said = format!("Part {turn}: {}", repeated("english.txt", 200 + (turn * 331) % 900));
    match face {
        Face::OpenAi => vec![
            json!({"role": "user", "content": question}),
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function",
                "function": {"name": "Read", "arguments": json!({"file_path": path}).to_string()}}]}),
            json!({"role": "tool", "tool_call_id": id, "content": file}),
            json!({"role": "assistant", "content": said}),
        ],
        Face::Anthropic => vec![
            json!({"role": "user", "content": [{"type": "text", "text": question}]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Read",
                "input": {"file_path": path}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id,
                "content": [{"type": "text", "text": file}]}]}),
            json!({"role": "assistant", "content": [{"type": "text", "text": said}]}),
        ],
    }
}
