//! A messages request as a chat request.

use super::content::{Reader, missing};
use super::history::History;
use super::loss::Losses;
use super::names::Ids;
use super::stream::Echo;
use super::{system, tools};
use crate::dialect::{Dialect, GO_ON, Prefix, Structured};
use crate::error::{Error, Result};
use crate::wire::anthropic::MessagesRequest;
use crate::wire::body::Body;
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::ChatRequest;
use crate::wish::Wish;
use std::hash::Hasher as _;

/// A translated request, and what its answer's reader has to know.
pub struct Translated {
    /// The request to send.
    pub request: ChatRequest,
    /// What the answer repeats, as far as the request says it.
    pub echo: Echo,
    /// What is wished of the model's thinking (A33).
    pub wish: Option<Wish>,
    /// Whether no token is wanted at all: the caller only warms a cache (A30).
    pub warm_up: bool,
    /// What could not be said.
    pub losses: Losses,
}

/// Translates a request for the model `model` of an upstream that is written to as `dialect` says.
///
/// # Errors
/// `InvalidRequest` with the path of what cannot be carried out.
pub fn messages_to_chat(request: &MessagesRequest, model: &str, dialect: &Dialect) -> Result<Translated> {
    refuse_thread(request)?;
    let mut losses = Losses::default();
    let mut tools = tools::tools(request.get("tools"), request.get("tool_choice"), dialect, &mut losses)?;
    let mut ids = Ids::default();
    let reader = Reader { dialect, model };
    let mut history = History::new(reader, &mut tools.names, &mut ids, &mut losses);
    for (index, message) in request.messages().iter().enumerate() {
        history.message(message, &format!("messages[{index}]"))?;
    }
    let mut prompt = system::texts(request.get("system"))?;
    prompt.append(&mut history.system);
    let mut messages = history.finish();
    if messages.is_empty() {
        return Err(Error::invalid("messages", "at least one message with content is required"));
    }
    let format = response_format(request, dialect, &mut prompt)?;
    let prefix = prefill(&mut messages, dialect);
    if !prompt.is_empty() {
        let prompt = Raw::of(&prompt.join("\n\n"));
        messages.insert(0, Members::new().with("role", Raw::of("system")).with("content", prompt));
    }
    let mut chat = ChatRequest(Body::new(model, messages));
    let thinking = Thinking::read(request)?;
    let (stops, local_stops) = stops(request, dialect)?;
    set_sampling(&mut chat, request, dialect)?;
    if !stops.is_empty() {
        chat.set("stop", Raw::of(&stops));
    }
    if request.is_stream() {
        chat.set("stream", Raw::from_static("true"));
    }
    set_tools(&mut chat, &mut tools);
    if let Some(format) = format {
        chat.set("response_format", format);
    }
    if prefix.is_some() && matches!(dialect.prefix, Prefix::Vllm | Prefix::Trailing) {
        // A template that thinks would begin with that, and llama.cpp refuses the two together.
        chat.set("chat_template_kwargs", Raw::from_static(r#"{"enable_thinking":false}"#));
    }
    if prefix.is_some() && dialect.prefix == Prefix::Vllm {
        chat.set("continue_final_message", Raw::from_static("true"));
        chat.set("add_generation_prompt", Raw::from_static("false"));
    }
    let echo = Echo {
        names: tools.names,
        ids,
        thinking: thinking.shown,
        thoughts_omitted: thinking.omitted,
        stops,
        local_stops,
        prefix,
        single_call: tools.single,
        ..Echo::default()
    };
    let warm_up = request.get("max_tokens").and_then(Raw::u64) == Some(0);
    Ok(Translated { request: chat, echo, wish: thinking.wish, warm_up, losses })
}

/// Checks what only a call for an answer needs, not one for a count.
///
/// # Errors
/// `InvalidRequest` with the path of what is missing, of another type, or not to be had here.
pub fn check_call(request: &MessagesRequest, must_be_bounded: bool) -> Result<()> {
    // Those who speak this API natively know no threads either, and would take half a history for a whole one.
    refuse_thread(request)?;
    match request.get("max_tokens") {
        None if must_be_bounded => return Err(missing("", "max_tokens")),
        Some(bound) if bound.kind() != Kind::Number || bound.u64().is_none() => {
            return Err(Error::invalid("max_tokens", "expected a whole number from 0 up"));
        }
        None | Some(_) => {}
    }
    match request.get("stream").map(Raw::kind) {
        None | Some(Kind::Bool) => Ok(()),
        Some(found) => Err(Error::invalid("stream", format!("expected a boolean, found {}", found.name()))),
    }
}

/// A stateless gateway has no threads; the SDKs then send the whole history (A36).
fn refuse_thread(request: &MessagesRequest) -> Result<()> {
    if request.get("thread").is_none() {
        return Ok(());
    }
    Err(Error::invalid("thread", "message threads are not supported here")
        .with_code("thread_unsupported_request")
        .with_hint("send the whole history"))
}

/// What is sent as it was written: bounds, sampling, the user (A30, A32, A35).
fn set_sampling(chat: &mut ChatRequest, request: &MessagesRequest, dialect: &Dialect) -> Result<()> {
    for key in ["max_tokens", "temperature", "top_p", "top_k"] {
        let Some(value) = request.get(key).filter(|_| key != "top_k" || dialect.top_k) else { continue };
        if value.kind() != Kind::Number {
            return Err(Error::invalid(key, format!("expected a number, found {}", value.kind().name())));
        }
        chat.set(key, value.clone());
    }
    let user = request.get("metadata").and_then(Raw::members);
    if let Some(user) = user.as_ref().and_then(|metadata| metadata.text("user_id")).filter(|_| dialect.user) {
        let user = if user.chars().count() <= 64 { user.into_owned() } else { hashed(&user) };
        chat.set("user", Raw::of(&user));
    }
    Ok(())
}

fn hashed(text: &str) -> String {
    let mut hash = fnv::FnvHasher::default();
    hash.write(text.as_bytes());
    format!("user-{:016x}", hash.finish())
}

/// The tools, and the choice among them. Whether a model that thinks can be forced is left to `policy` (A28).
fn set_tools(chat: &mut ChatRequest, tools: &mut tools::Tools) {
    if !tools.definitions.is_empty() {
        chat.set("tools", tools.definitions());
    }
    if let Some(choice) = tools.choice.take() {
        chat.set("tool_choice", choice);
    }
    if tools.single {
        chat.set("parallel_tool_calls", Raw::from_static("false"));
    }
}

/// Stop sequences for the upstream, and those that it has no room for (A31).
fn stops(request: &MessagesRequest, dialect: &Dialect) -> Result<(Vec<String>, Vec<String>)> {
    let Some(listed) = request.get("stop_sequences") else { return Ok(Default::default()) };
    let Ok(mut stops) = listed.read::<Vec<String>>() else {
        return Err(Error::invalid("stop_sequences", "expected an array of strings"));
    };
    stops.retain(|stop| !stop.trim().is_empty());
    let local = stops.split_off(stops.len().min(dialect.max_stops));
    Ok((stops, local))
}

/// What the caller wishes of thinking (A33).
#[derive(Default)]
struct Thinking {
    shown: bool,
    omitted: bool,
    wish: Option<Wish>,
}

impl Thinking {
    fn read(request: &MessagesRequest) -> Result<Self> {
        let Some(thinking) = request.get("thinking") else { return Ok(Self::default()) };
        let Some(thinking) = thinking.members() else {
            let found = thinking.kind().name();
            return Err(Error::invalid("thinking", format!("expected an object, found {found}")));
        };
        let output = request.get("output_config").and_then(Raw::members).unwrap_or_default();
        let effort = output.text("effort").and_then(|effort| Wish::of(&effort));
        let omitted = thinking.is("display", "omitted");
        let thinks = |more: Option<Wish>| Self { shown: true, omitted, wish: Some(more.unwrap_or(Wish::On)) };
        Ok(match thinking.text("type").as_deref() {
            Some("disabled") => Self { wish: Some(Wish::Off), ..Self::default() },
            Some("enabled") => {
                let budget = thinking.get("budget_tokens").and_then(Raw::u64);
                thinks(effort.or(budget.map(Wish::Budget)))
            }
            Some("adaptive") => thinks(effort),
            Some(other) => {
                let message = format!("`{other}` is none of enabled, adaptive and disabled");
                return Err(Error::invalid("thinking.type", message));
            }
            None => return Err(missing("thinking", "type")),
        })
    }
}

/// `output_config.format`, or the older `output_format` (A34).
fn response_format(
    request: &MessagesRequest,
    dialect: &Dialect,
    prompt: &mut Vec<String>,
) -> Result<Option<Raw>> {
    let output = request.get("output_config").and_then(Raw::members).unwrap_or_default();
    let (format, path) = match (output.some("format"), request.get("output_format")) {
        (Some(format), _) => (format, "output_config.format"),
        (None, Some(format)) => (format, "output_format"),
        (None, None) => return Ok(None),
    };
    let schema = format.members().filter(|format| format.is("type", "json_schema"));
    let Some(schema) = schema.and_then(|format| format.some("schema").cloned()) else {
        return Err(Error::invalid(path, "expected an object of type `json_schema` with a `schema`"));
    };
    match dialect.structured {
        Structured::Schema => {
            let named = Members::new()
                .with("name", Raw::of("output"))
                .with("schema", schema)
                .with("strict", Raw::from_static("true"));
            let format =
                Members::new().with("type", Raw::of("json_schema")).with("json_schema", named.to_raw());
            Ok(Some(format.to_raw()))
        }
        Structured::Object => {
            prompt.push(format!("Answer with one JSON object that fits this schema:\n{}", schema.as_str()));
            Ok(Some(Raw::from_static(r#"{"type":"json_object"}"#)))
        }
        Structured::Unsupported => {
            Err(Error::invalid(path, "this upstream cannot bind its answer to a schema"))
        }
    }
}

/// A last message of the assistant's is the start of the answer (A38).
fn prefill(messages: &mut Vec<Members>, dialect: &Dialect) -> Option<String> {
    let last = messages.last_mut()?;
    if !last.is("role", "assistant") || last.some("tool_calls").is_some() {
        return None;
    }
    let prefix = last.text("content").map(std::borrow::Cow::into_owned)?;
    match dialect.prefix {
        Prefix::Deepseek => last.set("prefix", Raw::from_static("true")),
        Prefix::Partial => last.set("partial", Raw::from_static("true")),
        Prefix::Vllm | Prefix::Trailing => {}
        Prefix::None => {
            messages.push(Members::new().with("role", Raw::of("user")).with("content", Raw::of(GO_ON)));
        }
    }
    Some(prefix)
}
