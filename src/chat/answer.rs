//! What has come of an answer so far: its text, its thoughts, its cost, and whether it is whole.

use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Call;
use crate::wire::anthropic::{Block, BlockDelta, Event, Failure, Message, StopDetails, Usage};
use crate::wire::sse::Frame;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// What is news for a screen.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// More of the answer.
    Text(String),
    /// More of the thoughts.
    Thought(String),
}

/// An answer in the making. What came before an interrupt stays in it.
#[derive(Debug)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The thoughts.
    pub reasoning: String,
    /// Why it ended, where it did.
    pub stop_reason: Option<String>,
    /// The call that it answers.
    pub call: Call,
    /// The model's name at the upstream.
    pub model: String,
    /// The upstream that answers.
    pub upstream: String,
    /// How many messages of the conversation did not fit.
    pub trimmed: Option<usize>,
    usage: Usage,
    refusal: Option<String>,
    first_token: Option<Duration>,
    over: bool,
}

impl Answer {
    /// An answer to a call that is made now.
    pub fn begin() -> Self {
        Self {
            text: String::new(),
            reasoning: String::new(),
            stop_reason: None,
            call: Call { must_be_bounded: false, ..Call::start() },
            model: String::new(),
            upstream: String::new(),
            trimmed: None,
            usage: Usage::default(),
            refusal: None,
            first_token: None,
            over: false,
        }
    }

