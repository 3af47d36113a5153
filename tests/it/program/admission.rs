//! How many calls an upstream gets at once, and what becomes of the others.

use super::{CHAT, CHAT_STREAM, DONE, MESSAGES, WHOLE, delta, finish, with_table};
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};
use serde_json::json;

/// A stream that waits in its middle.
fn slow() -> Exchange {
    let end = [finish("stop"), DONE.into()].concat();
    Exchange::steps([begin(delta(r#"{"content":"a"}"#)), Step::Pause, send(end), Step::Close])
}

fn numbered(number: usize) -> String {
    json!({"model": "m", "messages": [{"role": "user", "content": number.to_string()}]}).to_string()
}

#[tokio::test]
async fn further_calls_wait_in_their_order_and_are_told_how_long() {
    let whole = || Exchange::answer(200, WHOLE);
    let upstream = Upstream::start([slow(), whole(), whole(), whole()]).await;
    let mut program = with_table(&upstream, "max_concurrent = 1").start().await;
    let mut first = program.chat(CHAT_STREAM).await;
    assert_eq!(first.header("x-iflow2api-queue-ms"), Some("0"));
    first.until("\"a\"").await;
    let mut waiting = Vec::new();
    for number in 0..3 {
        waiting.push(program.send("POST /v1/chat/completions", "", numbered(number)).await);
        // Long enough that the server has read it before the next.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(upstream.requests().len(), 1, "a stream holds its place until its end");
    upstream.go();
    first.text().await;
    for stream in waiting {
        let answer = crate::support::client::Answer::of(stream).await;
        let waited: u64 = answer.header("x-iflow2api-queue-ms").unwrap().parse().unwrap();
        assert!((answer.status, waited > 50) == (200, true), "{waited}");
    }
    let asked: Vec<String> = upstream.requests()[1..].iter().map(|request| request.text()).collect();
    assert_eq!(asked, [0, 1, 2].map(numbered));
    program.line(&["call", "queue_ms=0"]).await;
}

#[tokio::test]
async fn a_full_queue_is_a_429_that_says_when_to_come_back() {
    let upstream = Upstream::start([slow(), Exchange::answer(200, WHOLE)]).await;
    let mut program = with_table(&upstream, "max_concurrent = 1\nmax_queue = 1").start().await;
    let mut first = program.chat(CHAT_STREAM).await;
    first.until("\"a\"").await;
    let waiting = program.send("POST /v1/chat/completions", "", CHAT).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    for (path, body, kind) in [
        ("/v1/messages", MESSAGES, "rate_limit_error"),
        ("/v1/chat/completions", CHAT_STREAM, "rate_limit_error"),
        ("/v1/embeddings", r#"{"model":"m","input":"x"}"#, "rate_limit_error"),
    ] {
        let mut refused = program.post(path, body).await;
        let said = refused.json().await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{path}");
        assert_eq!(refused.header("x-iflow2api-error"), Some("local"), "{path}");
        assert_eq!(said["error"]["type"], kind, "{path}: {said}");
        assert!(said["error"]["message"].as_str().unwrap().contains("`fake`"), "{said}");
    }
    upstream.go();
    first.text().await;
    assert_eq!(crate::support::client::Answer::of(waiting).await.status, 200);
    program.line(&["call", "status=429", "failure=\"RateLimited\""]).await;
}

#[tokio::test]
async fn whoever_leaves_makes_room() {
    let hang = || Exchange::steps([Step::Hang]);
    let upstream = Upstream::start([hang(), slow(), Exchange::answer(200, WHOLE)]).await;
    let program = with_table(&upstream, "max_concurrent = 1\nmax_queue = 1").start().await;
    // One leaves before its first token, one in the queue, one in the middle.
    let first = program.send("POST /v1/chat/completions", "", CHAT).await;
    upstream.asked().await;
    let second = program.send("POST /v1/chat/completions", "", CHAT).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(second);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let third = tokio::spawn({
        let sent = program.send("POST /v1/chat/completions", "", CHAT_STREAM).await;
        crate::support::client::Answer::of(sent)
    });
    drop(first);
    upstream.left().await;
    let mut third = third.await.unwrap();
    third.until("\"a\"").await;
    drop(third);
    upstream.left().await;
    assert_eq!(program.chat(CHAT).await.status, 200);
}

#[tokio::test]
async fn a_wait_for_a_place_has_the_limit_of_the_first_byte_and_signs_of_life() {
    let upstream = Upstream::start([slow()]).await;
    let setup = with_table(&upstream, "max_concurrent = 1");
    let setup = setup.env("IFLOW2API_TIMEOUT_FIRST_BYTE", "3s").env("IFLOW2API_TIMEOUT_HOLD", "100ms");
    let program = setup.env("IFLOW2API_TIMEOUT_PING", "100ms").start().await;
    let mut first = program.chat(CHAT_STREAM).await;
    first.until("\"a\"").await;
    let body = MESSAGES.replace("]}", "],\"stream\":true}");
    let mut waiting = program.messages(body).await;
    assert_eq!(waiting.header("x-iflow2api-queue-ms"), None, "not known yet");
    let text = waiting.text().await;
    assert!(text.matches("event: ping").count() > 2 && text.contains("rate_limit_error"), "{text}");
    upstream.go();
    first.text().await;
}
