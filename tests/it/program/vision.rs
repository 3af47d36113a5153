//! Images for models that see none: a text in their place, or another model in the model's.

use super::{STREAM, WHOLE};
use crate::support::client::{Answer, events, names};
use crate::support::program::{Program, setup};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A blind model and one that sees, at one upstream, and these lines before.
async fn blind(lines: &str, answers: impl Into<Vec<Exchange>>) -> (Program, Upstream) {
    let upstream = Upstream::start(answers).await;
    let table = format!(
        "{lines}\n[upstream.fake]\nbase_url = \"UPSTREAM\"\n\
         [[model]]\nmatch = [\"blind*\"]\ninput = [\"text\"]\n[[model]]\nmatch = [\"seeing*\"]\ninput = [\"text\", \"image\"]\n"
    );
    (setup(&["serve", "--port", "0"]).config(&table, &upstream).start().await, upstream)
}

fn chat(model: &str, stream: bool) -> String {
    let image = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}});
    let content = json!([{"type": "text", "text": "What is this?"}, image, {"type": "text", "text": "And?"}]);
    let history =
        [json!({"role": "user", "content": "hi"}), json!({"role": "assistant", "content": "hello"})];
    let messages = [&history[..], &[json!({"role": "user", "content": content})]].concat();
    json!({"model": model, "messages": messages, "stream": stream}).to_string()
}

fn messages(model: &str, stream: bool) -> String {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}});
    let content = json!([{"type": "text", "text": "What is this?"}, image, {"type": "text", "text": "And?"}]);
    json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": content}], "stream": stream}).to_string()
}

/// The four ways to ask.
fn ways(model: &str) -> [(&'static str, String, bool); 4] {
    [
        ("/v1/chat/completions", chat(model, false), false),
        ("/v1/chat/completions", chat(model, true), true),
        ("/v1/messages", messages(model, false), false),
        ("/v1/messages", messages(model, true), true),
    ]
}

fn answers() -> Vec<Exchange> {
    [false, true, false, true].map(super::good).into()
}

/// What the headers say: the model, and what was changed.
fn said(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("x-iflow2api-model"), answer.header("x-iflow2api-warning"))
}

/// The texts of the last message, its images as one word.
fn last(body: &Value) -> Vec<String> {
    let content = body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    let part = |part: &Value| {
        if part["type"] == "image_url" {
            "IMAGE".to_owned()
        } else {
            part["text"].as_str().unwrap().to_owned()
        }
    };
    match content {
        Value::String(text) => vec![text],
        parts => parts.as_array().unwrap().iter().map(part).collect(),
    }
}

#[tokio::test]
async fn a_model_that_sees_none_gets_a_text_in_the_place_of_an_image() {
    let (program, upstream) = blind("", answers()).await;
    for (path, body, _) in ways("blind") {
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!(answer.status, 200, "{text}");
        let place = if path.ends_with("messages") { "messages[0].content[1]" } else { "messages[2].content" };
        let (model, warning) = said(&answer);
        assert_eq!(model, Some("blind"));
        assert_eq!(warning, Some(format!("{place}: the model cannot see images").as_str()), "{path}");
    }
    for sent in upstream.requests() {
        assert!(!sent.text().contains(PIXEL), "{}", sent.text());
        let texts = last(&sent.json()).join("\n\n");
        assert_eq!(texts, "What is this?\n\n[image omitted: blind cannot see images]\n\nAnd?");
    }
}

#[tokio::test]
async fn a_model_that_sees_gets_the_image_and_nothing_is_said_of_it() {
    for model in ["seeing", "unheard-of"] {
        let (program, upstream) = blind("vision_model = \"other\"", answers()).await;
        for (path, body, _) in ways(model) {
            let mut answer = program.post(path, body).await;
            answer.bytes().await;
            assert_eq!((answer.status, said(&answer)), (200, (Some(model), None)), "{path}");
        }
        for sent in upstream.requests() {
            assert_eq!(last(&sent.json()), ["What is this?", "IMAGE", "And?"]);
        }
    }
}

