//! What the fakes of providers say: to each question they think, call every tool they are given, one
//! after the other, and then answer. What was said is remembered, so that it can be told whether it
//! comes back unharmed.

use super::fake::{messages, tools};
use super::upstream::Exchange;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// All that a fake has said.
#[derive(Clone, Default)]
pub struct Story(Arc<Mutex<Vec<Line>>>);

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Empty where it does not think.
    pub thought: String,
    pub text: String,
    pub call: Option<Call>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// JSON.
    pub arguments: String,
}

/// Where a provider writes its thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `reasoning_content`.
    Content,
    /// `reasoning_details`, as MiniMax has them.
    Details,
    /// Between `<think>` and `</think>`, before the text.
    Inline,
}

impl Story {
    /// Says the next answer to a request. `id` makes the id of a call from the tool's name, the number
    /// of calls since the question, and the number of the answer.
    pub fn next(&self, body: &Value, thinks: bool, id: impl Fn(&str, usize, usize) -> String) -> Line {
        let mut said = self.0.lock().unwrap();
        let number = said.len() + 1;
        let since_question = messages(body).iter().rev().take_while(|message| message["role"] != "user");
        let results = since_question.filter(|message| message["role"] == "tool").count();
        let call = tools(body).get(results).map(|name| Call {
            id: id(name, results, number),
            name: (*name).to_owned(),
            arguments: format!("{{\"city\":\"巴黎\",\"number\":{number}}}"),
        });
        let text = match (&call, results) {
            (Some(_), 0) => format!("I look, {number}."),
            (Some(_), _) => String::new(),
            (None, _) => format!("It is sunny, {number}."),
        };
        let thought = if thinks {
            format!("\nThought {number}: 心里想。\n\n  So I go on. ")
        } else {
            String::new()
        };
        let line = Line { thought, text, call };
        said.push(line.clone());
        line
    }

    /// What an assistant's message was when it was said.
    pub fn recall(&self, message: &Value) -> Option<Line> {
        let call = &message["tool_calls"][0];
        let arguments = |text: &str| serde_json::from_str::<Value>(text).ok();
        let is_it = |line: &&Line| match &line.call {
            Some(said) => {
                let returned = call["function"]["arguments"].as_str().and_then(arguments);
                returned.is_some() && returned == arguments(&said.arguments)
            }
            None => {
                let text = message["content"].as_str().unwrap_or_default();
                call.is_null() && text.ends_with(&line.text)
            }
        };
        self.0.lock().unwrap().iter().find(is_it).cloned()
    }

    /// All answers so far.
    pub fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// The answer, streamed or whole as the request asks, in the usual form.
    pub fn tell(line: &Line, place: Place, body: &Value) -> Exchange {
        if body["stream"] == true {
            let events: String =
                line.chunks(place, body).iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
            return Exchange::stream(events + "data: [DONE]\n\n");
        }
        Exchange::answer(200, line.completion(place, body).to_string())
    }
}

impl Line {
    /// Why it ends.
    pub fn finish(&self) -> &'static str {
        if self.call.is_some() { "tool_calls" } else { "stop" }
    }

    /// The chunks of a stream, the usage only where it was asked for.
    pub fn chunks(&self, place: Place, body: &Value) -> Vec<Value> {
        let chunk = |choices: Value| {
            json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                "choices": choices})
        };
        let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
        let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}))];
        chunks.extend(self.deltas(place).into_iter().map(delta));
        chunks.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": self.finish()}])));
        if body["stream_options"]["include_usage"] == true {
            let mut last = chunk(json!([]));
            last["usage"] = usage();
            chunks.push(last);
        }
        chunks
    }

    fn deltas(&self, place: Place) -> Vec<Value> {
        let thoughts = pieces(&self.thought);
        let mut deltas: Vec<Value> = match place {
            Place::Content => thoughts.iter().map(|piece| json!({ "reasoning_content": piece })).collect(),
            Place::Details => {
                thoughts.iter().map(|piece| json!({"reasoning_details": details(piece)})).collect()
            }
            Place::Inline => pieces(&self.inline()).iter().map(|piece| json!({ "content": piece })).collect(),
        };
        deltas.extend(pieces(&self.text).iter().map(|piece| json!({ "content": piece })));
        if let Some(call) = &self.call {
            let head = json!({"index": 0, "id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": ""}});
            deltas.push(json!({"tool_calls": [head]}));
            let rest =
                |piece: &String| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
            deltas.extend(pieces(&call.arguments).iter().map(rest));
        }
        deltas
    }

    /// A whole answer.
    pub fn completion(&self, place: Place, body: &Value) -> Value {
        let mut message = json!({"role": "assistant", "content": self.text});
        match place {
            _ if self.thought.is_empty() => {}
            Place::Content => message["reasoning_content"] = json!(self.thought),
            Place::Details => message["reasoning_details"] = details(&self.thought),
            Place::Inline => message["content"] = json!(self.inline() + &self.text),
        }
        if let Some(call) = &self.call {
            message["tool_calls"] = json!([{"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.arguments}}]);
        }
        json!({"id": "c1", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish()}], "usage": usage()})
    }

    fn inline(&self) -> String {
        if self.thought.is_empty() { String::new() } else { format!("<think>{}</think>\n\n", self.thought) }
    }
}

fn usage() -> Value {
    json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
}

/// Thoughts as MiniMax writes them.
fn details(text: &str) -> Value {
    json!([{"type": "reasoning.text", "id": "reasoning-text-1", "format": "MiniMax-response-v1", "index": 0,
        "text": text}])
}

/// A text in pieces of a few characters.
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(9).map(|piece| piece.iter().collect()).collect()
}
