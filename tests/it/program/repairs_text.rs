//! Tool calls that came as text, or with broken arguments, are calls to the caller of either face.

use super::{CHAT, DONE, STREAM, chunk, delta, finish};
use crate::support::caller::{Caller, Face, Heard, Thoughts};
use crate::support::client::events;
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

const WAYS: [(Face, bool); 4] =
    [(Face::OpenAi, false), (Face::OpenAi, true), (Face::Anthropic, false), (Face::Anthropic, true)];

/// The usage of these answers.
const USAGE: &str = r#""usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}"#;

/// An answer with this message, whole or in pieces that end within tags and words.
fn answer(message: &Value, reason: &str, streamed: bool) -> Exchange {
    if !streamed {
        return Exchange::answer(
            200,
            format!(
                r#"{{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{message},"finish_reason":"{reason}"}}],{USAGE}}}"#
            ),
        );
    }
    let mut frames = vec![delta(r#"{"role":"assistant"}"#)];
    let text: Vec<char> = message["content"].as_str().unwrap_or_default().chars().collect();
    frames.extend(
        text.chunks(5).map(|piece| delta(&json!({"content": piece.iter().collect::<String>()}).to_string())),
    );
    if let Some(calls) = message.get("tool_calls") {
        frames.push(delta(&json!({ "tool_calls": calls }).to_string()));
    }
    frames.extend([finish(reason), chunk("").replace("}\n\n", &format!(",{USAGE}}}\n\n")), DONE.to_owned()]);
    Exchange::stream(frames.concat())
}

/// A message that says this text.
fn says(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

/// What a caller who offers the tools `weather` and `clothes` hears, in all ways.
async fn heard(message: &Value, reason: &str) -> Vec<(Face, bool, Heard)> {
    let upstream = Upstream::start(WAYS.map(|(_, streamed)| answer(message, reason, streamed))).await;
    let program = serve(&upstream).start().await;
    let mut all = Vec::new();
    for (face, streamed) in WAYS {
        let mut caller = Caller::new(program.address, "m", face, Thoughts::Kept, streamed);
        all.push((face, streamed, caller.say("What is the weather?").await));
    }
    all
}

/// Fails unless a text is heard as these words and calls, in all ways.
async fn is_heard_as(text: &str, words: &str, calls: &[(&str, Value)]) {
    for (face, streamed, heard) in heard(&says(text), "stop").await {
        let reason = match (face, calls.is_empty()) {
            (Face::OpenAi, true) => "stop",
            (Face::OpenAi, false) => "tool_calls",
            (Face::Anthropic, true) => "end_turn",
            (Face::Anthropic, false) => "tool_use",
        };
        let calls = calls.iter().map(|(name, arguments)| ((*name).to_owned(), arguments.clone()));
        let expected = Heard {
            thought: String::new(),
            text: words.to_owned(),
            calls: calls.collect(),
            reason: reason.to_owned(),
        };
        assert_eq!(heard, expected, "{face:?}, streamed: {streamed}: {text}");
    }
}

#[tokio::test]
async fn qwens_calls_between_tags_become_calls() {
    let text = "Let me look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"巴黎\", \"number\": 3}}\n</tool_call>\n\
        <tool_call>\n{\"name\": \"clothes\", \"arguments\": \"{\\\"city\\\": \\\"Oslo\\\"}\"}\n</tool_call>";
    let calls = [("weather", json!({"city": "巴黎", "number": 3})), ("clothes", json!({"city": "Oslo"}))];
    is_heard_as(text, "Let me look.\n", &calls).await;
}

#[tokio::test]
async fn calls_in_the_form_of_qwen3_coder_become_calls() {
    let text = "<tool_call>\n<function=weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=number>\n3\n</parameter>\n</function>\n</tool_call>";
    is_heard_as(text, "", &[("weather", json!({"city": "Paris", "number": 3}))]).await;
}

#[tokio::test]
async fn calls_in_the_form_of_glm_become_calls() {
    let text = "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>number</arg_key>\n<arg_value>3</arg_value>\n</tool_call>";
    is_heard_as(text, "", &[("weather", json!({"city": "Paris", "number": 3}))]).await;
}

#[tokio::test]
async fn what_is_no_call_of_an_offered_tool_stays_text() {
    for text in [
        // Not offered.
        "<tool_call>\n{\"name\": \"rm\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>",
        // Does not fit the schema.
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"number\": 3}}\n</tool_call>",
        // Code.
        "Write it so:\n```\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>\n```\nThat is all.",
        "Write `<tool_call>weather</tool_call>` for it.",
        "a < b and <tool_",
    ] {
        is_heard_as(text, text, &[]).await;
    }
}

#[tokio::test]
async fn nothing_is_looked_for_where_no_tool_is_offered() {
    let text = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
    let upstream =
        Upstream::start([answer(&says(text), "stop", false), answer(&says(text), "stop", true)]).await;
    let program = serve(&upstream).start().await;
    let found = program.chat(CHAT).await.json().await;
    assert_eq!(found["choices"][0]["message"], says(text));
    let found = program.chat(super::CHAT_STREAM).await.text().await;
    let said: String =
        events(&found).iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, text);
}

/// A message that calls the weather with these arguments.
fn calls(arguments: &str) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [{"index": 0, "id": "x", "type": "function",
        "function": {"name": "weather", "arguments": arguments}}]})
}

