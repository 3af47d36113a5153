//! Upstreams that fail for a moment are asked again, before anything of their answer went on, and
//! never after. How long each wait is, a table of the pure layer says.

use super::{CHAT, MESSAGES, MESSAGES_STREAM, STREAM, WAYS, delta, good};
use crate::support::program::{Program, Setup, serve};
use crate::support::upstream::{Exchange, Step, Upstream, begin};

fn retrying(upstream: &Upstream, retries: &str) -> Setup {
    serve(upstream)
        .env("IFLOW2API_RETRY_RETRIES", retries)
        .env("IFLOW2API_RETRY_DELAYS", "10ms")
        .env("IFLOW2API_RETRY_BUDGET", "1000")
}

/// Asks in all four ways, each after these failures and before a good answer.
async fn after(failures: &[Exchange]) -> (Program, Upstream) {
    let script: Vec<Exchange> =
        WAYS.iter().flat_map(|(_, _, stream)| failures.iter().cloned().chain([good(*stream)])).collect();
    let upstream = Upstream::start(script).await;
    let program = retrying(&upstream, "3").start().await;
    for (path, body, stream) in WAYS {
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!(answer.status, 200, "{path}: {text}");
        let ends = if path == "/v1/messages" { "message_stop" } else { "[DONE]" };
        assert!(!stream || text.contains(ends), "{path}: {text}");
        assert!(!text.contains("error"), "{path}: {text}");
    }
    (program, upstream)
}

#[tokio::test]
async fn a_moment_s_failure_does_not_reach_the_caller() {
    for failure in [
        Exchange::answer(408, "{}"),
        Exchange::answer(429, "{}"),
        Exchange::answer(500, "{}"),
        Exchange::answer(502, "<html>bad gateway</html>"),
        Exchange::answer(503, "{}"),
        Exchange::answer(504, "{}"),
        Exchange::answer(529, "{}"),
        Exchange::answer(200, r#"{"status":"449","msg":"You exceeded your current rate limit","body":null}"#),
        Exchange::steps([Step::Reset]),
        Exchange::steps([Step::Close]),
    ] {
        after(&[failure]).await;
    }
}

#[tokio::test]
async fn it_is_asked_three_times_more_and_each_is_logged() {
    let failures = [503, 500, 429].map(|status| Exchange::answer(status, r#"{"error":{"message":"later"}}"#));
    let (mut program, upstream) = after(&failures).await;
    assert_eq!(upstream.requests().len(), 16);
    let bodies: Vec<String> = upstream.requests().iter().map(|request| request.text()).collect();
    assert_eq!(bodies[0], bodies[3], "each try sends the same");
    program.line(&["asking again", "attempt=3", "later"]).await;
    program.line(&["call", "retries=3", "status=200"]).await;
}

#[tokio::test]
async fn the_last_failure_is_what_the_caller_hears() {
    let statuses = [500, 502, 503, 429];
    for (path, body, _) in WAYS {
        let upstream = Upstream::start(statuses.map(|status| {
            Exchange::answer_with(status, "retry-after: 0\r\n", r#"{"error":{"message":"no"}}"#)
        }))
        .await;
        let program = retrying(&upstream, "3").start().await;
        let answer = program.post(path, body).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("0")), "{path}");
        assert_eq!(upstream.requests().len(), 4);
    }
}

#[tokio::test]
async fn what_cannot_help_is_not_asked_again() {
    for failure in [
        Exchange::answer(400, "{}"),
        Exchange::answer(401, "{}"),
        Exchange::answer(403, "{}"),
        Exchange::answer(404, "{}"),
        Exchange::answer(413, "{}"),
        Exchange::answer(422, "{}"),
        Exchange::answer_with(429, "retry-after: 31\r\n", "{}"),
        Exchange::answer_with(429, "retry-after: 1000000000\r\n", "{}"),
        Exchange::stream(format!(
            "{}data: {{\"error\":{{\"message\":\"no\",\"code\":503}}}}\n\n",
            delta(r#"{"content":"x"}"#)
        )),
    ] {
        let upstream = Upstream::start([failure]).await;
        let program = retrying(&upstream, "3").start().await;
        program.messages(MESSAGES_STREAM).await.text().await;
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_answer_is_asked_for_once_more() {
    let empty = Exchange::answer(200, r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#);
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let upstream = Upstream::start([empty.clone(), empty.clone()]).await;
        let program = retrying(&upstream, "3").start().await;
        assert_eq!(program.post(path, body).await.status, 502, "{path}");
    }
}

#[tokio::test]
async fn without_retries_the_first_failure_counts() {
    let upstream = Upstream::start([Exchange::answer(503, "{}")]).await;
    let program = retrying(&upstream, "0").start().await;
    assert_eq!(program.chat(CHAT).await.status, 503);
}

#[tokio::test]
async fn a_budget_that_is_spent_ends_the_asking() {
    let script: Vec<Exchange> = (0..8).map(|_| Exchange::answer(503, "{}")).collect();
    let upstream = Upstream::start(script).await;
    // Three can be made at once, and none of the requests adds to them.
    let program = retrying(&upstream, "7").env("IFLOW2API_RETRY_BUDGET", "0").start().await;
    assert_eq!(program.chat(CHAT).await.status, 503);
    let asked = upstream.requests().len();
    assert!((4..8).contains(&asked), "{asked}");
    for _ in asked..8 {
        let rest = program.chat(CHAT).await;
        assert_eq!(rest.status, 503);
        if upstream.requests().len() == 8 {
            break;
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_waiting() {
    let upstream = Upstream::start([Exchange::answer(503, "{}")]).await;
    let mut program = retrying(&upstream, "3").env("IFLOW2API_RETRY_DELAYS", "60s").start().await;
    let stream = program.send("POST /v1/messages", "", MESSAGES_STREAM).await;
    program.line(&["asking again"]).await;
    drop(stream);
    program.line(&["call", "status=499"]).await;
}

#[tokio::test]
async fn a_retry_goes_on_behind_a_head_that_was_sent() {
    let script = [Exchange::steps([Step::Pause, Step::Reset]), Exchange::steps([begin(STREAM), Step::Close])];
    let upstream = Upstream::start(script).await;
    let program = retrying(&upstream, "3").env("IFLOW2API_TIMEOUT_HOLD", "100ms").start().await;
    let mut answer = program.messages(MESSAGES_STREAM).await;
    answer.until("message_start").await;
    upstream.go();
    let text = answer.until("message_stop").await;
    assert!(text.contains("text_delta") && !text.contains("event: error"), "{text}");
}
