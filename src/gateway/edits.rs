//! The changes that one chunk or completion needs, and how they are made: the text of a member is replaced, and
//! all else stays as it was written.

use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::{Chunk, Content, ToolCallDelta};
use crate::wire::sse::Frame;

/// The changes that one chunk or completion needs.
#[derive(Default)]
pub(super) struct Edits<'a> {
    /// The model's name as the caller said it.
    pub model: Option<&'a str>,
    /// What changes in each choice; none where nothing does.
    pub choices: Vec<ChoiceEdits>,
    /// Whether finish reasons are put into the API's words.
    pub reasons: bool,
    /// Whether the usage is taken out.
    pub without_usage: bool,
    /// Make a whole completion a chunk.
    pub as_chunk: bool,
    /// How many calls were repaired, which the usage tells.
    pub repaired: u32,
}

/// What changes in one choice.
#[derive(Default, PartialEq, Eq)]
pub(super) struct ChoiceEdits {
    /// Its text.
    pub content: Option<Option<String>>,
    /// Its thoughts, where they stood elsewhere.
    pub reasoning: Option<String>,
    /// Its tool calls, in the API's own form (D06).
    pub calls: Option<Vec<ToolCallDelta>>,
    /// Why it ended.
    pub finish: Option<String>,
}

impl ChoiceEdits {
    /// What tells each choice of a chunk from what it was before.
    pub fn between(before: &Chunk, after: &Chunk) -> Vec<Self> {
        let before = before.choices.iter().flatten();
        let edits: Vec<Self> = before
            .zip(after.choices.iter().flatten())
            .map(|(before, after)| {
                let (old, new) = (&before.delta, &after.delta);
                // Content in parts stays in parts.
                let is_parts = |content: &Option<Content>| matches!(content, Some(Content::Other(_)));
                let changed = !is_parts(&old.content) && text(&old.content) != text(&new.content);
                let reasoning = text(&new.reasoning_content).filter(|thoughts| {
                    !thoughts.is_empty()
                        && !is_parts(&old.reasoning_content)
                        && text(&old.reasoning_content) != Some(*thoughts)
                });
                Self {
                    content: changed.then(|| text(&new.content).map(str::to_owned)),
                    reasoning: reasoning.map(str::to_owned),
                    calls: (old.tool_calls != new.tool_calls).then(|| new.tool_calls.clone()),
                    finish: after
                        .finish_reason
                        .clone()
                        .filter(|_| before.finish_reason != after.finish_reason),
                }
            })
            .collect();
        if edits.iter().all(Self::is_nothing) { Vec::new() } else { edits }
    }

    /// Whether nothing changes.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn apply(&self, choice: &mut Members) {
        if let Some(finish) = &self.finish {
            choice.set("finish_reason", Raw::of(finish));
        }
        for holder in ["delta", "message"] {
            let Some(mut said) = choice.get(holder).and_then(Raw::members) else { continue };
            if let Some(content) = &self.content {
                said.set("content", content.as_ref().map_or(Raw::NULL, Raw::of));
            }
            if let Some(thoughts) = &self.reasoning {
                said.set("reasoning_content", Raw::of(thoughts));
            }
            if let Some(calls) = &self.calls {
                set_calls(&mut said, calls, holder == "delta");
            }
            choice.set(holder, said.to_raw());
        }
    }
}

fn text(content: &Option<Content>) -> Option<&str> {
    content.as_ref().and_then(Content::as_text)
}

impl Edits<'_> {
    /// The frame with all changes; the same one where there are none.
    pub fn apply(self, frame: Frame) -> Frame {
        let unchanged = self.model.is_none()
            && self.choices.iter().all(ChoiceEdits::is_nothing)
            && !self.reasons
            && !self.without_usage
            && !self.as_chunk
            && self.repaired == 0;
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
        if self.repaired > 0 {
            mark(members, self.repaired);
        }
        if self.as_chunk && members.is("object", "chat.completion") {
            members.set("object", Raw::from_static("\"chat.completion.chunk\""));
        }
        if self.choices.is_empty() && !self.reasons && !self.as_chunk {
            return;
        }
        let Some(mut choices) = members.get("choices").and_then(Raw::objects) else { return };
        for (at, choice) in choices.iter_mut().enumerate() {
            if self.as_chunk {
                choice.rename("message", "delta");
            }
            if let Some(edits) = self.choices.get(at) {
                edits.apply(choice);
            }
            if self.reasons {
                map_reason(choice);
            }
        }
        members.set("choices", json::array(&choices));
    }
}

/// Tells in the usage, where there is one, that calls were repaired.
pub(super) fn mark(members: &mut Members, repaired: u32) {
    let Some(mut usage) = members.some("usage").and_then(Raw::members) else { return };
    let told = usage.some("iflow2api").and_then(Raw::members).unwrap_or_default();
    usage.set("iflow2api", told.with("repaired_calls", Raw::of(&repaired)).to_raw());
    members.set("usage", usage.to_raw());
}

/// Whether a finish reason is one that strict clients refuse (D07).
pub(super) fn is_foreign(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| {
        !matches!(reason, "" | "stop" | "length" | "tool_calls" | "content_filter" | "function_call")
    })
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

fn set_calls(said: &mut Members, calls: &[ToolCallDelta], numbered: bool) {
    if calls.is_empty() {
        said.remove("tool_calls");
    } else {
        let calls: Vec<Members> = calls.iter().map(|call| call_members(call, numbered)).collect();
        said.set("tool_calls", json::array(&calls));
    }
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
