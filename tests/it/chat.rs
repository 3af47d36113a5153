//! What `chat` writes to stdout and stderr, what it sends, and how it ends.

use crate::terminal::{Ended, Home, PATH, Script, Upstream, end};
use crate::wire_client::PATIENCE;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;
use tokio::time::timeout;

const SAYS: &str = "This is the demo upstream of iflow2api, with no model behind it. You said: ";

#[tokio::test]
async fn a_pipe_gets_the_answer_and_one_line_end_and_nothing_else() {
    let ended = Home::new().run(&["chat", "--demo", "naïve", "你好，世界", "👩‍👩‍👧"]).await;
    let stdout = format!("{SAYS}naïve 你好，世界 👩‍👩‍👧\n");
    assert_eq!(ended, Ended { status: Some(0), stdout, stderr: String::new() });
}

#[tokio::test]
async fn only_the_line_ends_at_an_answers_end_are_touched_in_a_pipe() {
    let pieces = vec!["\n\x1b[31m", "a\n", "\n", "\u{202e}b", "\n", "\n\n"];
    for wish in [&[][..], &["--thinking", "show"]] {
        let upstream = Upstream::start(vec![Script::Says(pieces.clone())]).await;
        let arguments = [&["chat", "-m", "m", "--upstream", &upstream.url, "x"], wish].concat();
        let ended = Home::new().run(&arguments).await;
        assert_eq!(ended.stdout, "\n\x1b[31ma\n\n\u{202e}b\n");
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[tokio::test]
async fn what_is_said_is_what_is_sent() {
    let mut upstream = Upstream::start(vec![Script::Says(vec!["ok"])]).await;
    let home = Home::new();
    let url = upstream.url.clone();
    let user = |text: &str| json!([{ "role": "user", "content": text }]);
    let cases: &[(&[&str], &str, Value)] = &[
        (&["sum", "up"], "a\nb\n", user("sum up\n\na\nb")),
        (&[], "a\nb", user("a\nb")),
        (&["read", "-", "again"], "a", user("read\n\na\n\nagain")),
        (
            &["-s", "Be brief.", "hi"],
            "",
            json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "hi" }]),
        ),
    ];
    for (arguments, stdin, messages) in cases {
        let arguments = [&["chat", "-m", "m", "--upstream", url.as_str()], *arguments].concat();
        let ended = home.run_with(&arguments, stdin.as_bytes()).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "ok\n"), "{}", ended.stderr);
        let request = upstream.request().await;
        assert_eq!(&request["messages"], messages);
        assert_eq!((&request["model"], &request["stream"]), (&json!("m"), &json!(true)));
    }
    home.run(&["chat", "-m", "m", "--upstream", &url, "--max-tokens", "7", "hi"]).await;
    assert_eq!(upstream.request().await["max_tokens"], 7);
}

#[tokio::test]
async fn only_switching_thinking_off_changes_the_request() {
    let mut upstream = Upstream::start(vec![Script::Says(vec!["ok"])]).await;
    let home = Home::new();
    let url = upstream.url.clone();
    let mut requests = Vec::new();
    for wish in [&["--thinking", "show"][..], &["--thinking", "hide"], &[], &["--thinking", "off"]] {
        home.run(&[&["chat", "-m", "m", "--upstream", &url, "hi"], wish].concat()).await;
        requests.push(upstream.request().await);
    }
    let off = requests.pop().unwrap();
    assert!(requests.iter().all(|request| *request == requests[0]), "{requests:?}");
    assert_eq!((&off["reasoning_effort"], requests[0].get("reasoning_effort")), (&json!("none"), None));
}