    /// Takes one frame of a stream.
    ///
    /// # Errors
    /// The error that the frame says.
    pub fn frame(&mut self, frame: &Frame) -> Result<Option<Piece>> {
        if frame.data.is_empty() {
            return Ok(None);
        }
        let event = match serde_json::from_slice(&frame.data) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(event = frame.event.as_deref(), %error, "an event was not understood");
                return Ok(None);
            }
        };
        match event {
            Event::ContentBlockDelta { delta: BlockDelta::TextDelta { text }, .. } => {
                return Ok(self.said(text));
            }
            Event::ContentBlockDelta { delta: BlockDelta::ThinkingDelta { thinking }, .. } => {
                return Ok(self.thought(thinking));
            }
            Event::MessageStart { message } => self.usage = message.usage,
            Event::MessageDelta { delta, usage } => {
                self.ended(Some(delta.stop_reason), delta.stop_details, usage);
            }
            Event::MessageStop => self.over = true,
            Event::Error { error } => return Err(failure(error)),
            Event::Ping
            | Event::ContentBlockStart { .. }
            | Event::ContentBlockStop { .. }
            | Event::ContentBlockDelta { .. } => {}
        }
        Ok(None)
    }

    /// Takes a whole message.
    ///
    /// # Errors
    /// `BadAnswer` where it is none.
    pub fn whole(&mut self, body: &Bytes) -> Result<Vec<Piece>> {
        let message: Message = serde_json::from_slice(body).map_err(|error| {
            Error::new(ErrorKind::BadAnswer, "the answer was not understood").with_source(error)
        })?;
        let mut pieces = Vec::new();
        for block in message.content {
            pieces.extend(match block {
                Block::Text { text } => self.said(text),
                Block::Thinking { thinking, .. } => self.thought(thinking),
                Block::ToolUse { .. } => None,
            });
        }
        // Nobody saw when the first token of a whole answer was made.
        self.first_token = None;
        self.ended(message.stop_reason, message.stop_details, message.usage);
        self.over = true;
        Ok(pieces)
    }

    fn said(&mut self, text: String) -> Option<Piece> {
        self.text.push_str(&text);
        self.spoke(text).map(Piece::Text)
    }

    fn thought(&mut self, thoughts: String) -> Option<Piece> {
        self.reasoning.push_str(&thoughts);
        self.spoke(thoughts).map(Piece::Thought)
    }

    fn spoke(&mut self, text: String) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        self.first_token.get_or_insert_with(|| self.call.meter.elapsed());
        Some(text)
    }

    fn ended(&mut self, reason: Option<String>, details: Option<StopDetails>, usage: Usage) {
        self.stop_reason = reason;
        self.refusal = details.and_then(|details| details.explanation);
        self.usage = usage;
    }

    /// Whether nothing that still comes can matter.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Judges what came.
    ///
    /// # Errors
    /// `BadAnswer` where the answer broke off or is empty, `InvalidRequest` where the model refused.
    pub fn check(&self) -> Result<()> {
        if !self.over {
            return Err(Error::new(ErrorKind::BadAnswer, "the answer broke off"));
        }
        if !self.text.is_empty() {
            return Ok(());
        }
        if self.stop_reason.as_deref() == Some("refusal") {
            let said = self.refusal.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
            return Err(Error::new(ErrorKind::InvalidRequest, format!("the model refused to answer{said}")));
        }
        let error = Error::new(ErrorKind::BadAnswer, "the answer is empty");
        Err(match (self.is_cut(), self.reasoning.is_empty()) {
            (true, _) => error.with_hint("all tokens went into thinking: give more with --max-tokens"),
            (false, false) => {
                error.with_hint("the model only thought: see its thoughts with --thinking show")
            }
            (false, true) => error,
        })
    }

    /// Whether the answer was cut at a limit.
    pub fn is_cut(&self) -> bool {
        matches!(self.stop_reason.as_deref(), Some("max_tokens" | "model_context_window_exceeded"))
    }

    /// What it has cost: tokens in, those of caches among them, and out.
    pub fn tokens(&self) -> (u64, u64) {
        (self.usage.input_tokens + self.usage.cache_read_input_tokens, self.usage.output_tokens)
    }

    /// What it has cost, on one line for people.
    pub fn usage_line(&self) -> String {
        let Usage { input_tokens, output_tokens, cache_read_input_tokens: cached, .. } = self.usage;
        let took = self.call.meter.elapsed();
        let cached = if cached > 0 { format!(" and {cached} cached") } else { String::new() };
        let first = self.first_token.map(|first| format!(", first after {:.1} s", first.as_secs_f64()));
        let rate = self.first_token.and_then(|first| {
            let seconds = took.checked_sub(first)?.as_secs_f64();
            // Of an answer that came in one piece the rate says nothing.
            (seconds > 0.2).then(|| format!(", {:.0} tokens/s", output_tokens as f64 / seconds))
        });
        format!(
            "({} at {}: {input_tokens}{cached} tokens in, {output_tokens} out{}{}, {:.1} s in all)",
            self.model,
            self.upstream,
            first.unwrap_or_default(),
            rate.unwrap_or_default(),
            took.as_secs_f64()
        )
    }

    /// The answer as one object for scripts, and the conversation that it is kept in.
    pub fn to_json(&self, conversation: Option<&str>) -> Value {
        json!({
            "text": self.text,
            "reasoning": self.reasoning,
            "stop_reason": self.stop_reason,
            "usage": self.usage,
            "model": self.model,
            "upstream": self.upstream,
            "conversation": conversation,
            "request_id": self.call.id,
            "first_token_ms": self.first_token.map(milliseconds),
            "ms": milliseconds(self.call.meter.elapsed()),
        })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What an error event means: the API has fewer types than we have kinds, but as many as there are
/// exit statuses.
fn failure(failure: Failure) -> Error {
    let kind = match failure.kind.as_str() {
        "invalid_request_error" => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::LoginRequired,
        "permission_error" => ErrorKind::Forbidden,
        "billing_error" => ErrorKind::QuotaExhausted,
        "rate_limit_error" => ErrorKind::RateLimited,
        "not_found_error" => ErrorKind::NotFound,
        "request_too_large" => ErrorKind::TooLarge,
        "overloaded_error" => ErrorKind::Overloaded,
        "timeout_error" => ErrorKind::TimedOut,
        _ => ErrorKind::BadAnswer,
    };
    Error::new(kind, failure.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(answer: &mut Answer, event: &Value) -> Result<Option<Piece>> {
        answer.frame(&Frame::data(event.to_string()))
    }

    #[test]
    fn an_error_event_keeps_its_exit_status() {
        for (name, kind) in [
            ("invalid_request_error", ErrorKind::InvalidRequest),
            ("authentication_error", ErrorKind::LoginRequired),
            ("permission_error", ErrorKind::Forbidden),
            ("billing_error", ErrorKind::QuotaExhausted),
            ("rate_limit_error", ErrorKind::RateLimited),
            ("not_found_error", ErrorKind::NotFound),
            ("request_too_large", ErrorKind::TooLarge),
            ("overloaded_error", ErrorKind::Overloaded),
            ("timeout_error", ErrorKind::TimedOut),
            ("api_error", ErrorKind::BadAnswer),
            ("new_error", ErrorKind::BadAnswer),
        ] {
            let event = json!({"type": "error", "error": {"type": name, "message": "said"}});
            let error = take(&mut Answer::begin(), &event).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, "said"));
        }
    }

    #[test]
    fn an_answer_without_its_last_event_broke_off() {
        let mut answer = Answer::begin();
        let delta =
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "so"}});
        assert_eq!(take(&mut answer, &delta).unwrap(), Some(Piece::Text("so".to_owned())));
        assert_eq!(take(&mut answer, &json!({"type": "brand_new"})).unwrap(), None);
        assert_eq!(answer.frame(&Frame::comment(": alive\n\n")).unwrap(), None);
        assert_eq!(answer.check().unwrap_err().kind(), ErrorKind::BadAnswer);
        assert_eq!(take(&mut answer, &json!({"type": "message_stop"})).unwrap(), None);
        assert!(answer.is_over() && answer.check().is_ok());
    }

    #[test]
    fn a_refusal_is_told_in_the_models_words() {
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": "refusal", "stop_sequence": null,
            "stop_details": {"type": "refusal", "category": null, "explanation": "I will not."},
            "usage": Usage::default(),
        });
        let mut answer = Answer::begin();
        assert_eq!(answer.whole(&Bytes::from(message.to_string())).unwrap(), []);
        let error = answer.check().unwrap_err();
        assert_eq!(error.message(), "the model refused to answer: I will not.");
    }
}
