//! What the OpenAI face repairs in a stream, and only where it is broken (D03, D05–D08).

use super::{CHAT, CHAT_STREAM, DONE, chunk, delta, finish};
use crate::support::client::events;
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

const ASKS_USAGE: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;

/// What a stream of this upstream becomes for this request.
async fn relayed(request: &str, stream: impl AsRef<[u8]>) -> String {
    let upstream = Upstream::start([Exchange::stream(stream)]).await;
    let program = serve(&upstream).env("IFLOW2API_CONTINUATION_MODE", "off").start().await;
    program.chat(request).await.text().await
}

fn usage(completion: u64) -> String {
    format!(
        "\"usage\":{{\"prompt_tokens\":11,\"completion_tokens\":{completion},\"total_tokens\":{}}}",
        11 + completion
    )
}

fn with_usage(chunk: &str, completion: u64) -> String {
    chunk.replace("}\n\n", &format!(",{}}}\n\n", usage(completion)))
}

#[tokio::test]
async fn the_usage_that_only_we_asked_for_is_taken_out_again() {
    let text = [delta("{\"content\":\"a\"}"), finish("stop")].concat();
    let stream = [text.as_str(), &with_usage(&chunk(""), 3), DONE].concat();
    assert_eq!(relayed(CHAT_STREAM, &stream).await, [text.as_str(), DONE].concat());
    assert_eq!(relayed(ASKS_USAGE, &stream).await, stream);
}

#[tokio::test]
async fn usage_on_every_chunk_is_said_once_and_last() {
    let text = [delta("{\"content\":\"a\"}"), delta("{\"content\":\"b\"}"), finish("stop")];
    let [a, b, end] = &text;
    let stream = [&with_usage(a, 1), &with_usage(b, 2), &with_usage(end, 2), DONE].concat();
    assert_eq!(relayed(CHAT_STREAM, &stream).await, [a, b, end, DONE].concat());
    let last = with_usage(&chunk(""), 2);
    assert_eq!(relayed(ASKS_USAGE, &stream).await, [a, b, end, &last, DONE].concat());
    let stream = [&with_usage(a, 1), b, end, &last, DONE].concat();
    assert_eq!(relayed(ASKS_USAGE, &stream).await, [a, b, end, &last, DONE].concat());
}

#[tokio::test]
async fn a_missing_done_is_added_after_a_finish_reason() {
    let stream = [delta("{\"content\":\"a\"}"), finish("stop")].concat();
    assert_eq!(relayed(CHAT_STREAM, &stream).await, [stream.as_str(), DONE].concat());
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_and_without_done() {
    let stream = delta("{\"content\":\"a\"}");
    let text = relayed(CHAT_STREAM, &stream).await;
    assert!(text.starts_with(&stream), "{text}");
    let envelope = &events(&text)[1];
    assert_eq!(
        *envelope,
        json!({"error": {"message": "upstream closed the stream before finishing", "type": "server_error",
            "param": null, "code": "upstream_error"}})
    );
    assert!(!text.contains("[DONE]"), "{text}");
}

/// The deltas of the tool calls of a stream.
async fn calls(stream: &[String]) -> Vec<Value> {
    let stream = [&stream.concat(), &finish("tool_calls"), DONE].concat();
    let text = relayed(CHAT_STREAM, stream).await;
    let calls = events(&text)
        .into_iter()
        .flat_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array().cloned().unwrap_or_default());
    calls.collect()
}

#[tokio::test]
async fn tool_calls_without_a_number_or_an_id_get_them() {
    let calls = calls(&[
        delta(r#"{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":"}}]}"#),
        delta(r#"{"tool_calls":[{"function":{"arguments":"1}"}}]}"#),
        delta(r#"{"tool_calls":[{"function":{"name":"g","arguments":"{}"}}]}"#),
    ])
    .await;
    let id = calls[0]["id"].as_str().unwrap();
    let other = calls[2]["id"].as_str().unwrap();
    assert!(!id.is_empty() && !other.is_empty() && id != other, "{calls:?}");
    let expected = [
        json!({"index": 0, "id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":"}}),
        json!({"index": 0, "function": {"arguments": "1}"}}),
        json!({"index": 1, "id": other, "type": "function", "function": {"name": "g", "arguments": "{}"}}),
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn two_calls_on_one_number_are_told_apart_by_their_ids() {
    let calls = calls(&[
        delta(r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"id":"y","type":"function","function":{"name":"f","arguments":"{}"}}]}"#),
    ])
    .await;
    let numbers: Vec<_> = calls.iter().map(|call| (call["index"].clone(), call["id"].clone())).collect();
    assert_eq!(numbers, [(json!(0), json!("x")), (json!(1), json!("y"))]);
}

#[tokio::test]
async fn arguments_that_are_an_object_become_their_text() {
    let object = r#"{"a":1.10,"b":"c"}"#;
    let stream = delta(&format!(
        r#"{{"tool_calls":[{{"index":0,"id":"x","type":"function","function":{{"name":"f","arguments":{object}}}}}]}}"#
    ));
    assert_eq!(calls(&[stream]).await[0]["function"]["arguments"], json!(object));

    let whole = super::WHOLE.replace("\"content\":\"Hello!\"", &format!(
        r#""content":null,"tool_calls":[{{"id":"x","type":"function","function":{{"name":"f","arguments":{object}}}}}]"#
    ));
    let upstream = Upstream::start([Exchange::answer(200, whole)]).await;
    let program = serve(&upstream).start().await;
    let answer = program.chat(CHAT).await.json().await;
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(*call, json!({"id": "x", "type": "function", "function": {"name": "f", "arguments": object}}));
}

#[tokio::test]
async fn names_and_ids_that_are_repeated_are_said_once() {
    let again = |arguments: &str| {
        delta(&format!(
            r#"{{"tool_calls":[{{"index":0,"id":"x","type":"function","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
        ))
    };
    let calls = calls(&[again("{"), again("}")]).await;
    let expected = [
        json!({"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": "{"}}),
        json!({"index": 0, "function": {"arguments": "}"}}),
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn arguments_before_the_name_wait_for_it() {
    let calls = calls(&[
        delta(
            r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"arguments":"{\"a\":"}}]}"#,
        ),
        delta(r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"1}"}}]}"#),
    ])
    .await;
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0]["function"], json!({"name": "f", "arguments": "{\"a\":1}"}));
}