#[tokio::test]
async fn thoughts_go_to_stderr_where_they_are_wished_for() {
    let home = Home::new();
    let stdout = format!("{SAYS}hi\n");
    for (wish, thinks) in [("show", true), ("hide", false), ("off", false)] {
        let ended = home.run(&["chat", "--demo", "-m", "demo-think", "--thinking", wish, "hi"]).await;
        assert_eq!((ended.status, &ended.stdout), (Some(0), &stdout));
        assert_eq!(ended.stderr.starts_with("There is no model here"), thinks, "{}", ended.stderr);
        assert_eq!(ended.stderr.ends_with("back.\n"), thinks, "{}", ended.stderr);
        assert!(thinks || ended.stderr.is_empty());
    }
    let arguments = ["chat", "--demo", "-m", "demo-think", "--color", "always", "--thinking", "show", "hi"];
    let ended = home.run(&arguments).await;
    assert!(ended.stderr.starts_with("\x1b[2m") && ended.stderr.ends_with("\x1b[0m\n"), "{}", ended.stderr);
}

#[tokio::test]
async fn json_says_what_came_and_how() {
    let home = Home::new();
    for form in [&[][..], &["--no-stream"]] {
        let ended = home.run(&[&["chat", "--demo", "-m", "demo-think", "--json", "hi"], form].concat()).await;
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
        let mut answer: Value = serde_json::from_str(&ended.stdout).unwrap();
        let members = answer.as_object_mut().unwrap();
        let mut take = |name| members.remove(name).unwrap();
        assert!(take("ms").is_u64());
        assert_eq!(take("first_token_ms").is_u64(), form.is_empty());
        assert!(take("conversation").as_str().is_some_and(|id| !id.is_empty()));
        assert!(take("request_id").as_str().unwrap().starts_with("req_"));
        assert!(take("reasoning").as_str().unwrap().starts_with("There is no model here"));
        let usage = take("usage");
        assert!(usage["input_tokens"].is_u64() && usage["output_tokens"].is_u64(), "{usage}");
        let rest = json!({"text": format!("{SAYS}hi"), "stop_reason": "end_turn", "model": "demo-think", "upstream": "demo"});
        assert_eq!(answer, rest);
    }
}

#[tokio::test]
async fn each_failure_has_its_status_and_what_came_stays() {
    const PARTIAL: &str = "This answer of the demo upstream breaks off in the\n";
    let home = Home::new();
    let cases = [
        ("401", 4, ""),
        ("402", 6, ""),
        ("403", 4, ""),
        ("404", 1, ""),
        ("empty", 5, ""),
        ("stream", 5, PARTIAL),
        ("stream 429", 6, PARTIAL),
        ("cut", 5, PARTIAL),
    ];
    for (prompt, status, stdout) in cases {
        let ended = home.run(&["chat", "--demo", "-m", "demo-fail", prompt]).await;
        assert_eq!(
            (ended.status, ended.stdout.as_str()),
            (Some(status), stdout),
            "{prompt}: {}",
            ended.stderr
        );
        assert!(ended.stderr.starts_with("iflow2api: error: "), "{prompt}: {}", ended.stderr);
    }
    let ended = home.run(&["chat", "--demo", "-m", "demo-fail", "--json", "stream"]).await;
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(5), ""), "no half of an object");
}

#[tokio::test]
async fn what_may_be_asked_again_keeps_its_status() {
    for (prompt, status) in [("429", 6), ("500", 5)] {
        let ended = Home::new().run(&["chat", "--demo", "-m", "demo-fail", prompt]).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(status), ""), "{prompt}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn an_answer_of_thoughts_alone_is_a_failure() {
    let ended = Home::new().run(&["chat", "--demo", "-m", "demo-think", "--max-tokens", "3", "hi"]).await;
    let stderr = "iflow2api: error: the answer is empty\n  hint: all tokens went into thinking: give more with --max-tokens\n";
    assert_eq!(ended, Ended { status: Some(5), stdout: String::new(), stderr: stderr.to_owned() });
}

#[tokio::test]
async fn without_a_prompt_nothing_is_sent() {
    let mut upstream = Upstream::start(vec![Script::Says(vec!["ok"])]).await;
    let url = upstream.url.clone();
    for arguments in [&[][..], &[""], &["-"], &["--json"], &["-", "a", "-"], &["--max-tokens", "0", "a"]] {
        let ended = Home::new().run(&[&["chat", "-m", "m", "--upstream", &url], arguments].concat()).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
    }
    assert!(upstream.is_unasked());
}