#[tokio::test]
async fn arguments_that_are_a_string_become_the_object_in_it() {
    for arguments in ["\"{\\\"city\\\": \\\"Paris\\\"}\"", "{\"city\": \"Paris\"}"] {
        for (face, streamed, heard) in heard(&calls(arguments), "tool_calls").await {
            let what = format!("{face:?}, streamed: {streamed}: {arguments}");
            assert_eq!(heard.calls, [("weather".to_owned(), json!({"city": "Paris"}))], "{what}");
        }
    }
}

#[tokio::test]
async fn arguments_that_are_said_from_the_start_each_time_are_said_once() {
    let piece = |arguments: &str| {
        delta(
            &json!({"tool_calls": [{"index": 0, "id": "x", "type": "function",
        "function": {"name": "weather", "arguments": arguments}}]})
            .to_string(),
        )
    };
    let stream = ["{\"city\"", "{\"city\": \"Par", "{\"city\": \"Paris\"}"].map(piece).concat();
    let stream = [stream.as_str(), &finish("tool_calls"), DONE].concat();
    let upstream = Upstream::start([Exchange::stream(&stream), Exchange::stream(&stream)]).await;
    let program = serve(&upstream).start().await;
    for face in [Face::OpenAi, Face::Anthropic] {
        let heard = Caller::new(program.address, "m", face, Thoughts::Kept, true).say("?").await;
        assert_eq!(heard.calls, [("weather".to_owned(), json!({"city": "Paris"}))], "{face:?}");
    }
}

/// The usage that an answer tells, and the line of the log.
async fn told(program: &mut Program, face: Face, streamed: bool) -> (Value, Value) {
    let mut caller = Caller::new(program.address, "m", face, Thoughts::Kept, streamed);
    let mut body = caller.members.clone();
    if face == Face::OpenAi && streamed {
        body["stream_options"] = json!({"include_usage": true});
    }
    caller = caller.with(body);
    let mut body = caller.body();
    body["messages"] = json!([{"role": "user", "content": "?"}]);
    let path = if face == Face::OpenAi { "/v1/chat/completions" } else { "/v1/messages" };
    let mut answer = program.post(path, body.to_string()).await;
    let text = answer.text().await;
    let usage = if streamed {
        events(&text).into_iter().rev().find_map(|event| event.get("usage").cloned()).unwrap()
    } else {
        serde_json::from_str::<Value>(&text).unwrap()["usage"].clone()
    };
    let line = program.line(&["\"call\"", answer.header("x-request-id").unwrap()]).await;
    (usage, serde_json::from_str(&line).unwrap())
}

#[tokio::test]
async fn how_many_calls_were_repaired_is_told_in_the_usage_and_in_the_log() {
    let text = "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>\
        <tool_call>clothes\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>";
    for (message, reason, repairs) in [
        (says(text), "stop", Some(2)),
        (calls("\"{\\\"city\\\": \\\"Paris\\\"}\""), "tool_calls", Some(1)),
        (calls("{\"city\": \"Paris\"}"), "tool_calls", None),
        (says("Sunny."), "stop", None),
    ] {
        let upstream = Upstream::start(WAYS.map(|(_, streamed)| answer(&message, reason, streamed))).await;
        let mut program = serve(&upstream).arguments(&["--log-format", "json"]).start().await;
        for (face, streamed) in WAYS {
            let (usage, line) = told(&mut program, face, streamed).await;
            let found = usage["iflow2api"].get("repaired_calls").cloned();
            let what = format!("{face:?}, streamed: {streamed}: {message}: {usage}");
            assert_eq!(found, repairs.map(|count| json!(count)), "{what}");
            assert_eq!(line.get("repairs").cloned(), repairs.map(|count| json!(count)), "{what}");
            if repairs.is_none() {
                assert_eq!(usage.get("iflow2api"), None, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_in_which_nothing_is_broken_comes_back_byte_for_byte() {
    let tools =
        r#","tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}"#;
    let asked = super::CHAT_STREAM.replacen("\"stream\":true}", &format!("\"stream\":true{tools}"), 1);
    let plain = STREAM.split_inclusive("\n\n").filter(|frame| !frame.contains("usage")).collect::<String>();
    let odd = [
        delta(r#"{"role":"assistant","content":null,"x":1.10}"#),
        delta(
            r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"weather","arguments":""}}]}"#,
        ),
        delta(
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\": 1E5, \"b\":\"<tool_call>\"}"}}]}"#,
        ),
        finish("tool_calls"),
        DONE.to_owned(),
    ];
    for stream in [plain, odd.concat()] {
        let upstream = Upstream::start([Exchange::stream(&stream)]).await;
        let program = serve(&upstream).start().await;
        assert_eq!(program.chat(&asked).await.text().await, stream);
    }
}
