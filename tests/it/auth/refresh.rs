//! How a login stays good: before it ends, where it is refused, and whoever else has it.

use super::{ASK, Place, write_private};
use crate::support::login::{Form, Login};
use crate::support::upstream::Exchange;
use futures_util::future::join_all;
use serde_json::{Value, json};

const FORMS: [Form; 2] = [Form::Standard, Form::Iflow];

fn refreshes(login: &Login) -> usize {
    login.asked("/oauth/token").len()
}

#[tokio::test]
async fn a_login_is_renewed_before_it_is_used_when_less_than_45_hours_are_left() {
    for (form, hours, expected) in [
        (Form::Iflow, 46, 0),
        (Form::Iflow, 44, 1),
        (Form::Iflow, -1, 1),
        (Form::Standard, 46, 0),
        (Form::Standard, 44, 1),
    ] {
        let place = Place::new(form).await;
        place.store(&place.login.grant(), hours);
        let old = place.stored();
        let (status, out, err) = place.run(&["chat", "-m", "m", "hi"]).await;
        assert_eq!((status, out.as_str()), (0, "Come in.\n"), "{form:?} {hours}: {err}");
        assert_eq!(refreshes(&place.login), expected, "{form:?} {hours}");
        let new = place.stored();
        assert_eq!(new["theirs"], json!({"x": 1}), "what is not known stays");
        if expected == 0 {
            assert_eq!(new, old);
            continue;
        }
        let good = place.login.good();
        assert_eq!(
            (&new["access_token"], &new["refresh_token"]),
            (&json!(good.access_token), &json!(good.refresh_token))
        );
        assert!(new["expiry_date"].as_i64() > old["expiry_date"].as_i64());
        if form == Form::Iflow {
            assert_eq!(new["apiKey"], json!(good.key), "the key is read again");
        }
    }
}

#[tokio::test]
async fn how_long_before_its_end_is_a_setting_and_never_more_than_fifteen_sixteenths_of_its_life() {
    // Of 32 hours, 15/16 are 30: with 31 left it is not yet time, whatever the setting says, and with 29 left it is.
    for (hours, ago, expected) in [(31, 1, 0), (29, 3, 1)] {
        let place = Place::new(Form::Standard).await;
        place.store_since(&place.login.grant(), hours, ago);
        let (status, _, err) = place.run(&["chat", "-m", "m", "hi"]).await;
        assert_eq!((status, refreshes(&place.login)), (0, expected), "{hours}: {err}");
    }
    // One that ends before it began, as clocks may have it, has ended. Its key would do, but is old.
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), -3);
    let mut stored = place.stored();
    stored["obtained_at"] = json!(stored["expiry_date"].as_i64().unwrap() + 1);
    write_private(&place.iflow_file(), &stored.to_string());
    let (status, _, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!((status, refreshes(&place.login)), (0, 1), "{err}");
    // Where it is not known when it began, only the setting counts.
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), 5);
    for (variable, expected) in [("4h", 0), ("6h", 1)] {
        let setup = place.setup(&["chat", "-m", "m", "hi"]).env("IFLOW2API_AUTH_REFRESH_BEFORE", variable);
        let (status, _, err) = setup.run().await;
        assert_eq!((status, refreshes(&place.login)), (0, expected), "{variable}: {err}");
    }
}

