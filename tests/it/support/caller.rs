//! A client that remembers its conversation and sends it back as real ones do: of either API, streamed
//! or whole, with the thoughts it was given or without them.

use super::client::{Answer, connect, events};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// The API it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    OpenAi,
    Anthropic,
}

/// What it does with thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoughts {
    /// Sends them back, as Claude Code does.
    Kept,
    /// Forgets them, as programs on the SDKs of OpenAI do.
    Dropped,
}

/// A client in the middle of a conversation.
pub struct Caller {
    pub address: SocketAddr,
    /// Further headers, each ended by CRLF.
    pub headers: String,
    /// Further members of each request.
    pub members: Value,
    face: Face,
    thoughts: Thoughts,
    streamed: bool,
    history: Vec<Value>,
}

/// One answer, whichever the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    pub thought: String,
    pub text: String,
    /// Name and arguments of each call.
    pub calls: Vec<(String, Value)>,
    /// The finish or stop reason.
    pub reason: String,
}

impl Caller {
    /// A client at the beginning of a conversation about the weather, with two tools.
    pub fn new(address: SocketAddr, model: &str, face: Face, thoughts: Thoughts, streamed: bool) -> Self {
        let tools: Vec<Value> = ["weather", "clothes"].map(|name| tool(face, name)).into();
        let members = json!({"model": model, "max_tokens": 8192, "tools": tools});
        Self { address, headers: String::new(), members, face, thoughts, streamed, history: Vec::new() }
    }

    /// Sets members of each request.
    pub fn with(mut self, members: Value) -> Self {
        let Value::Object(members) = members else { panic!("members: {members}") };
        self.members.as_object_mut().unwrap().extend(members);
        self
    }

    /// Asks a question.
    pub async fn say(&mut self, text: &str) -> Heard {
        self.history.push(json!({"role": "user", "content": text}));
        self.hear().await
    }

    /// Answers every call of the last answer, and asks on.
    pub async fn answer_calls(&mut self, result: &str) -> Heard {
        let last = self.history.last().unwrap().clone();
        match self.face {
            Face::OpenAi => {
                let ids = last["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]);
                let results = ids.map(|id| json!({"role": "tool", "tool_call_id": id, "content": result}));
                self.history.extend(results);
            }
            Face::Anthropic => {
                let blocks = last["content"].as_array().unwrap().iter();
                let ids = blocks.filter(|block| block["type"] == "tool_use").map(|block| &block["id"]);
                let results =
                    ids.map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": result}));
                let results: Vec<Value> = results.collect();
                self.history.push(json!({"role": "user", "content": results}));
            }
        }
        self.hear().await
    }

    /// Sends the conversation, and remembers the answer.
    pub async fn hear(&mut self) -> Heard {
        let mut answer = self.send().await;
        let body = answer.text().await;
        assert_eq!(answer.status, 200, "{body}");
        let message = match (self.face, self.streamed) {
            (Face::OpenAi, true) => message_of_chunks(&body),
            (Face::OpenAi, false) => whole(&body)["choices"][0].clone(),
            (Face::Anthropic, true) => message_of_events(&body),
            (Face::Anthropic, false) => whole(&body),
        };
        let (heard, kept) = match self.face {
            Face::OpenAi => heard_in_choice(&message),
            Face::Anthropic => heard_in_blocks(&message),
        };
        self.history.push(if self.thoughts == Thoughts::Kept { kept } else { without_thoughts(kept) });
        heard
    }

    /// Sends the conversation as it is.
    pub async fn send(&self) -> Answer {
        let path = if self.face == Face::OpenAi { "/v1/chat/completions" } else { "/v1/messages" };
        let body = self.body().to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{}\r\n",
            body.len(),
            self.headers
        );
        Answer::of(connect(self.address, (head + &body).as_bytes()).await).await
    }

    /// The next request.
    pub fn body(&self) -> Value {
        let mut body = self.members.clone();
        body["messages"] = json!(self.history);
        if self.streamed {
            body["stream"] = json!(true);
        }
        body
    }
}

fn tool(face: Face, name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "number": {"type": "integer"}},
        "required": ["city"]});
    match face {
        Face::OpenAi => json!({"type": "function",
            "function": {"name": name, "description": "Tells it.", "parameters": schema}}),
        Face::Anthropic => json!({"name": name, "description": "Tells it.", "input_schema": schema}),
    }
}

