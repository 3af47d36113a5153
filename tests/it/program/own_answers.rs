//! What the gateway answers or decides by itself on the Anthropic face: threads, warm-ups, counts,
//! stop sequences beyond the upstream's limit, single calls.

use super::{DONE, delta, finish};
use crate::support::client::{events, names};
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

#[tokio::test]
async fn a_thread_is_refused_in_the_words_that_make_the_sdk_send_all() {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).start().await;
    for thread in [r#"{"type":"create"}"#, r#"{"type":"continue","previous_message_id":"msg_1"}"#] {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"thread":{thread},"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let mut answer = program.messages(body).await;
        let json = answer.json().await;
        assert_eq!((answer.status, &json["error"]["type"]), (400, &json!("invalid_request_error")));
        let details = json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
        assert_eq!(json["error"]["details"], details, "{json}");
    }
}

#[tokio::test]
async fn a_request_for_no_token_is_answered_here() {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).start().await;
    let body = |stream| {
        json!({"model": "m", "max_tokens": 0, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}).to_string()
    };
    let mut answer = program.messages(body(false)).await;
    let message = answer.json().await;
    let shown = ["type", "content", "stop_reason", "model"].map(|key| message[key].clone());
    assert_eq!(shown, [json!("message"), json!([]), json!("max_tokens"), json!("m")], "{message}");
    assert!(
        message["usage"]["input_tokens"].as_u64().unwrap() > 0 && message["usage"]["output_tokens"] == 0,
        "{message}"
    );
    let text = program.messages(body(true)).await.text().await;
    assert_eq!(names(&text), ["message_start", "message_delta", "message_stop"]);
    assert!(text.contains("\"stop_reason\":\"max_tokens\""), "{text}");
}

#[tokio::test]
async fn stop_sequences_beyond_the_upstreams_limit_are_matched_here_across_chunks() {
    let request = |stream| {
        json!({"model": "m", "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": "hi"}],
            "stop_sequences": ["A1", "  ", "A2", "A3", "A4", "<<END>>", "A6"]}).to_string()
    };
    let pieces = ["one <", "two <<EN", "D>", "> three", " four"];
    let mut stream: String = pieces.map(|piece| delta(&format!("{{\"content\":\"{piece}\"}}"))).concat();
    stream.push_str(&[finish("stop").as_str(), DONE].concat());
    let whole = super::WHOLE.replace("Hello!", &pieces.concat());
    let upstream = Upstream::start([Exchange::stream(stream), Exchange::answer(200, whole)]).await;
    let program = serve(&upstream).start().await;

    let text = program.messages(request(true)).await.text().await;
    let events = events(&text);
    let said: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!(said, "one <two ");
    let end = events.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(end["delta"], json!({"stop_reason": "stop_sequence", "stop_sequence": "<<END>>"}));
    assert_eq!(names(&text).last(), Some(&"message_stop"));

    let message = program.messages(request(false)).await.json().await;
    assert_eq!(message["content"], json!([{"type": "text", "text": "one <two "}]));
    assert_eq!(
        (&message["stop_reason"], &message["stop_sequence"]),
        (&json!("stop_sequence"), &json!("<<END>>"))
    );

    for sent in upstream.requests() {
        assert_eq!(sent.json()["stop"], json!(["A1", "A2", "A3", "A4"]));
    }
}

#[tokio::test]
async fn only_the_first_call_goes_through_where_one_is_wanted() {
    let call = |index: u32, name: &str| {
        delta(&format!(
            r#"{{"tool_calls":[{{"index":{index},"id":"{name}","type":"function","function":{{"name":"{name}","arguments":"{{}}"}}}}]}}"#
        ))
    };
    let stream = [call(0, "f"), call(1, "g"), finish("tool_calls"), DONE.to_owned()].concat();
    let whole = json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [
        {"id": "f", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "g", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
    let upstream =
        Upstream::start([Exchange::stream(stream), Exchange::answer(200, whole.to_string())]).await;
    let program = serve(&upstream).start().await;
    let request = |stream| {
        json!({"model": "m", "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}, {"name": "g", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}).to_string()
    };

    let text = program.messages(request(true)).await.text().await;
    let events = events(&text);
    let started: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["content_block"]["name"].as_str().map(|_| &event["content_block"]))
        .collect();
    assert_eq!(started, [&json!({"type": "tool_use", "id": "f", "name": "f", "input": {}})]);
    assert!(text.contains("\"stop_reason\":\"tool_use\""), "{text}");

    let message = program.messages(request(false)).await.json().await;
    assert_eq!(message["content"], json!([{"type": "tool_use", "id": "f", "name": "f", "input": {}}]));
    for sent in upstream.requests() {
        assert_eq!(sent.json()["parallel_tool_calls"], json!(false));
    }
}

#[tokio::test]
async fn tokens_are_counted_without_the_upstream() {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).start().await;
    let count = async |body: Value| {
        let mut answer = program.post("/v1/messages/count_tokens?beta=true", body.to_string()).await;
        let json = answer.json().await;
        assert_eq!(answer.status, 200, "{json}");
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        json["input_tokens"].as_u64().unwrap()
    };
    let user = |content: &str| json!([{"role": "user", "content": content}]);
    let short = count(json!({"model": "m", "messages": user("hi")})).await;
    let long = count(json!({"model": "m", "messages": user(&"some words ".repeat(1000))})).await;
    let system =
        count(json!({"model": "m", "system": "some words ".repeat(1000), "messages": user("hi")})).await;
    let tools = count(json!({"model": "m", "messages": user("hi"),
        "tools": [{"name": "f", "description": "some words ".repeat(1000), "input_schema": {"type": "object"}}]})).await;
    assert!((1..100).contains(&short), "{short}");
    for (what, counted) in [("messages", long), ("system", system), ("tools", tools)] {
        assert!((1500..4000).contains(&counted), "{what}: {counted}");
    }
    let mut answer = program.post("/v1/messages/count_tokens", r#"{"model":"m"}"#).await;
    assert!(answer.json().await["error"]["message"].as_str().unwrap().starts_with("messages: "));
}
