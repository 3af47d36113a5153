//! Another upstream goes on behind a head that was sent, and never behind words; upstreams of both wires stand
//! in for each other.

use super::fallback::{pair, refusal, stream_of_m, who};
use super::{MESSAGES, MESSAGES_STREAM, STREAM, STREAMED, WHOLE, delta};
use crate::support::client::{events, names};
use crate::support::program::{Setup, setup};
use crate::support::upstream::{Exchange, Step, Upstream, begin};
use serde_json::{Value, json};

#[tokio::test]
async fn a_fallback_goes_on_behind_a_head_that_was_sent() {
    for (path, body) in STREAMED {
        let one = Upstream::start([refusal(503, "no").late()]).await;
        let two = Upstream::start([Exchange::stream(STREAM)]).await;
        let mut program =
            pair(&one, &two, "[timeout]\nhold = \"50ms\"").arguments(&["--log-format", "json"]).start().await;
        let mut answer = program.post(path, body).await;
        assert_eq!(
            (answer.status, who(&answer)),
            (200, (Some("one"), Some("m"))),
            "as far as is known by then"
        );
        answer.until("\n\n").await;
        one.go();
        let text = answer.text().await;
        if path.ends_with("messages") {
            let expected = [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ];
            assert_eq!(names(&text), expected);
            assert_eq!(events(&text)[0]["message"]["model"], "m");
        } else {
            assert_eq!(text, [": keep-alive\n\n", &stream_of_m()].concat());
        }
        let line: Value = serde_json::from_str(&program.line(&["\"call\""]).await).unwrap();
        assert_eq!((&line["upstream"], &line["fallbacks"]), (&json!("two"), &json!(1)), "{line}");
    }
}

#[tokio::test]
async fn where_all_fail_behind_a_head_that_was_sent_the_first_failure_is_the_last_event() {
    for (path, body) in STREAMED {
        let one = Upstream::start([refusal(503, "no").late()]).await;
        let two = Upstream::start([refusal(429, "second")]).await;
        let program = pair(&one, &two, "[timeout]\nhold = \"50ms\"").start().await;
        let mut answer = program.post(path, body).await;
        answer.until("\n\n").await;
        one.go();
        let last = events(&answer.text().await).pop().unwrap();
        assert_eq!(last["error"]["message"], "upstream `one`: no");
    }
}

#[tokio::test]
async fn a_stream_that_broke_off_is_never_begun_again_elsewhere() {
    for (path, body) in STREAMED {
        let one =
            Upstream::start([Exchange::steps([begin(delta("{\"content\":\"a\"}")), Step::Reset])]).await;
        let two = Upstream::start([]).await;
        let program = pair(&one, &two, "").start().await;
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!((answer.status, who(&answer)), (200, (Some("one"), Some("m"))));
        assert!(events(&text).pop().unwrap()["error"]["message"].is_string(), "{text}");
    }
}

/// Where an upstream is asked that speaks the Anthropic API itself.
const NATIVE: &str = "POST /anthropic/v1/messages";

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","model":"spare","role":"assistant","content":[{"type":"text","text":"Native."}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5}}"#;

const EVENTS: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",",
    "\"model\":\"spare\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Native.\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// The same pair, of which one speaks the Anthropic API itself.
fn mixed(one: &Upstream, two: &Upstream, native: &str, lines: &str) -> Setup {
    let table = |name: &str, upstream: &Upstream| {
        let own = format!("anthropic_base_url = \"http://{}/anthropic\"", upstream.address());
        let own = if name == native { own } else { String::new() };
        format!("[upstream.{name}]\nbase_url = \"{}\"\n{own}\n", upstream.url())
    };
    let tables = [table("one", one), table("two", two)].concat();
    setup(&["serve", "--port", "0"])
        .config(&format!("{lines}\n[fallback]\nm = [\"two/spare\"]\n{tables}"), one)
}

#[tokio::test]
async fn a_native_upstream_stands_in_for_a_translated_one() {
    let one = Upstream::start([refusal(503, "no"), refusal(503, "no")]).await;
    let two =
        Upstream::start([Exchange::answer(200, MESSAGE).at(NATIVE), Exchange::stream(EVENTS).at(NATIVE)])
            .await;
    let program = mixed(&one, &two, "two", "").start().await;
    let mut answer = program.messages(MESSAGES).await;
    assert_eq!(answer.text().await, MESSAGE.replace("spare", "m"));
    assert_eq!(who(&answer), (Some("two"), Some("spare")));
    let mut answer = program.messages(MESSAGES_STREAM).await;
    assert_eq!(answer.text().await, EVENTS.replace("spare", "m"));
    let sent: Vec<String> = two.requests().iter().map(|asked| asked.text()).collect();
    assert_eq!(sent, [MESSAGES, MESSAGES_STREAM].map(|body| body.replace("\"m\"", "\"spare\"")));
}

#[tokio::test]
async fn a_translated_upstream_stands_in_for_a_native_one() {
    let one = Upstream::start([refusal(529, "full").at(NATIVE), refusal(529, "full").at(NATIVE)]).await;
    let two = Upstream::start([Exchange::answer(200, WHOLE), Exchange::stream(STREAM)]).await;
    let program = mixed(&one, &two, "one", "").start().await;
    let mut answer = program.messages(MESSAGES).await;
    let message = answer.json().await;
    assert_eq!((&message["model"], &message["content"][0]["text"]), (&json!("m"), &json!("Hello!")));
    let text = program.messages(MESSAGES_STREAM).await.text().await;
    assert_eq!(events(&text)[0]["message"]["model"], "m");
    assert_eq!(names(&text).last(), Some(&"message_stop"));
}

#[tokio::test]
async fn behind_a_head_that_was_sent_a_message_begins_once_whoever_goes_on() {
    let late = || refusal(503, "no").late();
    for native in ["one", "two"] {
        let first = if native == "one" { late().at(NATIVE) } else { late() };
        let second =
            if native == "two" { Exchange::stream(EVENTS).at(NATIVE) } else { Exchange::stream(STREAM) };
        let (one, two) = (Upstream::start([first]).await, Upstream::start([second]).await);
        let program = mixed(&one, &two, native, "[timeout]\nhold = \"50ms\"").start().await;
        let mut answer = program.messages(MESSAGES_STREAM).await;
        answer.until("\n\n").await;
        one.go();
        let text = answer.text().await;
        let mut found = names(&text);
        found.dedup();
        let expected = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(found, expected, "{native}: {text}");
        let said: String = events(&text).iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(said, if native == "two" { "Native." } else { "Hello!" });
        let start = events(&text).into_iter().find(|event| event["type"] == "message_start");
        assert_eq!(start.unwrap()["message"]["model"], "m");
    }
}
