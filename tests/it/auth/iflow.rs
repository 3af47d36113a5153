//! iFlow's own ways: its file as others have written it, its errors at status 200, its key beside its tokens, its settings.

use super::{ASK, Place, write_private};
use crate::support::login::{Form, SECRET};
use crate::support::program::setup_in;
use crate::support::upstream::{Exchange, Step};
use serde_json::{Value, json};

const TOKEN: &str = "/oauth/token";
const USER: &str = "/api/oauth/getUserInfo";
const CHAT: &str = "/v1/chat/completions";

/// What calls were signed in with, oldest first.
fn bearers(place: &Place) -> Vec<String> {
    let calls = place.login.asked(CHAT);
    calls.into_iter().map(|mut call| call.remove("authorization").unwrap_or_default()).collect()
}

#[tokio::test]
async fn whoever_lacks_the_secret_sends_nothing_whatever_they_want() {
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), -1);
    let before = std::fs::read(place.iflow_file()).unwrap();
    for arguments in
        [&["auth", "login", "iflow"][..], &["auth", "login", "iflow", "--port", "1"], &["auth", "refresh"]]
    {
        let (status, out, err) = setup_in(&place.home, arguments).run().await;
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        for way in
            ["`IFLOW2API_AUTH_IFLOW_CLIENT_SECRET`", "`iflow2api config set auth.iflow.client_secret -`"]
        {
            assert!(err.contains(way), "{arguments:?}: {err}");
        }
    }
    assert!(place.server.requests().is_empty(), "{:?}", place.server.requests());
    assert_eq!(std::fs::read(place.iflow_file()).unwrap(), before);
}

#[tokio::test]
async fn both_ways_to_say_the_secret_lead_to_a_login() {
    let place = Place::new(Form::Iflow).await;
    let setup = setup_in(&place.home, &["config", "set", "auth.iflow.client_secret", "-"]).stdin(SECRET);
    let (status, _, err) = setup.run().await;
    assert_eq!(status, 0, "{err}");
    place.store(&place.login.grant(), 40);
    let (status, _, err) = setup_in(&place.home, &["auth", "refresh", "iflow"]).run().await;
    assert_eq!(status, 0, "{err}");
    let asked = &place.login.asked(TOKEN)[0];
    assert_eq!((asked["grant_type"].as_str(), asked["client_secret"].as_str()), ("refresh_token", SECRET));
    assert!(!asked.contains_key("redirect_uri") && !asked.contains_key("scope"), "{asked:?}");
}

#[tokio::test]
async fn a_file_of_another_client_is_renewed_when_its_time_has_come_and_its_key_is_read_again() {
    for (expiry, refreshes) in [
        (json!("2026-04-17T08:30:00.000Z"), 1),
        (json!("2026-04-17T16:30:00+08:00"), 1),
        (json!("2026-04-17 08:30"), 1),
        (json!(1_776_414_600_000_i64), 1),
        (json!("2126-04-17T08:30:00.000Z"), 0),
        (json!(4_931_917_800_000_i64), 0),
    ] {
        let place = Place::new(Form::Iflow).await;
        let granted = place.login.grant();
        let theirs = json!({"userId": "u-7", "nested": {"list": [1, 2.50, null]}, "id_token": ""});
        let mut file = json!({"access_token": granted.access_token, "refresh_token": granted.refresh_token,
            "expiry_date": expiry, "token_type": "Bearer", "scope": "", "apiKey": granted.key});
        file.as_object_mut().unwrap().extend(theirs.as_object().unwrap().clone());
        write_private(&place.iflow_file(), &file.to_string());
        let mut program = place.serve().await;
        if refreshes > 0 {
            program.line(&["INFO login refreshed", "asked=true"]).await;
        }
        assert_eq!(program.chat(ASK).await.status, 200, "{expiry}");
        assert_eq!(place.login.asked(TOKEN).len(), refreshes, "{expiry}");
        let (good, stored) = (place.login.good(), place.stored());
        for (name, value) in theirs.as_object().unwrap() {
            assert_eq!(&stored[name], value, "{expiry}");
        }
        assert_eq!(
            (&stored["apiKey"], &stored["token_type"]),
            (&json!(good.key), &json!("Bearer")),
            "{expiry}"
        );
        assert_eq!(good.key != granted.key, refreshes == 1, "a refresh has changed the key");
        assert_eq!(bearers(&place), [format!("Bearer {}", good.key)], "{expiry}");
        assert_eq!(place.login.asked(USER).len(), refreshes, "{expiry}");
    }
}

