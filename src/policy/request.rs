//! Fits a chat request to a profile: what either face asked for, in the words of one provider.

use super::history::{self, Recalling};
use super::images;
use super::profile::Profile;
use super::think::{self, Asked};
use crate::wire::json::{Kind, Raw};
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
    /// What the answer says of its thinking (`x-iflow2api-thinking`).
    pub thinking: Option<String>,
    /// What was changed, as a person would want to know (`x-iflow2api-warning`).
    pub warnings: Vec<String>,
}

/// Fits a request to a profile: what is wished of its thinking, and what is remembered of earlier thoughts.
pub fn fit(request: &mut ChatRequest, profile: &Profile, asked: Asked, recalling: Recalling<'_>) -> Fitted {
    drop_empty_tools(request);
    if !profile.parallel_tool_calls {
        request.remove("parallel_tool_calls");
    }
    if !profile.developer_role {
        rename_developers(request);
    }
    let mut warnings = Vec::new();
    if !profile.dialect.vision {
        warnings.extend(images::omit(request));
    }
    let outcome = think::ask(request, profile, asked);
    warnings.extend(outcome.warning);
    history::replay(request, profile, recalling);
    let usage_is_ours = ask_for_usage(request, profile);
    let clamped = bound_answer(request, profile);
    for member in profile.drop.iter() {
        request.remove(member);
    }
    if let Some(patch) = profile.stream_tools.as_ref().filter(|_| request.is_stream() && request.has("tools"))
    {
        for (key, value) in patch.iter().filter(|(key, _)| !request.has(key)).collect::<Vec<_>>() {
            request.set(key.clone(), Raw::of(value));
        }
    }
    Fitted { usage_is_ours, clamped, thinking: outcome.says, warnings }
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

/// The same request as one for a stream, for a provider that answers with nothing else.
pub fn as_stream(request: &ChatRequest, profile: &Profile) -> ChatRequest {
    let mut request = request.clone();
    request.set("stream", Raw::from_static("true"));
    ask_for_usage(&mut request, profile);
    request
}

/// Lowers the bound of the answer to what the provider allows, under the name it knows (A30).
fn bound_answer(request: &mut ChatRequest, profile: &Profile) -> Option<(u64, u64)> {
    if request.has("max_tokens") && request.has("max_completion_tokens") {
        request.remove("max_tokens");
    } else if profile.max_tokens_field != "max_tokens" {
        request.rename("max_tokens", profile.max_tokens_field.clone());
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
