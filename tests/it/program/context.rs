//! Conversations that outgrow the model's window (G01–G07), through the spawned program.

use super::{CHAT, MESSAGES, WHOLE, with_table};
use crate::support::program::Program;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

/// So many turns of some 120 tokens each.
fn turns(count: usize) -> Vec<Value> {
    let words = "one two three four five six seven eight nine ten ".repeat(10);
    let turn = |number: usize| {
        [
            json!({"role": "user", "content": format!("Question {number}: {words}")}),
            json!({"role": "assistant", "content": format!("Answer {number}.")}),
        ]
    };
    let mut messages: Vec<Value> = (0..count).flat_map(turn).collect();
    messages.push(json!({"role": "user", "content": "The last one."}));
    messages
}

fn chat(count: usize) -> String {
    json!({"model": "m", "messages": turns(count)}).to_string()
}

fn messages(count: usize, max_tokens: u64) -> String {
    json!({"model": "m", "max_tokens": max_tokens, "messages": turns(count)}).to_string()
}

/// What the upstream was sent last.
fn sent(upstream: &Upstream) -> Value {
    upstream.requests().last().unwrap().json()
}

async fn ready(lines: &str, answers: usize) -> (Upstream, Program) {
    let upstream = Upstream::start(vec![Exchange::answer(200, WHOLE); answers]).await;
    let program = with_table(&upstream, lines).start().await;
    (upstream, program)
}

#[tokio::test]
async fn a_chat_that_is_too_long_is_cut_once_and_says_so() {
    let (upstream, mut program) = ready("context_window = 2000", 3).await;
    let answer = program.chat(chat(20)).await;
    assert_eq!(answer.status, 200);
    let (left_out, saved) = answer.header("x-iflow2api-trimmed").unwrap().split_once('/').unwrap();
    let (left_out, saved): (usize, u64) = (left_out.parse().unwrap(), saved.parse().unwrap());
    assert!(left_out > 10 && saved > 1000, "{left_out} {saved}");
    let first = sent(&upstream)["messages"].as_array().unwrap().clone();
    assert!(first[0]["content"].as_str().unwrap().starts_with("Question 0:"), "the task stays");
    assert_eq!(first.last().unwrap()["content"], "The last one.");
    let note = format!("[{left_out} earlier messages left out here to fit the context window]");
    assert_eq!(first[1], json!({"role": "assistant", "content": note}));
    program.line(&["call", &format!("trimmed={left_out}")]).await;

    // One turn more begins alike, so that the upstream's cache holds.
    program.chat(chat(21)).await;
    let second = sent(&upstream)["messages"].as_array().unwrap().clone();
    assert_eq!(second[..first.len() - 1], first[..first.len() - 1]);
    assert_eq!(program.chat(CHAT).await.header("x-iflow2api-trimmed"), None, "what fits is not touched");
}

#[tokio::test]
async fn a_client_that_compacts_itself_hears_that_it_is_time() {
    let (upstream, program) = ready("context_window = 2000", 1).await;
    let mut answer = program.messages(messages(20, 500)).await;
    let body = answer.json().await;
    assert_eq!((answer.status, answer.header("x-iflow2api-error")), (400, Some("request")), "{body}");
    assert_eq!(body["error"]["type"], "invalid_request_error");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("prompt is too long: ") && message.ends_with(" tokens > 2000 maximum"),
        "{message}"
    );
    assert!(upstream.requests().is_empty(), "nothing was sent");
    assert_eq!(program.messages(MESSAGES).await.status, 200);
}

#[tokio::test]
async fn a_long_answer_is_bounded_by_what_the_prompt_leaves_on_both_faces() {
    let (upstream, program) = ready("context_window = 20000", 3).await;
    let mut whole: Value = serde_json::from_str(CHAT).unwrap();
    whole["max_tokens"] = json!(32000);
    assert_eq!(program.chat(whole.to_string()).await.status, 200);
    let bound = sent(&upstream)["max_tokens"].as_u64().unwrap();
    assert!((15_000..20_000).contains(&bound), "{bound}");
    assert_eq!(program.messages(messages(10, 32000)).await.status, 200);
    let bound = sent(&upstream)["max_tokens"].as_u64().unwrap();
    assert!((15_000..19_000).contains(&bound), "{bound}");
    assert_eq!(program.messages(messages(10, 1000)).await.status, 200);
    assert_eq!(sent(&upstream)["max_tokens"], 1000);
}

#[tokio::test]
async fn a_history_that_cannot_be_cut_is_refused() {
    let (upstream, program) = ready("context_window = 200", 0).await;
    let long = "word ".repeat(1000);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": long}]}).to_string();
    let mut answer = program.chat(body).await;
    let body = answer.json().await;
    assert_eq!((answer.status, &body["error"]["code"]), (400, &json!("context_length_exceeded")), "{body}");
    drop(upstream);
}

