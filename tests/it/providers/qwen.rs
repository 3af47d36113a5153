//! Qwen at DashScope: streams only, and errors that are flat.

use super::loops::{Case, assert_refused, converse, direct, runs};
use crate::program::WAYS;
use crate::support::caller::{Face, Thoughts};
use crate::support::fakes::{Qwen, Throttled};
use crate::support::program::with_preset;
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::json;

const CASE: Case =
    Case { preset: "dashscope", model: "qwen3.7-max", trims_thoughts: false, returns_thoughts: false };

async fn fake(story: &Story) -> Upstream {
    Upstream::strict(Qwen::new(story)).await
}

#[tokio::test]
async fn the_fake_takes_what_is_documented_and_refuses_the_rest() {
    let story = Story::default();
    let upstream = Upstream::provider(Qwen::new(&story)).await;
    let mut caller = direct(&upstream, json!({"model": "qwen3.7-max", "enable_thinking": true}));
    assert_eq!(converse(&mut caller).await.len(), 6);
    assert!(story.lines().iter().all(|line| !line.thought.is_empty()));
    let whole = "parameter.enable_thinking must be set to false for non-streaming calls";
    let table = [
        ("/stream", json!(false), whole),
        ("/tool_choice", json!("required"), "does not support being set to required or object"),
        ("/thinking_budget", json!(81_921), "InvalidParameter"),
    ];
    assert_refused(&upstream, &caller.body(), &table).await;
}

#[tokio::test]
async fn thoughts_that_an_anthropic_client_keeps_go_back() {
    runs(&CASE, Face::Anthropic, Thoughts::Kept, fake).await;
}

#[tokio::test]
async fn an_anthropic_client_that_drops_thoughts_is_served() {
    runs(&CASE, Face::Anthropic, Thoughts::Dropped, fake).await;
}

#[tokio::test]
async fn thoughts_that_an_openai_client_keeps_go_back() {
    runs(&CASE, Face::OpenAi, Thoughts::Kept, fake).await;
}

#[tokio::test]
async fn an_openai_client_that_drops_thoughts_is_served() {
    runs(&CASE, Face::OpenAi, Thoughts::Dropped, fake).await;
}

#[tokio::test]
async fn a_flat_error_in_the_first_event_is_the_answers_status() {
    for (path, body, _) in WAYS {
        let upstream = Upstream::strict(Qwen::throttled(&Story::default(), Throttled::AtOnce)).await;
        let program = with_preset("dashscope", "", &upstream).start().await;
        let mut answer = program.post(path, body).await;
        let said = answer.json().await;
        assert_eq!(
            (answer.status, &said["error"]["type"]),
            (429, &json!("rate_limit_error")),
            "{path}: {said}"
        );
        assert_eq!(answer.header("x-iflow2api-error"), Some("upstream"), "{path}");
    }
}

#[tokio::test]
async fn a_flat_error_after_some_text_ends_a_stream_with_an_error() {
    for (path, body) in crate::program::STREAMED {
        let upstream = Upstream::strict(Qwen::throttled(&Story::default(), Throttled::Later)).await;
        let program = with_preset("dashscope", "", &upstream).start().await;
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(text.contains("It is sun") && text.contains("rate_limit_error"), "{path}: {text}");
        assert!(!text.contains("message_stop") && !text.contains("[DONE]"), "{path}: {text}");
    }
}
