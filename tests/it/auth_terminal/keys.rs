//! Keys and secrets that are asked for, and not shown.

use super::{CLIENT, Place, ROWS, SECRET, ends, press, raw, read, shows};
use crate::support::login::Form;
use crate::support::program::{Setup, setup_in};
use crate::support::pty::{Key, Mode, Terminal};
use crate::support::upstream::{Exchange, Step};
use serde_json::json;

const KEY: &str = "sk-typed-6Hn1-never-shown";

/// Chooses `mine` in the list, and waits until its key is asked for.
async fn choose(setup: Setup, columns: u16) -> Terminal {
    let mut terminal = setup.on_terminal(columns, ROWS);
    terminal.wait_for("❯ corp").await;
    press(&mut terminal, Key::Down).await;
    terminal.wait_for("❯ mine").await;
    press(&mut terminal, Key::Enter).await;
    shows(&terminal, "✔ Log in at · mine: OpenAI-compatible\nKey of `mine` (not shown): ").await;
    terminal.wait_for_mode(Mode::Secret).await;
    assert!(!terminal.state().hide_cursor());
    terminal
}

async fn enter(terminal: &mut Terminal, text: &str) {
    terminal.send(text).await;
    terminal.send_key(Key::Enter).await;
}

#[tokio::test]
async fn a_key_is_asked_for_without_being_shown_then_tried_and_stored() {
    for columns in [40, 80, 120] {
        let place = Place::new(Form::Standard).await;
        place.login.instead("/v1/models", Exchange::answer(200, r#"{"data":[{"id":"m"}]}"#));
        let mut terminal = choose(place.setup(&["auth"]), columns).await;
        enter(&mut terminal, KEY).await;
        ends(&mut terminal, 0).await;
        let screen = format!(
            "\
✔ Log in at · mine: OpenAI-compatible
Key of `mine` (not shown):
Trying the key with one call.
Logged in at `mine`; stored in `{}`",
            place.credentials().display()
        );
        shows(&terminal, &screen).await;
        assert!(!raw(&terminal).contains("6Hn1"), "{}", raw(&terminal));
        assert_eq!(place.login.asked("/v1/models")[0]["authorization"], format!("Bearer {KEY}"));
        assert_eq!(place.stored()["upstreams"]["mine"]["profiles"]["default"]["key"], json!(KEY));
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_stored() {
    for columns in [40, 80] {
        let place = Place::new(Form::Standard).await;
        let mut terminal = choose(place.setup(&["auth"]), columns).await;
        enter(&mut terminal, KEY).await;
        ends(&mut terminal, 4).await;
        let screen = "\
✔ Log in at · mine: OpenAI-compatible
Key of `mine` (not shown):
Trying the key with one call.
iflow2api: error: the key is refused, and not stored: upstream `mine`: not good: Bearer (redacted)
  hint: copy it whole, from the page of this plan";
        shows(&terminal, screen).await;
        assert!(!raw(&terminal).contains("6Hn1"), "{}", raw(&terminal));
        assert!(!place.credentials().exists());
    }
}

#[tokio::test]
async fn a_key_that_is_empty_or_no_key_is_told_so() {
    let place = Place::new(Form::Standard).await;
    for (typed, words) in [
        ("", "no key was given for `mine`"),
        (
            "two words",
            "this is no key: it has blanks, line ends or other characters that no header can carry",
        ),
    ] {
        let mut terminal = choose(place.setup(&["auth"]), 120).await;
        enter(&mut terminal, typed).await;
        ends(&mut terminal, 2).await;
        let screen = format!(
            "✔ Log in at · mine: OpenAI-compatible\nKey of `mine` (not shown):\niflow2api: error: {words}"
        );
        assert_eq!(terminal.screen(), screen);
    }
    // The end of the input is no key either.
    let mut terminal = choose(place.setup(&["auth"]), 120).await;
    terminal.send_key(Key::CtrlD).await;
    ends(&mut terminal, 2).await;
    assert_eq!(place.login.asked("/v1/models").len(), 0);
}

#[tokio::test]
async fn an_interrupt_ends_the_question_for_a_key_and_the_call_that_tries_it() {
    let place = Place::new(Form::Standard).await;
    let mut terminal = choose(place.setup(&["auth"]), 80).await;
    terminal.send(KEY).await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    assert!(!raw(&terminal).contains("6Hn1"), "{}", raw(&terminal));

    place.login.instead("/v1/models", Exchange::steps([Step::Hang]));
    let mut terminal = choose(place.setup(&["auth"]), 80).await;
    enter(&mut terminal, KEY).await;
    place.server.asked().await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    assert!(!place.credentials().exists());
}

#[tokio::test]
async fn where_a_provider_has_a_page_for_keys_it_is_named() {
    let place = Place::new(Form::Standard).await;
    place.write(&format!(
        "[[provider]]\nid = \"fake\"\nname = \"Fake AI\"\nbase_url = \"http://{}/v1\"\n\
         docs = \"https://fake.example/keys\"\nkey_env = [\"FAKE_KEY\"]\n",
        place.server.address()
    ));
    place.login.instead("/v1/models", Exchange::answer(200, r#"{"data":[{"id":"m"}]}"#));
    let mut terminal = place.setup(&["auth"]).on_terminal(120, ROWS);
    terminal.wait_for("❯ fake: Fake AI\n").await;
    press(&mut terminal, Key::Enter).await;
    let question = "\
✔ Log in at · fake: Fake AI
Keys of Fake AI: https://fake.example/keys
Key of `fake` (not shown): ";
    shows(&terminal, question).await;
    terminal.wait_for_mode(Mode::Secret).await;
    enter(&mut terminal, KEY).await;
    ends(&mut terminal, 0).await;
    let file = place.credentials();
    let done = format!(
        "{question}\nTrying the key with one call.\nLogged in at `fake`; stored in `{}`",
        file.display()
    );
    shows(&terminal, &done).await;
}

#[tokio::test]
async fn iflows_secret_is_asked_for_used_and_kept_for_a_later_refresh() {
    let place = Place::new(Form::Iflow).await;
    let login = ["auth", "login", "iflow", "--no-browser"];
    let mut terminal = place.setup(&login).on_terminal(80, ROWS);
    let question = format!(
        "A login at `iflow` needs the secret of the client `{CLIENT}`.\nSecret of the client (not shown): "
    );
    shows(&terminal, &question).await;
    terminal.wait_for_mode(Mode::Secret).await;
    enter(&mut terminal, SECRET).await;
    let address = super::address(&terminal).await;
    assert_eq!(super::fetch(&place.login.visit(address.as_str())).await, 200);
    ends(&mut terminal, 0).await;
    let file = place.home.path().join(".iflow/oauth_creds.json");
    let screen = format!(
        "\
{question}
Open this address in a browser:

  {address}

Waiting for the browser; or paste the address it ends at, or the code:
{}",
        place.logged_in(" as ada@example.com", &file)
    );
    shows(&terminal, &screen).await;
    assert!(!raw(&terminal).contains("5tY8"), "{}", raw(&terminal));

    // It is in the file of secrets, and not among the settings; the next refresh has it from there.
    assert!(place.stored().to_string().contains(SECRET));
    assert!(!std::fs::read_to_string(place.config()).unwrap().contains("5tY8"));
    let before = read(&file);
    let (status, _, err) = setup_in(&place.home, &["auth", "refresh", "iflow"]).run().await;
    assert_eq!(status, 0, "{err}");
    assert_ne!(read(&file)["access_token"], before["access_token"]);
    // And the next login asks for it no more.
    let mut terminal = place.setup(&login).on_terminal(80, ROWS);
    super::address(&terminal).await;
    assert!(terminal.screen().starts_with("Open this address in a browser:\n"), "{}", terminal.screen());
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
}

#[tokio::test]
async fn without_iflows_secret_nothing_is_begun() {
    let place = Place::new(Form::Iflow).await;
    for (typed, status) in [("\r", 2), ("\x03", 130)] {
        let mut terminal = place.setup(&["auth", "login", "iflow", "--no-browser"]).on_terminal(80, ROWS);
        terminal.wait_for("(not shown):").await;
        terminal.wait_for_mode(Mode::Secret).await;
        terminal.send(typed).await;
        ends(&mut terminal, status).await;
        assert!(!terminal.screen().contains("http"), "{}", terminal.screen());
    }
    assert!(!place.credentials().exists());
}
