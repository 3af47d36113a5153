//! An upstream that is known to be out is left alone, as long as another answers.

use super::fallback::{ROWS, is_answered_by_the_second, pair, refusal, used_up, who};
use super::{CHAT, WAYS, WHOLE, good};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

#[tokio::test]
async fn an_upstream_without_quota_is_left_alone_as_long_as_another_answers() {
    let one = Upstream::start([used_up(600)]).await;
    let two = Upstream::start([false, false, true, false, true].map(good)).await;
    let mut program = pair(&one, &two, ROWS).start().await;
    let state = |ready: Value| ready["upstreams"].clone();
    let before = state(program.get("/readyz").await.json().await);
    assert_eq!(before, json!([{"name": "one", "state": "closed"}, {"name": "two", "state": "closed"}]));
    is_answered_by_the_second(&program, WAYS[0], "asked").await;
    for way in WAYS {
        is_answered_by_the_second(&program, way, "known to be out").await;
    }
    assert_eq!(one.requests().len(), 1);
    let ready = state(program.get("/readyz").await.json().await);
    let left = ready[0]["retry_in_seconds"].as_u64().unwrap();
    assert!((570..=600).contains(&left), "{ready}");
    assert_eq!(
        ready,
        json!([{"name": "one", "state": "resting", "retry_in_seconds": left}, {"name": "two", "state": "closed"}])
    );
    program.line(&["the first choice is out"]).await;
}

#[tokio::test]
async fn an_upstream_without_quota_is_asked_where_nobody_else_answers() {
    let one =
        Upstream::start([used_up(600), Exchange::answer(200, WHOLE), Exchange::answer(200, WHOLE)]).await;
    let two = Upstream::start([Exchange::answer(200, WHOLE), refusal(503, "no")]).await;
    let program = pair(&one, &two, ROWS).start().await;
    for expected in ["two", "one", "one"] {
        let answer = program.chat(CHAT).await;
        // What has answered is not out any more.
        assert_eq!((answer.status, who(&answer).0), (200, Some(expected)));
    }
}

#[tokio::test]
async fn an_upstream_without_quota_and_without_another_is_asked_each_time() {
    let one = Upstream::start([used_up(600), Exchange::answer(200, WHOLE)]).await;
    let two = Upstream::start([]).await;
    let program = pair(&one, &two, ROWS).start().await;
    let other = CHAT.replace("\"m\"", "\"one/other\"");
    let mut answer = program.chat(&other).await;
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((570..=600).contains(&wait), "{wait}");
    assert!(answer.text().await.contains("used up"));
    assert_eq!(program.chat(&other).await.status, 200);
}

#[tokio::test]
async fn an_upstream_whose_circuit_is_open_is_left_alone_at_once() {
    let one = Upstream::start([refusal(503, "no"), refusal(503, "no")]).await;
    let two = Upstream::start([false, false, false, true, false, true].map(good)).await;
    let setup =
        pair(&one, &two, "").env("IFLOW2API_CIRCUIT_FAILURES", "2").env("IFLOW2API_CIRCUIT_WAIT", "60s");
    let program = setup.start().await;
    for _ in 0..2 {
        is_answered_by_the_second(&program, WAYS[0], "failing").await;
    }
    for way in WAYS {
        is_answered_by_the_second(&program, way, "open").await;
    }
    assert_eq!(one.requests().len(), 2);
    let ready = program.get("/readyz").await.json().await;
    assert!(ready["upstreams"][0].to_string().contains("\"open\""), "{ready}");
}

#[tokio::test]
async fn an_open_circuit_is_told_where_nobody_else_answers() {
    let one = Upstream::start([refusal(503, "no")]).await;
    let two = Upstream::start([refusal(529, "full")]).await;
    let setup =
        pair(&one, &two, "").env("IFLOW2API_CIRCUIT_FAILURES", "1").env("IFLOW2API_CIRCUIT_WAIT", "60s");
    let program = setup.start().await;
    assert_eq!(program.chat(CHAT).await.status, 503);
    // Both circuits are open now; who was asked first is told of.
    let mut answer = program.chat(CHAT).await;
    let found = answer.json().await;
    let message = found["error"]["message"].as_str().unwrap();
    assert!(answer.status == 503 && message.starts_with("upstream `one` is left alone"), "{found}");
}
