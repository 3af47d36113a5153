//! How long each side is kept waiting: the head that is held, signs of life, and limits (B05, B29, C11).

use super::{CHAT, CHAT_STREAM, DONE, MESSAGES, MESSAGES_STREAM, delta, finish};
use crate::support::client::{events, names};
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};

const HOLD: &str = "IFLOW2API_TIMEOUT_HOLD";
const PING: &str = "IFLOW2API_TIMEOUT_PING";
const IDLE: &str = "IFLOW2API_TIMEOUT_IDLE";
const FIRST_BYTE: &str = "IFLOW2API_TIMEOUT_FIRST_BYTE";

fn rest() -> String {
    [delta("{\"content\":\"Hel\"}"), finish("stop"), DONE.to_owned()].concat()
}

#[tokio::test]
async fn a_late_first_frame_finds_the_head_sent_and_a_sign_of_life() {
    // Late with its head, and late with its first frame.
    for steps in [
        vec![Step::Pause, begin(rest()), Step::Close],
        vec![begin(""), Step::Pause, send(rest()), Step::Close],
    ] {
        let upstream = Upstream::start([Exchange::steps(steps.clone()), Exchange::steps(steps)]).await;
        let program = serve(&upstream).env(HOLD, "200ms").start().await;

        let mut answer = program.messages(MESSAGES_STREAM).await;
        let head = answer.until("event: ping").await;
        assert_eq!((answer.status, names(&head)), (200, vec!["message_start"]), "{head}");
        upstream.go();
        let text = answer.text().await;
        let expected = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(names(&text), expected, "{text}");

        let mut answer = program.chat(CHAT_STREAM).await;
        let head = answer.until("\n\n").await;
        assert!(answer.status == 200 && head.starts_with(':'), "{head}");
        upstream.go();
        assert_eq!(answer.text().await, [head, rest()].concat());
    }
}

#[tokio::test]
async fn a_failure_behind_a_head_that_was_sent_is_an_error_inside_the_stream() {
    for end in [send("HTTP/1.1 429 Later\r\ncontent-length: 2\r\n\r\n{}"), Step::Reset] {
        let exchange = Exchange::steps([Step::Pause, end]);
        let upstream = Upstream::start([exchange.clone(), exchange]).await;
        let program = serve(&upstream).env(HOLD, "200ms").start().await;

        let mut answer = program.messages(MESSAGES_STREAM).await;
        answer.until("event: ping").await;
        upstream.go();
        let text = answer.text().await;
        assert_eq!(names(&text), ["message_start", "error"], "{text}");

        let mut answer = program.chat(CHAT_STREAM).await;
        answer.until(":").await;
        upstream.go();
        let text = answer.text().await;
        assert!(events(&text)[0]["error"]["message"].is_string() && !text.contains("[DONE]"), "{text}");
    }
}

#[tokio::test]
async fn a_failure_within_the_hold_keeps_its_status() {
    let exchange = Exchange::steps([Step::Pause, send("HTTP/1.1 429 Later\r\ncontent-length: 2\r\n\r\n{}")]);
    let upstream = Upstream::start([exchange.clone(), exchange]).await;
    let program = serve(&upstream).env(HOLD, "60s").start().await;
    for (path, body) in [("/v1/messages", MESSAGES_STREAM), ("/v1/chat/completions", CHAT_STREAM)] {
        let asking = program.post(path, body);
        let telling = async {
            upstream.asked().await;
            upstream.go();
        };
        let (answer, ()) = tokio::join!(asking, telling);
        assert_eq!(answer.status, 429, "{path}");
    }
}

#[tokio::test]
async fn a_silent_upstream_does_not_make_a_silent_stream() {
    let exchange =
        Exchange::steps([begin(delta("{\"content\":\"Hel\"}")), Step::Pause, send(rest()), Step::Close]);
    let upstream = Upstream::start([exchange.clone(), exchange]).await;
    let program = serve(&upstream).env(PING, "100ms").start().await;

    let mut answer = program.messages(MESSAGES_STREAM).await;
    let before = answer.until("\"Hel\"").await.matches("event: ping").count();
    let wanted = "event: ping\ndata: {\"type\":\"ping\"}\n\n".repeat(3);
    let pings = answer.until(&wanted).await.matches("event: ping").count();
    assert!(pings >= before + 3, "{pings}");
    upstream.go();
    assert_eq!(answer.text().await.matches("event: message_stop").count(), 1);

    let mut answer = program.chat(CHAT_STREAM).await;
    let text = answer.until(": keep-alive\n\n: keep-alive\n\n").await;
    assert!(text.starts_with(&delta("{\"content\":\"Hel\"}")), "{text}");
    upstream.go();
    assert!(answer.text().await.ends_with(&rest()));
}

#[tokio::test]
async fn an_upstream_that_is_silent_for_too_long_is_given_up_with_one_error() {
    let exchange = Exchange::steps([begin(delta("{\"content\":\"Hel\"}")), Step::Hang]);
    let upstream = Upstream::start([exchange.clone(), exchange]).await;
    let program = serve(&upstream).env(IDLE, "300ms").env(PING, "100ms").start().await;

    let text = program.messages(MESSAGES_STREAM).await.text().await;
    let expected =
        ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "error"];
    assert_eq!(names(&text), expected, "{text}");
    assert!(text.contains("\"timeout_error\"") && text.contains("event: ping"), "{text}");
    upstream.left().await;

    let text = program.chat(CHAT_STREAM).await.text().await;
    assert_eq!(events(&text)[1]["error"]["code"], "timeout", "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    upstream.left().await;
}

#[tokio::test]
async fn an_upstream_that_never_begins_to_answer_is_a_504() {
    let upstream = Upstream::start(vec![Exchange::steps([Step::Hang]); 4]).await;
    let program = serve(&upstream).env(FIRST_BYTE, "300ms").start().await;
    for (path, body) in [
        ("/v1/messages", MESSAGES),
        ("/v1/messages", MESSAGES_STREAM),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT_STREAM),
    ] {
        let mut answer = program.post(path, body).await;
        let json = answer.json().await;
        assert_eq!((answer.status, answer.header("x-iflow2api-error")), (504, Some("upstream")), "{json}");
        upstream.left().await;
    }
}

#[tokio::test]
async fn a_whole_answer_that_stops_in_its_middle_is_a_504() {
    let half =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"choices\":";
    let upstream = Upstream::start(vec![Exchange::steps([send(half), Step::Hang]); 2]).await;
    let program = serve(&upstream).env(IDLE, "300ms").start().await;
    for (path, body) in [("/v1/messages", MESSAGES), ("/v1/chat/completions", CHAT)] {
        assert_eq!(program.post(path, body).await.status, 504, "{path}");
        upstream.left().await;
    }
}

#[tokio::test]
async fn a_slow_token_is_not_held_behind_the_next_one() {
    let first = delta("{\"content\":\"Hel\"}");
    let exchange = Exchange::steps([begin(&first), Step::Pause, send(rest()), Step::Close]);
    let upstream = Upstream::start([exchange.clone(), exchange]).await;
    let program = serve(&upstream).start().await;
    for (path, body) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
        let mut answer = program.post(path, body).await;
        // The second comes only after the first was seen.
        answer.until("\"Hel\"").await;
        upstream.go();
        answer.bytes().await;
    }
}