fn whole(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// Adds a string to that of a member.
fn append(object: &mut Value, key: &str, text: &Value) {
    if let Some(text) = text.as_str() {
        let before = object[key].as_str().unwrap_or_default();
        object[key] = json!(format!("{before}{text}"));
    }
}

/// The choice that the chunks of a stream make together, as the SDK of OpenAI adds them up.
fn message_of_chunks(body: &str) -> Value {
    // iFlow itself has no such end.
    assert!(body.ends_with("data: [DONE]\n\n") || body.starts_with("data:{"), "{body}");
    let mut choice = json!({"message": {"role": "assistant", "content": null}, "finish_reason": null});
    let normal = body.replace("data:{", "data: {");
    for chunk in events(&normal) {
        assert_eq!(chunk["error"], Value::Null, "{body}");
        let Some(said) = chunk["choices"].get(0) else { continue };
        let delta = &said["delta"];
        let message = &mut choice["message"];
        append(message, "content", &delta["content"]);
        append(message, "reasoning_content", &delta["reasoning_content"]);
        for detail in delta["reasoning_details"].as_array().into_iter().flatten() {
            let mut joined = message["reasoning_details"].get(0).unwrap_or(detail).clone();
            if !message["reasoning_details"].is_null() {
                append(&mut joined, "text", &detail["text"]);
            }
            message["reasoning_details"] = json!([joined]);
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            add_call(message, call);
        }
        if !said["finish_reason"].is_null() {
            choice["finish_reason"] = said["finish_reason"].clone();
        }
    }
    choice
}

fn add_call(message: &mut Value, call: &Value) {
    let calls = message.as_object_mut().unwrap().entry("tool_calls").or_insert(json!([]));
    let calls = calls.as_array_mut().unwrap();
    let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
    if at == calls.len() {
        calls.push(json!({"id": "", "type": "function", "function": {"name": "", "arguments": ""}}));
    }
    append(&mut calls[at], "id", &call["id"]);
    let function = &call["function"];
    append(&mut calls[at]["function"], "name", &function["name"]);
    append(&mut calls[at]["function"], "arguments", &function["arguments"]);
}

/// The message that the events of a stream make together, as the SDK of Anthropic adds them up.
fn message_of_events(body: &str) -> Value {
    let mut message = json!({});
    for event in events(body) {
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let blocks = message["content"].as_array_mut().unwrap();
                assert_eq!(event["index"], blocks.len(), "{body}");
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let at = usize::try_from(event["index"].as_u64().unwrap()).unwrap();
                add_delta(&mut message["content"][at], &event["delta"]);
            }
            "content_block_stop" => {
                let at = usize::try_from(event["index"].as_u64().unwrap()).unwrap();
                let block = &mut message["content"][at];
                if let Some(json) = block.as_object_mut().unwrap().remove("json") {
                    block["input"] = whole(json.as_str().unwrap());
                }
            }
            "message_delta" => message["stop_reason"] = event["delta"]["stop_reason"].clone(),
            "message_stop" | "ping" => {}
            other => panic!("{other}: {body}"),
        }
    }
    message
}

fn add_delta(block: &mut Value, delta: &Value) {
    let (key, text) = match delta["type"].as_str().unwrap() {
        "text_delta" => ("text", &delta["text"]),
        "thinking_delta" => ("thinking", &delta["thinking"]),
        "signature_delta" => ("signature", &delta["signature"]),
        "input_json_delta" => ("json", &delta["partial_json"]),
        other => panic!("{other}"),
    };
    append(block, key, text);
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn heard_in_choice(choice: &Value) -> (Heard, Value) {
    let message = &choice["message"];
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let calls = calls.map(|call| {
        let function = &call["function"];
        (text_of(&function["name"]), whole(function["arguments"].as_str().unwrap()))
    });
    let heard = Heard {
        thought: text_of(&message["reasoning_content"]),
        text: text_of(&message["content"]),
        calls: calls.collect(),
        reason: text_of(&choice["finish_reason"]),
    };
    (heard, message.clone())
}

fn heard_in_blocks(message: &Value) -> (Heard, Value) {
    let mut heard = Heard { reason: text_of(&message["stop_reason"]), ..Heard::default() };
    let order =
        |block: &Value| ["thinking", "text", "tool_use"].iter().position(|kind| block["type"] == *kind);
    assert!(message["content"].as_array().unwrap().is_sorted_by_key(order), "{message}");
    for block in message["content"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "thinking" => {
                assert_ne!(text_of(&block["signature"]), "", "{message}");
                heard.thought += block["thinking"].as_str().unwrap();
            }
            "text" => heard.text += block["text"].as_str().unwrap(),
            "tool_use" => heard.calls.push((text_of(&block["name"]), block["input"].clone())),
            other => panic!("{other}: {message}"),
        }
    }
    (heard, json!({"role": "assistant", "content": message["content"]}))
}

/// A message of either API, all but its thoughts.
fn without_thoughts(mut message: Value) -> Value {
    let members: &mut Map<String, Value> = message.as_object_mut().unwrap();
    members.retain(|name, _| matches!(name.as_str(), "role" | "content" | "tool_calls"));
    if let Some(blocks) = members["content"].as_array_mut() {
        blocks.retain(|block| block["type"] != "thinking");
    }
    message
}
