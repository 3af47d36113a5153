//! iFlow's errors, which come at status 200, and its streams that end as none should.

use crate::program::{STREAMED, WAYS};
use crate::support::fakes::{Iflow, Mode};
use crate::support::program::{Program, with_preset};
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::Value;

/// Code, words, status of the answer, type on the Anthropic face.
const TABLE: [(&str, &str, u16, &str); 4] = [
    ("439", "Your API Token has expired.", 401, "authentication_error"),
    ("449", "You exceeded your current rate limit", 429, "rate_limit_error"),
    (
        "434",
        "Access to the current AK has been blocked due to unauthorized requests",
        403,
        "permission_error",
    ),
    ("514", "model error", 502, "api_error"),
];

/// A program of its own, since some errors put an upstream out.
async fn before(mode: Mode) -> (Upstream, Program) {
    let upstream = Upstream::strict(Iflow::answering(mode, &Story::default())).await;
    let program = with_preset("iflow", "", &upstream).start().await;
    (upstream, program)
}

/// Each way of asking gets the status, type and words of the table.
async fn each_has_its_status(mode: impl Fn(&'static str, &'static str) -> Mode) {
    for (code, words, status, kind) in TABLE {
        for (path, body, streamed) in WAYS {
            let (_upstream, program) = before(mode(code, words)).await;
            let mut answer = program.post(path, body).await;
            let text = answer.text().await;
            assert_eq!(answer.status, status, "{code}, {path}, streamed: {streamed}: {text}");
            let said: Value = serde_json::from_str(&text).unwrap();
            assert!(said["error"]["message"].as_str().unwrap().contains(words), "{said}");
            assert_eq!(answer.header("x-iflow2api-error"), Some("upstream"), "{said}");
            if path == "/v1/messages" {
                assert_eq!(said["error"]["type"], kind, "{said}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_at_status_200_has_a_status_of_its_own() {
    each_has_its_status(Mode::Envelope).await;
}

#[tokio::test]
async fn an_error_in_the_first_event_has_a_status_of_its_own() {
    each_has_its_status(Mode::FirstEvent).await;
}

#[tokio::test]
async fn an_error_after_some_text_is_told_in_the_stream() {
    for (code, words, _, kind) in TABLE {
        for (path, body) in STREAMED {
            let (_upstream, program) = before(Mode::LateEvent(code, words)).await;
            let mut answer = program.post(path, body).await;
            let text = answer.text().await;
            assert!(answer.status == 200 && text.contains("It is sun") && text.contains(words), "{text}");
            assert!(!text.contains("message_stop") && !text.contains("[DONE]"), "{text}");
            if path == "/v1/messages" {
                assert!(text.contains("event: error") && text.contains(kind), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_after_some_text_is_the_status_of_a_whole_answer() {
    for (path, body, streamed) in WAYS {
        if !streamed {
            let (_upstream, program) =
                before(Mode::LateEvent("449", "You exceeded your current rate limit")).await;
            assert_eq!(program.post(path, body).await.status, 429, "{path}");
        }
    }
}

#[tokio::test]
async fn a_network_error_at_the_end_is_no_end() {
    for (path, body, streamed) in WAYS {
        let (_upstream, program) = before(Mode::NetworkError).await;
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!(answer.status, if streamed { 200 } else { 502 }, "{path}: {text}");
        assert!(text.contains("\"error\""), "{path}: {text}");
        let ends = ["message_stop", "[DONE]", "\"stop\"", "end_turn"];
        assert!(ends.iter().all(|end| !text.contains(end)), "{path}: {text}");
    }
}
