//! The OpenAI face's answer: forwarded as it came, and changed only where a rule must (D01–D12).

use crate::error::Error;
use crate::policy::calls::CallFilter;
use crate::policy::failure::{self as said, may_be_silent};
use crate::step::{Ending, Step};
use crate::translate::failure::openai_envelope;
use crate::translate::stop;
use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::{Chunk, Content, Reading, ToolCallDelta, Usage};
use crate::wire::sse::Frame;
use bytes::Bytes;

/// What an answer has to know of its request.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The upstream's name.
    pub upstream: String,
    /// The model's name as the caller said it, where the upstream was asked for another (D12).
    pub renamed: Option<String>,
    /// Whether the caller wants the usage of a stream.
    pub wants_usage: bool,
    /// What makes minted call ids this answer's own.
    pub seed: String,
}

/// Looks into every frame, and forwards it.
pub struct Relay {
    asked: Asked,
    calls: CallFilter,
    /// The last usage that was taken out of a chunk, with that chunk's other members.
    usage_chunk: Option<Members>,
    usage: Option<Usage>,
    state: State,
    spoke: bool,
    /// Whether the end that was given is one that needs no words.
    may_be_silent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No finish reason was seen.
    Open,
    /// A finish reason was seen.
    Finished,
    /// The last frame was sent.
    Over,
}

impl Relay {
    /// A relay for one stream.
    pub fn new(asked: Asked) -> Self {
        let calls = CallFilter::new(asked.seed.clone());
        Self {
            asked,
            calls,
            usage_chunk: None,
            usage: None,
            state: State::Open,
            spoke: false,
            may_be_silent: false,
        }
    }

    /// The counts that the upstream told last.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn chunk(&mut self, mut chunk: Chunk, frame: Frame, out: &mut Vec<Frame>) -> Result<(), Error> {
        self.usage = chunk.told_usage().or(self.usage);
        let only_usage = chunk.usage.is_some() && chunk.choices.as_ref().is_none_or(Vec::is_empty);
        if only_usage {
            self.usage_chunk = None;
            if self.asked.wants_usage {
                let edits = Edits { model: self.asked.renamed.as_deref(), ..Edits::default() };
                out.push(edits.apply(frame));
            }
            return Ok(());
        }
        let has_calls = chunk.choices.iter().flatten().any(|choice| !choice.delta.tool_calls.is_empty());
        let changed_calls = if has_calls { self.changed_calls(&mut chunk) } else { None };
        for choice in chunk.choices.iter().flatten() {
            if let Some(reason) = choice.finish_reason.as_deref().filter(|reason| !reason.is_empty()) {
                if stop::is_failure(reason) {
                    return Err(stop::failure(reason));
                }
                self.state = State::Finished;
                self.may_be_silent |= may_be_silent(reason);
            }
            self.spoke |= choice.speaks();
        }
        let edits = Edits {
            model: self.asked.renamed.as_deref(),
            calls: changed_calls,
            reasons: chunk.choices.iter().flatten().any(|choice| is_foreign(choice.finish_reason.as_deref())),
            without_usage: chunk.usage.is_some(),
            as_chunk: memchr::memmem::find(&frame.data, b"\"message\":").is_some(),
        };
        if edits.without_usage {
            self.usage_chunk = Members::parse(&frame.data).ok();
        }
        out.push(edits.apply(frame));
        Ok(())
    }

    /// The tool calls of each choice in the API's own form, where they were not in it.
    fn changed_calls(&mut self, chunk: &mut Chunk) -> Option<Vec<Vec<ToolCallDelta>>> {
        let before = calls_of(chunk);
        self.calls.normalise(chunk);
        let after = calls_of(chunk);
        (before != after).then_some(after)
    }

    /// Says what still has to be said, and `[DONE]`.
    fn complete(&mut self, done: Option<Frame>, out: &mut Vec<Frame>) -> Result<(), Error> {
        if let Some(error) = self.calls.nameless() {
            return Err(error);
        }
        let counted = self.usage.is_some_and(|usage| usage.completion_tokens > 0);
        if !self.spoke && !counted && !self.may_be_silent {
            return Err(said::empty(&self.asked.upstream));
        }
        if let (Some(mut chunk), true) = (self.usage_chunk.take(), self.asked.wants_usage) {
            chunk.set("choices", Raw::from_static("[]"));
            out.push(Frame::data(chunk.to_raw().bytes()));
        }
        out.push(done.unwrap_or_else(|| Frame::data(Bytes::from_static(b"[DONE]"))));
        self.state = State::Over;
        Ok(())
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<Frame>) {
        if self.state != State::Over {
            out.push(Frame::json(None, &openai_envelope(error)));
            self.state = State::Over;
        }
    }
}

