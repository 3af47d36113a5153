//! iFlow as it was: signed, one call at a time, streams in a form of its own.

use super::loops::{Case, ask, converse, direct, runs, wish};
use crate::program::{CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, WAYS, WHOLE};
use crate::support::caller::{Caller, Face, Thoughts};
use crate::support::fakes::{Iflow, Mode, signature};
use crate::support::program::{KEY, Program, Setup, setup, with_preset};
use crate::support::story::Story;
use crate::support::upstream::{Exchange, Request, Upstream};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const CASE: Case = Case { preset: "iflow", model: "glm-4.7", trims_thoughts: false, returns_thoughts: false };

const SESSION: &str = "session-5f0c1e0e-7b1a-4c53-9d1e-1d2b3c4d5e6f";

async fn fake(story: &Story) -> Upstream {
    Upstream::strict(Iflow::new(story)).await
}

async fn answering(mode: Mode) -> Upstream {
    Upstream::strict(Iflow::answering(mode, &Story::default())).await
}

async fn before(upstream: &Upstream) -> Program {
    with_preset("iflow", "", upstream).start().await
}

/// The chat completions that were asked for.
fn calls(upstream: &Upstream) -> Vec<Request> {
    upstream.requests().into_iter().filter(|request| request.head.line.starts_with("POST")).collect()
}

fn signed(user_agent: &str, session: &str, timestamp: u128) -> String {
    let signature = signature(KEY, user_agent, session, &timestamp.to_string());
    format!(
        "user-agent: {user_agent}\r\nsession-id: {session}\r\nx-iflow-timestamp: {timestamp}\r\n\
         x-iflow-signature: {signature}\r\n"
    )
}

#[test]
fn the_fakes_signature_is_that_of_another_program() {
    // From Python's `hmac`.
    let expected = "de37fc45ab611134928700913e4237343b16dd27be69ac19a27f43d6fb64cbc8";
    assert_eq!(signature("sk-a", "iflow2api/1.2.3", SESSION, "1700000000000"), expected);
}

#[tokio::test]
async fn the_fake_takes_what_was_documented_and_refuses_the_rest() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let good = signed("iflow2api/1.2.3", SESSION, now);
    let story = Story::default();
    let upstream = Upstream::provider(Iflow::new(&story)).await;
    let kwargs = json!({"enable_thinking": true});
    let mut caller = direct(&upstream, json!({"model": "glm-4.7", "chat_template_kwargs": kwargs}));
    caller.headers += &good;
    let heard = converse(&mut caller).await;
    assert!(heard.iter().all(|heard| !heard.thought.is_empty()), "{heard:?}");

    let body = caller.body();
    let (status, stream) = ask(&upstream, &good, &body).await;
    assert!(status == 200 && stream.starts_with("data:{") && !stream.contains("usage"), "{stream}");
    assert!(!stream.contains("[DONE]"), "{stream}");
    for (headers, reason) in [
        (String::new(), "nothing"),
        (signed("iFlow-Cli", SESSION, now), "another's name"),
        (signed("iflow2api/1.2.3", "session-1", now), "no session"),
        (signed("iflow2api/1.2.3", SESSION, now - 3_600_000), "another time"),
        (good.replace("iflow2api/1.2.3", "iflow2api/1.2.4"), "signed for another name"),
    ] {
        assert_eq!(ask(&upstream, &headers, &body).await.0, 406, "{reason}");
    }
    assert_eq!(upstream.forgive(), Vec::<String>::new());
    for (name, value) in [("stream", json!(false)), ("tools", json!([]))] {
        let mut body = body.clone();
        body[name] = value;
        assert_eq!(ask(&upstream, &good, &body).await.0, 599, "{name}");
    }
    assert_eq!(upstream.forgive().len(), 2);
}

#[tokio::test]
async fn the_fake_calls_a_second_call_at_a_time_a_fault() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let upstream = answering(Mode::Slowly).await;
    let mut caller = direct(&upstream, json!({"model": "glm-4.7"}));
    caller.headers += &signed("iflow2api/1.2.3", SESSION, now);
    let mut first = caller.send().await;
    first.until("I look").await;
    assert_eq!(caller.send().await.status, 599);
    assert_eq!(upstream.forgive().len(), 1);
    upstream.go();
    first.text().await;
    upstream.go();
    assert_eq!(caller.send().await.status, 200);
}

#[tokio::test]
async fn an_anthropic_client_that_keeps_thoughts_is_served() {
    runs(&CASE, Face::Anthropic, Thoughts::Kept, fake).await;
}

#[tokio::test]
async fn an_anthropic_client_that_drops_thoughts_is_served() {
    runs(&CASE, Face::Anthropic, Thoughts::Dropped, fake).await;
}

#[tokio::test]
async fn an_openai_client_that_keeps_thoughts_is_served() {
    runs(&CASE, Face::OpenAi, Thoughts::Kept, fake).await;
}

#[tokio::test]
async fn an_openai_client_that_drops_thoughts_is_served() {
    runs(&CASE, Face::OpenAi, Thoughts::Dropped, fake).await;
}

