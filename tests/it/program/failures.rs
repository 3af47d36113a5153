//! What becomes of an upstream's refusals and of upstreams that cannot be reached: the status, the
//! envelope of the face that was called, and the headers (C01–C09).

use super::{CHAT, CHAT_STREAM, DONE, MESSAGES, MESSAGES_STREAM, WHOLE, chunk, delta, finish};
use crate::support::client::{Answer, events};
use crate::support::program::{KEY, Program, serve, setup};
use crate::support::upstream::{Exchange, Step, Upstream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The four ways to ask, with whether the answer is in the words of the Anthropic API.
const WAYS: [(&str, &str, bool); 4] = [
    ("/v1/chat/completions", CHAT, false),
    ("/v1/chat/completions", CHAT_STREAM, false),
    ("/v1/messages", MESSAGES, true),
    ("/v1/messages", MESSAGES_STREAM, true),
];

/// Asks in all four ways of each; the upstream does the same each time.
async fn failed(exchanges: impl IntoIterator<Item = Exchange>) -> Vec<Vec<(bool, Answer, Value)>> {
    let exchanges: Vec<Exchange> = exchanges.into_iter().collect();
    let script = exchanges.iter().flat_map(|exchange| vec![exchange.clone(); WAYS.len()]);
    let upstream = Upstream::start(script.collect::<Vec<_>>()).await;
    let program = serve(&upstream).start().await;
    let mut answers = Vec::new();
    for _ in exchanges {
        answers.push(ask_all(&program).await);
    }
    answers
}

async fn ask_all(program: &Program) -> Vec<(bool, Answer, Value)> {
    let mut answers = Vec::new();
    for (path, body, anthropic) in WAYS {
        let mut answer = program.post(path, body).await;
        let json = answer.json().await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answers.push((anthropic, answer, json));
    }
    answers
}

/// The envelope that a face must answer with.
fn envelope(
    anthropic: bool,
    answer: &Answer,
    message: &str,
    anthropic_type: &str,
    openai: (&str, Value),
) -> Value {
    let id = answer.header("request-id").unwrap();
    if anthropic {
        json!({"type": "error", "error": {"type": anthropic_type, "message": message}, "request_id": id})
    } else {
        json!({"error": {"message": message, "type": openai.0, "param": null, "code": openai.1}})
    }
}

#[tokio::test]
async fn every_status_of_the_upstream_has_its_own_in_the_words_of_each_face() {
    let wrong = "invalid_request_error";
    let table = [
        (400, 400, wrong, (wrong, json!("1213")), "request", None),
        (422, 400, wrong, (wrong, json!("1213")), "request", None),
        (401, 401, "authentication_error", (wrong, json!("login_required")), "upstream", Some("false")),
        (
            402,
            402,
            "billing_error",
            ("insufficient_quota", json!("insufficient_quota")),
            "upstream",
            Some("false"),
        ),
        (403, 403, "permission_error", (wrong, json!("permission_denied")), "upstream", None),
        (404, 404, "not_found_error", (wrong, json!("model_not_found")), "request", None),
        (406, 502, "api_error", ("server_error", json!("upstream_error")), "upstream", None),
        (408, 504, "timeout_error", ("server_error", json!("timeout")), "upstream", None),
        (409, 409, wrong, (wrong, json!("conflict")), "request", None),
        (413, 413, "request_too_large", (wrong, json!("request_too_large")), "request", None),
        (429, 429, "rate_limit_error", ("rate_limit_error", json!("rate_limit_exceeded")), "upstream", None),
        (500, 502, "api_error", ("server_error", json!("upstream_error")), "upstream", None),
        (501, 502, "api_error", ("server_error", json!("upstream_error")), "upstream", None),
        (502, 502, "api_error", ("server_error", json!("upstream_error")), "upstream", None),
        (503, 503, "overloaded_error", ("server_error", json!("overloaded")), "upstream", None),
        (504, 504, "timeout_error", ("server_error", json!("timeout")), "upstream", None),
        (521, 502, "api_error", ("server_error", json!("upstream_error")), "upstream", None),
        (529, 529, "overloaded_error", ("server_error", json!("overloaded")), "upstream", None),
    ];
    let exchanges = table.iter().map(|(status, ..)| {
        let code = if matches!(status, 400 | 422) { r#","code":"1213""# } else { "" };
        Exchange::answer(*status, format!(r#"{{"error":{{"message":"that is how it is"{code}}}}}"#))
    });
    for ((status, expected, anthropic_type, openai, fault, retry), answers) in
        table.iter().zip(failed(exchanges).await)
    {
        for (anthropic, answer, json) in answers {
            let what = format!("{status}, anthropic: {anthropic}: {json}");
            assert_eq!(answer.status, *expected, "{what}");
            let hint = if *status == 401 {
                "; check the key of upstream `env`, which is from IFLOW2API_API_KEY"
            } else {
                ""
            };
            let message = format!("upstream `env`: that is how it is{hint}");
            assert_eq!(
                json,
                envelope(anthropic, &answer, &message, anthropic_type, openai.clone()),
                "{what}"
            );
            let said = ["x-should-retry", "x-iflow2api-error"].map(|name| answer.header(name));
            assert_eq!(said, [*retry, Some(*fault)], "{what}");
        }
    }
}

#[tokio::test]
async fn the_time_to_wait_is_handed_on() {
    let table = [
        ("retry-after: 17\r\n", Some("17")),
        ("retry-after-ms: 1200\r\n", Some("2")),
        ("retry-after: soon\r\n", None),
        ("", None),
    ];
    let exchanges =
        table.map(|(headers, _)| Exchange::answer_with(429, headers, r#"{"error":{"message":"later"}}"#));
    for ((headers, expected), answers) in table.iter().zip(failed(exchanges).await) {
        for (_, answer, json) in answers {
            assert_eq!((answer.status, answer.header("retry-after")), (429, *expected), "{headers}: {json}");
        }
    }
}

#[tokio::test]
async fn a_429_that_means_no_money_is_no_429() {
    let body = r#"{"error":{"code":"1113","message":"Insufficient balance"}}"#;
    for (_, answer, json) in failed([Exchange::answer(429, body)]).await.remove(0) {
        assert_eq!((answer.status, answer.header("x-should-retry")), (402, Some("false")), "{json}");
    }
}

#[tokio::test]
async fn an_overflow_is_told_in_the_words_that_make_clients_compact() {
    let body = r#"{"error":{"message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39000 in the messages, 1000 in the completion).","code":"context_length_exceeded"}}"#;
    for (anthropic, answer, json) in failed([Exchange::answer(400, body)]).await.remove(0) {
        assert_eq!(answer.status, 400, "{json}");
        let openai = ("invalid_request_error", json!("context_length_exceeded"));
        let message = "prompt is too long: 40000 tokens > 32768 maximum";
        assert_eq!(json, envelope(anthropic, &answer, message, "invalid_request_error", openai));
    }
}

#[tokio::test]
async fn pages_and_keys_in_a_refusal_are_not_handed_on() {
    let page = "<!DOCTYPE html><html><body>nginx at 10.0.0.7 says no</body></html>";
    let words =
        format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}. Bearer {KEY} is unknown"}}}}"#);
    let in_band = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}","code":401}}}}"#);
    let exchanges = [
        Exchange::answer_with(502, "content-type: text/html\r\n", page),
        Exchange::answer(401, &words),
        Exchange::answer(400, format!("key {KEY}?")),
        Exchange::answer(200, in_band),
    ];
    for (_, answer, json) in failed(exchanges).await.into_iter().flatten() {
        let text = format!("{json} {:?}", answer.head);
        assert!(answer.status >= 400, "{text}");
        for secret in [KEY, "nginx", "10.0.0.7", "<html>"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_200_that_is_an_error_is_that_error() {
    let table = [
        (r#"{"status":"449","msg":"too fast","body":null}"#, 429),
        (r#"{"status":"439","msg":"token has expired","body":null}"#, 401),
        (r#"{"error":{"message":"no","code":502}}"#, 502),
        (r#"{"error":{"message":"no","type":"rate_limit_error"}}"#, 429),
        (r#"{"object":"error","message":"no","code":400}"#, 400),
        (r#"{"error":"no"}"#, 502),
    ];
    let exchanges = table.map(|(body, _)| Exchange::answer(200, body));
    for ((body, status), answers) in table.iter().zip(failed(exchanges).await) {
        for (_, answer, json) in answers {
            assert_eq!(answer.status, *status, "{body}: {json}");
        }
    }
}

#[tokio::test]
async fn a_first_frame_that_is_an_error_is_answered_with_its_status() {
    let table = [
        ("data: {\"error\":{\"message\":\"no\",\"code\":429}}\n\n", 429),
        ("event: error\ndata: {\"message\":\"no\",\"code\":503}\n\n", 503),
        (": PROCESSING\n\ndata:{\"status\":\"439\",\"msg\":\"token has expired\"}\n\n", 401),
    ];
    let script = table.iter().flat_map(|(stream, _)| vec![Exchange::stream(stream); 2]);
    let upstream = Upstream::start(script.collect::<Vec<_>>()).await;
    let program = serve(&upstream).start().await;
    for (stream, status) in table {
        for (path, request) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
            assert_eq!(program.post(path, request).await.status, status, "{path}: {stream}");
        }
    }
}

/// A whole answer without a word.
fn empty_answers() -> [String; 2] {
    let wordless = WHOLE.replace("Hello!", "").replace("\"completion_tokens\":3", "\"completion_tokens\":0");
    [wordless, r#"{"id":"c1","object":"chat.completion","choices":[]}"#.to_owned()]
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_a_failure() {
    let script = empty_answers().into_iter().flat_map(|body| vec![Exchange::answer(200, body); 2]);
    let upstream = Upstream::start(script.collect::<Vec<_>>()).await;
    let program = serve(&upstream).start().await;
    for _ in empty_answers() {
        for (path, request) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
            let mut answer = program.post(path, request).await;
            let json = answer.json().await;
            assert_eq!(
                (answer.status, answer.header("x-iflow2api-error")),
                (502, Some("upstream")),
                "{json}"
            );
            assert!(json["error"]["message"].as_str().unwrap().contains("empty"), "{json}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_a_failure() {
    let role = delta("{\"role\":\"assistant\",\"content\":\"\"}");
    let ended = [role.as_str(), &finish("stop"), DONE].concat();
    let streams = ["", DONE, ": only a comment\n\n", &chunk(""), &role, &ended].map(Exchange::stream);
    let bodies = empty_answers().map(|body| Exchange::answer(200, body));
    let exchanges: Vec<Exchange> = streams.into_iter().chain(bodies).collect();
    let script = exchanges.iter().flat_map(|exchange| vec![exchange.clone(); 2]);
    let upstream = Upstream::start(script.collect::<Vec<_>>()).await;
    let program = serve(&upstream).start().await;
    let mut wrong = Vec::new();
    for _ in exchanges {
        for (path, request) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
            let mut answer = program.post(path, request).await;
            let text = answer.text().await;
            // What was forwarded before anybody could know leaves only the stream to say it in.
            let said =
                answer.status == 502 || events(&text).last().is_some_and(|event| event["error"].is_object());
            if !said || text.contains("[DONE]") || text.contains("message_stop") {
                wrong.push(format!("{path}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_and_the_next_request_succeeds() {
    let garbage: [&[u8]; 9] = [
        b"",
        b"\xff\xfe\x00\x01",
        br#"{"id":"c1","choices":[{"index":0,"message":{"role":"assistant","content":"Hel"#,
        b"{}",
        b"null",
        b"[]",
        b"<html>no</html>",
        b"{\"choices\":[{\"index\":0,\"message\":{\"content\":\"\xff\"}}]}",
        b"{\"choices\":\"none\"}",
    ];
    let good = || Exchange::answer(200, WHOLE);
    let script =
        garbage.iter().flat_map(|bytes| WAYS.map(|_| [Exchange::answer(200, bytes), good()])).flatten();
    let upstream = Upstream::start(script.collect::<Vec<_>>()).await;
    let program = serve(&upstream).start().await;
    for bytes in garbage {
        let shown = String::from_utf8_lossy(bytes);
        for (path, body, _) in WAYS {
            let mut answer = program.post(path, body).await;
            let json = answer.json().await;
            let found = (answer.status, answer.header("x-iflow2api-error"));
            assert_eq!(found, (502, Some("upstream")), "{path}: {shown}: {json}");
            assert_eq!(program.post(path, body).await.status, 200, "after {path}: {shown}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_neither_followed_nor_handed_on() {
    let elsewhere = Upstream::start([]).await;
    let headers = format!("location: {}/chat/completions\r\n", elsewhere.url());
    let exchanges = [301, 302, 307, 308].map(|status| Exchange::answer_with(status, &headers, ""));
    for (_, answer, json) in failed(exchanges).await.into_iter().flatten() {
        assert_eq!((answer.status, answer.header("location")), (502, None), "{json}");
        assert!(!json.to_string().contains("http"), "{json}");
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused =
        setup(&["serve", "--port", "0", "--upstream", &format!("http://{address}/v1")]).start().await;
    for (_, answer, json) in ask_all(&refused).await {
        assert_eq!((answer.status, answer.header("x-iflow2api-error")), (502, Some("upstream")), "{json}");
        let text = json.to_string();
        assert!(text.contains("cannot be reached") && !text.contains(&address.to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_a_502_and_the_next_request_succeeds() {
    for step in [Step::Reset, Step::Close] {
        let bad = Exchange::steps([step.clone()]);
        let script: Vec<Exchange> =
            WAYS.iter().flat_map(|_| [bad.clone(), Exchange::answer(200, WHOLE)]).collect();
        let upstream = Upstream::start(script).await;
        let program = serve(&upstream).start().await;
        for (path, body, _) in WAYS {
            let mut answer = program.post(path, body).await;
            let json = answer.json().await;
            assert_eq!(
                (answer.status, answer.header("x-iflow2api-error")),
                (502, Some("upstream")),
                "{step:?}: {json}"
            );
            assert_eq!(program.post(path, body).await.status, 200, "{step:?}");
        }
    }
}
