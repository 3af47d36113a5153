//! The lists of bare `auth`: providers, and the ways to log in.

use super::{Place, ROWS, ends, press, raw, shows};
use crate::support::login::Form;
use crate::support::pty::{Key, Mode};

const FIRST: &str = "\
? Log in at › [Page 1/3]
❯ corp: OpenAI-compatible, browser or key
  mine: OpenAI-compatible
  zai: Z.AI
  zai-coding: Z.AI coding plan
  bigmodel: BigModel (Zhipu, China)
  bigmodel-coding: BigModel coding plan
  deepseek: DeepSeek
  dashscope: Alibaba Model Studio (China)
  dashscope-intl: Alibaba Model Studio (international)
  alibaba-coding: Alibaba coding plan (China)
  alibaba-coding-intl: Alibaba coding plan (international)
  alibaba-token-plan: Alibaba token plan";

const LAST: &str = "\
? Log in at › [Page 3/3]
  openai: OpenAI-compatible
  groq: Groq
  together: Together AI
  fireworks: Fireworks AI
  cerebras: Cerebras
  nvidia: NVIDIA NIM
  ollama-cloud: Ollama Cloud
❯ iflow: iFlow, browser or key, ended 2026-04-17";

/// Looks at both ends of the list, moves about, and leaves.
async fn look_about(columns: u16, first: &str, last: &str) {
    let place = Place::new(Form::Standard).await;
    let mut terminal = place.setup(&["auth"]).on_terminal(columns, ROWS);
    terminal.shows(first).await;
    terminal.wait_for_mode(Mode::Keys).await;
    assert!(terminal.state().hide_cursor());
    press(&mut terminal, Key::Down).await;
    let second = first.replace("❯ ", "  ").replace("  mine", "❯ mine");
    terminal.shows(&second).await;
    press(&mut terminal, Key::Up).await;
    terminal.shows(first).await;
    // Before the first comes the last, on its own page, and behind that the first.
    press(&mut terminal, Key::Up).await;
    terminal.shows(last).await;
    press(&mut terminal, Key::Down).await;
    terminal.shows(first).await;
    press(&mut terminal, Key::Escape).await;
    ends(&mut terminal, 130).await;
    assert_eq!(terminal.screen(), "", "the list is taken away");
    assert!(!place.credentials().exists());
}

