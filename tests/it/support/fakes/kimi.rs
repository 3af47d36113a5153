//! Moonshot's Kimi K2.6: <https://platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model>. It thinks
//! unless told not to, names its calls `functions.NAME:NUMBER` from zero for each question, and wants
//! these ids and the thoughts beside them back (T4).

use crate::support::fake::{Asked, Provider, Refusal, calling, is_forced, messages};
use crate::support::story::{Place, Story};
use crate::support::upstream::Exchange;
use serde_json::{Value, json};

pub struct Kimi(Story);

impl Kimi {
    pub fn new(story: &Story) -> Self {
        Self(story.clone())
    }
}

/// Its envelope has a message and a type.
fn invalid(message: &str) -> Refusal {
    Refusal::new(400, &json!({"error": {"message": message, "type": "invalid_request_error"}}), message)
}

impl Provider for Kimi {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if let Some(list) = asked.models(&["kimi-k2.6"]) {
            return Ok(list);
        }
        let body = asked.chat()?;
        let thinks = body["thinking"]["type"] != "disabled";
        check_parameters(&body, thinks)?;
        for (at, message) in calling(messages(&body)) {
            self.check_ids(message)?;
            if thinks && !message["reasoning_content"].is_string() {
                let missing = "thinking is enabled but reasoning_content is missing in assistant tool call message at index";
                return Err(invalid(&format!("{missing} {at}")));
            }
        }
        let line = self.0.next(&body, thinks, |name, calls, _| format!("functions.{name}:{calls}"));
        Ok(Story::tell(&line, Place::Content, &body))
    }
}

impl Kimi {
    /// Its template renders the ids, so they must be those that it made.
    fn check_ids(&self, message: &Value) -> Result<(), Refusal> {
        let Some(call) = self.0.recall(message).and_then(|line| line.call) else {
            return Ok(());
        };
        let id = &message["tool_calls"][0]["id"];
        if *id != call.id {
            return Err(invalid(&format!("Invalid request: tool_call_id not found: {id}")));
        }
        Ok(())
    }
}

fn check_parameters(body: &Value, thinks: bool) -> Result<(), Refusal> {
    if body["temperature"].as_f64().is_some_and(|temperature| temperature != 1.0) {
        return Err(invalid("invalid temperature: only 1 is allowed for this model"));
    }
    if !body["max_tokens"].is_null() {
        return Err(invalid("max_tokens is deprecated, use max_completion_tokens"));
    }
    if thinks && is_forced(body) {
        return Err(invalid("tool_choice 'specified' is incompatible with thinking enabled"));
    }
    Ok(())
}