impl Step for Relay {
    type In = (Frame, Reading);
    type Out = Frame;

    fn push(&mut self, (frame, reading): Self::In, out: &mut Vec<Frame>) -> Result<(), Error> {
        match reading {
            _ if self.state == State::Over => Ok(()),
            Reading::Done => self.complete(Some(frame), out),
            Reading::Chunk(chunk) => self.chunk(chunk, frame, out),
        }
    }

    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Frame>) -> Option<Error> {
        let failed = match ending {
            // All was said that a caller waits for (D06).
            Ending::Failed(error) if self.state == State::Finished && error.is_break() => {
                self.complete(None, out)
            }
            Ending::Failed(error) => {
                self.fail(error, out);
                return None;
            }
            Ending::Complete if self.state == State::Finished => self.complete(None, out),
            Ending::Complete => Err(said::broken_off()),
        };
        let error = failed.err()?;
        self.fail(&error, out);
        Some(error)
    }

    fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

fn calls_of(chunk: &Chunk) -> Vec<Vec<ToolCallDelta>> {
    chunk.choices.iter().flatten().map(|choice| choice.delta.tool_calls.clone()).collect()
}

/// Whether a finish reason is one that strict clients refuse (D07).
fn is_foreign(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| {
        !matches!(reason, "" | "stop" | "length" | "tool_calls" | "content_filter" | "function_call")
    })
}

/// The changes that one chunk or completion needs.
#[derive(Default)]
struct Edits<'a> {
    model: Option<&'a str>,
    /// The tool calls of each choice, in the API's own form (D06).
    calls: Option<Vec<Vec<ToolCallDelta>>>,
    reasons: bool,
    without_usage: bool,
    /// Make a whole completion a chunk.
    as_chunk: bool,
}

impl Edits<'_> {
    fn apply(self, frame: Frame) -> Frame {
        let unchanged = self.model.is_none()
            && self.calls.is_none()
            && !self.reasons
            && !self.without_usage
            && !self.as_chunk;
        if unchanged {
            return frame;
        }
        match Members::parse(&frame.data) {
            Ok(mut members) => {
                self.edit(&mut members);
                Frame::data(members.to_raw().bytes())
            }
            Err(_) => frame,
        }
    }

    fn edit(&self, members: &mut Members) {
        if let Some(model) = self.model.filter(|_| members.get("model").is_some()) {
            members.set("model", Raw::of(model));
        }
        if self.without_usage {
            members.remove("usage");
        }
        if self.as_chunk && members.is("object", "chat.completion") {
            members.set("object", Raw::from_static("\"chat.completion.chunk\""));
        }
        if self.calls.is_none() && !self.reasons && !self.as_chunk {
            return;
        }
        let Some(mut choices) = members.get("choices").and_then(Raw::objects) else { return };
        for (at, choice) in choices.iter_mut().enumerate() {
            if self.as_chunk {
                choice.rename("message", "delta");
            }
            if self.reasons {
                map_reason(choice);
            }
            if let Some(calls) = self.calls.as_ref().and_then(|calls| calls.get(at)) {
                for holder in ["delta", "message"] {
                    set_calls(choice, holder, calls);
                }
            }
        }
        members.set("choices", json::array(&choices));
    }
}

