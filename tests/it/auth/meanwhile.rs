//! What somebody does while a refresh is under way: leave, end the program, log out, log in anew, switch.

use super::{ASK, Place};
use crate::support::login::Form;
use crate::support::upstream::{Exchange, Step};
use serde_json::{Value, json};

const TOKEN: &str = "/oauth/token";
const FORMS: [Form; 2] = [Form::Standard, Form::Iflow];

/// A server that has asked for new tokens, and waits for them.
async fn refreshing(place: &Place, hours: i64) -> crate::support::program::Program {
    place.store(&place.login.grant(), hours);
    place.login.late(TOKEN);
    let program = place.serve().await;
    place.server.asked().await;
    program
}

#[tokio::test]
async fn a_refresh_that_was_begun_is_stored_though_its_caller_leaves_and_the_server_ends() {
    for form in FORMS {
        let place = Place::new(form).await;
        let mut program = refreshing(&place, -1).await;
        let caller =
            program.send("POST /v1/chat/completions", "content-type: application/json\r\n", ASK).await;
        drop(caller);
        program.terminate().await;
        program.line(&["draining"]).await;
        place.server.go();
        let (code, said) = program.ended().await;
        assert_eq!(code, Some(0), "{said}");
        let (stored, good) = (place.stored(), place.login.good());
        assert_eq!(stored["refresh_token"], json!(good.refresh_token), "{form:?}");
        assert_eq!(place.login.asked(TOKEN).len(), 1);
        if form == Form::Iflow {
            assert_eq!((&stored["apiKey"], &stored["apiKey_pending"]), (&json!(good.key), &Value::Null));
        }
    }
}

#[tokio::test]
async fn a_refresh_brings_nobody_back_who_has_logged_out_meanwhile() {
    for form in FORMS {
        let place = Place::new(form).await;
        let mut program = refreshing(&place, 44).await;
        let (status, _, err) = place.run(&["auth", "logout"]).await;
        assert_eq!(status, 0, "{err}");
        place.server.go();
        program.line(&["the login cannot be refreshed", "nobody is logged in"]).await;
        let (status, out, _) = place.run(&["auth", "status"]).await;
        assert_eq!((status, out.as_str()), (4, ""), "{form:?}");
        assert!(!place.iflow_file().exists(), "{form:?}");
        let mut answer = program.chat(ASK).await;
        let json = answer.json().await;
        assert_eq!(
            (answer.status, &json["error"]["code"]),
            (401, &json!("login_required")),
            "{form:?}: {json}"
        );
    }
}

#[tokio::test]
async fn a_refresh_takes_no_place_of_a_login_that_has_come_meanwhile() {
    for form in FORMS {
        let place = Place::new(form).await;
        let mut program = refreshing(&place, 44).await;
        // Another account of another person, as far as anybody knows.
        let said = place.log_in(&[]).await;
        assert!(said.contains("Logged in at"), "{said}");
        let (stored, good) = (place.stored(), place.login.good());
        place.server.go();
        program.line(&["INFO login refreshed", "asked=false"]).await;
        assert_eq!(place.stored(), stored, "{form:?}");
        assert_eq!(program.chat(ASK).await.status, 200, "{form:?}");
        let call = place.login.asked("/v1/chat/completions").pop().unwrap();
        let bearer = if form == Form::Iflow { good.key } else { good.access_token };
        assert_eq!(call["authorization"], format!("Bearer {bearer}"), "{form:?}");
    }
}

#[tokio::test]
async fn a_refresh_of_an_account_that_is_not_used_any_more_is_stored_where_it_belongs() {
    let place = Place::new(Form::Standard).await;
    place.log_in(&["--profile", "work"]).await;
    place.log_in(&[]).await;
    let (work, own) = {
        let whole: Value = serde_json::from_slice(&std::fs::read(place.credentials()).unwrap()).unwrap();
        let profile = |name: &str| whole["upstreams"]["corp"]["profiles"][name].clone();
        (profile("work"), profile("default"))
    };
    place.login.late(TOKEN);
    let mut refresh = place.setup(&["auth", "refresh", "corp"]).launch();
    let before = place.login.asked(TOKEN).len();
    while place.login.asked(TOKEN).len() == before {
        place.server.asked().await;
    }
    let (status, _, err) = place.run(&["auth", "switch", "corp", "work"]).await;
    assert_eq!(status, 0, "{err}");
    place.server.go();
    let (code, said) = refresh.ended().await;
    assert_eq!(code, Some(0), "{said}");
    let whole: Value = serde_json::from_slice(&std::fs::read(place.credentials()).unwrap()).unwrap();
    let upstream = &whole["upstreams"]["corp"];
    assert_eq!((&upstream["current"], &upstream["profiles"]["work"]), (&json!("work"), &work));
    assert_ne!(upstream["profiles"]["default"], own);
    assert_eq!(upstream["profiles"]["default"]["access_token"], json!(place.login.good().access_token));
}

#[tokio::test]
async fn a_refresh_that_was_killed_frees_its_turn_for_the_next() {
    let place = Place::new(Form::Standard).await;
    let mut first = refreshing(&place, -1).await;
    assert!(first.kill().await);
    // What the killed one was to get is of no use to anybody; its token was not used up yet.
    place.login.instead(TOKEN, Exchange::steps([Step::Close]));
    let (status, _, err) = place.run(&["auth", "refresh"]).await;
    assert_eq!(status, 5, "{err}");
    let (status, _, err) = place.run(&["auth", "refresh"]).await;
    assert_eq!(status, 4, "{err}");
    assert!(err.contains("invalid_grant"), "{err}");
}
