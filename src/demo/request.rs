//! What a chat request says, as far as the demo models care. What follows from it is `plan`'s.

use super::plan::Refusal;
use crate::dialect::GO_ON;
use serde_json::Value;

/// A chat request that has messages and asks for one choice.
#[derive(Debug)]
pub(super) struct Request {
    body: Value,
}

/// A tool that the request defines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tool<'a> {
    pub name: &'a str,
    pub parameters: &'a Value,
}

/// What the request's `tool_choice` wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ToolChoice<'a> {
    Free,
    Never,
    Forced(&'a str),
}

impl Request {
    /// Reads a request body.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(text)
            .map_err(|error| Refusal::new(400, format!("the body is not JSON: {error}")))?;
        let request = Self { body };
        if request.messages().is_empty() {
            return Err(Refusal::new(400, "messages must be a list of at least one").about("messages"));
        }
        match request.body.get("n") {
            None | Some(Value::Null) => Ok(request),
            Some(number) if number.as_u64() == Some(1) => Ok(request),
            Some(_) => Err(Refusal::new(400, "the demo upstream gives one choice: n must be 1").about("n")),
        }
    }

    /// The model's name as it was asked for.
    pub fn model(&self) -> &str {
        self.text("model").unwrap_or("demo-echo")
    }

    pub fn messages(&self) -> &[Value] {
        list(self.body.get("messages"))
    }

    /// Whether the answer is wanted as a stream.
    pub fn stream(&self) -> bool {
        self.body.get("stream") == Some(&Value::Bool(true))
    }

    /// Whether a stream is to end with its usage.
    pub fn include_usage(&self) -> bool {
        self.body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true))
    }

    /// The caller's limit in tokens, of which a word is one.
    pub fn limit(&self) -> Option<usize> {
        let limit = ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|name| self.body.get(*name).and_then(Value::as_u64))?;
        Some(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// The texts that end the answer.
    pub fn stops(&self) -> Vec<&str> {
        let stops = match self.body.get("stop") {
            Some(stop @ Value::String(_)) => std::slice::from_ref(stop),
            stops => list(stops),
        };
        stops.iter().filter_map(Value::as_str).filter(|stop| !stop.is_empty()).collect()
    }

    /// Whether one of the usual ways to ask for no thinking was used.
    pub fn thinking_off(&self) -> bool {
        let is_false = |path| self.body.pointer(path) == Some(&Value::Bool(false));
        self.text("reasoning_effort") == Some("none")
            || self.body.pointer("/thinking/type").and_then(Value::as_str) == Some("disabled")
            || is_false("/chat_template_kwargs/enable_thinking")
            || is_false("/enable_thinking")
    }

    /// The text of the last user message; empty where there is none. Being asked to go on is no message of
    /// the user's.
    pub fn user_text(&self) -> String {
        let texts = self.messages().iter().rev().filter(|message| role(message) == "user").map(text_of);
        texts.into_iter().find(|text| text != GO_ON).unwrap_or_default()
    }

    /// What the tools returned, where the messages end with tool results.
    pub fn tool_results(&self) -> Option<String> {
        let count = self.messages().iter().rev().take_while(|message| role(message) == "tool").count();
        let first = self.messages().len() - count;
        let results: Vec<String> = self.messages().iter().skip(first).map(text_of).collect();
        (count > 0).then(|| results.join("\n"))
    }

    /// The tools that the request defines.
    pub fn tools(&self) -> Vec<Tool<'_>> {
        list(self.body.get("tools")).iter().filter_map(tool).collect()
    }

    /// Which tool is to be called, if the request says so.
    pub fn tool_choice(&self) -> ToolChoice<'_> {
        if self.text("tool_choice") == Some("none") {
            return ToolChoice::Never;
        }
        let forced = self.body.pointer("/tool_choice/function/name").and_then(Value::as_str);
        forced.map_or(ToolChoice::Free, ToolChoice::Forced)
    }

    /// Whether more than one call at a time is allowed.
    pub fn parallel_calls(&self) -> bool {
        self.body.get("parallel_tool_calls") != Some(&Value::Bool(false))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }
}

fn tool(tool: &Value) -> Option<Tool<'_>> {
    let function = tool.get("function")?;
    let name = function.get("name")?.as_str()?;
    Some(Tool { name, parameters: function.get("parameters").unwrap_or(&Value::Null) })
}

/// The role of a message; empty where it has none.
pub(super) fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

/// The text of a message, its parts one per line.
pub(super) fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        parts => {
            let texts = list(parts).iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
pub(super) fn request(body: &Value) -> Request {
    Request::parse(body.to_string().as_bytes()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_that_cannot_be_answered_names_the_member() {
        let user = json!([{"role": "user", "content": "hi"}]);
        for (body, param) in [
            (json!({}), Some("messages")),
            (json!({"messages": []}), Some("messages")),
            (json!({"messages": "hi"}), Some("messages")),
            (json!({"messages": user, "n": 2}), Some("n")),
            (json!({"messages": user, "n": 0}), Some("n")),
        ] {
            let refusal = Request::parse(body.to_string().as_bytes()).unwrap_err();
            assert_eq!((refusal.status, refusal.param), (400, param), "{body}");
        }
        assert_eq!(Request::parse(b"{").unwrap_err().status, 400);
    }

    #[test]
    fn every_wish_not_to_think_is_understood() {
        for (wish, off) in [
            (json!({"reasoning_effort": "none"}), true),
            (json!({"reasoning_effort": "high"}), false),
            (json!({"thinking": {"type": "disabled"}}), true),
            (json!({"thinking": {"type": "enabled"}}), false),
            (json!({"chat_template_kwargs": {"enable_thinking": false}}), true),
            (json!({"enable_thinking": false}), true),
            (json!({"enable_thinking": true}), false),
        ] {
            let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
            body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
            assert_eq!(request(&body).thinking_off(), off, "{wish}");
        }
    }

    #[test]
    fn the_last_user_text_is_found_behind_tool_results() {
        let request = request(&json!({"messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null},
            {"role": "tool", "content": "1"},
            {"role": "tool", "content": [{"type": "text", "text": "2"}]},
        ]}));
        assert_eq!(request.user_text(), "a\nb");
        assert_eq!(request.tool_results().as_deref(), Some("1\n2"));
    }
}
