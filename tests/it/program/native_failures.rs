//! What becomes of the failures of an upstream that speaks the Anthropic API itself.

use super::MESSAGES;
use super::native::{EVENTS, FOREIGN, LINE, MESSAGE, begun, native, stream, streamed, thoughts, whole};
use crate::support::client::{events, names};
use crate::support::program::KEY;
use crate::support::upstream::{Exchange, Step, Upstream, begin};
use serde_json::json;

#[tokio::test]
async fn thoughts_that_are_refused_are_left_out_in_a_second_try() {
    let refused = r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}"#;
    for (stream, answer) in [(false, whole()), (true, stream())] {
        let upstream = Upstream::start([Exchange::answer(400, refused).at(LINE), answer]).await;
        let program = native(&upstream, "").start().await;
        let asked = |blocks: &str| if stream { streamed(&thoughts(blocks)) } else { thoughts(blocks) };
        let mut answer = program.messages(asked(FOREIGN)).await;
        assert_eq!(answer.text().await, if stream { EVENTS } else { MESSAGE });
        let sent: Vec<String> = upstream.requests().iter().map(|sent| sent.text()).collect();
        assert_eq!(sent, [asked(FOREIGN), asked("")]);
    }
}

#[tokio::test]
async fn a_second_refusal_of_thoughts_is_the_callers_to_hear() {
    let refused = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Invalid `signature` in `thinking` block"}}"#;
    let refuse = || Exchange::answer(400, refused).at(LINE);
    let upstream = Upstream::start([refuse(), refuse(), refuse()]).await;
    let program = native(&upstream, "").start().await;
    assert_eq!(program.messages(thoughts(FOREIGN)).await.status, 400);
    // Where there are none, there is nothing to leave out.
    assert_eq!(program.messages(thoughts("")).await.status, 400);
}

#[tokio::test]
async fn refusals_become_the_statuses_and_envelopes_of_the_face() {
    for (status, kind, words, expected) in [
        (400, "invalid_request_error", "no", (400, "invalid_request_error", "upstream `fake`: no")),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        ),
        (404, "not_found_error", "no", (404, "not_found_error", "upstream `fake`: no")),
        (429, "rate_limit_error", "no", (429, "rate_limit_error", "upstream `fake`: no")),
        (500, "api_error", "no", (502, "api_error", "upstream `fake`: no")),
        (529, "overloaded_error", "no", (529, "overloaded_error", "upstream `fake`: no")),
        (200, "overloaded_error", "no", (503, "overloaded_error", "upstream `fake`: no")),
        (200, "rate_limit_error", "no", (429, "rate_limit_error", "upstream `fake`: no")),
    ] {
        let body = json!({"type": "error", "error": {"type": kind, "message": words}, "request_id": "r"})
            .to_string();
        let event = Exchange::stream(format!("event: error\ndata: {body}\n\n")).at(LINE);
        let answer = Exchange::answer(status, &body).at(LINE);
        let second = if status == 200 { event } else { answer.clone() };
        let upstream = Upstream::start([answer, second]).await;
        let program = native(&upstream, "").start().await;
        for request in [MESSAGES.to_owned(), streamed(MESSAGES)] {
            let mut answer = program.messages(request).await;
            let found = answer.json().await;
            let id = answer.header("request-id").unwrap();
            let (status, kind, message) = expected;
            assert_eq!(
                (answer.status, found),
                (
                    status,
                    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": id})
                )
            );
        }
    }
}

#[tokio::test]
async fn an_error_in_the_stream_ends_it_in_our_words() {
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"full\"}}\n\n";
    let upstream = Upstream::start([Exchange::stream([begun(), error].concat()).at(LINE)]).await;
    let program = native(&upstream, "").start().await;
    let text = program.messages(streamed(MESSAGES)).await.text().await;
    let rest = text.strip_prefix(begun()).unwrap();
    assert_eq!(
        events(rest),
        [
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "upstream `fake`: full"}}),
        ]
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error() {
    for step in [Step::Close, Step::Reset] {
        let exchange = Exchange::steps([begin(begun()), Step::Pause, step]).at(LINE);
        let upstream = Upstream::start([exchange]).await;
        let program = native(&upstream, "").start().await;
        let mut answer = program.messages(streamed(MESSAGES)).await;
        answer.until("Hello!").await;
        upstream.go();
        let text = answer.text().await;
        let rest = text.strip_prefix(begun()).unwrap();
        assert_eq!(names(rest), ["content_block_stop", "error"], "{rest}");
        assert_eq!(events(rest)[1]["error"]["type"], "api_error");
    }
}

#[tokio::test]
async fn a_missing_last_event_is_added() {
    let stream = EVENTS.strip_suffix("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n").unwrap();
    let upstream = Upstream::start([Exchange::stream(stream).at(LINE)]).await;
    let program = native(&upstream, "").start().await;
    assert_eq!(program.messages(streamed(MESSAGES)).await.text().await, EVENTS);
}

#[tokio::test]
async fn a_key_in_a_refusal_is_not_handed_on() {
    let refused = format!(
        r#"{{"type":"error","error":{{"type":"authentication_error","message":"invalid key {KEY}"}}}}"#
    );
    let event = format!("event: error\ndata: {refused}\n\n");
    let upstream = Upstream::start([
        Exchange::answer(401, &refused).at(LINE),
        Exchange::answer(200, &refused).at(LINE),
        Exchange::stream(&event).at(LINE),
        Exchange::stream([begun(), &event].concat()).at(LINE),
    ])
    .await;
    let program = native(&upstream, "").start().await;
    for request in [MESSAGES.to_owned(), MESSAGES.to_owned(), streamed(MESSAGES), streamed(MESSAGES)] {
        let text = program.messages(request).await.text().await;
        assert!(text.contains("authentication_error") && !text.contains(KEY), "{text}");
    }
    assert!(!program.said().contains(KEY));
}
