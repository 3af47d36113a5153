//! Wherever a model thinks, the OpenAI face has its thoughts in `reasoning_content`, beside what the
//! provider calls them, and the Anthropic face in blocks of their own.

use super::{CHAT, CHAT_STREAM, DONE, chunk, delta, finish};
use crate::support::client::events;
use crate::support::program::with_preset;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

/// A whole answer with this message.
fn whole(message: &str) -> String {
    format!(
        r#"{{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}}}"#
    )
}

/// A stream of these deltas.
fn stream(deltas: &[&str]) -> String {
    let mut frames: Vec<String> = deltas.iter().map(|said| delta(said)).collect();
    frames.extend([finish("stop"), DONE.to_owned()]);
    frames.concat()
}

/// What a caller of the OpenAI face gets of an upstream of this preset: whole, then streamed.
async fn relayed(preset: &str, message: &str, deltas: &[&str]) -> (String, String) {
    let upstream =
        Upstream::start([Exchange::answer(200, whole(message)), Exchange::stream(stream(deltas))]).await;
    let program = with_preset(preset, "", &upstream).start().await;
    (program.chat(CHAT).await.text().await, program.chat(CHAT_STREAM).await.text().await)
}

#[tokio::test]
async fn thoughts_in_reasoning_stand_in_reasoning_content_too() {
    for preset in ["openai", "vllm", "groq", "ollama"] {
        let (all, pieces) = relayed(
            preset,
            r#"{"role":"assistant","content":"a","reasoning":"hm","x":1.10}"#,
            &[
                r#"{"role":"assistant","content":"","reasoning":"h","x":1.10}"#,
                r#"{"reasoning":"m"}"#,
                r#"{"content":"a"}"#,
            ],
        )
        .await;
        let message =
            r#"{"role":"assistant","content":"a","reasoning":"hm","x":1.10,"reasoning_content":"hm"}"#;
        assert_eq!(all, whole(message), "{preset}");
        let deltas = [
            r#"{"role":"assistant","content":"","reasoning":"h","x":1.10,"reasoning_content":"h"}"#,
            r#"{"reasoning":"m","reasoning_content":"m"}"#,
            r#"{"content":"a"}"#,
        ];
        assert_eq!(pieces, stream(&deltas), "{preset}");
    }
}

