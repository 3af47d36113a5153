//! The Anthropic face over a chat-completions upstream, from end to end.

use super::{MESSAGES, MESSAGES_STREAM, STREAM, WHOLE};
use crate::support::client::{events, names};
use crate::support::program::{KEY, serve};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::json;

#[tokio::test]
async fn a_streamed_answer_becomes_the_events_of_a_message() {
    let upstream = Upstream::start([Exchange::stream(STREAM)]).await;
    let program = serve(&upstream).start().await;
    let mut answer = program.messages(MESSAGES_STREAM).await;
    let text = answer.text().await;
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("x-iflow2api-upstream", "env"),
        ("x-iflow2api-model", "m"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("content-encoding"), None);
    let id = answer.header("request-id").unwrap();
    assert!(id.starts_with("req_"), "{id}");
    assert_eq!(answer.header("x-request-id"), Some(id));

    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&text), expected);
    let mut events = events(&text);
    events.retain(|event| event["type"] != "ping");
    assert_eq!(events.iter().map(|event| &event["type"]).collect::<Vec<_>>(), expected);
    let start = &events[0]["message"];
    assert!(start["id"].as_str().unwrap().starts_with("msg_"), "{start}");
    assert!(start["usage"]["input_tokens"].as_u64().unwrap() > 0, "{start}");
    let rest =
        ["type", "role", "model", "content", "stop_reason", "stop_sequence"].map(|key| start[key].clone());
    assert_eq!(rest, [json!("message"), json!("assistant"), json!("m"), json!([]), json!(null), json!(null)]);
    assert_eq!(
        events[1..6],
        [
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo!"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                "usage": {"input_tokens": 11, "output_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}}),
        ]
    );
}

#[tokio::test]
async fn a_whole_answer_becomes_a_message() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let program = serve(&upstream).start().await;
    let mut answer = program.messages(MESSAGES).await;
    let message = answer.json().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("request-id").unwrap().starts_with("req_"));
    let id = message["id"].as_str().unwrap();
    assert!(id.starts_with("msg_"), "{id}");
    assert_eq!(
        message,
        json!({"id": id, "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "Hello!"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 11, "output_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}})
    );
}

#[tokio::test]
async fn the_upstream_sees_our_key_and_our_name_and_nothing_of_the_callers() {
    let upstream = Upstream::start([Exchange::stream(STREAM)]).await;
    let program = serve(&upstream).start().await;
    let headers = "authorization: Bearer sk-callers-own\r\nx-api-key: sk-callers-other\r\n\
        anthropic-version: 2023-06-01\r\nanthropic-beta: claude-code-20250219\r\nuser-agent: claude-cli/2.1\r\n\
        x-app: cli\r\nx-stainless-lang: js\r\ncookie: a=b\r\naccept-encoding: gzip, br\r\n";
    let body = r#"{"model":"env/glm-4.7","max_tokens":64,"stream":true,"temperature":0.10,
        "system":[{"type":"text","text":"x-anthropic-billing-header: cch=1"},{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
        "metadata":{"user_id":"{\"device_id\":\"secret\"}"},"context_management":{"edits":[]},
        "messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#;
    let mut answer = program.ask("POST /v1/messages?beta=true", headers, body).await;
    let text = answer.text().await;
    assert_eq!(events(&text)[0]["message"]["model"], "env/glm-4.7");
    assert_eq!(answer.header("x-iflow2api-model"), Some("glm-4.7"));

    let sent = upstream.request();
    assert_eq!(
        sent.json(),
        json!({"model": "glm-4.7", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "max_tokens": 64, "temperature": 0.10, "stream": true, "stream_options": {"include_usage": true}})
    );
    assert!(sent.text().contains("\"temperature\":0.10"), "{}", sent.text());
    assert_eq!(sent.head.get("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(sent.head.get("user-agent"), Some(concat!("iflow2api/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(sent.head.get("content-type"), Some("application/json"));
    let mut names: Vec<&str> = sent.head.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn both_faces_work_under_all_paths_that_clients_make_of_a_base_url() {
    let paths = [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/messages",
        "/v1/v1/messages",
        "/v1/chat/completions",
        "/chat/completions",
    ];
    let upstream = Upstream::start(vec![Exchange::answer(200, WHOLE); paths.len()]).await;
    let program = serve(&upstream).start().await;
    for path in paths {
        let mut answer = program.post(path, MESSAGES).await;
        let text = answer.text().await;
        assert_eq!(answer.status, 200, "{path}: {text}");
        assert_eq!(text.contains("\"type\":\"message\""), path.contains("messages"), "{path}: {text}");
    }
}