/// Puts a finish reason into the API's words, and keeps the provider's beside it.
fn map_reason(choice: &mut Members) {
    let Some(native) = choice.text("finish_reason").map(std::borrow::Cow::into_owned) else { return };
    if !is_foreign(Some(&native)) {
        return;
    }
    let mapped = match native.as_str() {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "sensitive" => "content_filter",
        _ => "stop",
    };
    choice.set("finish_reason", Raw::of(mapped));
    choice.set("native_finish_reason", Raw::of(native.as_str()));
}

fn set_calls(choice: &mut Members, holder: &'static str, calls: &[ToolCallDelta]) {
    let Some(mut delta) = choice.get(holder).and_then(Raw::members) else { return };
    if delta.some("tool_calls").is_none() {
        return;
    }
    if calls.is_empty() {
        delta.remove("tool_calls");
    } else {
        let calls: Vec<Members> = calls.iter().map(|call| call_members(call, holder == "delta")).collect();
        delta.set("tool_calls", json::array(&calls));
    }
    choice.set(holder, delta.to_raw());
}

fn call_members(call: &ToolCallDelta, numbered: bool) -> Members {
    let mut members = Members::new();
    if let Some(index) = call.index.filter(|_| numbered) {
        members.set("index", Raw::of(&index));
    }
    if let Some(id) = &call.id {
        members.set("id", Raw::of(id));
        members.set("type", Raw::from_static("\"function\""));
    }
    let mut function = Members::new();
    if let Some(name) = &call.function.name {
        function.set("name", Raw::of(name));
    }
    if let Some(Content::Text(arguments)) = &call.function.arguments {
        function.set("arguments", Raw::of(arguments));
    }
    members.with("function", function.to_raw())
}

/// A whole completion that was looked through.
pub struct Whole {
    /// Its body, changed where a rule must.
    pub body: Bytes,
    /// The counts that the upstream told, if it told any.
    pub usage: Option<Usage>,
    /// What it says, for counts of our own.
    pub chunk: Chunk,
}

/// Looks through a whole completion, and changes what a rule must.
///
/// # Errors
/// The error that the body says, or `BadAnswer` where it holds no answer.
pub fn whole(asked: &Asked, body: Bytes) -> Result<Whole, Error> {
    let mut chunk = said::read_whole(&asked.upstream, &body)?;
    let choices = chunk.choices.as_deref().unwrap_or_default();
    let counted = chunk.usage.filter(Usage::is_counted);
    if let Some(reason) =
        choices.iter().filter_map(|choice| choice.finish_reason.as_deref()).find(|r| stop::is_failure(r))
    {
        return Err(stop::failure(reason));
    }
    let reasons = choices.iter().any(|choice| is_foreign(choice.finish_reason.as_deref()));
    let broken = choices.iter().flat_map(|choice| &choice.delta.tool_calls).any(is_broken);
    let mut calls = CallFilter::new(asked.seed.clone());
    calls.normalise(&mut chunk);
    if let Some(error) = calls.nameless() {
        return Err(error);
    }
    let edits = Edits {
        model: asked.renamed.as_deref(),
        calls: broken.then(|| calls_of(&chunk)),
        reasons,
        ..Edits::default()
    };
    let body = edits.apply(Frame::data(body)).data;
    Ok(Whole { body, usage: counted, chunk })
}

/// Puts counts of our own into a completion that came without, and says that they are (D09).
pub fn with_estimate(body: Bytes, usage: Usage) -> Bytes {
    match Members::parse(&body) {
        Ok(members) => members.with("usage", estimated_usage(usage)).to_raw().bytes(),
        Err(_) => body,
    }
}

/// Whether a whole call lacks what clients insist on.
fn is_broken(call: &ToolCallDelta) -> bool {
    let id = call.id.as_deref().unwrap_or_default();
    id.is_empty() || !matches!(call.function.arguments, Some(Content::Text(_)))
}

fn estimated_usage(usage: Usage) -> Raw {
    Raw::of(&serde_json::json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "estimated": true,
    }))
}
