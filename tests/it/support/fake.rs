//! What a fake of a real provider is: it judges each request by the provider's documented rules, and
//! answers by itself. The provider's own rules stand in `fakes`.

use super::program::KEY;
use super::upstream::{Exchange, Request};
use serde_json::{Value, json};

/// A provider that answers by itself.
pub trait Provider: Send + Sync + 'static {
    /// Answers a request.
    ///
    /// # Errors
    /// What it says instead where the request breaks one of its rules.
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal>;
}

/// One request, as a provider sees it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Method and path.
    pub line: &'a str,
    pub request: &'a Request,
    /// How many others were being answered when it came in.
    pub others: usize,
}

/// What a provider says to a request that breaks its rules.
pub struct Refusal {
    pub reason: String,
    pub exchange: Exchange,
    /// Whether the rule is one that a gateway must never break, refused or not.
    pub is_fault: bool,
}

impl Refusal {
    /// A refusal that the provider documents.
    pub fn new(status: u16, body: &Value, reason: impl Into<String>) -> Self {
        let exchange = Exchange::answer(status, body.to_string());
        Self { reason: reason.into(), exchange, is_fault: false }
    }

    /// What the provider would take, to the caller's harm.
    pub fn fault(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let body = json!({"error": {"message": reason}});
        Self { is_fault: true, ..Self::new(599, &body, reason) }
    }

    /// The usual envelope.
    pub fn invalid(message: &str) -> Self {
        let error = json!({"message": message, "type": "invalid_request_error", "param": null,
            "code": "invalid_request_error"});
        Self::new(400, &json!({ "error": error }), message)
    }
}

impl Asked<'_> {
    /// The answer to a request for the list of models, if it is one.
    pub fn models(&self, ids: &[&str]) -> Option<Exchange> {
        let data: Vec<Value> = ids.iter().map(|id| json!({"id": id, "object": "model"})).collect();
        let list = json!({"object": "list", "data": data});
        (self.line == "GET /v1/models").then(|| Exchange::answer(200, list.to_string()))
    }

    /// The body of a chat completion that is asked for with our key.
    ///
    /// # Errors
    /// 404 for any other path, 401 without the key, 400 for what no provider takes.
    pub fn chat(&self) -> Result<Value, Refusal> {
        if self.line != "POST /v1/chat/completions" {
            let message = format!("no such path: {}", self.line);
            return Err(Refusal::new(404, &json!({"error": {"message": message}}), message));
        }
        if self.request.head.get("authorization") != Some(&format!("Bearer {KEY}")) {
            let error = json!({"message": "invalid api key", "code": "invalid_api_key"});
            return Err(Refusal::new(401, &json!({ "error": error }), "invalid api key"));
        }
        let body = self.request.json();
        check_pairs(messages(&body))?;
        Ok(body)
    }
}

/// The messages of a request.
pub fn messages(body: &Value) -> &[Value] {
    body["messages"].as_array().map_or(&[], Vec::as_slice)
}

/// The names of the tools of a request.
pub fn tools(body: &Value) -> Vec<&str> {
    body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .collect()
}

/// The assistant's messages that call tools, and where they stand.
pub fn calling(messages: &[Value]) -> impl Iterator<Item = (usize, &Value)> {
    messages.iter().enumerate().filter(|(_, message)| message["tool_calls"].is_array())
}

/// Whether the model must call a tool.
pub fn is_forced(body: &Value) -> bool {
    body["tool_choice"] == "required" || body["tool_choice"].is_object()
}

/// Each result answers a call of the message before it, by its id, and each call has its result.
fn check_pairs(messages: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&Value> = Vec::new();
    for message in messages {
        if message["role"] == "tool" {
            let id = &message["tool_call_id"];
            let Some(at) = open.iter().position(|open| *open == id) else {
                let message = format!("Invalid request: tool_call_id not found: {id}");
                return Err(Refusal::invalid(&message));
            };
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            break;
        }
        open = message["tool_calls"].as_array().into_iter().flatten().map(|call| &call["id"]).collect();
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(&format!("these calls have no result: {open:?}")))
}
