//! Whether an answer may go on, as far as its request and the settings say (F01–F03).

use super::Count;
use crate::dialect::Prefix;
use crate::policy::profile::Profile;
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::{ChatRequest, Choice, Content};

/// When an answer that was cut goes on (F02).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Where it was cut below the caller's own bound.
    Auto,
    /// Also where the caller's bound cut it, which is then the size of one page.
    Always,
    /// Never.
    Off,
}

impl Mode {
    /// The mode of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "always" => Some(Self::Always),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// What the settings say.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// When an answer that was cut goes on.
    pub mode: Mode,
    /// How often it goes on at the most.
    pub rounds: u32,
    /// Whether a text whose stream breaks off goes on.
    pub rescue: bool,
    /// Whether an answer that says nothing is asked for once more.
    pub again: bool,
}

/// What is known of a request beside what is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// The caller's own bound of the answer, before it was lowered, in tokens.
    pub cap: Option<u64>,
    /// Whether the caller wrote the start of the answer itself (A38).
    pub prefilled: bool,
    /// The model's window in tokens, where known.
    pub window: Option<u64>,
}

/// What it takes to go on with one answer.
pub struct Plan {
    pub(super) request: ChatRequest,
    pub(super) rules: Rules,
    pub(super) asked: Asked,
    pub(super) prefix: Prefix,
    pub(super) inline_think: bool,
    /// The most that one round may be asked for.
    pub(super) max_output: Option<u64>,
    pub(super) stops: Vec<String>,
    pub(super) count: Count,
}

impl Plan {
    /// A plan for a request that is ready to be sent; nothing where its answer can only be taken as it
    /// comes.
    pub fn of(
        request: &ChatRequest,
        profile: &Profile,
        asked: Asked,
        mut rules: Rules,
        count: Count,
    ) -> Option<Self> {
        if asked.prefilled || !is_plain(request) {
            rules.mode = Mode::Off;
            rules.rescue = false;
        }
        if rules.mode == Mode::Off && !rules.rescue && !rules.again {
            return None;
        }
        Some(Self {
            request: request.clone(),
            rules,
            asked,
            prefix: profile.dialect.prefix,
            inline_think: profile.inline_think,
            max_output: profile.max_output,
            stops: stops(request),
            count,
        })
    }

    /// Whether a stop sequence could stand across the end of this text, where nobody would find it.
    pub(super) fn stop_may_span(&self, text: &str) -> bool {
        self.stops.iter().any(|stop| crate::wire::scan::partial_suffix(text, stop) > 0)
    }

    /// What is left of the caller's bound after so many tokens; nothing where there is no bound.
    pub(super) fn left(&self, used: u64) -> Option<u64> {
        self.asked.cap.map(|cap| cap.saturating_sub(used))
    }

    /// Whether prompt and answer would no longer fit the model's window.
    pub(super) fn is_full(&self, tokens: u64) -> bool {
        self.asked.window.is_some_and(|window| tokens >= window)
    }
}

/// Whether nothing in the request needs its answer in one piece (F03).
fn is_plain(request: &ChatRequest) -> bool {
    let last_is_ours = request.messages().last().is_some_and(|last| last.is("role", "assistant"));
    let true_of = |key: &str| request.get(key).and_then(Raw::bool) == Some(true);
    let bound = request.get("response_format").and_then(Raw::members);
    let speaks = request.get("modalities").is_some_and(|raw| raw.as_str().contains("\"audio\""));
    !request.messages().is_empty()
        && !last_is_ours
        && bound.is_none_or(|format| format.is("type", "text"))
        && request.get("n").and_then(Raw::u64).is_none_or(|n| n <= 1)
        && !true_of("logprobs")
        && !true_of("continue_final_message")
        && !["top_logprobs", "functions", "function_call", "audio"]
            .iter()
            .any(|key| request.get(key).is_some())
        && !speaks
        && !is_forced(request.get("tool_choice"))
}

fn is_forced(choice: Option<&Raw>) -> bool {
    choice.is_some_and(|choice| match choice.kind() {
        Kind::String => !matches!(choice.text().as_deref(), Some("auto" | "none")),
        Kind::Null => false,
        Kind::Bool | Kind::Number | Kind::Array | Kind::Object => true,
    })
}

fn stops(request: &ChatRequest) -> Vec<String> {
    let Some(stop) = request.get("stop") else { return Vec::new() };
    match stop.text() {
        Some(one) => vec![one.into_owned()],
        None => stop.read().unwrap_or_default(),
    }
}

/// The visible part of a text in which a model may have thought first (B11).
pub(super) fn visible(text: &str, inline_think: bool) -> &str {
    let begun = text.trim_start();
    match begun.strip_prefix("<think>").filter(|_| inline_think) {
        Some(thought) => thought.split_once("</think>").map_or("", |(_, text)| text.trim_start()),
        None => text,
    }
}

/// Whether a finish reason says that the answer was cut.
pub(super) fn is_cut(reason: &str) -> bool {
    matches!(reason, "length" | "max_tokens")
}

/// Whether an answer is so far nothing but text, behind which a round can be joined: no call, no refusal, no
/// content in parts.
pub(super) fn is_text(choice: &Choice) -> bool {
    let delta = &choice.delta;
    delta.tool_calls.is_empty()
        && delta.function_call.is_none()
        && delta.refusal.as_ref().is_none_or(String::is_empty)
        && !matches!(&delta.content, Some(Content::Other(raw)) if !raw.is_null())
}

/// The first choice of a completion or a chunk.
pub(super) fn first_choice(completion: &Members) -> Option<Members> {
    completion.get("choices").and_then(Raw::items)?.first()?.members()
}
