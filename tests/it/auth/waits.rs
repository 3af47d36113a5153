//! F-9, F-10 and F-12 where something waits: a login server that says nothing, many callers at once, a redirect.

use super::{ASK, Place, fetch};
use crate::support::client::Answer;
use crate::support::login::Form;
use crate::support::upstream::{Exchange, Step};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

const TOKEN: &str = "/oauth/token";

#[tokio::test]
async fn f9_while_a_login_server_says_nothing_a_good_token_is_used_without_waiting() {
    for form in [Form::Standard, Form::Iflow] {
        let place = Place::new(form).await;
        let granted = place.login.grant();
        place.store(&granted, 44);
        let tokens = json!({"access_token": "access-next-never-shown", "refresh_token": "refresh-next-never-shown",
            "expires_in": 172_800});
        place.login.instead(TOKEN, Exchange::answer(200, tokens.to_string()).late());
        let mut program = place.serve().await;
        place.server.asked().await;
        // It is being renewed, and nothing is said yet. Whoever waited now would wait until the server is given up.
        let answers = join_all((0..10).map(|_| program.chat(ASK))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{form:?}");
        let good = if form == Form::Iflow { &granted.key } else { &granted.access_token };
        let calls = place.login.asked("/v1/chat/completions");
        assert!(
            calls.iter().all(|call| call["authorization"] == format!("Bearer {good}")),
            "{form:?}: {calls:?}"
        );
        if form == Form::Iflow {
            let user = json!({"success": true, "data": {"apiKey": granted.key}});
            place.login.instead("/api/oauth/getUserInfo", Exchange::answer(200, user.to_string()));
        }
        place.server.go();
        program.line(&["INFO login refreshed", "asked=true"]).await;
        assert_eq!(place.stored()["refresh_token"], "refresh-next-never-shown", "{form:?}");
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{form:?}");
    }
}

/// The one slow test: how long a login server may take is no setting, and 20 s.
#[tokio::test]
async fn f9_a_login_server_that_hangs_is_given_up_once_for_all_who_wait_and_all_who_come() {
    let place = Place::new(Form::Standard).await;
    place.store(&place.login.grant(), -1);
    place.login.instead(TOKEN, Exchange::steps([Step::Hang]));
    let before = std::fs::read(place.credentials()).unwrap();
    let program = place.serve().await;
    let headers = "content-type: application/json\r\n";
    let long = ASK.replace("}]}", "}],\"max_tokens\":9}");
    let mut waiting = Vec::new();
    for at in 0..10 {
        let path = if at % 2 == 0 { "POST /v1/chat/completions" } else { "POST /v1/messages" };
        waiting.push(program.send(path, headers, &long).await);
    }
    for (at, stream) in waiting.into_iter().enumerate() {
        tokio::time::timeout(Duration::from_secs(60), stream.readable()).await.expect("it gives up").unwrap();
        let mut answer = Answer::of(stream).await;
        let json = answer.json().await;
        let message = json["error"]["message"].as_str().unwrap();
        assert_eq!(answer.status, 502, "{at}: {json}");
        assert!(message.contains("the login server of `corp` did not answer within 20 s"), "{at}: {json}");
        assert_eq!(json["type"] == "error", at % 2 == 1, "{at}: {json}");
    }
    // Whoever comes later does not wait either, in this process or another.
    assert_eq!(program.chat(ASK).await.status, 502);
    let (status, _, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!(status, 5, "{err}");
    assert!(err.contains("did not answer within 20 s"), "{err}");
    assert_eq!(place.login.asked(TOKEN).len(), 1);
    assert_eq!(std::fs::read(place.credentials()).unwrap(), before);
}

#[tokio::test]
async fn f9_no_redirect_is_followed_with_what_is_secret() {
    // What has no place in the fake fails the test.
    for status in [301, 302, 303, 307, 308] {
        for form in [Form::Standard, Form::Iflow, Form::Openrouter] {
            let place = Place::new(form).await;
            let path = if form == Form::Openrouter { "/api/v1/auth/keys" } else { TOKEN };
            let head = format!("location: http://{}/elsewhere\r\n", place.server.address());
            place.login.instead(path, Exchange::answer_with(status, &head, ""));
            let (mut program, address) = place.begin(&[]).await;
            assert_eq!(fetch(&place.login.visit(&address)).await.status, 200);
            let (code, said) = program.ended().await;
            assert_eq!(code, Some(5), "{form:?} {status}: {said}");
            assert!(said.contains(&format!("status {status}")), "{form:?}: {said}");
            assert!(!place.credentials().exists() && !place.iflow_file().exists());
            assert_eq!(place.login.asked("/elsewhere").len(), 0, "{form:?} {status}");
        }
    }
}

#[tokio::test]
async fn f10_who_finds_the_new_tokens_before_their_key_waits_for_it_and_asks_for_no_others() {
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), 47);
    let (first, second) = (place.serve().await, place.serve().await);
    place.login.expire();
    place.login.late("/api/oauth/getUserInfo");
    let headers = "content-type: application/json\r\n";
    let ask = "POST /v1/chat/completions";
    let waiting = first.send(ask, headers, ASK).await;
    // Its call, its refresh, and the question for the key, which is not answered yet. The tokens are stored.
    for _ in 0..3 {
        place.server.asked().await;
    }
    let other = second.send(ask, headers, ASK).await;
    // It tries the key that it has, and the same key with the tokens that it finds.
    for _ in 0..2 {
        place.server.asked().await;
    }
    place.server.go();
    assert_eq!(Answer::of(waiting).await.status, 200);
    assert_eq!(Answer::of(other).await.status, 200);
    assert_eq!(place.login.asked(TOKEN).len(), 1);
    assert_eq!(place.login.asked("/api/oauth/getUserInfo").len(), 1);
}

#[tokio::test]
async fn f12_a_file_that_is_wrong_by_two_hours_either_way_costs_one_refresh_in_all() {
    for form in [Form::Standard, Form::Iflow] {
        for (hours, refuses) in [(-2, false), (2, true), (-2, true)] {
            let place = Place::new(form).await;
            place.store(&place.login.grant(), hours);
            // Only its time says something: the lead is no reason.
            let setup = place.setup(&["serve", "--port", "0"]).env("IFLOW2API_AUTH_REFRESH_BEFORE", "1m");
            let program = setup.start().await;
            if refuses {
                place.login.refuse_all();
            }
            for at in 0..11 {
                let status = program.chat(ASK).await.status;
                assert_eq!(status, if refuses { 401 } else { 200 }, "{form:?} {hours} {at}");
            }
            assert_eq!(place.login.asked(TOKEN).len(), 1, "{form:?} {hours} {refuses}");
        }
    }
}
