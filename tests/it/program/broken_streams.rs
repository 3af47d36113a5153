//! Streams that fail after their first frame: one error in the caller's protocol, nothing that looks
//! like an end, and a program that goes on (B27, B28, D08).

use super::{CHAT_STREAM, DONE, MESSAGES_STREAM, delta, finish};
use crate::support::client::{events, names};
use crate::support::program::{KEY, serve};
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};
use serde_json::json;

/// What both faces make of streams: the OpenAI face's text and the Anthropic face's, of each. A
/// reset throws away what was not read, so it waits until the client has seen these marks.
async fn both(streams: &[Exchange], marks: [&str; 2]) -> Vec<[String; 2]> {
    let good = Exchange::stream([delta("{\"content\":\"ok\"}"), finish("stop"), DONE.into()].concat());
    let script = streams.iter().flat_map(|bad| [bad.clone(), good.clone(), bad.clone(), good.clone()]);
    let upstream = Upstream::start(script.collect::<Vec<_>>()).await;
    let program = serve(&upstream).env("IFLOW2API_CONTINUATION_MODE", "off").start().await;
    let mut both = Vec::new();
    for stream in streams {
        let mut texts = [String::new(), String::new()];
        let ways = [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)];
        for ((text, (path, body)), mark) in texts.iter_mut().zip(ways).zip(marks) {
            let mut answer = program.post(path, body).await;
            assert_eq!(answer.status, 200, "{path}");
            if stream.pauses() {
                answer.until(mark).await;
                upstream.go();
            }
            *text = answer.text().await;
            let next = program.post(path, body).await.text().await;
            assert!(next.contains("ok"), "the next request succeeds");
        }
        both.push(texts);
    }
    both
}

/// What is seen of a stream before it breaks, and at the end of a whole one.
const BEFORE: [&str; 2] = ["Hel", "Hel"];
const AT_END: [&str; 2] = ["[DONE]", "message_stop"];

/// The events of a text block that was opened and got one delta, and of an error.
const BROKEN: [&str; 5] =
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "error"];

#[tokio::test]
async fn every_way_to_break_ends_in_one_error_on_both_faces() {
    let text = delta("{\"content\":\"Hel\"}");
    let in_band = |data: &str| Exchange::stream([text.as_str(), &format!("data: {data}\n\n"), DONE].concat());
    let breaks = [
        ("the end of the connection", Exchange::stream(&text), "api_error"),
        ("a reset", Exchange::steps([begin(&text), Step::Pause, Step::Reset]), "api_error"),
        (
            "half an event",
            Exchange::stream([&text, "data: {\"choices\":[{\"index\":0,\"del"].concat()),
            "api_error",
        ),
        ("an error object", in_band(r#"{"error":{"message":"no","code":429}}"#), "rate_limit_error"),
        (
            "an error of vLLM's",
            in_band(r#"{"object":"error","message":"no","code":400}"#),
            "invalid_request_error",
        ),
        ("an error of iFlow's", in_band(r#"{"status":"449","msg":"no"}"#), "rate_limit_error"),
        (
            "an error beside choices",
            in_band(r#"{"choices":[],"error":{"message":"no","code":503}}"#),
            "overloaded_error",
        ),
        (
            "a failure as finish reason",
            Exchange::stream([&text, &finish("network_error"), DONE].concat()),
            "api_error",
        ),
        ("an empty object", in_band("{}"), "api_error"),
        ("null", in_band("null"), "api_error"),
        ("no JSON", in_band("oops"), "api_error"),
        ("truncated JSON", in_band("{\"choices\":[{"), "api_error"),
        (
            "bytes that are no text",
            Exchange::stream(
                [text.as_bytes(), b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n"]
                    .concat(),
            ),
            "api_error",
        ),
    ];
    let streams: Vec<Exchange> = breaks.iter().map(|(_, exchange, _)| exchange.clone()).collect();
    for ((what, _, kind), [chat, messages]) in breaks.iter().zip(both(&streams, BEFORE).await) {
        assert!(chat.starts_with(&text), "{what}: {chat}");
        let chunks = events(&chat);
        assert_eq!(chunks.len(), 2, "{what}: {chat}");
        let message = chunks[1]["error"]["message"].as_str().unwrap_or_else(|| panic!("{what}: {chat}"));
        assert!(!message.is_empty() && !chat.contains("[DONE]"), "{what}: {chat}");

        assert_eq!(names(&messages), BROKEN, "{what}: {messages}");
        let error = events(&messages).pop().unwrap();
        assert_eq!(
            (&error["type"], &error["error"]["type"]),
            (&json!("error"), &json!(kind)),
            "{what}: {error}"
        );
    }
}

#[tokio::test]
async fn a_break_within_a_tool_call_never_looks_like_its_end() {
    let call = delta(
        r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}"#,
    );
    let [chat, messages] = &both(&[Exchange::stream(&call)], BEFORE).await[0];
    assert!(events(chat)[1]["error"].is_object() && !chat.contains("[DONE]"), "{chat}");
    assert_eq!(names(messages), BROKEN, "{messages}");
    assert!(!messages.contains("stop_reason\":\"tool_use"), "{messages}");
}

#[tokio::test]
async fn a_stream_whose_end_is_known_is_whole_however_its_connection_ends() {
    let text = [delta("{\"content\":\"Hel\"}"), finish("length")].concat();
    let streams = [
        Exchange::stream(&text),
        Exchange::steps([begin([text.as_str(), DONE].concat()), Step::Pause, Step::Reset]),
        Exchange::steps([begin([text.as_str(), DONE].concat()), Step::Hang]),
    ];
    for [chat, messages] in both(&streams, AT_END).await {
        assert_eq!(chat, [text.as_str(), DONE].concat());
        assert!(messages.contains("\"stop_reason\":\"max_tokens\""), "{messages}");
        assert_eq!(names(&messages).last(), Some(&"message_stop"), "{messages}");
    }
}

#[tokio::test]
async fn our_key_is_masked_in_an_error_inside_a_stream() {
    let error = format!("data: {{\"error\":{{\"message\":\"key {KEY} was revoked\"}}}}\n\n");
    let stream = Exchange::stream([delta("{\"content\":\"Hel\"}"), error].concat());
    for text in both(&[stream], BEFORE).await.concat() {
        assert!(text.contains("was revoked") && !text.contains(KEY), "{text}");
    }
}

#[tokio::test]
async fn an_event_without_an_end_is_bounded() {
    let endless = Exchange::steps([
        begin(delta("{\"content\":\"Hel\"}")),
        send("data: \""),
        Step::Flood(vec![b'x'; 1024 * 1024], 64),
    ]);
    let upstream = Upstream::start([endless.clone(), endless]).await;
    let program = serve(&upstream).start().await;
    for (path, body, end) in [
        ("/v1/chat/completions", CHAT_STREAM, "\"error\""),
        ("/v1/messages", MESSAGES_STREAM, "event: error"),
    ] {
        let text = program.post(path, body).await.text().await;
        assert!(
            text.contains(end) && text.len() < 4096,
            "{} bytes: {}",
            text.len(),
            &text[..text.len().min(4096)]
        );
        upstream.left().await;
    }
}
