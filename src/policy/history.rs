//! Which of the earlier thoughts go back to a provider, and in what form (T4, E01–E03).
//!
//! A caller may have lost them; what is remembered of them is looked up by `recall`.

use super::presets::rows::ReplayAs;
use super::profile::Profile;
use super::recall::Thoughts;
use crate::dialect::Replay;
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::ChatRequest;
use std::sync::Arc;

/// Where callers and providers put thoughts.
const FIELDS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];

/// What is remembered of a message's thoughts.
pub type Recalling<'a> = &'a dyn Fn(&Members) -> Option<Arc<Thoughts>>;

/// Sends thoughts back, sends them empty, or leaves them out, as the provider insists.
pub fn replay(request: &mut ChatRequest, profile: &Profile, recalling: Recalling<'_>) {
    let changes: Vec<(usize, Members)> = request
        .messages()
        .iter()
        .enumerate()
        .filter(|(_, message)| message.is("role", "assistant"))
        .filter_map(|(at, message)| Some((at, replayed(message, profile, recalling)?)))
        .collect();
    put(request, changes);
}

/// The same request for a provider that has refused its thoughts (E06): with something in the place of those that
/// were missing, or, where none was, of all. Nothing where that changes nothing.
pub fn filled(request: &ChatRequest, profile: &Profile) -> Option<ChatRequest> {
    let form = profile.replay_as;
    let empty = Thoughts::of_text(profile.dialect.replay_empty.as_deref().unwrap_or_default());
    let mut blank = Members::new();
    set(&mut blank, form, &empty);
    let blank = blank.some(field_of(form)).cloned()?;
    let messages =
        request.messages().iter().enumerate().filter(|(_, message)| message.is("role", "assistant"));
    let lacks = |message: &Members| message.some(field_of(form)).is_none();
    let all = !messages.clone().any(|(_, message)| lacks(message));
    let changed = |(at, message): (usize, &Members)| {
        let is_blank = message.some(field_of(form)).is_some_and(|raw| raw.as_bytes() == blank.as_bytes());
        if is_blank || !(all || lacks(message)) {
            return None;
        }
        Some((at, message.clone().with(field_of(form), blank.clone())))
    };
    let changes: Vec<_> = messages.filter_map(changed).collect();
    if changes.is_empty() {
        return None;
    }
    let mut request = request.clone();
    put(&mut request, changes);
    Some(request)
}

fn put(request: &mut ChatRequest, changes: Vec<(usize, Members)>) {
    if changes.is_empty() {
        return;
    }
    let messages = request.messages_mut();
    for (at, changed) in changes {
        if let Some(message) = messages.get_mut(at) {
            *message = changed;
        }
    }
}

/// A message with its thoughts as the provider wants them; nothing where it is so already.
fn replayed(message: &Members, profile: &Profile, recalling: Recalling<'_>) -> Option<Members> {
    let dialect = &profile.dialect;
    match dialect.replay {
        Replay::Never => return without(message),
        Replay::ToolTurns if message.some("tool_calls").is_none() => return None,
        Replay::ToolTurns | Replay::All => {}
    }
    let wanted = profile.replay_as;
    if wanted != ReplayAs::InlineThink && message.some(field_of(wanted)).is_some_and(is_said) {
        return None;
    }
    // A server of which nothing is known gets what its caller sent.
    let knows = profile.thinking.is_some();
    let own = FIELDS.iter().find_map(|field| message.some(field).filter(|raw| is_said(raw)).map(text_of));
    let own = own.filter(|text| knows && !text.is_empty());
    let recalled = if knows { recalling(message) } else { None };
    let thoughts = match (own, recalled) {
        // What is remembered may hold more than the text.
        (Some(text), Some(thoughts)) if wanted == ReplayAs::ReasoningDetails && thoughts.text == text => {
            thoughts
        }
        (Some(text), _) => Arc::new(Thoughts::of_text(&text)),
        (None, Some(thoughts)) => thoughts,
        (None, None) => {
            let empty = dialect.replay_empty.as_deref()?;
            if message.some(field_of(wanted)).is_some() {
                return None;
            }
            Arc::new(Thoughts::of_text(empty))
        }
    };
    let mut message = without(message).unwrap_or_else(|| message.clone());
    set(&mut message, wanted, &thoughts);
    Some(message)
}