#[tokio::test]
async fn the_list_of_providers_at_40_columns() {
    let first = "\
? Log in at › [Page 1/3]
❯ corp: OpenAI-compatible, browser or …
  mine: OpenAI-compatible
  zai: Z.AI
  zai-coding: Z.AI coding plan
  bigmodel: BigModel (Zhipu, China)
  bigmodel-coding: BigModel coding plan
  deepseek: DeepSeek
  dashscope: Alibaba Model Studio (Chi…
  dashscope-intl: Alibaba Model Studio…
  alibaba-coding: Alibaba coding plan …
  alibaba-coding-intl: Alibaba coding …
  alibaba-token-plan: Alibaba token pl…";
    let last = LAST.replace("browser or key, ended 2026-04-17", "browser or key, ended …");
    look_about(40, first, &last).await;
}

#[tokio::test]
async fn the_list_of_providers_at_80_columns() {
    look_about(80, FIRST, LAST).await;
}

#[tokio::test]
async fn the_list_of_providers_at_120_columns() {
    look_about(120, FIRST, LAST).await;
}

#[tokio::test]
async fn keys_in_quick_succession_move_as_often_and_leave_no_trace() {
    let place = Place::new(Form::Standard).await;
    let mut terminal = place.setup(&["auth"]).on_terminal(80, ROWS);
    terminal.shows(FIRST).await;
    // Once through the whole list and one further.
    for _ in 0..33 {
        press(&mut terminal, Key::Down).await;
    }
    terminal.shows(&FIRST.replace("❯ ", "  ").replace("  mine", "❯ mine")).await;
    press(&mut terminal, Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    assert!(!raw(&terminal).contains("^["), "{:?}", raw(&terminal));
}

#[tokio::test]
async fn who_leaves_a_list_has_stored_nothing_and_has_the_terminal_as_it_was() {
    let place = Place::new(Form::Standard).await;
    for key in ["q", "\x1b", "\x03"] {
        let mut terminal = place.setup(&["auth"]).on_terminal(80, ROWS);
        terminal.shows(FIRST).await;
        terminal.wait_for_mode(Mode::Keys).await;
        terminal.send(key).await;
        ends(&mut terminal, 130).await;
        // And at the second question.
        let mut terminal = place.setup(&["auth"]).on_terminal(80, ROWS);
        terminal.shows(FIRST).await;
        press(&mut terminal, Key::Enter).await;
        let ways = "\
✔ Log in at · corp: OpenAI-compatible, browser or key
? Log in ›
❯ In the browser
  With a key";
        terminal.shows(ways).await;
        terminal.wait_for_mode(Mode::Keys).await;
        terminal.send(key).await;
        ends(&mut terminal, 130).await;
    }
    assert!(!place.credentials().exists());
}

#[tokio::test]
async fn a_provider_with_both_ways_is_asked_for_one() {
    let place = Place::new(Form::Standard).await;
    let mut terminal = place.setup(&["auth"]).env("BROWSER", "/bin/true").on_terminal(120, ROWS);
    terminal.shows(FIRST).await;
    press(&mut terminal, Key::Enter).await;
    terminal.wait_for("❯ In the browser\n  With a key").await;
    press(&mut terminal, Key::Down).await;
    terminal.wait_for("  In the browser\n❯ With a key").await;
    press(&mut terminal, Key::Up).await;
    terminal.wait_for("❯ In the browser\n  With a key").await;
    press(&mut terminal, Key::Enter).await;
    let address = super::address(&terminal).await;
    let screen = format!(
        "\
✔ Log in at · corp: OpenAI-compatible, browser or key
✔ Log in · In the browser
Your browser opens for the login. If it does not, open this address:

  {address}

Waiting for the browser; or paste the address it ends at, or the code: "
    );
    shows(&terminal, &screen).await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    shows(&terminal, &format!("{screen}^C")).await;
}

#[tokio::test]
async fn without_colour_the_lists_are_plain_and_on_a_terminal_that_knows_only_lines_they_are_numbered() {
    let place = Place::new(Form::Standard).await;
    let colours = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    for (name, value, arguments) in
        [("NO_COLOR", "1", vec!["auth"]), ("NO_COLOR", "", vec!["auth", "--color", "never"])]
    {
        let mut terminal = place.setup(&arguments).env(name, value).on_terminal(80, ROWS);
        terminal.shows(&FIRST.replace("? Log in at ›", "Log in at:").replace('❯', ">")).await;
        press(&mut terminal, Key::Enter).await;
        terminal
            .shows(
                "Log in at: corp: OpenAI-compatible, browser or key\nLog in:\n> In the browser\n  With a key",
            )
            .await;
        press(&mut terminal, Key::Escape).await;
        ends(&mut terminal, 130).await;
        assert!(!colours.is_match(&raw(&terminal)), "{:?}", raw(&terminal));
    }

    let mut terminal = place.setup(&["auth"]).env("TERM", "dumb").on_terminal(80, 50);
    terminal.wait_for("Log in at (1 to 32):").await;
    assert!(terminal.screen().starts_with("  1  corp: OpenAI-compatible, browser or key\n  2  mine: "));
    for answer in ["0", "33", "corp"] {
        terminal.send(&format!("{answer}\r")).await;
        terminal.wait_for(&format!("Log in at (1 to 32): {answer}\nLog in at (1 to 32):")).await;
    }
    terminal.send("1\r").await;
    terminal.wait_for("(1 to 32): 1\n  1  In the browser\n  2  With a key\nLog in (1 to 2):").await;
    terminal.send("2\r").await;
    terminal.wait_for("Log in (1 to 2): 2\nKey of `corp` (not shown):").await;
    terminal.wait_for_mode(Mode::Secret).await;
    terminal.send_key(Key::CtrlC).await;
    ends(&mut terminal, 130).await;
    assert!(!raw(&terminal).contains('\x1b'), "{:?}", raw(&terminal));
    for leave in ["\r", "q\r", "\x04", "\x03"] {
        let mut terminal = place.setup(&["auth"]).env("TERM", "dumb").on_terminal(80, 50);
        terminal.wait_for("Log in at (1 to 32):").await;
        terminal.send(leave).await;
        ends(&mut terminal, 130).await;
    }
}

#[tokio::test]
async fn with_no_input_a_terminal_is_asked_nothing() {
    let place = Place::new(Form::Standard).await;
    for (arguments, words) in [
        (
            ["auth", "--no-input"].as_slice(),
            "\
iflow2api: error: there is nobody to ask which provider is meant
  hint: name it: `iflow2api auth login PROVIDER`; `iflow2api auth status` shows what there is",
        ),
        (
            &["auth", "login", "mine", "--no-input"],
            "\
iflow2api: error: a login at `mine` takes a key, and there is nobody to ask for it
  hint: give it on stdin: `iflow2api auth login mine --with-token < FILE`",
        ),
        (
            &["auth", "login", "mine", "--with-token", "--no-input"],
            "\
iflow2api: error: a login at `mine` takes a key, and there is nobody to ask for it
  hint: give it on stdin: `iflow2api auth login mine --with-token < FILE`",
        ),
    ] {
        let mut terminal = place.setup(arguments).on_terminal(120, ROWS);
        ends(&mut terminal, 2).await;
        assert_eq!(terminal.screen(), words, "{arguments:?}");
        // And off a terminal without being told so.
        let arguments: Vec<&str> = arguments.iter().copied().filter(|word| *word != "--no-input").collect();
        if !arguments.contains(&"--with-token") {
            let (status, out, err) = place.setup(&arguments).run().await;
            assert_eq!((status, out.as_str(), err.trim_end()), (2, "", words), "{arguments:?}");
        }
    }
    assert!(!place.credentials().exists());
}
