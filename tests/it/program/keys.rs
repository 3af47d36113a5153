//! Callers' keys: asked for, compared, and told to nobody. No secret is ever written anywhere.

use super::{CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, STREAM, WHOLE};
use crate::support::program::{KEY, serve, setup};
use crate::support::upstream::{Exchange, Upstream};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

const CALLER: &str = "caller-key-4711+/=";
const OTHER: &str = "caller-key-0815";
const WRONG: &str = "wrong-key-4712";

#[tokio::test]
async fn a_callers_key_is_needed_where_one_is_set_and_never_passed_on() {
    let upstream = Upstream::start(vec![Exchange::answer(200, WHOLE); 6]).await;
    let keys = format!("{CALLER},{OTHER}");
    let program = serve(&upstream).env("IFLOW2API_SERVER_KEYS", &keys).start().await;
    let ways = [("POST /v1/chat/completions", CHAT), ("POST /v1/messages", MESSAGES)];
    for (line, body) in ways {
        for headers in [
            String::new(),
            format!("authorization: Bearer {WRONG}\r\n"),
            format!("x-api-key: {WRONG}\r\n"),
            format!("authorization: Basic {CALLER}\r\n"),
        ] {
            let mut answer = program.ask(line, &headers, body).await;
            let json = answer.json().await;
            assert_eq!((answer.status, answer.header("x-iflow2api-error")), (401, Some("request")), "{json}");
            if line.ends_with("messages") {
                assert_eq!(
                    (&json["type"], &json["error"]["type"]),
                    (&json!("error"), &json!("authentication_error"))
                );
            } else {
                assert_eq!(
                    (&json["error"]["type"], &json["error"]["code"]),
                    (&json!("invalid_request_error"), &json!("invalid_api_key"))
                );
            }
            assert!(!json.to_string().contains(WRONG), "{json}");
        }
        for headers in [
            format!("authorization: Bearer {CALLER}\r\n"),
            format!("x-api-key: {OTHER}\r\n"),
            format!("x-api-key: {CALLER}\r\nauthorization: Bearer {WRONG}\r\n"),
        ] {
            assert_eq!(program.ask(line, &headers, body).await.status, 200, "{line} {headers}");
        }
    }
    for sent in upstream.requests() {
        let all = format!("{:?} {}", sent.head, sent.text());
        assert!(!all.contains("caller-key") && !all.contains(WRONG), "{all}");
        assert_eq!(sent.head.get("authorization"), Some(format!("Bearer {KEY}").as_str()));
    }
    assert_eq!(program.get("/v1/models").await.status, 401);
    assert_eq!(program.get("/health").await.status, 200);
}

/// The ways in which a secret could be written.
fn guises(secret: &str) -> [String; 5] {
    let encoded = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // A key within a longer text is encoded at one of three offsets; this is the part they share.
    let inner = |offset: usize| {
        let text = [&"\0".repeat(offset), secret].concat();
        let text = STANDARD.encode(text);
        text[4..text.len() - 4].to_owned()
    };
    [secret.to_owned(), encoded, URL_SAFE_NO_PAD.encode(secret), inner(1), inner(2)]
}

#[tokio::test]
async fn no_secret_is_written_however_much_is_logged() {
    let refusal = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    let broken =
        format!("{}data: {{\"error\":{{\"message\":\"{KEY}\"}}}}\n\n", super::delta("{\"content\":\"a\"}"));
    for log in ["iflow2api=trace", "trace", ""] {
        let script = [
            Exchange::answer(200, WHOLE),
            Exchange::stream(STREAM),
            Exchange::answer(401, &refusal),
            Exchange::stream(&broken),
            Exchange::answer(500, format!("{KEY}!")),
            Exchange::answer(404, &refusal).at("GET /v1/models"),
            Exchange::stream(STREAM),
        ];
        let upstream = Upstream::start(script).await;
        let mut program = serve(&upstream)
            .arguments(&["-vv"])
            .env("RUST_LOG", log)
            .env("IFLOW2API_SERVER_KEYS", CALLER)
            .env("OTHER_VARIABLE", "x")
            .start()
            .await;
        let headers = format!(
            "authorization: Bearer {CALLER}\r\nx-api-key: {CALLER}\r\ncookie: session=cookie-secret\r\n"
        );
        let asked = [
            ("POST /v1/chat/completions", CHAT),
            ("POST /v1/messages", MESSAGES_STREAM),
            ("POST /v1/messages", MESSAGES),
            ("POST /v1/chat/completions", CHAT_STREAM),
            ("POST /v1/messages", MESSAGES_STREAM),
            ("GET /v1/models", ""),
            ("POST /v1/chat/completions", CHAT_STREAM),
        ];
        for (line, body) in asked {
            program.ask(line, &headers, body).await.bytes().await;
        }
        program.ask("POST /v1/messages", &format!("x-api-key: {WRONG}\r\n"), MESSAGES).await.bytes().await;
        program.line(&["status=401", "AccessDenied"]).await;
        let said = program.said();
        assert!(log != "trace" || said.contains("TRACE"), "it was told to say all");
        for secret in [KEY, CALLER, WRONG, "cookie-secret"] {
            for guise in guises(secret) {
                let line = said.lines().find(|line| line.contains(&guise));
                assert_eq!(line, None, "RUST_LOG={log}");
            }
        }
    }
}

#[tokio::test]
async fn prompts_and_answers_are_not_logged_below_trace() {
    let secretive = WHOLE.replace("Hello!", "an answer of nobody's business");
    let upstream =
        Upstream::start([Exchange::answer(200, &secretive), Exchange::answer(200, secretive)]).await;
    let mut program = serve(&upstream).arguments(&["-v"]).start().await;
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        program.post(path, body.replace("\"hi\"", "\"a question of nobody's business\"")).await.bytes().await;
        program.line(&["status=200", path]).await;
    }
    assert!(!program.said().contains("nobody's business"), "{}", program.said());
}

#[tokio::test]
async fn listening_beyond_loopback_without_a_key_is_refused() {
    for host in ["0.0.0.0", "::"] {
        let upstream = Upstream::start([]).await;
        let (code, out, err) = serve(&upstream).arguments(&["--host", host]).run().await;
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("server.keys") && err.contains("IFLOW2API_SERVER_KEYS"), "{err}");
    }
    let program = setup(&["serve", "--port", "0", "--demo", "--host", "0.0.0.0"]);
    let program = program.env("IFLOW2API_SERVER_KEYS", CALLER).start().await;
    assert!(program.address.ip().is_unspecified());
}
