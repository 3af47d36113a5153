//! The small calls that `models test` tries a model with, each through the same path as any caller's.

use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Answer, Call, Gateway, Mode, Reply};
use crate::wire::anthropic::MessagesRequest;
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest answer to each, in tokens. Chosen: room for the thoughts of models that always think.
const MAX_TOKENS: u64 = 1024;
/// The tool that is offered.
const TOOL: &str = "add";
const PROMPT: &str = "Reply with the one word: ready";

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A whole answer.
    Text,
    /// A stream.
    Stream,
    /// A call of a tool.
    Tool,
    /// Thinking asked for.
    ThinkingOn,
    /// Thinking asked not to be.
    ThinkingOff,
    /// A whole answer on the Anthropic face.
    Messages,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it did what was hoped for.
    pub ok: bool,
    /// How it went, for people.
    pub detail: String,
    /// How long the whole of it took.
    pub took: Duration,
    /// After how long the first piece of text or thought came.
    pub first_token: Option<Duration>,
    /// How many tokens a second came from then on.
    pub tokens_per_second: Option<f64>,
}

impl Probe {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 6] =
        [Self::Text, Self::Stream, Self::Tool, Self::ThinkingOn, Self::ThinkingOff, Self::Messages];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Stream => "stream",
            Self::Tool => "tool call",
            Self::ThinkingOn => "thinking on",
            Self::ThinkingOff => "thinking off",
            Self::Messages => "anthropic",
        }
    }

    /// Whether a model that fails here is of no use.
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Text | Self::Stream)
    }

    /// Tries it.
    ///
    /// # Errors
    /// What the call failed with.
    pub async fn run(self, gateway: &Arc<Gateway>, model: &str) -> Result<Outcome> {
        let start = Instant::now();
        let call = Call { continuation: Some(Mode::Off), ..Call::start() };
        if self == Self::Stream {
            return stream(gateway.chat(chat(self.request(model))?, &call).await?, start).await;
        }
        let reply = match self {
            Self::Messages => gateway.messages(MessagesRequest::parse(&self.request(model))?, &call).await?,
            _ => gateway.chat(chat(self.request(model))?, &call).await?,
        };
        let thinking = reply.thinking.clone();
        let answer = whole(reply)?;
        let (ok, detail) = self.judge(&answer, thinking);
        Ok(Outcome { ok, detail, took: start.elapsed(), first_token: None, tokens_per_second: None })
    }

    fn request(self, model: &str) -> Bytes {
        let prompt = if self == Self::Tool { "Add 2 and 3 with the tool `add`." } else { PROMPT };
        let own = match self {
            Self::Text | Self::Messages => json!({}),
            Self::Stream => json!({ "stream": true, "stream_options": { "include_usage": true } }),
            Self::Tool => json!({ "tools": [{ "type": "function", "function": {
                "name": TOOL,
                "description": "Adds two numbers.",
                "parameters": {
                    "type": "object",
                    "properties": { "a": { "type": "number" }, "b": { "type": "number" } },
                    "required": ["a", "b"],
                },
            }}]}),
            Self::ThinkingOn => json!({ "thinking": { "type": "enabled" } }),
            Self::ThinkingOff => json!({ "reasoning_effort": "none" }),
        };
        let mut request = json!({
            "model": model,
            "messages": [{ "role": "user", "content": prompt }],
            "max_tokens": MAX_TOKENS,
        });
        if let (Value::Object(request), Value::Object(own)) = (&mut request, own) {
            request.extend(own);
        }
        request.to_string().into()
    }

    /// Whether a whole answer is what was hoped for, and what it is.
    fn judge(self, answer: &Value, thinking: Option<String>) -> (bool, String) {
        let text = match self {
            Self::Messages => text_of_blocks(answer),
            _ => text_at(answer, "/choices/0/message/content").trim().to_owned(),
        };
        let thoughts = text_at(answer, "/choices/0/message/reasoning_content").chars().count();
        let sent = thinking.map(|thinking| format!(" (sent: {thinking})")).unwrap_or_default();
        match self {
            Self::Tool => match answer.pointer("/choices/0/message/tool_calls/0/function") {
                Some(function) => {
                    let (name, arguments) = (text_at(function, "/name"), text_at(function, "/arguments"));
                    let parsed =
                        serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object());
                    (name == TOOL && parsed, format!("{name}({})", excerpt(arguments)))
                }
                None => (false, format!("no call, but {}", quoted(&text))),
            },
            Self::ThinkingOn if thoughts > 0 => (true, format!("{thoughts} characters of thoughts{sent}")),
            Self::ThinkingOn => (false, format!("no thoughts came{sent}")),
            Self::ThinkingOff if thoughts > 0 => {
                (false, format!("{thoughts} characters of thoughts all the same{sent}"))
            }
            Self::ThinkingOff => (true, format!("no thoughts{sent}")),
            Self::Text | Self::Messages | Self::Stream => (!text.is_empty(), quoted(&text)),
        }
    }
}