#[tokio::test]
async fn a_key_that_has_expired_is_said_in_three_ways_and_means_one_refresh_and_one_more_try() {
    let expired = r#"{"status":"439","msg":"Your API Token has expired.","body":null}"#;
    for exchange in [
        Exchange::answer(200, expired),
        Exchange::stream(format!("data:{expired}\n\n")),
        Exchange::answer(401, r#"{"error":{"message":"invalid token"}}"#),
    ] {
        let place = Place::new(Form::Iflow).await;
        let granted = place.login.grant();
        place.store(&granted, 47);
        let program = place.serve().await;
        place.login.instead(CHAT, exchange.clone());
        let mut answer = program.chat(ASK.replace("}]}", "}],\"stream\":true}")).await;
        let text = answer.text().await;
        assert!(answer.status == 200 && text.contains("Come in."), "{exchange:?}: {text}");
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{exchange:?}");
        let good = place.login.good().key;
        assert_eq!(bearers(&place), [format!("Bearer {}", granted.key), format!("Bearer {good}")]);
    }
}

#[tokio::test]
async fn what_is_wrong_with_something_else_than_the_key_is_no_reason_to_refresh() {
    for (exchange, status) in [
        (
            Exchange::answer(
                200,
                r#"{"status":"449","msg":"You exceeded your current rate limit","body":null}"#,
            ),
            429,
        ),
        (
            Exchange::answer(
                200,
                r#"{"status":"434","msg":"Access to the current AK has been blocked","body":null}"#,
            ),
            403,
        ),
        (Exchange::answer(500, "<html>busy</html>"), 502),
    ] {
        let place = Place::new(Form::Iflow).await;
        place.store(&place.login.grant(), 47);
        let program = place.serve().await;
        place.login.instead(CHAT, exchange);
        let mut answer = program.chat(ASK).await;
        let text = answer.text().await;
        assert_eq!(answer.status, status, "{text}");
        assert_eq!((place.login.asked(TOKEN).len(), bearers(&place).len()), (0, 1), "{text}");
    }
}

#[tokio::test]
async fn while_the_key_cannot_be_read_again_the_old_one_is_used_and_no_token_spent() {
    for fault in [
        Exchange::answer(500, "<html>busy</html>"),
        Exchange::answer(200, r#"{"success":false,"code":"500","message":"busy","data":null}"#),
        Exchange::answer(200, r#"{"success":true,"data":{"apiKey":"","email":"ada@example.com"}}"#),
        Exchange::answer_with(302, "location: /elsewhere\r\n", ""),
        Exchange::steps([Step::Close]),
    ] {
        let place = Place::new(Form::Iflow).await;
        let granted = place.login.grant();
        place.store(&granted, 44);
        // The key is the same after the refresh as before it.
        let tokens = json!({"access_token": "access-next-never-shown", "refresh_token": "refresh-next-never-shown",
            "expires_in": 172_800, "token_type": "bearer", "scope": "read"});
        place.login.instead(TOKEN, Exchange::answer(200, tokens.to_string()));
        for _ in 0..4 {
            place.login.instead(USER, fault.clone());
        }
        let mut program = place.serve().await;
        program.line(&["WARN", "the login cannot be refreshed"]).await;
        for _ in 0..10 {
            assert_eq!(program.chat(ASK).await.status, 200, "{fault:?}");
        }
        assert_eq!(bearers(&place), vec![format!("Bearer {}", granted.key); 10], "{fault:?}");
        let stored = place.stored();
        assert_eq!(
            (&stored["access_token"], &stored["refresh_token"], &stored["apiKey"]),
            (&tokens["access_token"], &tokens["refresh_token"], &json!(granted.key)),
            "{fault:?}"
        );
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{fault:?}");
        let asked = place.login.asked(USER);
        assert!(asked.len() <= 2, "{fault:?}: once by each of those who found it so: {}", asked.len());
        assert!(asked.iter().all(|query| query["accessToken"] == "access-next-never-shown"), "{asked:?}");
        assert!(!program.said().contains("never-shown"), "{}", program.said());
    }
}

#[tokio::test]
async fn a_key_of_iflow_is_tried_with_one_token_and_goes_before_a_login_until_somebody_logs_in() {
    let place = Place::new(Form::Iflow).await;
    let granted = place.login.grant();
    let enter = ["auth", "login", "iflow", "--with-token"];
    let (status, out, err) = place.setup(&enter).stdin(&granted.key).run().await;
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    let [request] = place.server.requests().try_into().unwrap();
    let tried = request.json();
    assert_eq!(tried["max_tokens"], json!(1), "{tried}");
    assert!(request.head.get("x-iflow-signature").is_some(), "{:?}", request.head);
    let stored =
        || -> Value { serde_json::from_slice(&std::fs::read(place.credentials()).unwrap()).unwrap() };
    assert_eq!(stored()["upstreams"]["iflow"]["profiles"]["default"]["key"], json!(granted.key));
    assert!(!place.iflow_file().exists(), "a key is no login");

    // Another client logs in meanwhile: what was entered here counts.
    let mut theirs = granted.clone();
    theirs.key = "sk-of-another-client-never-shown".to_owned();
    place.store(&theirs, 47);
    let program = place.serve().await;
    assert_eq!(program.chat(ASK).await.status, 200);
    // A login here takes its place, and keeps what the file has.
    place.log_in(&[]).await;
    assert_eq!(stored().pointer("/upstreams/iflow/profiles"), None, "{}", stored());
    assert_eq!(place.stored()["theirs"], json!({"x": 1}));
    let (status, out, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!((status, out.as_str()), (0, "Come in.\n"), "{err}");
    let good = place.login.good().key;
    assert_eq!(bearers(&place).last(), Some(&format!("Bearer {good}")));
}

#[tokio::test]
async fn a_key_of_iflows_settings_that_was_chosen_there_is_used_and_never_refreshed() {
    for (kind, of_settings) in
        [("api-key", true), ("openai-compatible", true), ("oauth-iflow", false), ("iflow", false)]
    {
        let place = Place::new(Form::Iflow).await;
        let granted = place.login.grant();
        place.store(&granted, 40);
        let before = std::fs::read(place.iflow_file()).unwrap();
        let settings = json!({"apiKey": "sk-of-the-settings-never-shown", "selectedAuthType": kind, "baseUrl": place.server.url()});
        write_private(&place.home.path().join(".iflow/settings.json"), &settings.to_string());
        let mut program = place.serve().await;
        if !of_settings {
            program.line(&["INFO login refreshed", "asked=true"]).await;
        }
        let status = program.chat(ASK).await.status;
        let shown = bearers(&place);
        if of_settings {
            assert_eq!(
                (status, shown),
                (401, vec!["Bearer sk-of-the-settings-never-shown".to_owned()]),
                "{kind}"
            );
            assert_eq!(place.login.asked(TOKEN).len(), 0, "{kind}");
            assert_eq!(std::fs::read(place.iflow_file()).unwrap(), before, "{kind}");
        } else {
            let good = place.login.good().key;
            assert_eq!((status, shown), (200, vec![format!("Bearer {good}")]), "{kind}");
            assert_eq!(place.login.asked(TOKEN).len(), 1, "{kind}");
        }
    }
}
