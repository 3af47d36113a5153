//! What is wrong with a chat request, found before anything is sent. What is right is forwarded as
//! it is; only what no provider could carry out is refused.

use super::content::missing;
use crate::error::{Error, Result};
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::ChatRequest;

/// Members that must be of one kind where they are there.
const KINDS: [(&str, Kind); 11] = [
    ("temperature", Kind::Number),
    ("top_p", Kind::Number),
    ("max_tokens", Kind::Number),
    ("max_completion_tokens", Kind::Number),
    ("presence_penalty", Kind::Number),
    ("frequency_penalty", Kind::Number),
    ("n", Kind::Number),
    ("stream", Kind::Bool),
    ("stream_options", Kind::Object),
    ("response_format", Kind::Object),
    ("tools", Kind::Array),
];

/// The model's name of a request on either face.
///
/// # Errors
/// `InvalidRequest` where there is none.
pub fn model(model: Option<&Raw>) -> Result<String> {
    match model.and_then(Raw::text) {
        Some(model) if !model.is_empty() => Ok(model.into_owned()),
        Some(_) => Err(Error::invalid("model", "the model's name is empty")),
        None if model.is_some_and(|model| !model.is_null()) => {
            Err(Error::invalid("model", "expected a string, the model's name"))
        }
        None => Err(Error::invalid("model", "the model's name is missing")),
    }
}

/// Checks a chat request.
///
/// # Errors
/// `InvalidRequest` with the path of the first fault.
pub fn chat(request: &ChatRequest) -> Result<()> {
    for (key, kind) in KINDS {
        if let Some(found) = request.get(key).map(Raw::kind).filter(|found| *found != kind) {
            return Err(Error::invalid(key, format!("expected {}, found {}", kind.name(), found.name())));
        }
    }
    for key in ["max_tokens", "max_completion_tokens", "n"] {
        // llama.cpp and LM Studio take -1 for as many tokens as there may be.
        let is_count =
            |raw: &Raw| raw.u64().is_some_and(|number| number > 0) || (key != "n" && raw.as_str() == "-1");
        if request.get(key).is_some_and(|raw| !is_count(raw)) {
            return Err(Error::invalid(key, "expected a whole number from 1 up"));
        }
    }
    tools(request)?;
    messages(request)
}

fn tools(request: &ChatRequest) -> Result<()> {
    let Some(tools) = request.get("tools").and_then(Raw::items) else { return Ok(()) };
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        let Some(tool) = tool.members() else {
            return Err(Error::invalid(path, format!("expected an object, found {}", tool.kind().name())));
        };
        let Some(function) = tool.some("function") else {
            // Custom tools, and those of a provider's own, are the provider's to judge.
            match tool.text("type").as_deref() {
                Some("function") | None => return Err(missing(&path, "function")),
                Some(_) => continue,
            }
        };
        if function.members().is_none_or(|function| function.text("name").is_none_or(|name| name.is_empty()))
        {
            return Err(missing(&format!("{path}.function"), "name"));
        }
    }
    Ok(())
}

fn messages(request: &ChatRequest) -> Result<()> {
    if !request.has("messages") {
        let missing = missing("", "messages");
        return Err(match request.get("input") {
            Some(_) => missing.with_hint("a body with `input` is for the Responses API, `/v1/responses`"),
            None => missing,
        });
    }
    if request.messages().is_empty() {
        return Err(Error::invalid("messages", "at least one message is required"));
    }
    let mut open = Open::default();
    for (index, message) in request.messages().iter().enumerate() {
        let path = format!("messages[{index}]");
        let role = role_of(message, &path)?;
        if role == Role::Tool {
            open.close(message, &path)?;
        } else {
            open.require_none()?;
        }
        check_content(message, role, &path)?;
        if role == Role::Assistant {
            open = Open::of(message, &path)?;
        }
    }
    open.require_none()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    Tool,
    /// `system`, `developer`, and the API's first form of a tool result.
    Other,
}

