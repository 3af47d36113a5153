//! A text whose stream breaks off is taken up where it was, and the caller sees one answer; what cannot
//! be taken up ends in an error. An answer that says nothing is asked for once more (B31).

use super::{CHAT_STREAM, DONE, MESSAGES_STREAM, STREAMED, delta, finish, says};
use crate::support::client::{events, names};
use crate::support::program::{Setup, serve};
use crate::support::upstream::{Exchange, Step, Upstream, begin};
use serde_json::{Value, json};

fn rescuing(upstream: &Upstream) -> Setup {
    serve(upstream).env("IFLOW2API_CONTINUATION_RESCUE", "on")
}

fn rest(text: &str) -> Exchange {
    let usage = r#"data: {"id":"z","choices":[],"usage":{"prompt_tokens":31,"completion_tokens":4}}"#;
    let role = delta(r#"{"role":"assistant","content":""}"#);
    Exchange::stream([role, says(text), finish("stop"), usage.to_owned() + "\n\n", DONE.into()].concat())
}

/// The visible text of an answer of either face, which has one end.
fn text_of(answer: &str) -> String {
    let chat = answer.matches("\"finish_reason\":\"stop\"").count();
    let messages = answer.matches("event: message_stop").count();
    assert_eq!(chat + messages, 1, "{answer}");
    assert!(!answer.contains("\"error\""), "{answer}");
    assert!(answer.matches("\"role\":\"assistant\"").count() <= 1, "{answer}");
    let of = |event: &Value| {
        let places = ["/choices/0/delta/content", "/delta/text"];
        places.iter().find_map(|place| event.pointer(place)?.as_str().map(str::to_owned))
    };
    events(answer).iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_text_that_breaks_off_is_taken_up_where_it_was() {
    let begun = delta(r#"{"role":"assistant","content":"The lamp was lit"}"#);
    for broken in [
        Exchange::stream(&begun),
        Exchange::steps([begin(&begun), Step::Pause, Step::Reset]),
        Exchange::stream([&begun, "data: {\"choices\":[{\"index\":0,\"del"].concat()),
        Exchange::stream([&begun, "data: {\"error\":{\"message\":\"no\",\"code\":503}}\n\n"].concat()),
        Exchange::stream([&begun, "data: oops\n\n"].concat()),
    ] {
        for again in [" by the keeper.", "lamp was lit by the keeper."] {
            let pauses = broken.pauses();
            let script = [broken.clone(), rest(again), broken.clone(), rest(again)];
            let upstream = Upstream::start(script).await;
            let mut program = rescuing(&upstream).start().await;
            for (path, body) in STREAMED {
                let mut answer = program.post(path, body).await;
                if pauses {
                    answer.until("lit").await;
                    upstream.go();
                }
                let text = answer.text().await;
                assert_eq!(text_of(&text), "The lamp was lit by the keeper.", "{path}");
                if path == "/v1/messages" {
                    let usage = &events(&text).into_iter().rev().nth(1).unwrap()["usage"];
                    let told = &usage["iflow2api"];
                    assert_eq!((&told["rescues"], &told["continuations"]), (&json!(1), &json!(0)), "{usage}");
                    assert_eq!(told["estimated"], true);
                    assert!(usage["output_tokens"].as_u64().unwrap() > 4, "{usage}");
                    assert!(usage["input_tokens"].as_u64().unwrap() > 0, "{usage}");
                }
            }
            let asked = upstream.requests()[1].json();
            assert_eq!(asked["messages"][1], json!({"role": "assistant", "content": "The lamp was lit"}));
            program.line(&["WARN", "taking up an answer that broke off"]).await;
            program.line(&["call", "status=200", "rescues=1"]).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_before_its_first_word_is_asked_for_anew() {
    let role = delta(r#"{"role":"assistant","content":""}"#);
    let script = [Exchange::stream(&role), rest("Hello."), Exchange::stream(&role), rest("Hello.")];
    let upstream = Upstream::start(script).await;
    let program = rescuing(&upstream).start().await;
    for (path, body) in STREAMED {
        assert_eq!(text_of(&program.post(path, body).await.text().await), "Hello.", "{path}");
    }
    assert_eq!(upstream.requests()[0].text(), upstream.requests()[1].text());
}

#[tokio::test]
async fn what_cannot_be_taken_up_ends_in_one_error() {
    let call =
        r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{"}}]}"#;
    for broken in [
        delta(r#"{"reasoning_content":"Hm"}"#),
        delta(r#"{"reasoning_details":[{"type":"reasoning.text","text":"Hm"}]}"#),
        delta(call),
        [says("Let me look."), delta(call)].concat(),
        [says("No."), "data: {\"error\":{\"message\":\"no\",\"code\":401}}\n\n".to_owned()].concat(),
        [says("No."), finish("network_error"), DONE.into()].concat(),
    ] {
        let upstream = Upstream::start([Exchange::stream(&broken), Exchange::stream(&broken)]).await;
        let program = rescuing(&upstream).start().await;
        let chat = program.chat(CHAT_STREAM).await.text().await;
        assert!(chat.matches("\"error\"").count() == 1 && !chat.contains("[DONE]"), "{chat}");
        let messages = program.messages(MESSAGES_STREAM).await.text().await;
        assert_eq!(names(&messages).last(), Some(&"error"), "{messages}");
    }
}

#[tokio::test]
async fn it_is_taken_up_twice_at_the_most_and_a_refusal_ends_it() {
    let pieces = ["One", " two", " three"].map(|text| Exchange::stream(says(text)));
    let upstream = Upstream::start(pieces).await;
    let mut program = rescuing(&upstream).start().await;
    let text = program.messages(MESSAGES_STREAM).await.text().await;
    assert_eq!(names(&text).last(), Some(&"error"), "{text}");
    assert!(text.contains(" three"), "{text}");
    program.line(&["call", "rescues=2", "failure=\"BadAnswer\""]).await;

    let upstream = Upstream::start([Exchange::stream(says("One")), Exchange::answer(400, "{}")]).await;
    let program = rescuing(&upstream).start().await;
    let text = program.chat(CHAT_STREAM).await.text().await;
    assert!(text.contains("closed the stream before finishing") && !text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_break_and_a_cut_together_are_still_one_answer() {
    let cut = |text: &str| Exchange::stream([says(text), finish("length"), DONE.into()].concat());
    let broken = |text: &str| Exchange::stream(says(text));
    let upstream = Upstream::start([broken("One"), cut(" two"), broken(" three"), rest(" four.")]).await;
    let mut program = rescuing(&upstream).start().await;
    assert_eq!(text_of(&program.chat(CHAT_STREAM).await.text().await), "One two three four.");
    program.line(&["call", "continuations=1", "rescues=2"]).await;

    // A round that fails for good leaves the cut as the end.
    let upstream = Upstream::start([cut("One"), broken(" two"), Exchange::answer(500, "{}")]).await;
    let program = rescuing(&upstream).start().await;
    let text = program.chat(CHAT_STREAM).await.text().await;
    assert!(text.contains(" two") && text.contains("\"length\"") && text.ends_with(DONE), "{text}");
}

#[tokio::test]
async fn without_the_setting_a_break_is_an_error() {
    let upstream = Upstream::start([Exchange::stream(says("One"))]).await;
    let program = serve(&upstream).start().await;
    let text = program.chat(CHAT_STREAM).await.text().await;
    assert!(text.contains("closed the stream before finishing"), "{text}");
}

#[tokio::test]
async fn a_stream_that_ends_without_a_word_is_asked_for_once_more() {
    let role = delta(r#"{"role":"assistant","content":""}"#);
    let empty = Exchange::stream([role.clone(), finish("stop"), DONE.into()].concat());
    let done = Exchange::stream([role, DONE.into()].concat());
    for nothing in [empty, done] {
        let script = [nothing.clone(), rest("Hello."), nothing.clone(), nothing.clone()];
        let upstream = Upstream::start(script).await;
        let program = serve(&upstream).env("IFLOW2API_RETRY_RETRIES", "1").start().await;
        assert_eq!(text_of(&program.chat(CHAT_STREAM).await.text().await), "Hello.");
        let text = program.messages(MESSAGES_STREAM).await.text().await;
        assert!(text.contains("empty response") && !text.contains("message_stop"), "{text}");
    }
}