#[tokio::test]
async fn the_model_is_the_one_set_up_else_the_first_that_is_listed() {
    let mut upstream = Upstream::start(vec![Script::Says(vec!["ok"])]).await;
    let home = Home::new();
    let url = upstream.url.clone();
    home.run(&["chat", "--upstream", &url, "hi"]).await;
    assert_eq!(upstream.request().await["model"], "listed-first");
    home.configure("default_model = \"mine\"\n");
    home.run(&["chat", "--upstream", &url, "hi"]).await;
    assert_eq!(upstream.request().await["model"], "mine");
    let ended = Home::new().run(&["chat", "--upstream", "http://127.0.0.1:1/v1", "hi"]).await;
    assert_eq!(ended.status, Some(5));
    assert!(
        ended.stderr.starts_with("iflow2api: error: upstream `flag` cannot be reached: "),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("hint: check the network") && !ended.stderr.contains("caused by"),
        "{}",
        ended.stderr
    );
}

/// Reads from a program's stdout until a text has come.
async fn read_until(child: &mut Child, text: &str) -> String {
    let stdout = child.stdout.as_mut().unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let more = timeout(PATIENCE, stdout.read_buf(&mut read)).await.expect("output in time").unwrap();
        assert!(more > 0, "the output ended: {}", String::from_utf8_lossy(&read));
    }
    String::from_utf8(read).unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_ends_the_call_with_130() {
    let mut upstream = Upstream::start(vec![Script::Stalls(vec!["begun"])]).await;
    let mut child = Home::new().spawn(&["chat", "-m", "m", "--upstream", &upstream.url, "hi"]);
    assert_eq!(read_until(&mut child, "begun").await, "begun");
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    upstream.departure().await;
    let ended = end(child).await;
    assert_eq!(ended, Ended { status: Some(130), stdout: "\n".to_owned(), stderr: String::new() });
}

#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_leaves_ends_a_silent_call_without_a_word() {
    let mut upstream = Upstream::start(vec![Script::Stalls(vec!["begun"])]).await;
    let mut child = Home::new().spawn(&["chat", "-m", "m", "--upstream", &upstream.url, "hi"]);
    read_until(&mut child, "begun").await;
    drop(child.stdout.take());
    upstream.departure().await;
    let ended = end(child).await;
    assert_eq!(ended, Ended { status: Some(0), stdout: String::new(), stderr: String::new() });
}

#[tokio::test]
async fn a_reader_that_leaves_in_a_long_answer_ends_it_without_a_word() {
    let mut child = Home::new().spawn(&["chat", "--demo", "-m", "demo-long", "write"]);
    let mut first = [0; 10];
    let read = child.stdout.as_mut().unwrap().read_exact(&mut first);
    timeout(PATIENCE, read).await.expect("output in time").unwrap();
    drop(child.stdout.take());
    let ended = end(child).await;
    assert_eq!((&first, ended.status, ended.stderr.as_str()), (b"1. Line 1 ", Some(0), ""));
}

/// A program on a terminal of its own.
#[cfg(target_os = "linux")]
struct Terminal {
    child: Child,
    read: String,
}

#[cfg(target_os = "linux")]
impl Terminal {
    fn start(home: &Home, arguments: &str) -> Self {
        let line = format!("{PATH} {arguments}");
        let mut command = home.command("script");
        command.args(["-qefc", &line, "/dev/null"]).stdin(Stdio::piped()).env("TERM", "xterm");
        Self { child: command.spawn().unwrap(), read: String::new() }
    }