#[tokio::test]
async fn thoughts_in_reasoning_content_stay_as_they_are() {
    for preset in ["openai", "deepseek", "lmstudio", "minimax"] {
        let message = r#"{"role":"assistant","content":"a","reasoning_content":"h\u00fcm","x":1.10}"#;
        let deltas = [r#"{"reasoning_content":"h\u00fcm","x":1.10}"#, r#"{"content":"a"}"#];
        let (all, pieces) = relayed(preset, message, &deltas).await;
        assert_eq!((all, pieces), (whole(message), stream(&deltas)), "{preset}");
    }
}

#[tokio::test]
async fn thoughts_that_are_said_twice_are_said_once() {
    let message = r#"{"role":"assistant","content":"a","reasoning":"hm","reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#;
    let deltas = [r#"{"reasoning":"hm","reasoning_content":"hm"}"#, r#"{"content":"a"}"#];
    let (all, pieces) = relayed("openrouter", message, &deltas).await;
    assert_eq!((all, pieces), (whole(message), stream(&deltas)));
}

#[tokio::test]
async fn thoughts_in_details_stand_in_reasoning_content_too() {
    let details = |text: &str| {
        format!(
            r#"[{{"type":"reasoning.text","id":"r1","format":"x","index":0,"text":"{text}","signature":null}}]"#
        )
    };
    for preset in ["openrouter", "minimax"] {
        let (all, pieces) = relayed(
            preset,
            &format!(r#"{{"role":"assistant","content":"a","reasoning_details":{}}}"#, details("hm")),
            &[
                &format!(r#"{{"reasoning_details":{}}}"#, details("h")),
                &format!(r#"{{"reasoning_details":{}}}"#, details("m")),
                r#"{"content":"a"}"#,
            ],
        )
        .await;
        let message = format!(
            r#"{{"role":"assistant","content":"a","reasoning_details":{},"reasoning_content":"hm"}}"#,
            details("hm")
        );
        assert_eq!(all, whole(&message), "{preset}");
        let deltas = [
            &format!(r#"{{"reasoning_details":{},"reasoning_content":"h"}}"#, details("h")),
            &format!(r#"{{"reasoning_details":{},"reasoning_content":"m"}}"#, details("m")),
            r#"{"content":"a"}"#,
        ];
        assert_eq!(pieces, stream(&deltas.map(|text| text as &str)), "{preset}");
    }
}

/// The thoughts and the text of a stream, joined.
fn joined(text: &str) -> (String, String) {
    let all = events(text);
    let join = |key: &str| {
        all.iter().filter_map(|chunk| chunk["choices"][0]["delta"][key].as_str()).collect::<String>()
    };
    (join("reasoning_content"), join("content"))
}

#[tokio::test]
async fn thoughts_between_tags_are_taken_out_of_the_text() {
    let said = "<think>\nI see: a < b & </th.\n</think>\n\nIt is **so** <think>.";
    let (thought, text) = ("\nI see: a < b & </th.\n", "It is **so** <think>.");
    for preset in ["lmstudio", "minimax"] {
        for length in [1, 3, 1000] {
            let characters: Vec<char> = said.chars().collect();
            let pieces: Vec<String> = characters
                .chunks(length)
                .map(|piece| json!({"content": piece.iter().collect::<String>()}).to_string())
                .collect();
            let deltas: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let message = json!({"role": "assistant", "content": said}).to_string();
            let (all, streamed) = relayed(preset, &message, &deltas).await;
            let all: Value = serde_json::from_str(&all).unwrap();
            let expected = json!({"role": "assistant", "content": text, "reasoning_content": thought});
            assert_eq!(all["choices"][0]["message"], expected, "{preset}");
            assert_eq!(
                joined(&streamed),
                (thought.to_owned(), text.to_owned()),
                "{preset} by {length}: {streamed}"
            );
            assert!(streamed.ends_with(DONE), "{streamed}");
        }
    }
}

#[tokio::test]
async fn thoughts_that_nobody_ended_are_thoughts_to_the_end() {
    let said = "<think>I never stop </thin";
    let message = json!({"role": "assistant", "content": said}).to_string();
    let deltas = [r#"{"content":"<think>I never"}"#, r#"{"content":" stop </thin"}"#];
    let (all, streamed) = relayed("lmstudio", &message, &deltas).await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(
        all["choices"][0]["message"],
        json!({"role": "assistant", "content": "", "reasoning_content": "I never stop </thin"})
    );
    assert_eq!(joined(&streamed), ("I never stop </thin".to_owned(), String::new()));
}

#[tokio::test]
async fn tags_stay_where_a_provider_does_not_think_between_them() {
    let message = r#"{"role":"assistant","content":"<think>x</think>a"}"#;
    let deltas = [r#"{"content":"<think>x</th"}"#, r#"{"content":"ink>a"}"#];
    for preset in ["openai", "zai", "deepseek"] {
        let (all, pieces) = relayed(preset, message, &deltas).await;
        assert_eq!((all, pieces), (whole(message), stream(&deltas)), "{preset}");
    }
}

#[tokio::test]
async fn a_text_without_tags_comes_back_byte_for_byte() {
    let message = r#"{"role":"assistant","content":"h\u00fcm","x":1.10}"#;
    let deltas = [r#"{"content":"h\u00fcm","x":1.10}"#, r#"{"content":" a"}"#, r#"{"content":null}"#];
    let (all, pieces) = relayed("lmstudio", message, &deltas).await;
    assert_eq!((all, pieces), (whole(message), stream(&deltas)));
}

#[tokio::test]
async fn a_second_answer_thinks_for_itself() {
    let two = |delta: &str| chunk(&format!(r#"{{"index":1,"delta":{delta},"finish_reason":null}}"#));
    let text = [
        delta(r#"{"reasoning":"h"}"#),
        two(r#"{"reasoning":"g"}"#),
        delta(r#"{"content":"a"}"#),
        two(r#"{"content":"b"}"#),
        finish("stop"),
        chunk(r#"{"index":1,"delta":{},"finish_reason":"stop"}"#),
        DONE.to_owned(),
    ];
    let upstream = Upstream::start([Exchange::stream(text.concat())]).await;
    let program = with_preset("vllm", "", &upstream).start().await;
    let found = program.chat(CHAT_STREAM).await.text().await;
    let expected = text.concat().replace(r#""reasoning":"h""#, r#""reasoning":"h","reasoning_content":"h""#);
    assert_eq!(found, expected.replace(r#""reasoning":"g""#, r#""reasoning":"g","reasoning_content":"g""#));
}

#[tokio::test]
async fn each_answer_of_several_has_its_own_tags() {
    let of = |index: u32, delta: &str| {
        chunk(&format!(r#"{{"index":{index},"delta":{delta},"finish_reason":null}}"#))
    };
    let end = |index: u32| chunk(&format!(r#"{{"index":{index},"delta":{{}},"finish_reason":"stop"}}"#));
    let text = [
        of(0, r#"{"content":"<think>h"}"#),
        of(1, r#"{"content":"<think>g"}"#),
        of(0, r#"{"content":"m</think>a"}"#),
        of(1, r#"{"content":"</think>b"}"#),
        of(2, r#"{"content":"c"}"#),
        of(3, r#"{"content":"<thi"}"#),
        end(0),
        end(1),
        end(2),
        end(3),
        DONE.to_owned(),
    ];
    let upstream = Upstream::start([Exchange::stream(text.concat())]).await;
    let program = with_preset("lmstudio", "", &upstream).start().await;
    let found = events(&program.chat(CHAT_STREAM).await.text().await);
    let said = |index: u32, key: &str| -> String {
        let choices =
            found.iter().map(|chunk| &chunk["choices"][0]).filter(|choice| choice["index"] == index);
        choices.filter_map(|choice| choice["delta"][key].as_str()).collect()
    };
    for (index, thought, text) in [(0, "hm", "a"), (1, "g", "b"), (2, "", "c"), (3, "", "<thi")] {
        let found = (said(index, "reasoning_content"), said(index, "content"));
        assert_eq!(found, (thought.to_owned(), text.to_owned()), "{index}");
    }
}

#[tokio::test]
async fn the_other_face_has_thoughts_in_blocks_of_their_own_wherever_they_stood() {
    let asked = r#"{"model":"m","max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"hi"}]}"#;
    for (preset, message, deltas) in [
        (
            "vllm",
            r#"{"role":"assistant","content":"a","reasoning":"hm"}"#,
            [r#"{"reasoning":"hm"}"#, r#"{"content":"a"}"#],
        ),
        (
            "minimax",
            r#"{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
            [r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#, r#"{"content":"a"}"#],
        ),
        (
            "lmstudio",
            r#"{"role":"assistant","content":"<think>hm</think>\n\na"}"#,
            [r#"{"content":"<think>hm</th"}"#, r#"{"content":"ink>\n\na"}"#],
        ),
    ] {
        let upstream =
            Upstream::start([Exchange::answer(200, whole(message)), Exchange::stream(stream(&deltas))]).await;
        let program = with_preset(preset, "", &upstream).start().await;
        let found = program.messages(asked).await.json().await;
        let blocks = found["content"].as_array().unwrap();
        let signature = blocks[0]["signature"].as_str().unwrap();
        assert!(signature.starts_with("ifw1."), "{found}");
        let thinking = json!({"type": "thinking", "thinking": "hm", "signature": signature});
        assert_eq!(*blocks, [thinking, json!({"type": "text", "text": "a"})], "{preset}");

        let text = program.messages(asked.replacen('{', "{\"stream\":true,", 1)).await.text().await;
        let deltas: Vec<Value> =
            events(&text).into_iter().filter(|event| event["type"] == "content_block_delta").collect();
        let of = |kind: &str, key: &str| -> String {
            deltas
                .iter()
                .map(|event| &event["delta"])
                .filter(|delta| delta["type"] == kind)
                .map(|delta| delta[key].as_str().unwrap())
                .collect()
        };
        let found =
            (of("thinking_delta", "thinking"), of("signature_delta", "signature"), of("text_delta", "text"));
        assert_eq!(found, ("hm".to_owned(), signature.to_owned(), "a".to_owned()), "{preset}: {text}");
    }
}