fn chat(body: Bytes) -> Result<ChatRequest> {
    ChatRequest::parse(&body)
}

fn whole(reply: Reply) -> Result<Value> {
    let Answer::Whole(body) = reply.answer else {
        return Err(Error::new(ErrorKind::Internal, "a whole answer was asked for, and a stream came"));
    };
    serde_json::from_slice(&body)
        .map_err(|error| Error::new(ErrorKind::BadAnswer, "the answer is no JSON").with_source(error))
}

async fn stream(reply: Reply, start: Instant) -> Result<Outcome> {
    let Answer::Stream(mut frames) = reply.answer else {
        return Err(Error::new(ErrorKind::Internal, "a stream was asked for, and a whole answer came"));
    };
    let (mut first, mut text, mut pieces, mut tokens) = (None, String::new(), 0_u64, None);
    while let Some(frame) = frames.next().await {
        let Ok(chunk) = serde_json::from_slice::<Value>(&frame.data) else { continue };
        if chunk.get("error").is_some() {
            let message = format!("the stream broke: {}", text_at(&chunk, "/error/message"));
            return Err(Error::new(ErrorKind::BadAnswer, message));
        }
        let said = text_at(&chunk, "/choices/0/delta/content");
        let thought = text_at(&chunk, "/choices/0/delta/reasoning_content");
        if !said.is_empty() || !thought.is_empty() {
            first.get_or_insert_with(|| start.elapsed());
            pieces += 1;
        }
        text.push_str(said);
        tokens = chunk.pointer("/usage/completion_tokens").and_then(Value::as_u64).or(tokens);
    }
    let took = start.elapsed();
    let count = tokens.unwrap_or(pieces);
    let since = first.map(|first| took.saturating_sub(first).as_secs_f64());
    let rate = since.filter(|seconds| *seconds > 0.0 && count > 1).map(|seconds| count as f64 / seconds);
    let ok = !text.trim().is_empty();
    let detail = match first {
        Some(first) => {
            let rate = rate.map(|rate| format!(", {rate:.0} tokens/s")).unwrap_or_default();
            let lack = if ok { "" } else { ", but no text" };
            format!("first token after {} ms{rate}{lack}", first.as_millis())
        }
        None => "an answer without text".to_owned(),
    };
    Ok(Outcome { ok, detail, took, first_token: first, tokens_per_second: rate })
}

/// The text at a place (RFC 6901); none where there is none.
fn text_at<'a>(value: &'a Value, place: &str) -> &'a str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

fn text_of_blocks(message: &Value) -> String {
    let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts: String = blocks.iter().map(|block| text_at(block, "/text")).collect();
    texts.trim().to_owned()
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "an answer without text".to_owned() } else { format!("“{}”", excerpt(text)) }
}