/// A message without any thoughts; nothing where it has none.
fn without(message: &Members) -> Option<Members> {
    if !FIELDS.iter().any(|field| message.get(field).is_some()) {
        return None;
    }
    let mut message = message.clone();
    for field in FIELDS {
        message.remove(field);
    }
    Some(message)
}

fn field_of(form: ReplayAs) -> &'static str {
    match form {
        ReplayAs::ReasoningContent | ReplayAs::InlineThink => "reasoning_content",
        ReplayAs::Reasoning => "reasoning",
        ReplayAs::ReasoningDetails => "reasoning_details",
    }
}

fn set(message: &mut Members, form: ReplayAs, thoughts: &Thoughts) {
    match form {
        ReplayAs::ReasoningContent | ReplayAs::Reasoning => {
            message.set(field_of(form), Raw::of(&thoughts.text));
        }
        ReplayAs::ReasoningDetails => message.set(field_of(form), thoughts.as_details()),
        ReplayAs::InlineThink if thoughts.text.is_empty() => {}
        ReplayAs::InlineThink => {
            let said = message.text("content").unwrap_or_default();
            let content = format!("<think>\n{}\n</think>\n\n{said}", thoughts.text);
            // Content in parts has its own places for thoughts, which nobody documents.
            if message.get("content").is_none_or(|raw| matches!(raw.kind(), Kind::String | Kind::Null)) {
                message.set("content", Raw::of(&content));
            }
        }
    }
}

/// Whether a member holds thoughts, and not the absence of any.
fn is_said(raw: &Raw) -> bool {
    match raw.kind() {
        Kind::String | Kind::Object => true,
        Kind::Array => raw.items().is_some_and(|items| !items.is_empty()),
        Kind::Null | Kind::Bool | Kind::Number => false,
    }
}

fn text_of(raw: &Raw) -> String {
    super::thinking::thoughts_in(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::presets::Catalogue;
    use bytes::Bytes;

    fn sent(preset: &str, model: &str, message: &str, recalled: Option<&str>) -> String {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"q"}},{message}]}}"#);
        let mut request = ChatRequest::parse(&Bytes::from(body)).unwrap();
        let profile = Catalogue::built_in().provider(preset).profile(model);
        replay(&mut request, &profile, &|_| recalled.map(|text| Arc::new(Thoughts::of_text(text))));
        request.messages().last().unwrap().to_raw().as_str().to_owned()
    }

    #[test]
    fn each_provider_gets_its_thoughts_back_in_its_own_form() {
        let call = |more: &str| format!(r#"{{"role":"assistant","content":null{more},"tool_calls":[]}}"#);
        let text = |more: &str| format!(r#"{{"role":"assistant","content":"a"{more}}}"#);
        let with = |base: &str, more: &str| format!("{}{more}}}", base.strip_suffix('}').unwrap());
        for (preset, model, message, recalled, expected) in [
            (
                "deepseek",
                "deepseek-v4-pro",
                call(""),
                Some("t"),
                with(&call(""), r#","reasoning_content":"t""#),
            ),
            ("deepseek", "deepseek-v4-pro", text(""), None, with(&text(""), r#","reasoning_content":"""#)),
            (
                "deepseek",
                "deepseek-v4-pro",
                text(r#","reasoning":"r""#),
                None,
                with(&text(""), r#","reasoning_content":"r""#),
            ),
            (
                "deepseek",
                "deepseek-v4-pro",
                text(r#","reasoning_content":"own""#),
                Some("t"),
                text(r#","reasoning_content":"own""#),
            ),
            ("moonshot", "kimi-k2.5", call(""), None, with(&call(""), r#","reasoning_content":".""#)),
            ("moonshot", "kimi-k2.5", text(""), None, text("")),
            (
                "minimax",
                "MiniMax-M2.5",
                text(r#","reasoning_content":"r""#),
                None,
                with(&text(""), r#","reasoning_details":[{"type":"reasoning.text","index":0,"text":"r"}]"#),
            ),
            (
                "ollama",
                "qwen3",
                call(r#","reasoning_content":"r""#),
                None,
                with(&call(""), r#","reasoning":"r""#),
            ),
            ("openai", "x", call(r#","reasoning":"r""#), Some("t"), call(r#","reasoning":"r""#)),
        ] {
            assert_eq!(sent(preset, model, &message, recalled), expected, "{preset} {message}");
        }
    }
}