#[tokio::test]
async fn the_window_is_the_setting_s_or_the_list_s_and_unknown_is_unbounded() {
    let (upstream, program) = ready("", 1).await;
    assert_eq!(program.chat(chat(100)).await.header("x-iflow2api-trimmed"), None, "nobody said");
    assert_eq!(sent(&upstream)["messages"].as_array().unwrap().len(), 201);

    let list = Exchange::answer(200, r#"{"data":[{"id":"m","max_model_len":2000}]}"#).at("GET /v1/models");
    let upstream = Upstream::start([list, Exchange::answer(200, WHOLE)]).await;
    let program = with_table(&upstream, "").start().await;
    assert_eq!(program.get("/v1/models").await.status, 200);
    assert!(program.chat(chat(100)).await.header("x-iflow2api-trimmed").is_some());
}

#[tokio::test]
async fn the_sliding_window_keeps_the_last_turns_on_both_faces() {
    let upstream = Upstream::start(vec![Exchange::answer(200, WHOLE); 4]).await;
    let setup = with_table(&upstream, "").env("IFLOW2API_CONTEXT_MODE", "window");
    let program = setup.start().await;
    let answer = program.chat(chat(30)).await;
    // Thirty turns and the last one: the task, a note and the last ten stay.
    assert!(answer.header("x-iflow2api-trimmed").unwrap().starts_with("41/"), "{:?}", answer.head);
    assert_eq!(sent(&upstream)["messages"].as_array().unwrap().len(), 1 + 1 + 2 * 9 + 1);
    assert!(program.messages(messages(30, 100)).await.header("x-iflow2api-trimmed").is_some());
    assert_eq!(program.chat(chat(9)).await.header("x-iflow2api-trimmed"), None);
    drop(program);
    let setup = with_table(&upstream, "").env("IFLOW2API_CONTEXT_MODE", "window");
    let program = setup.env("IFLOW2API_CONTEXT_KEEP_TURNS", "2").start().await;
    program.chat(chat(30)).await;
    assert_eq!(sent(&upstream)["messages"].as_array().unwrap().len(), 1 + 1 + 2 + 1);
}

#[tokio::test]
async fn off_is_off() {
    let upstream = Upstream::start(vec![Exchange::answer(200, WHOLE); 2]).await;
    let program =
        with_table(&upstream, "context_window = 500").env("IFLOW2API_CONTEXT_MODE", "off").start().await;
    assert_eq!(program.chat(chat(30)).await.header("x-iflow2api-trimmed"), None);
    assert_eq!(program.messages(messages(30, 32000)).await.status, 200);
    assert_eq!(sent(&upstream)["max_tokens"], 32000);
}

#[tokio::test]
async fn a_chat_that_grows_line_by_line_is_never_refused() {
    const LINES: usize = 150;
    let (upstream, program) = ready("context_window = 2000", LINES).await;
    let mut messages: Vec<Value> = Vec::new();
    for number in 0..LINES {
        messages.push(json!({"role": "user", "content": format!("Question {number}: and a bit more of it")}));
        let body = json!({"model": "m", "max_tokens": 100, "messages": messages}).to_string();
        assert_eq!(program.chat(body).await.status, 200, "line {number}");
        messages.push(json!({"role": "assistant", "content": format!("Answer {number}.")}));
    }
    assert!(sent(&upstream)["messages"].as_array().unwrap().len() < LINES, "it was cut");
}

#[tokio::test]
async fn a_list_that_says_zero_says_nothing() {
    let list = r#"{"data":[{"id":"m","max_input_tokens":0,"context_length":0,"meta":{"n_ctx_train":0}}]}"#;
    let list = Exchange::answer(200, list).at("GET /v1/models");
    let upstream = Upstream::start([list, Exchange::answer(200, WHOLE), Exchange::answer(200, WHOLE)]).await;
    let program = with_table(&upstream, "").start().await;
    assert_eq!(program.get("/v1/models").await.status, 200);
    assert_eq!(program.chat(CHAT).await.status, 200);
    assert_eq!(program.messages(MESSAGES).await.status, 200);
}

#[tokio::test]
async fn a_count_counts_all_that_was_sent() {
    let upstream = Upstream::start([]).await;
    let setup = with_table(&upstream, "context_window = 2000").env("IFLOW2API_CONTEXT_MODE", "window");
    let program = setup.start().await;
    let mut answer = program.post("/v1/messages/count_tokens", messages(30, 100)).await;
    assert_eq!((answer.status, answer.header("x-iflow2api-trimmed")), (200, None));
    assert!(answer.json().await["input_tokens"].as_u64().unwrap() > 3000);
}
