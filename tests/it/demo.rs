//! The demo upstream over HTTP, as a gateway meets it.

use iflow2api::demo::{self, Demo};
use iflow2api::wire::sse::FrameDecoder;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// Far more than any answer needs, far less than for ever.
const LIMIT: Duration = Duration::from_secs(20);

async fn post(demo: &Demo, path: &str, body: &Value) -> reqwest::Response {
    let request = client().post(format!("{}{path}", demo.base_url())).json(body);
    timeout(LIMIT, request.send()).await.unwrap().unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn chat(model: &str, text: &str, stream: bool) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
        "stream_options": {"include_usage": true},
    })
}

async fn whole(demo: &Demo, body: &Value) -> Value {
    let response = post(demo, "/chat/completions", body).await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// What a stream says, joined, as a whole answer would say it.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    thinking: String,
    content: String,
    calls: Vec<(String, String, String)>,
    finish_reason: Option<String>,
    usage: Option<Value>,
    error: Option<Value>,
    done: bool,
    chunks: usize,
}

impl Heard {
    fn take(&mut self, event: &[u8]) {
        assert!(!self.done, "an event after the last");
        if event == b"[DONE]" {
            self.done = true;
            return;
        }
        let event: Value = serde_json::from_slice(event).unwrap();
        if let Some(error) = event.get("error") {
            self.error = Some(error.clone());
            return;
        }
        assert_eq!(event["object"], "chat.completion.chunk");
        self.chunks += 1;
        if let Some(usage) = event.get("usage") {
            assert_eq!(event["choices"], json!([]));
            self.usage = Some(usage.clone());
            return;
        }
        let choice = &event["choices"][0];
        self.finish_reason = choice["finish_reason"].as_str().map(str::to_owned);
        let delta = &choice["delta"];
        self.thinking.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        self.content.push_str(delta["content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            if let Some(id) = call["id"].as_str() {
                self.calls.push((
                    id.to_owned(),
                    function["name"].as_str().unwrap().to_owned(),
                    String::new(),
                ));
            }
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            self.calls[index].2.push_str(function["arguments"].as_str().unwrap());
        }
    }
}

async fn heard(demo: &Demo, body: &Value) -> Heard {
    let response = post(demo, "/chat/completions", body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    decoder.push(&timeout(LIMIT, response.bytes()).await.unwrap().unwrap(), &mut frames).unwrap();
    decoder.finish(&mut frames);
    let mut heard = Heard::default();
    frames.iter().for_each(|frame| heard.take(&frame.data));
    heard
}

#[tokio::test]
async fn all_models_are_listed() {
    let demo = demo::start().await.unwrap();
    let list: Value =
        client().get(format!("{}/models", demo.base_url())).send().await.unwrap().json().await.unwrap();
    let ids: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, demo::MODELS);
    assert_eq!(list["data"][0]["owned_by"], "iflow2api-demo");
}

#[tokio::test]
async fn a_stream_and_a_whole_answer_say_the_same() {
    let demo = demo::start().await.unwrap();
    for (model, text) in [
        ("demo-echo", "Hello,\n  wörld 你好 👋"),
        ("glm-4.7", "any other name"),
        ("demo-think", "why?"),
        ("demo-long", "write a long text"),
        ("demo-fail", "empty"),
    ] {
        let streamed = heard(&demo, &chat(model, text, true)).await;
        let whole = whole(&demo, &chat(model, text, false)).await;
        let choice = &whole["choices"][0];
        assert_eq!(choice["message"]["content"], streamed.content, "{model}");
        let thinking = choice["message"]["reasoning_content"].as_str().unwrap_or_default();
        assert_eq!(thinking, streamed.thinking, "{model}");
        assert_eq!(choice["finish_reason"].as_str(), streamed.finish_reason.as_deref(), "{model}");
        assert_eq!(Some(&whole["usage"]), streamed.usage.as_ref(), "{model}");
        assert!(streamed.done, "{model}");
        assert_eq!(whole["model"], model);
        assert!(whole["id"].as_str().unwrap().starts_with("chatcmpl-demo-"));
    }
}

#[tokio::test]
async fn usage_is_streamed_only_where_it_is_asked_for() {
    let demo = demo::start().await.unwrap();
    let mut body = chat("demo-echo", "hi", true);
    body.as_object_mut().unwrap().remove("stream_options");
    let heard = heard(&demo, &body).await;
    assert_eq!((heard.usage, heard.done), (None, true));
}

#[tokio::test]
async fn two_named_tools_are_called_side_by_side_and_their_results_quoted() {
    let demo = demo::start().await.unwrap();
    let parameters =
        json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    let mut body = chat("demo-tools", "get_time and get_weather", true);
    body["tools"] = json!([tool("other"), tool("get_weather"), tool("get_time")]);

    let streamed = heard(&demo, &body).await;
    let arguments = json!({"city": "get_time and get_weather"}).to_string();
    let names: Vec<_> = streamed.calls.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["get_weather", "get_time"]);
    assert!(streamed.calls.iter().all(|(_, _, text)| *text == arguments));
    assert_eq!(streamed.finish_reason.as_deref(), Some("tool_calls"));

    body["stream"] = json!(false);
    let answer = whole(&demo, &body).await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["tool_calls"][1]["function"], json!({"name": "get_time", "arguments": arguments}));
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");

    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(message.clone());
    for call in message["tool_calls"].as_array().unwrap() {
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "fine"}));
    }
    let answer = whole(&demo, &body).await;
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.ends_with("The tool returned: fine\nfine"), "{content}");
}

