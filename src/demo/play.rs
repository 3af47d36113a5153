//! Carries a script out: the answer as a stream of events or as one body, at a readable pace.

use super::plan::{Answer, Delta, Ending, Refusal, Script, Usage, plan};
use super::request::Request;
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame as BodyFrame;
use serde_json::{Map, Value, json};
use std::future::{pending, ready};
use std::io;
use std::time::Duration;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The time between two events. Chosen: streaming is seen as such, and nobody has to wait.
const PACE: Duration = Duration::from_millis(20);

/// An answer of a side route.
#[derive(Debug)]
pub(super) enum Side {
    Whole(Value),
    Stream(Vec<Value>),
}

/// What every event of one answer repeats.
#[derive(Debug, Clone, Copy)]
struct Head<'a> {
    model: &'a str,
    number: u64,
    created: u64,
}

/// Answers a chat request.
pub(super) async fn chat(request: &Request, number: u64, created: u64) -> Response<Body> {
    let head = Head { model: request.model(), number, created };
    match plan(request) {
        Script::Refuse(refusal) => refuse(&refusal),
        // The caller's leaving drops this future, and only that.
        Script::Silence => pending().await,
        Script::Answer(answer) if request.stream() => {
            let events = events(&answer, head, request.include_usage());
            event_stream(events, answer.ending == Ending::Silent)
        }
        Script::Answer(answer) => match &answer.ending {
            Ending::Finished(reason) => json(&completion(&answer, head, reason)),
            Ending::Failed(refusal) => refuse(refusal),
            Ending::Cut => broken(&completion(&answer, head, "stop")),
            Ending::Silent => pending().await,
        },
    }
}

/// Answers a side route.
pub(super) fn side(side: Side) -> Response<Body> {
    match side {
        Side::Whole(value) => json(&value),
        Side::Stream(values) => {
            let values = values.iter().map(|value| Frame::json(None, value).into_bytes());
            event_stream(values.chain([done()]).collect(), false)
        }
    }
}

/// Answers with a value.
pub(super) fn json(value: &Value) -> Response<Body> {
    with_body(full(value.to_string()), "application/json")
}

/// Answers with an error.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = json(&envelope(refusal));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = refusal.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn envelope(refusal: &Refusal) -> Value {
    let (kind, code) = match refusal.status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        402 => ("insufficient_quota", Some("insufficient_quota")),
        403 => ("invalid_request_error", Some("permission_denied")),
        404 => ("invalid_request_error", Some("not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        503 | 529 => ("server_error", Some("overloaded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    json!({"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": code}})
}

/// The events of an answer, down to the last byte that is sent.
fn events(answer: &Answer, head: Head<'_>, include_usage: bool) -> Vec<Bytes> {
    let mut events = vec![chunk(head, &json!({"role": "assistant", "content": ""}), None)];
    events.extend(answer.deltas.iter().map(|delta| chunk(head, &delta_json(delta, head.number), None)));
    match &answer.ending {
        Ending::Finished(reason) => {
            events.push(chunk(head, &json!({}), Some(reason)));
            if include_usage {
                let usage = json!({"choices": [], "usage": usage_json(answer.usage)});
                events.push(event(head, usage));
            }
            events.push(done());
        }
        Ending::Failed(refusal) => events.push(Frame::json(None, &envelope(refusal)).into_bytes()),
        Ending::Cut | Ending::Silent => {}
    }
    events
}

fn chunk(head: Head<'_>, delta: &Value, finish_reason: Option<&str>) -> Bytes {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
    event(head, json!({"choices": [choice]}))
}

fn event(head: Head<'_>, members: Value) -> Bytes {
    Frame::json(None, &with_head(head, "chat.completion.chunk", members)).into_bytes()
}

/// A value with these members behind those that each of an answer's events has.
fn with_head(head: Head<'_>, object: &str, members: Value) -> Value {
    let mut value = json!({
        "id": format!("chatcmpl-demo-{}", head.number),
        "object": object,
        "created": head.created,
        "model": head.model,
    });
    if let (Value::Object(value), Value::Object(members)) = (&mut value, members) {
        value.extend(members);
    }
    value
}

fn delta_json(delta: &Delta, number: u64) -> Value {
    match delta {
        Delta::Think(text) => json!({"reasoning_content": text}),
        Delta::Say(text) => json!({"content": text}),
        Delta::Call { index, name } => json!({"tool_calls": [{
            "index": index,
            "id": call_id(number, *index),
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }]}),
        Delta::Arguments { index, text } => {
            json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
        }
    }
}

fn call_id(number: u64, index: usize) -> String {
    format!("call_demo_{number}_{index}")
}

/// The same answer as one value.
fn completion(answer: &Answer, head: Head<'_>, finish_reason: &str) -> Value {
    let mut thinking = String::new();
    let mut content = String::new();
    let mut calls: Vec<(&str, String)> = Vec::new();
    for delta in &answer.deltas {
        match delta {
            Delta::Think(text) => thinking.push_str(text),
            Delta::Say(text) => content.push_str(text),
            Delta::Call { name, .. } => calls.push((name, String::new())),
            Delta::Arguments { index, text } => {
                if let Some((_, arguments)) = calls.get_mut(*index) {
                    arguments.push_str(text);
                }
            }
        }
    }
    let message = message(&thinking, content, &calls, head.number);
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason});
    with_head(head, "chat.completion", json!({"choices": [choice], "usage": usage_json(answer.usage)}))
}

fn message(thinking: &str, content: String, calls: &[(&str, String)], number: u64) -> Value {
    let call = |(index, (name, arguments)): (usize, &(&str, String))| {
        json!({
            "id": call_id(number, index),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        })
    };
    let content = if calls.is_empty() { Value::String(content) } else { Value::Null };
    let mut message = Map::from_iter([("role".into(), json!("assistant")), ("content".into(), content)]);
    if !thinking.is_empty() {
        message.insert("reasoning_content".into(), json!(thinking));
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.iter().enumerate().map(call).collect());
    }
    Value::Object(message)
}

fn usage_json(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking},
    })
}

fn done() -> Bytes {
    Frame::data("[DONE]").into_bytes()
}

/// The events one by one; `silent` keeps the stream open behind them until the caller leaves.
fn event_stream(events: Vec<Bytes>, silent: bool) -> Response<Body> {
    let stream = stream::unfold((events.into_iter(), true), move |(mut events, first)| async move {
        let Some(event) = events.next() else {
            return if silent { pending().await } else { None };
        };
        if !first {
            tokio::time::sleep(PACE).await;
        }
        Some((Ok(BodyFrame::data(event)), (events, false)))
    });
    with_body(StreamBody::new(stream).boxed_unsync(), "text/event-stream")
}

/// Half of a value, and then the connection breaks.
fn broken(value: &Value) -> Response<Body> {
    let mut text = value.to_string().into_bytes();
    text.truncate(text.len() / 2);
    let half = stream::once(ready(Ok(BodyFrame::data(Bytes::from(text)))));
    let end = stream::once(async {
        // Without a pause the connection would break before the half was written.
        tokio::time::sleep(PACE).await;
        Err(io::ErrorKind::ConnectionReset.into())
    });
    with_body(StreamBody::new(half.chain(end)).boxed_unsync(), "application/json")
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

fn with_body(body: Body, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
