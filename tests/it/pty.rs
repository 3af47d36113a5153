//! What stands on a terminal in front of `chat`, and what never reaches it; what its keys do.

use crate::program::{DONE, delta, finish};
use crate::support::program::{Setup, setup};
use crate::support::pty::{Key, Mode, Terminal};
use crate::support::upstream::{Exchange, Step, Upstream};
use regex::Regex;
use serde_json::json;

/// The program with these arguments before this upstream, of which model `m` is asked.
fn chat(upstream: &Upstream, arguments: &[&str]) -> Setup {
    setup(&["chat", "-m", "m", "--upstream", &upstream.url()]).arguments(arguments)
}

/// A stream of these deltas.
fn stream(deltas: &[serde_json::Value]) -> Exchange {
    let deltas: String = deltas.iter().map(|said| delta(&said.to_string())).collect();
    Exchange::stream(deltas + &finish("stop") + DONE)
}

/// The screen with the cells of this kind alone.
fn only(screen: &vt100::Screen, is_wanted: impl Fn(&vt100::Cell) -> bool) -> String {
    let (rows, columns) = screen.size();
    let cell = |row, column| screen.cell(row, column).filter(|cell| is_wanted(cell));
    let shown = |row| move |column| cell(row, column).map_or(" ", |cell| cell.contents());
    let rows = (0..rows.get()).map(|row| (0..columns.get()).map(shown(row)).collect::<String>());
    rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

async fn type_line(terminal: &mut Terminal, line: &str) {
    terminal.send(line).await;
    terminal.send_key(Key::Enter).await;
}

/// Two turns and the way out, with the screen after each.
async fn converse(columns: u16, screens: [&str; 3]) {
    let mut terminal = setup(&["chat", "--demo"]).on_terminal(columns, 12);
    terminal.shows(screens[0]).await;
    assert_eq!(terminal.cursor().0, 2, "behind the prompt");
    type_line(&mut terminal, "hi").await;
    terminal.shows(screens[1]).await;
    type_line(&mut terminal, "你好, terminal").await;
    terminal.shows(screens[2]).await;
    let (column, row) = terminal.cursor();
    terminal.send_key(Key::CtrlD).await;
    assert_eq!(terminal.end().await, 0);
    assert_eq!((terminal.screen().as_str(), column, terminal.cursor()), (screens[2], 2, (0, row + 1)));
}

#[tokio::test]
async fn a_conversation_at_40_columns() {
    let begun = "\
demo-echo: /help shows commands, Ctrl-D
leaves
>";
    let first = "\
demo-echo: /help shows commands, Ctrl-D
leaves
> hi
This is the demo upstream of iflow2api,
with no model behind it. You said: hi
>";
    let second = "\
demo-echo: /help shows commands, Ctrl-D
leaves
> hi
This is the demo upstream of iflow2api,
with no model behind it. You said: hi
> 你好, terminal
This is the demo upstream of iflow2api,
with no model behind it. You said: 你好,
terminal
>";
    converse(40, [begun, first, second]).await;
}

#[tokio::test]
async fn a_conversation_at_80_columns() {
    let begun = "\
demo-echo: /help shows commands, Ctrl-D leaves
>";
    let first = "\
demo-echo: /help shows commands, Ctrl-D leaves
> hi
This is the demo upstream of iflow2api, with no model behind it. You said: hi
>";
    let second = "\
demo-echo: /help shows commands, Ctrl-D leaves
> hi
This is the demo upstream of iflow2api, with no model behind it. You said: hi
> 你好, terminal
This is the demo upstream of iflow2api, with no model behind it. You said: 你好,
terminal
>";
    converse(80, [begun, first, second]).await;
}

#[tokio::test]
async fn a_conversation_at_120_columns() {
    let begun = "\
demo-echo: /help shows commands, Ctrl-D leaves
>";
    let first = "\
demo-echo: /help shows commands, Ctrl-D leaves
> hi
This is the demo upstream of iflow2api, with no model behind it. You said: hi
>";
    let second = "\
demo-echo: /help shows commands, Ctrl-D leaves
> hi
This is the demo upstream of iflow2api, with no model behind it. You said: hi
> 你好, terminal
This is the demo upstream of iflow2api, with no model behind it. You said: 你好, terminal
>";
    converse(120, [begun, first, second]).await;
}

#[tokio::test]
async fn a_second_interrupt_at_the_prompt_leaves() {
    let mut terminal = setup(&["chat", "--demo"]).on_terminal(80, 12);
    terminal.wait_for("\n>").await;
    terminal.send("half a li").await;
    terminal.wait_for("> half a li").await;
    terminal.send_key(Key::CtrlC).await;
    let warned = "\
demo-echo: /help shows commands, Ctrl-D leaves
> half a li^C
interrupt again, or press Ctrl-D, to leave
>";
    terminal.shows(warned).await;
    assert!(terminal.alive());
    terminal.send_key(Key::CtrlC).await;
    assert_eq!(terminal.end().await, 130);
    assert_eq!((terminal.screen(), terminal.cursor()), (format!("{warned} ^C"), (0, 4)));
    assert_eq!(terminal.mode(), Mode::Lines);
}

#[tokio::test]
async fn an_interrupt_stops_an_answer_and_the_next_one_leaves() {
    let mut terminal = setup(&["chat", "--demo", "-m", "demo-stall"]).on_terminal(80, 12);
    terminal.wait_for("\n>").await;
    type_line(&mut terminal, "hi").await;
    // The last word is shown when it is known to be whole.
    terminal.wait_for("This demo").await;
    terminal.send_key(Key::CtrlC).await;
    let stopped = "\
demo-stall: /help shows commands, Ctrl-D leaves
> hi
This demo^C stalls

>";
    terminal.shows(stopped).await;
    assert!(terminal.alive());
    terminal.send_key(Key::CtrlC).await;
    assert_eq!(terminal.end().await, 130);
    assert_eq!(terminal.screen(), format!("{stopped} ^C"));
}

const THOUGHT: &str = "\
demo-think: /help shows commands, Ctrl-D leaves
> one two
There is no model here, so this only looks like thinking. The last message has 2 words. I will say them back.

This is the demo upstream of iflow2api, with no model behind it. You said: one two
>";

#[tokio::test]
async fn thoughts_are_dim_and_nothing_else_is() {
    let mut terminal = setup(&["chat", "--demo", "-m", "demo-think"]).on_terminal(120, 12);
    terminal.wait_for("\n>").await;
    type_line(&mut terminal, "one two").await;
    terminal.shows(THOUGHT).await;
    let dim = only(&terminal.state(), vt100::Cell::dim);
    assert_eq!(dim, format!("\n\n{}", THOUGHT.lines().nth(2).unwrap()));
}

/// What was written to the terminal in one exchange with `demo-think`.
async fn written_with(name: &str, value: &str) -> String {
    let setup = setup(&["chat", "--demo", "-m", "demo-think"]).env(name, value);
    let mut terminal = setup.on_terminal(120, 12);
    terminal.wait_for("\n>").await;
    type_line(&mut terminal, "one two").await;
    terminal.shows(THOUGHT).await;
    terminal.send_key(Key::CtrlD).await;
    assert_eq!(terminal.end().await, 0);
    String::from_utf8(terminal.raw()).unwrap()
}

#[tokio::test]
async fn no_color_is_obeyed_and_the_screen_says_the_same() {
    let colour = Regex::new("\x1b\\[[0-9;]*m").unwrap();
    assert_eq!(colour.find(&written_with("NO_COLOR", "1").await), None);
    assert!(colour.is_match(&written_with("NO_COLOR", "").await), "empty is as if it were not set");
}

#[tokio::test]
async fn a_dumb_terminal_gets_text_and_nothing_else() {
    assert_eq!(written_with("TERM", "dumb").await, THOUGHT.replace('\n', "\r\n") + " \r\n");
}

#[tokio::test]
async fn no_escape_of_a_model_reaches_the_terminal() {
    let upstream = Upstream::start([stream(&[
        json!({"reasoning_content": "th\u{1b}[2Jou"}),
        json!({"reasoning_content": "gh\u{1b}]0;title\u{7}t\u{9b}1A"}),
        json!({"content": "a\u{1b}]52;c;aGk"}),
        json!({"content": "=\u{7}b\u{1b}["}),
        json!({"content": "2Jc\u{9b}31md\u{202e}e\r\u{8}\u{1b}P"}),
        json!({"content": "q\u{1b}\\f\u{1b}[6n\u{1b}[?1049h\n"}),
    ])])
    .await;
    let mut terminal = chat(&upstream, &["hi"]).env("TERM", "dumb").on_terminal(80, 12);
    assert_eq!(terminal.end().await, 0);
    assert_eq!(String::from_utf8(terminal.raw()).unwrap(), "thought\r\n\r\nabcdef\r\n");
}

#[tokio::test]
async fn no_escape_of_a_models_name_or_a_refusal_reaches_the_terminal() {
    let list = r#"{"data":[{"id":"m\u001b[2J\u001b]0;owned\u0007\u202e-1"}]}"#;
    let refusal = r#"{"error":{"message":"no\u001b[2J way \u202eback"}}"#;
    let script = [Exchange::answer(200, list).at("GET /v1/models"), Exchange::answer(400, refusal)];
    let upstream = Upstream::start(script).await;
    let mut terminal = setup(&["chat", "--upstream", &upstream.url()]).on_terminal(80, 12);
    terminal.wait_for("m-1: /help shows commands, Ctrl-D leaves\n>").await;
    type_line(&mut terminal, "hi").await;
    terminal.wait_for("no [2J way back").await;
    terminal.send_key(Key::CtrlD).await;
    assert_eq!(terminal.end().await, 0);
    let raw = String::from_utf8(terminal.raw()).unwrap();
    assert!(!raw.contains("\x1b]0;") && !raw.contains('\u{202e}') && !raw.contains("\x1b[2J"), "{raw:?}");
}

#[tokio::test]
async fn a_single_answer_on_a_terminal_is_that_answer() {
    let mut terminal = setup(&["chat", "-m", "demo-echo", "hi", "--demo"]).on_terminal(80, 12);
    assert_eq!(terminal.end().await, 0);
    let answer = "This is the demo upstream of iflow2api, with no model behind it. You said: hi";
    assert_eq!((terminal.screen().as_str(), terminal.cursor()), (answer, (0, 1)));
    assert_eq!((terminal.state().hide_cursor(), terminal.mode()), (false, Mode::Lines));
}

#[tokio::test]
async fn a_pipe_gets_the_answer_and_the_terminal_keeps_nothing() {
    let setup = setup(&["chat", "-m", "demo-think", "hi", "--demo"]);
    let mut terminal = setup.on_terminal_with_stdout_piped(80, 12);
    assert_eq!(terminal.end().await, 0);
    let answer = "This is the demo upstream of iflow2api, with no model behind it. You said: hi\n";
    assert_eq!(terminal.piped(), answer);
    assert_eq!((terminal.screen().as_str(), terminal.cursor()), ("", (0, 0)));
}

/// Today the terminal itself edits the line: it knows Backspace, and no arrows.
#[tokio::test]
async fn keys_reach_the_program_as_the_terminal_has_them() {
    let upstream = Upstream::start([stream(&[json!({"content": "ok"})])]).await;
    let mut terminal = chat(&upstream, &[]).on_terminal(80, 12);
    terminal.wait_for_mode(Mode::Lines).await;
    terminal.wait_for("\n>").await;
    terminal.send("a你x").await;
    for key in [Key::Backspace, Key::Backspace, Key::Tab, Key::Up, Key::Down, Key::Escape] {
        terminal.send_key(key).await;
    }
    type_line(&mut terminal, "b").await;
    terminal.wait_for("ok\n>").await;
    let screen = "\
m: /help shows commands, Ctrl-D leaves
> a     ^[[A^[[B^[b
ok
>";
    assert_eq!(terminal.screen(), screen);
    let messages = &upstream.request().json()["messages"];
    assert_eq!(*messages, json!([{"role": "user", "content": "a\t\u{1b}[A\u{1b}[B\u{1b}b"}]));
}

#[tokio::test]
async fn a_conversation_goes_on_when_the_terminal_changes_its_size() {
    let mut terminal = setup(&["chat", "--demo"]).on_terminal(46, 4);
    terminal.shows("demo-echo: /help shows commands, Ctrl-D leaves\n>").await;
    terminal.resize(80, 6);
    terminal.paste("hi\n").await;
    let screen = "\
demo-echo: /help shows commands, Ctrl-D leaves
> hi
This is the demo upstream of iflow2api, with no model behind it. You said: hi
>";
    terminal.shows(screen).await;
}

#[tokio::test]
async fn a_terminal_that_goes_takes_the_program_with_it() {
    let upstream = Upstream::start([Exchange::steps([Step::Hang])]).await;
    let terminal = chat(&upstream, &["hi"]).on_terminal(80, 12);
    upstream.asked().await;
    drop(terminal);
    upstream.left().await;
}

#[tokio::test]
async fn a_text_that_does_not_come_fails_the_test_with_the_screen() {
    let terminal = setup(&["--version"]).on_terminal(80, 12);
    let waiting = tokio::spawn(async move { terminal.wait_for("never").await });
    let said = waiting.await.unwrap_err().into_panic().downcast::<String>().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let screen = format!("the cursor is at 0, 1, and the screen is:\niflow2api {version}\n");
    assert_eq!(*said, format!("the program has ended without \"never\"; {screen}"));
}

/// A conversation with a fake that says `one`, `two`, `three` …, in a home of its own.
async fn numbered(turns: usize) -> Upstream {
    let words = ["one", "two", "three", "four", "five"];
    let said = |word: &&str| stream(&[json!({"content": word})]);
    Upstream::start(words[..turns].iter().map(said).collect::<Vec<_>>()).await
}

fn prompts(request: &serde_json::Value) -> Vec<String> {
    let texts = request["messages"].as_array().unwrap().iter();
    texts.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn commands_change_what_is_asked_next() {
    let upstream = numbered(5).await;
    let mut terminal = chat(&upstream, &[]).on_terminal(80, 40);
    terminal.wait_for("Ctrl-D leaves\n>").await;
    type_line(&mut terminal, "first").await;
    terminal.wait_for("one\n>").await;
    type_line(&mut terminal, "/model m-2").await;
    terminal.wait_for("/model m-2\n>").await;
    type_line(&mut terminal, "/system Be brief.").await;
    terminal.wait_for("/system Be brief.\n>").await;
    type_line(&mut terminal, "/model").await;
    terminal.wait_for("> /model\nm-2\n>").await;
    type_line(&mut terminal, "/thinking off").await;
    terminal.wait_for("/thinking off\n>").await;
    type_line(&mut terminal, "second").await;
    terminal.wait_for("two\n>").await;
    // The last prompt once more, without its answer.
    type_line(&mut terminal, "/retry").await;
    terminal.wait_for("three\n>").await;
    type_line(&mut terminal, "/system none").await;
    terminal.wait_for("/system none\n>").await;
    type_line(&mut terminal, "/tokens").await;
    terminal.wait_for(" out\n>").await;
    type_line(&mut terminal, "/clear").await;
    terminal.wait_for("/clear\n>").await;
    type_line(&mut terminal, "/retry").await;
    terminal.wait_for("nothing was said yet\n>").await;
    type_line(&mut terminal, "third").await;
    terminal.wait_for("four\n>").await;
    for (line, said) in [
        ("/save", "name a file: as in `/save answer.md`\n>"),
        ("/thinking loud", "`show`, `hide` or `off`\n>"),
        ("/hepl", "there is no command `/hepl`: /help shows all\n>"),
        ("/save kept.md", "written to `kept.md`\n>"),
    ] {
        type_line(&mut terminal, line).await;
        terminal.wait_for(said).await;
    }
    type_line(&mut terminal, "/copy").await;
    terminal.wait_for("copied, if the terminal allows it\n>").await;
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(raw.contains("\x1b]52;c;Zm91cg==\x07"), "the answer `four`: {raw:?}");
    type_line(&mut terminal, "/usr is what?").await;
    terminal.wait_for("five\n>").await;
    type_line(&mut terminal, "/exit").await;
    assert_eq!(terminal.end().await, 0);

    let sent: Vec<serde_json::Value> = upstream.requests().iter().map(|request| request.json()).collect();
    assert_eq!(prompts(&sent[0]), ["first"]);
    assert_eq!(
        (&sent[1]["model"], prompts(&sent[1])),
        (&json!("m-2"), ["Be brief.", "first", "one", "second"].map(str::to_owned).to_vec())
    );
    assert_eq!(prompts(&sent[2]), ["Be brief.", "first", "one", "second"]);
    assert_eq!(prompts(&sent[3]), ["third"]);
    assert_eq!(prompts(&sent[4]), ["third", "four", "/usr is what?"]);
}

#[tokio::test]
async fn the_last_prompt_can_be_changed_in_an_editor_and_what_is_kept_is_what_was_asked() {
    let upstream = numbered(3).await;
    let home = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let editor = home.path().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i 's/frist/first/' \"$2\"\n[ \"$1\" = --wait ]\n").unwrap();
    let executable = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&editor, executable).unwrap();
    let setup = |arguments: &[&str]| {
        let url = upstream.url();
        let arguments = [&["chat", "-m", "m", "--upstream", &url], arguments].concat();
        crate::support::program::setup_in(&home, &arguments).env("PATH", "/usr/bin:/bin")
    };
    let mut terminal = setup(&[]).env("EDITOR", &format!("{} --wait", editor.display())).on_terminal(80, 24);
    terminal.wait_for("Ctrl-D leaves\n>").await;
    type_line(&mut terminal, "frist").await;
    terminal.wait_for("one\n>").await;
    type_line(&mut terminal, "/edit").await;
    terminal.wait_for("two\n>").await;
    terminal.send_key(Key::CtrlD).await;
    assert_eq!(terminal.end().await, 0);
    let (status, _, err) = setup(&["-c", "next"]).run().await;
    assert_eq!(status, 0, "{err}");
    let sent: Vec<serde_json::Value> = upstream.requests().iter().map(|request| request.json()).collect();
    assert_eq!(prompts(&sent[1]), ["first"]);
    assert_eq!(prompts(&sent[2]), ["first", "two", "next"]);
}

const MARKDOWN: [&str; 9] = [
    "# Result\n\nSome **bo",
    "ld** words, `code` and 你好，世界。",
    "\n\n- first\n- second\n\n```ru",
    "st\nfn main() {}\n``",
    "`\n\n| a | long head |\n|--",
    "-|---|\n| 1 | 2 |\n| 三 | 4 |\n\n",
    "> quoted\n\n1. one\n",
    "2. two\n\nThe end",
    ".",
];

/// What a model writes in Markdown, on a screen of so many columns.
async fn rendered(columns: u16, more: &[&str]) -> Terminal {
    let pieces: Vec<serde_json::Value> = MARKDOWN.iter().map(|text| json!({"content": text})).collect();
    let upstream = Upstream::start([stream(&pieces)]).await;
    let arguments = [more, &["hi"]].concat();
    let mut terminal = chat(&upstream, &arguments).env("LANG", "C.UTF-8").on_terminal(columns, 40);
    assert_eq!(terminal.end().await, 0);
    terminal
}

#[tokio::test]
async fn markdown_is_rendered_while_it_comes_and_nothing_is_taken_back() {
    let escape = Regex::new("\x1b[^m]*?[A-Za-z]").unwrap();
    for (columns, expected) in [
        (
            80,
            "# Result\n\nSome bold words, code and 你好，世界。\n\n• first\n• second\n\n```rust\nfn main() {}\n```\n\n\
             a  │ long head\n───┼──────────\n1  │ 2\n三 │ 4\n\n│ quoted\n\n1. one\n2. two\n\nThe end.",
        ),
        (
            24,
            "# Result\n\nSome bold words, code\nand 你好，世界。\n\n• first\n• second\n\n```rust\nfn main() {}\n```\n\n\
             a  │ long head\n───┼──────────\n1  │ 2\n三 │ 4\n\n│ quoted\n\n1. one\n2. two\n\nThe end.",
        ),
    ] {
        let terminal = rendered(columns, &[]).await;
        assert_eq!(terminal.screen(), expected, "{columns}");
        let screen = terminal.state();
        let bold = only(&screen, vt100::Cell::bold);
        assert!(bold.contains("Result") && bold.contains("bold") && !bold.contains("words"), "{bold}");
        // All that is written while text streams are texts, line ends and colours. The spinner before it clears its
        // own line, and nothing else.
        let raw = String::from_utf8(terminal.raw()).unwrap();
        let text = &raw[raw.find("Result").unwrap()..];
        let escapes: Vec<&str> = escape.find_iter(text).map(|found| found.as_str()).collect();
        assert!(!escapes.is_empty() && escapes.iter().all(|escape| escape.ends_with('m')), "{escapes:?}");
    }
}

#[tokio::test]
async fn markdown_is_left_as_it_is_where_that_is_wished_or_nobody_looks() {
    let whole = MARKDOWN.concat();
    let terminal = rendered(80, &["--render", "never"]).await;
    assert_eq!(terminal.screen(), whole);
    for (more, is_rendered) in
        [(&[][..], false), (&["--render", "auto"], false), (&["--render", "always"], true)]
    {
        let pieces: Vec<serde_json::Value> = MARKDOWN.iter().map(|text| json!({"content": text})).collect();
        let upstream = Upstream::start([stream(&pieces)]).await;
        let (status, out, _) = chat(&upstream, &[more, &["hi"]].concat()).run().await;
        assert_eq!(status, 0);
        assert!(!out.contains('\x1b'), "{out:?}");
        assert_eq!(out == format!("{whole}\n"), !is_rendered, "{out}");
    }
}
