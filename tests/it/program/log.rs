//! One line per request, with all its figures, however the request ends.

use super::{CHAT, CHAT_STREAM, DONE, MESSAGES, MESSAGES_STREAM, STREAM, delta};
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Step, Upstream, begin};
use serde_json::{Value, json};

/// The lines of requests, in JSON.
async fn lines(program: &mut Program, count: usize) -> Vec<Value> {
    // One more request, whose line is the last.
    program.post("/v1/none", "").await.bytes().await;
    program.line(&["\"/v1/none\""]).await;
    let said = program.said();
    let lines = said.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<Value> = lines.into_iter().filter(|line| line["message"] == "call").collect();
    assert_eq!(lines.len(), count + 1, "{said}");
    lines[..count].to_vec()
}

#[tokio::test]
async fn an_answered_request_leaves_one_line_with_all_its_figures() {
    let upstream = Upstream::start([
        Exchange::stream(STREAM),
        Exchange::answer(200, super::WHOLE),
        Exchange::stream(STREAM),
        Exchange::answer(200, super::WHOLE),
    ])
    .await;
    let mut program = serve(&upstream).arguments(&["--log-format", "json"]).start().await;
    let ways = [
        ("openai", "/v1/chat/completions", CHAT_STREAM),
        ("openai", "/v1/chat/completions", CHAT),
        ("anthropic", "/v1/messages", MESSAGES_STREAM),
        ("anthropic", "/v1/messages", MESSAGES),
    ];
    let mut ids = Vec::new();
    for (_, path, body) in ways {
        let body = body.replace("\"m\"", "\"env/glm-4.7\"");
        let mut answer = program.post(path, body).await;
        answer.bytes().await;
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    for ((line, (face, path, body)), id) in lines(&mut program, 4).await.iter().zip(ways).zip(ids) {
        let keys = [
            "level",
            "id",
            "face",
            "path",
            "model",
            "upstream",
            "status",
            "tokens_in",
            "tokens_out",
            "retries",
        ];
        let expected = [
            json!("INFO"),
            json!(id),
            json!(face),
            json!(path),
            json!("env/glm-4.7"),
            json!("env"),
            json!(200),
            json!(11),
            json!(3),
            json!(0),
        ];
        assert_eq!(keys.map(|key| line[key].clone()), expected, "{body}");
        let (first, total) = (line["first_byte_ms"].as_u64(), line["total_ms"].as_u64());
        assert!(first.is_some() && first <= total, "{line}");
        assert!(line.get("failure").is_none() && line.get("error").is_none(), "{line}");
    }
}

#[tokio::test]
async fn a_request_that_failed_leaves_one_line_that_names_the_fault() {
    let refusal = Exchange::answer(429, r#"{"error":{"message":"later"}}"#);
    let upstream = Upstream::start([refusal.clone(), refusal, Exchange::steps([Step::Reset])]).await;
    let mut program = serve(&upstream).arguments(&["--log-format", "json"]).start().await;
    let ways = [
        ("/v1/chat/completions", CHAT, 429, "RateLimited", "later"),
        ("/v1/messages", MESSAGES_STREAM, 429, "RateLimited", "later"),
        ("/v1/messages", MESSAGES, 502, "Unreachable", "reset"),
        ("/v1/messages", "{}", 400, "InvalidRequest", "model"),
    ];
    for (path, body, ..) in ways {
        program.post(path, body).await.bytes().await;
    }
    for (line, (path, body, status, failure, said)) in lines(&mut program, 4).await.iter().zip(ways) {
        let found = ["path", "status", "failure"].map(|key| line[key].clone());
        assert_eq!(found, [json!(path), json!(status), json!(failure)], "{body}: {line}");
        assert!(line["error"].as_str().unwrap().contains(said), "{line}");
    }
}

#[tokio::test]
async fn a_stream_that_failed_leaves_one_line_that_names_the_fault() {
    let broken = Exchange::stream(delta("{\"content\":\"a\"}"));
    let refused = Exchange::stream(
        [
            delta("{\"content\":\"a\"}"),
            "data: {\"error\":{\"message\":\"no\",\"code\":429}}\n\n".into(),
            DONE.into(),
        ]
        .concat(),
    );
    let upstream = Upstream::start([broken.clone(), broken, refused.clone(), refused]).await;
    let mut program = serve(&upstream).arguments(&["--log-format", "json"]).start().await;
    let ways = [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)];
    for (path, body) in ways.iter().chain(&ways) {
        program.post(path, body).await.bytes().await;
    }
    let found: Vec<_> = lines(&mut program, 4)
        .await
        .iter()
        .map(|line| (line["status"].clone(), line["failure"].clone()))
        .collect();
    let expected =
        ["BadAnswer", "BadAnswer", "RateLimited", "RateLimited"].map(|failure| (json!(200), json!(failure)));
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_failure_behind_a_head_that_was_sent_is_named_too() {
    let late = Exchange::steps([Step::Pause, Step::Reset]);
    let upstream = Upstream::start([late.clone(), late]).await;
    let setup = serve(&upstream).arguments(&["--log-format", "json"]);
    let mut program = setup.env("IFLOW2API_TIMEOUT_HOLD", "100ms").start().await;
    for (path, body) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
        let mut answer = program.post(path, body).await;
        answer.until("\n\n").await;
        upstream.go();
        answer.bytes().await;
    }
    for line in lines(&mut program, 2).await {
        assert_eq!((&line["status"], &line["failure"]), (&json!(200), &json!("Unreachable")), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_left_leaves_one_line_with_499() {
    let begun = Exchange::steps([begin(delta("{\"content\":\"Hel\"}")), Step::Hang]);
    let silent = Exchange::steps([Step::Hang]);
    let upstream = Upstream::start([begun.clone(), begun, silent.clone(), silent]).await;
    let mut program = serve(&upstream).arguments(&["--log-format", "json"]).start().await;
    for (path, body) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
        let mut answer = program.post(path, body).await;
        answer.until("Hel").await;
        upstream.asked().await;
        drop(answer);
        upstream.left().await;
    }
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let client = program.send(&format!("POST {path}"), "", body).await;
        upstream.asked().await;
        drop(client);
        upstream.left().await;
    }
    for line in lines(&mut program, 4).await {
        assert_eq!(
            (&line["status"], &line["upstream"], &line["model"]),
            (&json!(499), &json!("env"), &json!("m")),
            "{line}"
        );
    }
}

#[tokio::test]
async fn lines_for_people_say_the_same() {
    let upstream = Upstream::start([Exchange::stream(STREAM), Exchange::answer(429, "{}")]).await;
    let mut program = serve(&upstream).start().await;
    program.messages(MESSAGES_STREAM).await.bytes().await;
    let line = program.line(&["status=200"]).await;
    for part in [
        "INFO",
        "id=\"req_",
        "face=\"anthropic\"",
        "model=\"m\"",
        "upstream=\"env\"",
        "first_byte_ms=",
        "total_ms=",
        "tokens_in=11",
        "tokens_out=3",
        "retries=0",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    program.chat(CHAT).await.bytes().await;
    let line = program.line(&["status=429"]).await;
    assert!(line.contains("face=\"openai\"") && line.contains("failure=\"RateLimited\""), "{line}");
    assert!(!program.said().contains('\u{1b}'), "no colour where there is no terminal");
}

#[tokio::test]
async fn what_a_caller_says_cannot_break_a_line_of_the_log() {
    let upstream =
        Upstream::start([Exchange::answer(404, r#"{"error":{"message":"a\nstatus=200 \u001b[31m"}}"#)]).await;
    let mut program = serve(&upstream).start().await;
    program.chat(CHAT.replace("\"m\"", r#""m\nINFO call \u001b[31m status=200""#)).await.bytes().await;
    let line = program.line(&["status=404"]).await;
    assert!(line.contains("INFO") && !line.contains('\u{1b}'), "{line:?}");
    assert!(
        !program.said().contains('\u{1b}')
            && program.said().lines().filter(|line| line.contains(" call ")).count() == 1,
        "{}",
        program.said()
    );
}

#[tokio::test]
async fn probes_of_clients_are_answered_and_not_logged() {
    let upstream = Upstream::start([]).await;
    let mut program = serve(&upstream).arguments(&["--log-format", "json"]).start().await;
    for line in
        ["GET /api/hello", "POST /api/event_logging/batch", "POST /api/event_logging/v2/batch", "GET /health"]
    {
        let answer = program.ask(line, "", "{}").await;
        assert!([200, 204].contains(&answer.status), "{line}: {}", answer.status);
    }
    lines(&mut program, 0).await;
}
