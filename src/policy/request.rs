//! Fits a chat request to a profile: what either face asked for, in the words of one provider.

use super::profile::Profile;
use crate::dialect::Replay;
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::ChatRequest;

/// The members that bound an answer; the first one that is there counts.
const BOUNDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// What was changed that the answer's reader must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitted {
    /// Whether usage was asked for only by us, so that its chunk must not reach the caller (D05).
    pub usage_is_ours: bool,
    /// The bound that was lowered, and to what (A30).
    pub clamped: Option<(u64, u64)>,
}

/// Fits a request to a profile.
pub fn fit(request: &mut ChatRequest, profile: &Profile) -> Fitted {
    drop_empty_tools(request);
    if !profile.parallel_tool_calls {
        request.remove("parallel_tool_calls");
    }
    if !profile.developer_role {
        rename_developers(request);
    }
    replay(request, profile);
    Fitted { usage_is_ours: ask_for_usage(request, profile), clamped: bound_answer(request, profile) }
}

/// Where a completion is asked for: DeepSeek goes on with a started answer at its beta address only.
pub fn path(request: &ChatRequest) -> &'static str {
    let started = request.messages().last().and_then(|last| last.get("prefix")).and_then(Raw::bool);
    if started == Some(true) { "/beta/chat/completions" } else { "/chat/completions" }
}

/// The bound of the answer, in tokens.
pub fn bound(request: &ChatRequest) -> Option<u64> {
    BOUNDS.iter().find_map(|field| request.get(field)?.u64())
}

/// The same request with a lower bound of the answer; nothing where it has none that is higher (C04).
pub fn lowered(request: &ChatRequest, room: u64) -> Option<ChatRequest> {
    let field = BOUNDS.into_iter().find(|field| request.has(field))?;
    let asked = request.get(field)?.u64()?;
    if room == 0 || room >= asked {
        return None;
    }
    let mut request = request.clone();
    request.set(field, Raw::of(&room));
    Some(request)
}

/// No tools means no choice among them (A26, D11).
fn drop_empty_tools(request: &mut ChatRequest) {
    let empty = request.get("tools").and_then(Raw::items).is_some_and(|tools| tools.is_empty());
    if empty {
        for key in ["tools", "tool_choice", "parallel_tool_calls"] {
            request.remove(key);
        }
    }
}

/// `developer` is a role at OpenAI only (D04).
fn rename_developers(request: &mut ChatRequest) {
    if request.messages().iter().any(|message| message.is("role", "developer")) {
        for message in request.messages_mut() {
            if message.is("role", "developer") {
                message.set("role", Raw::from_static("\"system\""));
            }
        }
    }
}

/// Thoughts of earlier turns: sent, sent empty, or left out, as the provider insists (E02, E03).
fn replay(request: &mut ChatRequest, profile: &Profile) {
    let dialect = &profile.dialect;
    let needs = |message: &Members| {
        let is_turn = match dialect.replay {
            Replay::Never => return message.some("reasoning_content").is_some(),
            Replay::ToolTurns => message.some("tool_calls").is_some(),
            Replay::All => true,
        };
        is_turn && message.is("role", "assistant") && message.some("reasoning_content").is_none()
    };
    let missing = dialect.replay_empty.or((dialect.replay == Replay::Never).then_some(""));
    let Some(missing) = missing.filter(|_| request.messages().iter().any(needs)) else { return };
    for message in request.messages_mut().iter_mut().filter(|message| needs(message)) {
        match dialect.replay {
            Replay::Never => drop(message.remove("reasoning_content")),
            Replay::ToolTurns | Replay::All => message.set("reasoning_content", Raw::of(missing)),
        }
    }
}

/// Asks for the usage of a stream, where the caller did not (A39).
fn ask_for_usage(request: &mut ChatRequest, profile: &Profile) -> bool {
    if !request.is_stream() || !profile.stream_options {
        return false;
    }
    let mut options = request.get("stream_options").and_then(Raw::members).unwrap_or_default();
    if options.some("include_usage").and_then(Raw::bool) == Some(true) {
        return false;
    }
    options.set("include_usage", Raw::from_static("true"));
    request.set("stream_options", options.to_raw());
    true
}

/// Lowers the bound of the answer to what the provider allows, under the name it knows (A30).
fn bound_answer(request: &mut ChatRequest, profile: &Profile) -> Option<(u64, u64)> {
    if request.has("max_tokens") && request.has("max_completion_tokens") {
        request.remove("max_tokens");
    } else if profile.max_tokens_field != "max_tokens" {
        request.rename("max_tokens", profile.max_tokens_field);
    }
    let limit = profile.max_output?;
    let field = BOUNDS.into_iter().find(|field| request.has(field))?;
    let asked = request.get(field).filter(|raw| raw.kind() == Kind::Number)?.u64()?;
    if asked <= limit {
        return None;
    }
    request.set(field, Raw::of(&limit));
    Some((asked, limit))
}
