//! The browser: where one is opened, what is said where there is none, and what it brings back.

use super::{Place, ROWS, ends, fetch, port, raw, shows};
use crate::support::login::Form;
use crate::support::pty::Key;
use std::process::Command;
use url::Url;

const PROMPT: &str = "Waiting for the browser; or paste the address it ends at, or the code: ";

#[tokio::test]
async fn what_the_browser_brings_ends_the_login_on_a_line_of_its_own() {
    for columns in [40, 80, 120] {
        let place = Place::new(Form::Standard).await;
        let (mut terminal, address) = place.begin(columns).await;
        let begun = format!("Open this address in a browser:\n\n  {address}\n\n{PROMPT}");
        shows(&terminal, &begun).await;
        // The terminal breaks the address; the program has not.
        assert!(address.as_str().len() > 120 && raw(&terminal).contains(&format!("\r\n  {address}\r\n")));
        assert_eq!(fetch(&place.login.visit(address.as_str())).await, 200);
        ends(&mut terminal, 0).await;
        shows(&terminal, &format!("{begun}\n{}", place.logged_in("", &place.credentials()))).await;
        assert!(!raw(&terminal).contains("never-shown"), "{}", raw(&terminal));
        assert!(place.stored().to_string().contains(&place.login.good().access_token));
    }
}

#[tokio::test]
async fn a_refusal_in_the_browser_is_an_error_on_a_line_of_its_own() {
    let place = Place::new(Form::Standard).await;
    let (mut terminal, address) = place.begin(80).await;
    let mut back = place.login.visit(address.as_str());
    let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    back.query_pairs_mut().clear().append_pair("error", "access_denied").append_pair("state", &state);
    assert_eq!(fetch(&back).await, 200);
    ends(&mut terminal, 4).await;
    let screen = format!(
        "\
Open this address in a browser:

  {address}

{PROMPT}
iflow2api: error: the login at `corp` was refused: access_denied
  hint: `iflow2api auth login corp` begins anew"
    );
    shows(&terminal, &screen).await;
}

#[tokio::test]
async fn a_login_server_that_cannot_be_reached_is_said_once() {
    let place = Place::new(Form::Standard).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = std::fs::read_to_string(place.config()).unwrap();
    let token_url = format!("http://{}/oauth/token", place.server.address());
    place.write(&text.replace(&token_url, &format!("http://{closed}/oauth/token")));
    let (mut terminal, address) = place.begin(120).await;
    assert_eq!(fetch(&place.login.visit(address.as_str())).await, 200);
    ends(&mut terminal, 5).await;
    let error = "iflow2api: error: the login server of `corp` cannot be reached: connection refused";
    shows(&terminal, &format!("Open this address in a browser:\n\n  {address}\n\n{PROMPT}\n{error}")).await;
}

#[tokio::test]
async fn over_ssh_the_way_back_is_said_first() {
    let place = Place::new(Form::Standard).await;
    for (columns, server, options) in
        [(40, "10.0.0.7 22", "ada@10.0.0.7"), (80, "10.0.0.7 2222", "-p 2222 ada@10.0.0.7")]
    {
        let setup = place.headless(&["auth", "login", "corp"]);
        let connection = format!("10.0.0.9 50000 {server}");
        let setup = setup.env("SSH_CONNECTION", &connection).env("USER", "ada");
        let mut terminal = setup.on_terminal(columns, ROWS);
        let address = super::address(&terminal).await;
        let number = port(&address);
        let screen = format!(
            "\
There is no browser here. Run this on the machine that has one:

  ssh -N -L {number}:127.0.0.1:{number} {options}

Then open this address there:

  {address}

{PROMPT}"
        );
        shows(&terminal, &screen).await;
        terminal.send_key(Key::CtrlC).await;
        ends(&mut terminal, 130).await;
    }
}

#[tokio::test]
async fn in_a_container_no_browser_is_opened() {
    let place = Place::new(Form::Standard).await;
    let setup = place.headless(&["auth", "login", "corp"]).env("container", "podman");
    let mut terminal = setup.on_terminal(80, ROWS);
    let address = super::address(&terminal).await;
    let screen = format!(
        "\
There is no browser in a container. Open this address where there is one:

  {address}

{PROMPT}"
    );
    shows(&terminal, &screen).await;
    assert_eq!(fetch(&place.login.visit(address.as_str())).await, 200);
    ends(&mut terminal, 0).await;
}

#[tokio::test]
async fn a_browser_that_is_named_gets_the_address_and_nothing_else_is_needed() {
    let place = Place::new(Form::Standard).await;
    // Somebody who names one over SSH knows that it can be seen.
    let (script, pipe) = (place.home.path().join("browser.sh"), place.home.path().join("opened"));
    std::fs::write(&script, format!("printf %s \"$1\" > '{}'\n", pipe.display())).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let browser = format!("/bin/sh {} %s", script.display());
    let setup = place.headless(&["auth", "login", "corp"]).env("BROWSER", &browser);
    let mut terminal = setup.env("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.7 22").on_terminal(120, ROWS);
    let opened = tokio::time::timeout(crate::support::PATIENCE, tokio::fs::read_to_string(&pipe));
    let opened = Url::parse(&opened.await.expect("the browser is started").unwrap()).unwrap();
    assert_eq!(fetch(&place.login.visit(opened.as_str())).await, 200);
    ends(&mut terminal, 0).await;
    let screen = format!(
        "\
Your browser opens for the login. If it does not, open this address:

  {opened}

{PROMPT}
{}",
        place.logged_in("", &place.credentials())
    );
    shows(&terminal, &screen).await;
}

#[tokio::test]
async fn with_no_input_the_browser_is_waited_for_and_nobody_is_asked() {
    let place = Place::new(Form::Standard).await;
    let login = ["auth", "login", "corp", "--no-browser", "--no-input"];
    let mut terminal = place.setup(&login).on_terminal(80, ROWS);
    terminal.wait_for("Waiting for the browser.").await;
    let raw = raw(&terminal);
    let address = Url::parse(raw.lines().find(|line| line.starts_with("  http")).unwrap().trim()).unwrap();
    let screen = format!("Open this address in a browser:\n\n  {address}\n\nWaiting for the browser.");
    shows(&terminal, &screen).await;
    assert_eq!(fetch(&place.login.visit(address.as_str())).await, 200);
    ends(&mut terminal, 0).await;
    shows(&terminal, &format!("{screen}\n{}", place.logged_in("", &place.credentials()))).await;
}

#[tokio::test]
async fn without_colour_nothing_is_coloured() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let place = Place::new(Form::Standard).await;
        let setup = place.setup(&["auth", "login", "corp", "--no-browser"]).env(name, value);
        let mut terminal = setup.on_terminal(80, ROWS);
        super::address(&terminal).await;
        terminal.send("made-up\r").await;
        ends(&mut terminal, 4).await;
        assert!(!raw(&terminal).contains('\x1b'), "{:?}", raw(&terminal));
    }
}