#[tokio::test]
async fn a_file_as_the_python_original_wrote_it_is_taken_over() {
    let place = Place::new(Form::Iflow).await;
    let granted = place.login.grant();
    let text = json!({"access_token": granted.access_token, "refresh_token": granted.refresh_token,
        "expiry_date": "2026-01-01 08:30", "token_type": "bearer", "scope": "read", "apiKey": granted.key,
        "userId": "u-7", "user_name": "Ada"});
    write_private(&place.iflow_file(), &text.to_string());
    let (status, out, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!((status, out.as_str()), (0, "Come in.\n"), "{err}");
    let stored = place.stored();
    assert_eq!((&stored["userId"], &stored["user_name"]), (&json!("u-7"), &json!("Ada")));
    assert!(stored["expiry_date"].is_i64(), "{stored}");
    assert_eq!(refreshes(&place.login), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_the_call_made_once_more() {
    for form in FORMS {
        for stream in [false, true] {
            let place = Place::new(form).await;
            place.store(&place.login.grant(), 47);
            let mut program = place.serve().await;
            place.login.expire();
            let mut body: Value = serde_json::from_str(ASK).unwrap();
            body["stream"] = json!(stream);
            let mut answer = program.chat(body.to_string()).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 200, "{form:?}: {text}");
            assert!(text.contains("Come in."), "{form:?}: {text}");
            assert_eq!(refreshes(&place.login), 1, "{form:?}");
            assert_eq!(place.login.asked("/v1/chat/completions").len(), 2, "{form:?}");
            program.line(&["INFO login refreshed", "asked=true"]).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_of_whatever_is_shown_is_no_loop() {
    for form in FORMS {
        let place = Place::new(form).await;
        place.store(&place.login.grant(), 47);
        let program = place.serve().await;
        place.login.refuse_all();
        for at in 0..10 {
            let mut answer = program.chat(ASK).await;
            let json = answer.json().await;
            assert_eq!(
                (answer.status, &json["error"]["code"]),
                (401, &json!("login_required")),
                "{at}: {json}"
            );
        }
        assert_eq!(refreshes(&place.login), 1, "{form:?}");
    }
}

#[tokio::test]
async fn f10_two_processes_with_50_tasks_each_use_a_single_use_token_once() {
    for form in FORMS {
        for ended in [true, false] {
            let place = Place::new(form).await;
            place.store(&place.login.grant(), 47);
            let programs = [place.serve().await, place.serve().await];
            if ended {
                // Both find it ended by its time, at their first call.
                place.store(&place.login.grant(), -1);
            }
            place.login.expire();
            let calls = (0..100).map(|at| programs[at % 2].chat(ASK));
            let answers = join_all(calls).await;
            let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            assert!(statuses.iter().all(|status| *status == 200), "{form:?} {ended}: {statuses:?}");
            assert_eq!(refreshes(&place.login), 1, "{form:?} {ended}");
            assert_eq!(place.stored()["refresh_token"], json!(place.login.good().refresh_token));
        }
    }
}

#[tokio::test]
async fn f12_a_clock_that_is_wrong_costs_one_refresh_and_no_loop() {
    for form in FORMS {
        // Two hours ahead: the login seems to have ended, and is good.
        let place = Place::new(form).await;
        place.store(&place.login.grant(), -2);
        let program = place.serve().await;
        for _ in 0..10 {
            assert_eq!(program.chat(ASK).await.status, 200);
        }
        assert_eq!(refreshes(&place.login), 1, "{form:?}");
        // Two hours behind: it seems good, and has ended.
        let place = Place::new(form).await;
        place.store(&place.login.grant(), 47);
        let program = place.serve().await;
        place.login.expire();
        for _ in 0..10 {
            assert_eq!(program.chat(ASK).await.status, 200);
        }
        assert_eq!(refreshes(&place.login), 1, "{form:?}");
    }
}

#[tokio::test]
async fn a_token_of_seconds_is_not_renewed_at_every_call() {
    let place = Place::new(Form::Standard).await;
    place.login.life(30);
    place.log_in(&[]).await;
    let program = place.serve().await;
    for _ in 0..20 {
        assert_eq!(program.chat(ASK).await.status, 200);
    }
    assert!(refreshes(&place.login) <= 2, "the login itself, and at the most one more");
}

#[tokio::test]
async fn a_server_that_keeps_the_refresh_token_is_asked_with_it_again() {
    let place = Place::new(Form::Standard).await;
    let granted = place.login.grant();
    place.store(&granted, 44);
    let kept = json!({"access_token": granted.access_token, "expires_in": "172800"});
    place.login.instead(
        "/oauth/token",
        Exchange::answer_with(200, "content-type: text/plain\r\n", kept.to_string()),
    );
    let (status, _, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!(status, 0, "{err}");
    let stored = place.stored();
    assert_eq!(stored["refresh_token"], json!(granted.refresh_token));
    // A life that is a text counts too.
    assert!(stored["expiry_date"].as_i64() > stored["obtained_at"].as_i64());
}

#[tokio::test]
async fn iflows_rotated_token_is_kept_even_where_the_key_cannot_be_read() {
    let place = Place::new(Form::Iflow).await;
    let granted = place.login.grant();
    place.store(&granted, 44);
    place.login.instead("/api/oauth/getUserInfo", Exchange::answer(500, "<html>busy</html>"));
    let mut program = place.serve().await;
    program.line(&["the login cannot be refreshed", "told no key"]).await;
    let stored = place.stored();
    let good = place.login.good();
    assert_eq!(
        stored["refresh_token"],
        json!(good.refresh_token),
        "the old one is good for nothing any more"
    );
    assert_eq!((&stored["apiKey"], &stored["apiKey_pending"]), (&json!(granted.key), &json!(true)));
    // Another process asks for the key alone.
    let (status, _, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!(status, 0, "{err}");
    assert_eq!((refreshes(&place.login), place.login.asked("/api/oauth/getUserInfo").len()), (1, 2));
    let stored = place.stored();
    assert_eq!((&stored["apiKey"], &stored["apiKey_pending"]), (&json!(good.key), &Value::Null));
}

#[tokio::test]
async fn auth_refresh_renews_at_once() {
    for form in FORMS {
        let place = Place::new(form).await;
        place.store(&place.login.grant(), 47);
        for expected in 1..=3 {
            let (status, out, err) = place.run(&["auth", "refresh"]).await;
            assert_eq!((status, out.as_str()), (0, ""), "{err}");
            assert_eq!(err, format!("The login at `{}` is renewed\n", place.name()));
            assert_eq!(refreshes(&place.login), expected);
        }
        let (status, out, err) = place.run(&["auth", "status", "--json"]).await;
        assert_eq!(status, 0, "{err}");
        let listed: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(listed[0]["last_refresh"]["ok"], json!(true), "{listed}");
        assert_eq!(
            (&listed[0]["method"], &listed[0]["renewable"]),
            (&json!("login"), &json!(true)),
            "{listed}"
        );
    }
}

#[tokio::test]
async fn the_key_in_iflows_settings_counts_where_they_say_so_and_where_there_is_no_login() {
    for (kind, has_login, expected) in [
        ("oauth-iflow", true, "login"),
        ("iflow", true, "login"),
        ("", true, "login"),
        ("api-key", true, "sk-of-the-settings"),
        ("openai-compatible", true, "sk-of-the-settings"),
        ("oauth-iflow", false, "sk-of-the-settings"),
    ] {
        let place = Place::new(Form::Iflow).await;
        let granted = place.login.grant();
        if has_login {
            place.store(&granted, 47);
        }
        let mut settings = json!({"apiKey": "sk-of-the-settings", "selectedAuthType": kind});
        if kind == "openai-compatible" {
            settings["baseUrl"] = json!(place.server.url());
        }
        write_private(&place.home.path().join(".iflow/settings.json"), &settings.to_string());
        let (status, out, err) = place.run(&["config", "get", "--show-key", "upstream.iflow.key"]).await;
        assert_eq!(status, 0, "{err}");
        let expected = if expected == "login" { granted.key.as_str() } else { expected };
        assert_eq!(out.trim(), expected, "{kind} {has_login}");
    }
}
