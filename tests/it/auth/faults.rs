//! F-9: what a token endpoint does wrong.

use super::{ASK, Place};
use crate::support::login::Form;
use crate::support::upstream::{Exchange, Step, send};
use serde_json::json;

const TOKEN: &str = "/oauth/token";

/// Each fault, and the status and code that a caller gets where there is no going on without a token.
fn faults() -> Vec<(&'static str, Exchange, u16, &'static str, &'static str)> {
    let html = "<html><body>Too many people <script>alert(1)</script></body></html>";
    let busy = r#"{"success":false,"code":"500","message":"当前访问人数过多"}"#;
    let refused = r#"{"error":"invalid_grant","error_description":"Token has been revoked"}"#;
    let unknown = r#"{"error":"invalid_client"}"#;
    let moved = "location: http://127.0.0.1:9/elsewhere\r\ncontent-type: text/html\r\n";
    let endless = format!("{{\"access_token\":\"{}\"}}", "x".repeat(400_000));
    vec![
        (
            "500 HTML",
            Exchange::answer_with(500, "content-type: text/html\r\n", html),
            502,
            "upstream_error",
            "status 500",
        ),
        ("503", Exchange::answer(503, ""), 502, "upstream_error", "status 503"),
        (
            "no token",
            Exchange::answer(200, r#"{"token_type":"bearer"}"#),
            502,
            "upstream_error",
            "no access token",
        ),
        (
            "an empty token",
            Exchange::answer(200, r#"{"access_token":"","token_type":"bearer"}"#),
            502,
            "upstream_error",
            "empty access token",
        ),
        ("not JSON", Exchange::answer(200, "hello"), 502, "upstream_error", "no access token"),
        ("endless", Exchange::answer(200, endless), 502, "upstream_error", "more than"),
        ("busy at 200", Exchange::answer(200, busy), 502, "upstream_error", "当前访问人数过多"),
        ("invalid_grant", Exchange::answer(400, refused), 401, "login_required", "Token has been revoked"),
        (
            "invalid_grant at 200",
            Exchange::answer(200, refused),
            401,
            "login_required",
            "Token has been revoked",
        ),
        ("invalid_client", Exchange::answer(401, unknown), 401, "login_required", "invalid_client"),
        ("a redirect", Exchange::answer_with(302, moved, ""), 502, "upstream_error", "status 302"),
        (
            "a connection that ends",
            Exchange::steps([Step::Close]),
            502,
            "upstream_error",
            "cannot be reached",
        ),
        (
            "an answer that ends",
            Exchange::steps([send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), Step::Close]),
            502,
            "upstream_error",
            "broke off",
        ),
    ]
}

#[tokio::test]
async fn f9_a_refresh_that_fails_leaves_the_login_as_it_was_and_is_not_tried_again_at_once() {
    for (name, exchange, status, code, words) in faults() {
        let place = Place::new(Form::Iflow).await;
        // Without the key there is no going on, as after a token has ended elsewhere.
        let granted = place.login.grant();
        place.store(&granted, 47);
        place.login.instead(TOKEN, exchange);
        let before = std::fs::read(place.iflow_file()).unwrap();
        let mut program = place.serve().await;
        place.login.expire();
        for at in 0..5 {
            let mut answer = program.chat(ASK).await;
            let json = answer.json().await;
            let message = json["error"]["message"].as_str().unwrap_or_default();
            assert_eq!(
                (answer.status, &json["error"]["code"]),
                (status, &json!(code)),
                "{name} {at}: {json}"
            );
            assert!(message.contains(words) && !message.contains("<script>"), "{name} {at}: {message}");
            let mut answer = program.messages(ASK.replace("}]}", "}],\"max_tokens\":9}")).await;
            let json = answer.json().await;
            assert_eq!((answer.status, &json["type"]), (status, &json!("error")), "{name} {at}: {json}");
        }
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{name}: one try a minute");
        assert_eq!(std::fs::read(place.iflow_file()).unwrap(), before, "{name}");
        let hint =
            if code == "login_required" && name != "invalid_client" { "auth login iflow" } else { "reason=" };
        program.line(&["the login cannot be refreshed", hint]).await;
        let warnings = program.said().matches("the login cannot be refreshed").count();
        assert_eq!(warnings, 1, "{name}: said once: {}", program.said());
        // Another process does not try either.
        let (ended, _, err) = place.run(&["chat", "-m", "m", "hi"]).await;
        assert_eq!(ended, if status == 401 { 4 } else { 5 }, "{name}: {err}");
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{name}: {err}");
        let (_, out, _) = place.run(&["auth", "status"]).await;
        assert!(out.contains("last refresh failed"), "{name}: {out}");
        // But a person may, and a success mends it all.
        let (ended, _, err) = place.run(&["auth", "refresh"]).await;
        assert_eq!(ended, 0, "{name}: {err}");
        assert_eq!(program.chat(ASK).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn f9_a_login_that_is_only_old_goes_on_being_used() {
    for (name, exchange, ..) in faults() {
        let place = Place::new(Form::Standard).await;
        place.store(&place.login.grant(), 44);
        place.login.instead(TOKEN, exchange);
        let before = std::fs::read(place.credentials()).unwrap();
        let mut program = place.serve().await;
        program.line(&["WARN", "the login cannot be refreshed"]).await;
        for _ in 0..5 {
            assert_eq!(program.chat(ASK).await.status, 200, "{name}");
        }
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{name}");
        assert_eq!(std::fs::read(place.credentials()).unwrap(), before, "{name}");
    }
}

#[tokio::test]
async fn f9_a_login_servers_fault_is_not_waited_for_and_not_held_against_the_upstream() {
    let place = Place::new(Form::Standard).await;
    place.store(&place.login.grant(), -1);
    place.login.instead(TOKEN, Exchange::steps([Step::Close]));
    let setup = place.setup(&["serve", "--port", "0"]);
    let setup = setup.env("IFLOW2API_RETRY_RETRIES", "3").env("IFLOW2API_RETRY_DELAYS", "10m");
    let program = setup.env("IFLOW2API_CIRCUIT_FAILURES", "2").start().await;
    for _ in 0..5 {
        let mut answer = program.chat(ASK).await;
        let json = answer.json().await;
        assert!(json["error"]["message"].as_str().unwrap().contains("cannot be reached"), "{json}");
        assert_eq!(answer.status, 502, "{json}");
    }
}

#[tokio::test]
async fn a_dead_login_is_said_with_what_to_do_and_a_new_one_mends_a_server_that_runs() {
    let place = Place::new(Form::Standard).await;
    place.store(&place.login.grant(), 47);
    let program = place.serve().await;
    place.login.expire();
    place.login.forget();
    let mut answer = program.chat(ASK).await;
    let json = answer.json().await;
    assert_eq!((answer.status, answer.header("x-should-retry")), (401, Some("false")), "{json}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("invalid_grant") && message.contains("`iflow2api auth login corp`"),
        "{message}"
    );
    let (status, out, err) = place.run(&["auth", "status"]).await;
    assert_eq!(status, 4, "{out}{err}");
    assert!(out.contains("not good any more") && err.contains("auth login corp"), "{out}{err}");
    place.log_in(&[]).await;
    assert_eq!(place.run(&["auth", "status"]).await.0, 0);
    // The server looks once a second.
    for _ in 0..40 {
        if program.chat(ASK).await.status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the new login is not noticed: {}", program.said());
}