#[tokio::test]
async fn a_model_that_sees_stands_in_where_one_is_named_for_it() {
    let (program, upstream) = blind("vision_model = \"fake/seeing-1\"", answers()).await;
    for (path, body, stream) in ways("blind") {
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!((answer.status, said(&answer)), (200, (Some("seeing-1"), None)), "{path}: {text}");
        let model = match (path.ends_with("messages"), stream) {
            (_, false) => serde_json::from_str::<Value>(&text).unwrap()["model"].clone(),
            (true, true) => events(&text)[0]["message"]["model"].clone(),
            (false, true) => events(&text)[0]["model"].clone(),
        };
        assert_eq!(model, "blind", "the caller's name for it");
    }
    for sent in upstream.requests() {
        assert_eq!(sent.json()["model"], "seeing-1");
        assert_eq!(last(&sent.json()), ["What is this?", "IMAGE", "And?"]);
    }
}

#[tokio::test]
async fn without_an_image_nobody_stands_in() {
    let (program, upstream) =
        blind("vision_model = \"seeing\"", [Exchange::answer(200, WHOLE), Exchange::stream(STREAM)]).await;
    let body = super::CHAT.replace("\"m\"", "\"blind\"").replace("hi", "an image_url of type image");
    assert_eq!(said(&program.chat(body).await), (Some("blind"), None));
    let mut answer = program.messages(super::MESSAGES_STREAM.replace("\"m\"", "\"blind\"")).await;
    assert_eq!(names(&answer.text().await).last(), Some(&"message_stop"));
    assert_eq!(upstream.requests()[1].json()["model"], "blind");
}

#[tokio::test]
async fn an_image_in_the_result_of_a_tool_counts() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}});
    let body = json!({"model": "blind", "max_tokens": 64,
        "tools": [{"name": "read", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "look"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [image]}]}]})
    .to_string();
    let (program, upstream) = blind("", [Exchange::answer(200, WHOLE)]).await;
    let answer = program.messages(&body).await;
    assert_eq!((answer.status, answer.header("x-iflow2api-model")), (200, Some("blind")));
    assert!(answer.header("x-iflow2api-warning").is_some_and(|text| text.contains("cannot see images")));
    assert!(!upstream.request().text().contains(PIXEL));

    let (program, upstream) = blind("vision_model = \"seeing\"", [Exchange::answer(200, WHOLE)]).await;
    let answer = program.messages(&body).await;
    assert_eq!(said(&answer), (Some("seeing"), None));
    assert!(upstream.request().text().contains(PIXEL));
}

#[tokio::test]
async fn a_vision_model_may_be_an_alias_and_has_its_own_fallbacks_name() {
    let lines = "vision_model = \"eyes\"\n[alias]\neyes = \"seeing-2\"";
    let (program, upstream) = blind(lines, [Exchange::answer(200, WHOLE)]).await;
    assert_eq!(said(&program.chat(chat("blind", false)).await), (Some("seeing-2"), None));
    assert_eq!(upstream.request().json()["model"], "seeing-2");
}

#[tokio::test]
async fn an_upstream_of_the_callers_own_api_gets_no_image_either() {
    let line = "POST /anthropic/v1/messages";
    let message = r#"{"id":"msg_1","type":"message","model":"blind","role":"assistant","content":[],"stop_reason":"end_turn"}"#;
    let upstream = Upstream::start(vec![Exchange::answer(200, message).at(line); 2]).await;
    let table = format!(
        "[upstream.fake]\nbase_url = \"UPSTREAM\"\nanthropic_base_url = \"http://{}/anthropic\"\n\
         [[model]]\nmatch = [\"blind*\"]\ninput = [\"text\"]\n",
        upstream.address()
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &upstream).start().await;
    let request = |block: &str| {
        format!(
            r#"{{"model":"blind","max_tokens":64,"messages":[{{"role":"user","content":[{block},{{"type":"tool_result","tool_use_id":"t1","content":[{block},{{"type":"text","text":"a\u0041"}}]}}]}}]}}"#
        )
    };
    let image = format!(
        r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{PIXEL}"}},"cache_control":{{"type":"ephemeral"}}}}"#
    );
    let answer = program.messages(request(&image)).await;
    assert_eq!(
        (answer.status, said(&answer)),
        (200, (Some("blind"), Some("messages[0].content: the model cannot see images")))
    );
    let note = r#"{"type":"text","cache_control":{"type":"ephemeral"},"text":"[image omitted: blind cannot see images]"}"#;
    let plain = request(r#"{"type":"text","text":"image"}"#);
    assert_eq!(said(&program.messages(&plain).await), (Some("blind"), None));
    let sent: Vec<String> = upstream.requests().iter().map(|sent| sent.text()).collect();
    assert_eq!(sent, [request(note), plain]);
}
