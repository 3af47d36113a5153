//! What somebody pastes instead of what the browser brings.

use super::{Place, ends, fetch, port, raw, shows};
use crate::support::login::Form;
use crate::support::pty::{Key, Terminal};
use std::net::TcpListener;
use url::Url;

const PROMPT: &str = "Waiting for the browser; or paste the address it ends at, or the code: ";

/// What stands before the first answer.
fn begun(address: &Url) -> String {
    format!("Open this address in a browser:\n\n  {address}\n\n{PROMPT}")
}

async fn paste(terminal: &mut Terminal, text: &str) {
    terminal.paste(text).await;
    terminal.send_key(Key::Enter).await;
}

#[tokio::test]
async fn a_whole_address_or_a_code_alone_can_be_pasted() {
    for columns in [40, 80, 120] {
        for is_whole in [true, false] {
            let place = Place::new(Form::Standard).await;
            let (mut terminal, address) = place.begin(columns).await;
            let back = place.login.visit(address.as_str());
            let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
            let pasted = if is_whole { back.to_string() } else { code };
            paste(&mut terminal, &pasted).await;
            ends(&mut terminal, 0).await;
            let done = place.logged_in("", &place.credentials());
            shows(&terminal, &format!("{}{pasted}\n{done}", begun(&address))).await;
            let access_token = place.login.good().access_token;
            assert!(place.stored().to_string().contains(&access_token));
            assert!(!raw(&terminal).contains(&access_token));
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_said_and_asked_for_again() {
    let place = Place::new(Form::Standard).await;
    let (mut terminal, address) = place.begin(120).await;
    let good = place.login.visit(address.as_str());
    let of_another = good.as_str().replace("state=", "state=x");
    let codeless = good.as_str().replace("code=", "kode=");
    let mut screen = begun(&address);
    for (pasted, why) in [
        ("not this one", "Not taken: this is neither an address nor a code.\n"),
        (
            &of_another,
            "Not taken: this address belongs to another login; open the one above, and paste where it leads.\n",
        ),
        (&codeless, "Not taken: this address holds no code; paste the one that the browser ended at.\n"),
        ("", ""),
    ] {
        paste(&mut terminal, pasted).await;
        screen = format!("{screen}{pasted}\n{why}{PROMPT}");
        shows(&terminal, &screen).await;
    }
    assert_eq!(place.login.asked("/oauth/token").len(), 0);
    paste(&mut terminal, good.as_str()).await;
    ends(&mut terminal, 0).await;
    shows(&terminal, &format!("{screen}{good}\n{}", place.logged_in("", &place.credentials()))).await;
}

#[tokio::test]
async fn a_pasted_code_that_the_server_refuses_ends_the_login() {
    let place = Place::new(Form::Standard).await;
    let (mut terminal, address) = place.begin(80).await;
    paste(&mut terminal, "made-up").await;
    ends(&mut terminal, 4).await;
    let screen = format!(
        "\
{}made-up
iflow2api: error: the login server of `corp` refuses (invalid_grant): the grant is not good
  hint: `iflow2api auth login corp` logs in anew",
        begun(&address)
    );
    shows(&terminal, &screen).await;
    assert!(!place.credentials().exists());
}

#[tokio::test]
async fn an_interrupt_ends_the_question_and_the_end_of_the_input_leaves_the_browser() {
    let place = Place::new(Form::Standard).await;
    let (mut terminal, address) = place.begin(80).await;
    terminal.send("half a li").await;
    terminal.wait_for("half a li").await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    shows(&terminal, &format!("{}half a li^C", begun(&address))).await;

    let (mut terminal, address) = place.begin(80).await;
    terminal.send_key(Key::CtrlD).await;
    let waits = format!("{}\nWaiting for the browser.", begun(&address));
    shows(&terminal, &waits).await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    shows(&terminal, &format!("{waits} ^C")).await;
    assert!(!place.credentials().exists());

    let (mut terminal, address) = place.begin(80).await;
    terminal.send_key(Key::CtrlD).await;
    let waits = format!("{}\nWaiting for the browser.", begun(&address));
    shows(&terminal, &waits).await;
    assert_eq!(fetch(&place.login.visit(address.as_str())).await, 200);
    ends(&mut terminal, 0).await;
    shows(&terminal, &format!("{waits}\n{}", place.logged_in("", &place.credentials()))).await;
}

#[tokio::test]
async fn where_another_port_will_do_who_has_the_first_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = taken.local_addr().unwrap().port();
    for (ports, more) in [(format!("{number},any"), ""), (format!("{number},{number},any"), "")] {
        let place = Place::new(Form::Standard).await;
        let login = ["auth", "login", "corp", "--no-browser"];
        let setup = place.setup(&login).env("IFLOW2API_AUTH_CORP_PORTS", &ports);
        let mut terminal = setup.on_terminal(120, super::ROWS);
        let address = super::address(&terminal).await;
        let note = format!(
            "iflow2api: note: port {number} is taken by {} (process {}); port {} is used instead",
            our_name(),
            std::process::id(),
            port(&address)
        );
        shows(&terminal, &format!("{note}{more}\n{}", begun(&address))).await;
        assert_eq!(fetch(&place.login.visit(address.as_str())).await, 200);
        ends(&mut terminal, 0).await;
    }
}

#[tokio::test]
async fn where_only_a_taken_port_will_do_the_answer_is_pasted() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = taken.local_addr().unwrap().port();
    let place = Place::new(Form::Standard).await;
    let begin = || {
        let setup = place.setup(&["auth", "login", "corp", "--no-browser"]);
        setup.env("IFLOW2API_AUTH_CORP_PORTS", &number.to_string()).on_terminal(120, super::ROWS)
    };
    let screen = |address: &Url| {
        format!(
            "\
Open this address in a browser:

  {address}

iflow2api: note: port {number} is taken by {} (process {}); the browser will end at an error page: paste its address
The address that the browser ends at, or the code: ",
            our_name(),
            std::process::id()
        )
    };
    let mut terminal = begin();
    let address = super::address(&terminal).await;
    assert_eq!(port(&address), number);
    shows(&terminal, &screen(&address)).await;
    let back = place.login.visit(address.as_str());
    paste(&mut terminal, back.as_str()).await;
    ends(&mut terminal, 0).await;
    shows(&terminal, &format!("{}{back}\n{}", screen(&address), place.logged_in("", &place.credentials())))
        .await;

    // Without a port and without a line nothing could come any more.
    let mut terminal = begin();
    let address = super::address(&terminal).await;
    terminal.send_key(Key::CtrlD).await;
    ends(&mut terminal, 2).await;
    let error = "iflow2api: error: nothing was pasted, and there is no port on which the answer could come";
    shows(&terminal, &format!("{}\n{error}", screen(&address))).await;
}

/// The name of this process, as the system shows it.
fn our_name() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap().trim().to_owned()
}