    async fn types(&mut self, text: &str) {
        use tokio::io::AsyncWriteExt as _;
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits for a text, and gives what came before it.
    async fn until(&mut self, text: &str) -> String {
        while !self.read.contains(text) {
            let mut bytes = vec![0; 4096];
            let stdout = self.child.stdout.as_mut().unwrap();
            let read = timeout(PATIENCE, stdout.read(&mut bytes)).await;
            let read = read.unwrap_or_else(|_| panic!("no {text:?} in time: {:?}", self.read)).unwrap();
            assert!(read > 0, "no {text:?}: {:?}", self.read);
            self.read.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        let (before, after) = self.read.split_once(text).unwrap();
        let (before, after) = (before.to_owned(), after.to_owned());
        self.read = after;
        before
    }

    async fn status(self) -> Option<i32> {
        end(self.child).await.status
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_conversation_keeps_what_was_said_through_interrupts() {
    let scripts = vec![
        Script::Says(vec!["the first answer"]),
        Script::Stalls(vec!["the second"]),
        Script::Says(vec!["the third answer"]),
    ];
    let mut upstream = Upstream::start(scripts).await;
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &format!("chat -m m --upstream {}", upstream.url));
    terminal.until("> ").await;
    terminal.types("one\n").await;
    terminal.until("the first answer").await;
    terminal.until("> ").await;
    terminal.types("two\n").await;
    // The last word is shown when it is known to be whole.
    terminal.until("the").await;
    terminal.types("\x03").await;
    upstream.departure().await;
    terminal.until("> ").await;
    terminal.types("three\n").await;
    terminal.until("the third answer").await;
    terminal.until("> ").await;
    for _ in 0..2 {
        upstream.request().await;
    }
    let texts: Vec<Value> = upstream.request().await["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].clone())
        .collect();
    assert_eq!(texts, ["one", "the first answer", "two", "the second", "three"]);
    terminal.types("/clear\n").await;
    terminal.until("> ").await;
    terminal.types("four\n").await;
    terminal.until("> ").await;
    assert_eq!(upstream.request().await["messages"], json!([{ "role": "user", "content": "four" }]));
    terminal.types("\x03").await;
    terminal.until("interrupt again").await;
    terminal.until("> ").await;
    terminal.types("\x03").await;
    assert_eq!(terminal.status().await, Some(130));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_conversation_ends_with_its_input_and_survives_a_failure() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, "chat --demo -m demo-fail");
    terminal.until("> ").await;
    terminal.types("401\n").await;
    terminal.until("error:").await;
    terminal.until("> ").await;
    terminal.types("/help\n").await;
    terminal.until("/clear").await;
    terminal.until("> ").await;
    terminal.types("\x04").await;
    assert_eq!(terminal.status().await, Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_gets_nothing_of_the_models_to_obey() {
    let pieces = vec!["a\x1b]52;c;aGk", "=\x07b\x1b[", "2Jc\u{9b}31md\u{202e}e\x1bP", "q\x1b\\f"];
    let upstream = Upstream::start(vec![Script::Says(pieces)]).await;
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &format!("chat -m m --upstream {} hi", upstream.url));
    terminal.until("abcdef\r\n").await;
    assert_eq!(terminal.status().await, Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_shows_thoughts_before_the_answer_and_says_that_it_was_cut() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, "chat --demo -m demo-think --max-tokens 25 hi");
    terminal.until("\x1b[2mThere\x1b[0m").await;
    terminal.until("back.\x1b[0m\r\n\r\nThis is").await;
    terminal.until("(the answer was cut at the limit of tokens").await;
    assert_eq!(terminal.status().await, Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_conversation_that_does_not_fit_says_what_was_left_out() {
    let home = Home::new();
    home.configure("[context]\nmode = \"window\"\nkeep_turns = 1\n");
    let mut terminal = Terminal::start(&home, "chat --demo -m demo-echo");
    for (prompt, left_out) in
        [("one", ""), ("two", "(1 earlier message was"), ("three", "(3 earlier messages were")]
    {
        terminal.until("> ").await;
        terminal.types(&format!("{prompt}\n")).await;
        terminal.until(&format!("You said: {prompt}")).await;
        terminal.until(left_out).await;
    }
    terminal.until("> ").await;
    terminal.types("\x04").await;
    assert_eq!(terminal.status().await, Some(0));
}