#[tokio::test]
async fn a_long_text_is_complete_after_five_answers() {
    let demo = demo::start().await.unwrap();
    let mut text = String::new();
    let mut reasons = Vec::new();
    while reasons.last().is_none_or(|reason| reason == "length") {
        let mut body = chat("demo-long", "write a long text", false);
        if !text.is_empty() {
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({"role": "assistant", "content": text}));
            messages.push(json!({"role": "user", "content": "Continue exactly where you stopped."}));
        }
        let answer = whole(&demo, &body).await;
        text.push_str(answer["choices"][0]["message"]["content"].as_str().unwrap());
        reasons.push(answer["choices"][0]["finish_reason"].as_str().unwrap().to_owned());
    }
    assert_eq!(reasons, ["length", "length", "length", "length", "stop"]);
    let numbers: Vec<usize> =
        text.lines().map(|line| line.split_once('.').unwrap().0.parse().unwrap()).collect();
    assert_eq!(numbers, (1..=250).collect::<Vec<_>>());
}

#[tokio::test]
async fn failures_are_the_ones_that_were_asked_for() {
    let demo = demo::start().await.unwrap();
    for stream in [false, true] {
        let response = post(&demo, "/chat/completions", &chat("demo-fail", "429 please", stream)).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["type"], "rate_limit_error");
        let response = post(&demo, "/chat/completions", &chat("demo-fail", "529", stream)).await;
        assert_eq!(response.status().as_u16(), 529);
    }
}

#[tokio::test]
async fn a_stream_can_break_off_in_its_middle() {
    let demo = demo::start().await.unwrap();
    let failed = heard(&demo, &chat("demo-fail", "stream", true)).await;
    assert!(failed.error.is_some() && !failed.content.is_empty() && !failed.done);
    let cut = heard(&demo, &chat("demo-fail", "cut", true)).await;
    assert!(cut.error.is_none() && !cut.content.is_empty() && !cut.done);
    assert_eq!(cut.finish_reason, None);

    let failed = post(&demo, "/chat/completions", &chat("demo-fail", "stream", false)).await;
    assert_eq!(failed.status(), 500);
    let cut = post(&demo, "/chat/completions", &chat("demo-fail", "cut", false)).await;
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
}

#[tokio::test]
async fn a_stalled_stream_is_silent_until_the_demo_ends() {
    let demo = demo::start().await.unwrap();
    let mut response = post(&demo, "/chat/completions", &chat("demo-stall", "hi", true)).await;
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    while frames.len() < 4 {
        let bytes = timeout(LIMIT, response.chunk()).await.unwrap().unwrap().unwrap();
        decoder.push(&bytes, &mut frames).unwrap();
    }
    let mut said = Heard::default();
    frames.iter().for_each(|frame| said.take(&frame.data));
    assert_eq!(said.content, "This demo stalls");
    assert!(timeout(Duration::from_millis(300), response.chunk()).await.is_err());
    drop(demo);
    assert!(timeout(LIMIT, response.chunk()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_stall_from_the_start_sends_not_even_a_status() {
    let demo = demo::start().await.unwrap();
    for body in [chat("demo-stall", "stall from the start", true), chat("demo-stall", "whole", false)] {
        let request = client().post(format!("{}/chat/completions", demo.base_url())).json(&body).send();
        assert!(timeout(Duration::from_millis(300), request).await.is_err());
    }
}

#[tokio::test]
async fn side_routes_answer_the_same_each_time() {
    let demo = demo::start().await.unwrap();
    let input = json!({"model": "demo-echo", "input": ["a", "b"]});
    let first: Value = post(&demo, "/embeddings", &input).await.json().await.unwrap();
    let second: Value = post(&demo, "/embeddings", &input).await.json().await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first["data"][1]["embedding"].as_array().unwrap().len(), 8);

    let prompt = json!({"model": "demo-echo", "prompt": "fn main() {"});
    let answer: Value = post(&demo, "/completions", &prompt).await.json().await.unwrap();
    assert!(answer["choices"][0]["text"].as_str().unwrap().contains("fn main() {"));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_an_envelope() {
    let demo = demo::start().await.unwrap();
    for (path, body, status, param) in [
        ("/chat/completions", json!({"model": "demo-echo"}), 400, json!("messages")),
        ("/embeddings", json!({}), 400, json!("input")),
        ("/images", json!({}), 404, Value::Null),
        ("/models", json!({}), 405, Value::Null),
    ] {
        let response = post(&demo, path, &body).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["param"], param, "{path}");
    }
}