fn role_of(message: &Members, path: &str) -> Result<Role> {
    let Some(role) = message.some("role") else { return Err(missing(path, "role")) };
    match role.text().as_deref() {
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool") => Ok(Role::Tool),
        Some("system" | "developer" | "function") => Ok(Role::Other),
        Some(other) => Err(Error::invalid(
            format!("{path}.role"),
            format!("`{other}` is none of system, developer, user, assistant and tool"),
        )),
        None => Err(Error::invalid(
            format!("{path}.role"),
            format!("expected a string, found {}", role.kind().name()),
        )),
    }
}

fn check_content(message: &Members, role: Role, path: &str) -> Result<()> {
    let at = || format!("{path}.content");
    let Some(content) = message.some("content") else {
        // An assistant may call tools, refuse or have thought without a word.
        return if role == Role::Assistant { Ok(()) } else { Err(missing(path, "content")) };
    };
    match content.kind() {
        Kind::String if role == Role::User && content.text().is_some_and(|text| text.is_empty()) => {
            Err(Error::invalid(at(), "the message is empty"))
        }
        Kind::String => Ok(()),
        Kind::Array => check_parts(content, role, path),
        found => Err(Error::invalid(at(), format!("expected a string or an array, found {}", found.name()))),
    }
}

fn check_parts(content: &Raw, role: Role, path: &str) -> Result<()> {
    let parts = content.items().unwrap_or_default();
    if parts.is_empty() && role != Role::Assistant {
        return Err(Error::invalid(format!("{path}.content"), "the message is empty"));
    }
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}.content[{index}]");
        let Some(part) = part.members() else {
            return Err(Error::invalid(path, format!("expected an object, found {}", part.kind().name())));
        };
        match part.text("type").as_deref() {
            None => return Err(missing(&path, "type")),
            Some("text") if part.text("text").is_none() => return Err(missing(&path, "text")),
            Some("image_url") => {
                let url = part.some("image_url").ok_or_else(|| missing(&path, "image_url"))?;
                // Some servers take the address itself.
                let named =
                    url.kind() == Kind::String || url.members().is_some_and(|url| url.text("url").is_some());
                if !named {
                    return Err(missing(&format!("{path}.image_url"), "url"));
                }
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Calls that still have no result.
#[derive(Default)]
struct Open {
    ids: Vec<String>,
    path: String,
    calls: bool,
}

impl Open {
    fn of(message: &Members, path: &str) -> Result<Self> {
        let Some(calls) = message.some("tool_calls") else { return Ok(Self::default()) };
        let path = format!("{path}.tool_calls");
        let Some(calls) = calls.objects() else {
            return Err(Error::invalid(path, "expected an array of tool calls"));
        };
        let mut ids = Vec::with_capacity(calls.len());
        for (index, call) in calls.iter().enumerate() {
            let at = format!("{path}[{index}]");
            let id = call.text("id").filter(|id| !id.is_empty()).ok_or_else(|| missing(&at, "id"))?;
            ids.push(id.into_owned());
        }
        Ok(Self { calls: !ids.is_empty(), ids, path })
    }

    fn close(&mut self, message: &Members, path: &str) -> Result<()> {
        let Some(id) = message.text("tool_call_id") else { return Err(missing(path, "tool_call_id")) };
        let Some(at) = self.ids.iter().position(|open| *open == id) else {
            let why =
                if self.calls { "answers no open call" } else { "follows no message with `tool_calls`" };
            return Err(Error::invalid(format!("{path}.tool_call_id"), format!("`{id}` {why}")));
        };
        self.ids.remove(at);
        Ok(())
    }

    fn require_none(&self) -> Result<()> {
        match self.ids.first() {
            None => Ok(()),
            Some(id) => Err(Error::invalid(
                self.path.clone(),
                format!("the call `{id}` is not followed by a tool message with its result"),
            )),
        }
    }
}