#[tokio::test]
async fn a_stream_comes_out_in_the_usual_form() {
    let upstream = fake(&Story::default()).await;
    let text = before(&upstream).await.chat(CHAT_STREAM).await.text().await;
    assert!(!text.contains("data:{") && text.ends_with("data: [DONE]\n\n"), "{text}");
    let names =
        crate::support::client::names(&before(&upstream).await.messages(MESSAGES_STREAM).await.text().await)
            .last()
            .map(|name| (*name).to_owned());
    assert_eq!(names.as_deref(), Some("message_stop"));
}

#[tokio::test]
async fn a_usage_that_it_does_not_tell_is_estimated() {
    let upstream = fake(&Story::default()).await;
    let program = before(&upstream).await;
    let usage = program.chat(CHAT).await.json().await["usage"].clone();
    assert!(usage["completion_tokens"].as_u64().unwrap() > 0, "{usage}");
    let usage = program.messages(MESSAGES).await.json().await["usage"].clone();
    assert!(usage["output_tokens"].as_u64().unwrap() > 0, "{usage}");
}

#[tokio::test]
async fn an_empty_list_of_tools_is_left_out() {
    for face in [Face::OpenAi, Face::Anthropic] {
        let upstream = fake(&Story::default()).await;
        let program = before(&upstream).await;
        let choice = if face == Face::OpenAi { json!("auto") } else { json!({"type": "auto"}) };
        let caller = Caller::new(program.address, CASE.model, face, Thoughts::Kept, true);
        caller.with(json!({"tools": [], "tool_choice": choice})).say("hi").await;
        let sent = calls(&upstream)[0].json();
        assert_eq!((&sent["tools"], &sent["tool_choice"]), (&Value::Null, &Value::Null), "{face:?}");
    }
}

#[tokio::test]
async fn its_models_are_those_of_the_preset() {
    let upstream = fake(&Story::default()).await;
    let list = before(&upstream).await.get("/v1/models").await.json().await;
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert!(ids.contains(&"glm-4.7") && ids.contains(&"qwen3-coder-plus"), "{ids:?}");
}

#[tokio::test]
async fn a_wrapped_answer_is_unwrapped_streamed_or_whole() {
    for face in [Face::OpenAi, Face::Anthropic] {
        for streamed in [true, false] {
            let story = Story::default();
            let upstream = Upstream::strict(Iflow::answering(Mode::Wrapped, &story)).await;
            let program = before(&upstream).await;
            let caller = Caller::new(program.address, CASE.model, face, Thoughts::Kept, streamed);
            let heard_all = converse(&mut caller.with(wish(face))).await;
            let expected: Vec<_> = story.lines().iter().map(|line| super::loops::heard(line, face)).collect();
            assert_eq!(heard_all, expected, "{face:?}, streamed: {streamed}");
        }
    }
}

#[tokio::test]
async fn a_second_call_waits_for_the_end_of_the_first() {
    let upstream = answering(Mode::Slowly).await;
    let setup = with_preset("iflow", "", &upstream).env("IFLOW2API_TIMEOUT_HOLD", "100ms");
    let program = setup.env("IFLOW2API_TIMEOUT_PING", "100ms").start().await;
    let mut first = program.chat(CHAT_STREAM).await;
    first.until("It is sun").await;
    let mut second = program.messages(MESSAGES_STREAM).await;
    second.until("event: ping").await;
    assert_eq!(calls(&upstream).len(), 1);
    upstream.go();
    first.text().await;
    second.until("It is sun").await;
    upstream.go();
    assert!(second.text().await.contains("message_stop"));
    assert_eq!(calls(&upstream).len(), 2);
}

/// The program in a home with this file of the iFlow CLI.
fn with_settings(settings: &str, upstream: &Upstream) -> Setup {
    let settings = settings.replace("KEY", KEY);
    setup(&["serve", "--port", "0"]).home_file(".iflow/settings.json", &settings, upstream)
}

#[tokio::test]
async fn the_key_of_its_own_settings_is_used_and_signs() {
    for kind in ["api-key", "oauth-iflow", "iflow"] {
        let upstream = fake(&Story::default()).await;
        let settings = format!(r#"{{"selectedAuthType":"{kind}","apiKey":"KEY","baseUrl":"UPSTREAM"}}"#);
        let program = with_settings(&settings, &upstream).start().await;
        for (path, body, _) in WAYS {
            let mut answer = program.post(path, body).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 200, "{kind} {path}: {text}");
            assert_eq!(answer.header("x-iflow2api-upstream"), Some("iflow"));
        }
    }
}

#[tokio::test]
async fn settings_for_any_other_server_are_taken_for_one() {
    let upstream = Upstream::start(vec![Exchange::answer(200, WHOLE); 2]).await;
    let settings = r#"{"selectedAuthType":"openai-compatible","apiKey":"KEY","baseUrl":"UPSTREAM"}"#;
    let program = with_settings(settings, &upstream).start().await;
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!(answer.status, 200, "{path}: {text}");
    }
    for request in upstream.requests() {
        assert_ne!(request.json()["stream"], true, "it may be asked for a whole answer");
        for name in ["session-id", "x-iflow-timestamp", "x-iflow-signature"] {
            assert_eq!(request.head.get(name), None, "{name}");
        }
        assert_eq!(request.head.get("authorization"), Some(format!("Bearer {KEY}").as_str()));
    }
}