#[tokio::test]
async fn finish_reasons_that_strict_clients_refuse_are_mapped_and_kept_beside() {
    for (native, mapped) in [
        ("model_context_window_exceeded", "length"),
        ("max_tokens", "length"),
        ("sensitive", "content_filter"),
        ("eos", "stop"),
    ] {
        let text =
            relayed(CHAT_STREAM, [delta("{\"content\":\"a\"}"), finish(native), DONE.into()].concat()).await;
        let choice = &events(&text)[1]["choices"][0];
        assert_eq!(
            (&choice["finish_reason"], &choice["native_finish_reason"]),
            (&json!(mapped), &json!(native))
        );

        let whole = super::WHOLE.replace("\"stop\"", &format!("\"{native}\""));
        let upstream = Upstream::start([Exchange::answer(200, whole)]).await;
        let program = serve(&upstream).env("IFLOW2API_CONTINUATION_MODE", "off").start().await;
        let answer = program.chat(CHAT).await.json().await;
        let choice = &answer["choices"][0];
        assert_eq!(
            (&choice["finish_reason"], &choice["native_finish_reason"]),
            (&json!(mapped), &json!(native))
        );
    }
}

#[tokio::test]
async fn finish_reasons_that_are_failures_become_errors() {
    for reason in ["network_error", "insufficient_system_resource", "error"] {
        let text =
            relayed(CHAT_STREAM, [delta("{\"content\":\"a\"}"), finish(reason), DONE.into()].concat()).await;
        let last = events(&text).pop().unwrap();
        assert!(last["error"]["message"].is_string() && !text.contains("[DONE]"), "{reason}: {text}");
    }
}

#[tokio::test]
async fn a_json_body_where_a_stream_was_expected_becomes_a_stream() {
    let upstream = Upstream::start([Exchange::answer(200, super::WHOLE)]).await;
    let program = serve(&upstream).start().await;
    let text = program.chat(CHAT_STREAM).await.text().await;
    let chunks = events(&text);
    let content: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(content, "Hello!");
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"), "{text}");
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "stop"), "{text}");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()), "{text}");
    assert!(text.ends_with(DONE), "{text}");
}

#[tokio::test]
async fn comments_line_ends_and_missing_spaces_change_no_event() {
    let plain = [delta("{\"content\":\"a\"}"), finish("stop"), DONE.to_owned()].concat();
    for (what, stream) in [
        ("carriage returns", plain.replace('\n', "\r\n")),
        ("old line ends", plain.replace('\n', "\r")),
        ("no space", plain.replace("data: ", "data:")),
        ("a mark", format!("\u{feff}{plain}")),
        ("comments", format!(": OPENROUTER PROCESSING\n\n{}", plain.replace("\n\n", "\n\n: keep-alive\n\n"))),
        ("no last line end", plain.trim_end().to_owned()),
        ("words after the end", format!("{plain}data: {{\"choices\":[]}}\n\ngarbage")),
    ] {
        assert_eq!(relayed(CHAT_STREAM, stream).await, plain, "{what}");
    }
}

#[tokio::test]
async fn a_stream_cut_into_single_bytes_is_the_same_stream() {
    let stream =
        [delta("{\"content\":\"\u{6a21}\u{578b} \u{1f600}\"}"), finish("stop"), DONE.to_owned()].concat();
    let mut steps = vec![crate::support::upstream::begin("")];
    steps.extend(stream.bytes().map(|byte| crate::support::upstream::send([byte])));
    steps.push(crate::support::upstream::Step::Close);
    let upstream = Upstream::start([Exchange::steps(steps)]).await;
    let program: Program = serve(&upstream).start().await;
    assert_eq!(program.chat(CHAT_STREAM).await.text().await, stream);
}

#[tokio::test]
async fn thoughts_are_neither_moved_nor_lost() {
    for field in ["reasoning_content", "reasoning"] {
        let stream = [
            delta(&format!("{{\"{field}\":\"hm\",\"content\":\"\"}}")),
            delta("{\"content\":\"a\"}"),
            finish("stop"),
            DONE.to_owned(),
        ]
        .concat();
        // What stands elsewhere stays there, and is told in the member that clients know as well.
        let said = r#""reasoning":"hm","content":"""#;
        let told = r#""reasoning":"hm","content":"","reasoning_content":"hm""#;
        assert_eq!(relayed(CHAT_STREAM, &stream).await, stream.replace(said, told));
    }
}
