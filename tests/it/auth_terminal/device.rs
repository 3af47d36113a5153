//! Logins on another device.

use super::{Place, ROWS, ends, raw, shows};
use crate::support::login::Form;
use crate::support::pty::{Key, Terminal};
use crate::support::upstream::Exchange;
use serde_json::{Value, json};

const DEVICE: &str = "https://corp.example/device";

/// Begins a login at `corp`, whose server names this code and these members beside the usual, and which gives these
/// answers to whoever asks for tokens.
async fn begin(
    place: &Place,
    arguments: &[&str],
    more: Value,
    answers: impl IntoIterator<Item = Exchange>,
    columns: u16,
) -> Terminal {
    place.add(&format!("device_url = \"http://{}/oauth/device\"", place.server.address()));
    let mut said = json!({"device_code": "device-4Lp9-never-shown", "user_code": "WDJB-MJHT", "expires_in": 900,
        "verification_uri": DEVICE, "interval": 1});
    let more = more.as_object().unwrap().clone();
    said.as_object_mut().unwrap().extend(more);
    place.login.instead("/oauth/device", Exchange::answer(200, said.to_string()));
    for answer in answers {
        place.login.instead("/oauth/token", answer);
    }
    let login = [&["auth", "login", "corp"], arguments].concat();
    place.headless(&login).env("container", "podman").on_terminal(columns, ROWS)
}

/// Nobody has confirmed it.
fn pending() -> Exchange {
    refused("authorization_pending")
}

fn refused(code: &str) -> Exchange {
    Exchange::answer(400, json!({ "error": code }).to_string())
}

/// Nobody confirms it for as long as a test may take.
fn for_ever() -> impl Iterator<Item = Exchange> {
    std::iter::repeat_with(pending).take(60)
}

#[tokio::test]
async fn the_address_and_the_code_are_shown_and_then_the_login() {
    for columns in [40, 80, 120] {
        let place = Place::new(Form::Standard).await;
        let tokens = json!({"access_token": "access-1Vb6-never-shown", "refresh_token": "refresh-1Vb6-never-shown",
            "expires_in": 3600, "token_type": "bearer"});
        let answers = [pending(), Exchange::answer(200, tokens.to_string())];
        let mut terminal = begin(&place, &["--device"], json!({}), answers, columns).await;
        let screen = "\
Open this address on any device, and enter the code there if it asks:

  https://corp.example/device
  WDJB-MJHT

Waiting; the code is good for 15 min.";
        ends(&mut terminal, 0).await;
        shows(&terminal, &format!("{screen}\n{}", place.logged_in("", &place.credentials()))).await;
        assert!(!raw(&terminal).contains("never-shown"), "{}", raw(&terminal));
        assert!(place.stored().to_string().contains("access-1Vb6-never-shown"));
    }
}

#[tokio::test]
async fn without_a_browser_a_device_is_the_first_choice() {
    let place = Place::new(Form::Standard).await;
    let whole = "https://corp.example/device?user_code=WDJB-MJHT";
    let mut terminal = begin(&place, &[], json!({"verification_uri_complete": whole}), for_ever(), 80).await;
    let screen = "\
Open this address on any device, and enter the code there if it asks:

  https://corp.example/device?user_code=WDJB-MJHT
  WDJB-MJHT

Waiting; the code is good for 15 min.";
    shows(&terminal, screen).await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    shows(&terminal, &format!("{screen} ^C")).await;
    assert!(!place.credentials().exists());
}

#[tokio::test]
async fn a_denial_is_an_error_on_a_line_of_its_own() {
    let place = Place::new(Form::Standard).await;
    let answers = [pending(), refused("access_denied")];
    let mut terminal = begin(&place, &["--device"], json!({}), answers, 80).await;
    ends(&mut terminal, 4).await;
    let screen = "\
Open this address on any device, and enter the code there if it asks:

  https://corp.example/device
  WDJB-MJHT

Waiting; the code is good for 15 min.
iflow2api: error: the login at `corp` was denied
  hint: `iflow2api auth login corp` logs in anew";
    shows(&terminal, screen).await;
}

#[tokio::test]
async fn what_a_server_says_reaches_the_terminal_as_text_alone() {
    let place = Place::new(Form::Standard).await;
    let more = json!({"user_code": "WD\u{1b}[2JJB",
        "verification_uri_complete": "https://corp.example/\u{1b}]0;owned\u{7}/x"});
    let mut terminal = begin(&place, &["--device"], more, for_ever(), 80).await;
    let screen = "\
Open this address on any device, and enter the code there if it asks:

  https://corp.example/%1B]0;owned%07/x
  WD [2JJB

Waiting; the code is good for 15 min.";
    shows(&terminal, screen).await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    assert!(!raw(&terminal).contains('\x1b'), "{:?}", raw(&terminal));
}
