//! Help, exit statuses, `models`, and a pipe that closes.

use crate::terminal::{Ended, Home, Script, Upstream, end};
use serde_json::{Value, json};
use std::process::Stdio;

#[tokio::test]
async fn help_begins_with_examples() {
    for command in [
        &[][..],
        &["serve"],
        &["chat"],
        &["models"],
        &["models", "list"],
        &["models", "show"],
        &["models", "test"],
        &["models", "refresh"],
        &["models", "resolve"],
        &["config"],
        &["config", "show"],
        &["config", "get"],
        &["config", "set"],
        &["config", "unset"],
        &["config", "path"],
    ] {
        let ended = Home::new().run(&[command, &["--help"]].concat()).await;
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{command:?}");
        assert!(ended.stdout.starts_with("Examples:\n  "), "{command:?}: {}", ended.stdout);
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_status_2() {
    for arguments in [
        &[][..],
        &["nothing"],
        &["chat", "--nothing", "x"],
        &["chat", "--thinking", "loud", "x"],
        &["chat", "--max-tokens", "many", "x"],
        &["chat", "--upstream", "not a name", "x"],
        &["models", "burn"],
        &["config", "get", "no.such.setting"],
        &["--config", "/nowhere/at/all.toml", "models"],
    ] {
        let ended = Home::new().run(arguments).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_version_is_said() {
    let ended = Home::new().run(&["--version"]).await;
    let stdout = format!("iflow2api {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ended, Ended { status: Some(0), stdout, stderr: String::new() });
}

#[tokio::test]
async fn without_an_upstream_calls_end_with_4_and_a_way_on() {
    for arguments in [&["models"][..], &["models", "--json"], &["chat", "hi"], &["chat", "-m", "m", "hi"]] {
        let ended = Home::new().run(arguments).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(4), ""), "{arguments:?}");
        assert!(ended.stderr.starts_with(
            "iflow2api: error: no upstream is set up\n  hint: `iflow2api auth` logs in at a provider"
        ));
    }
}

#[tokio::test]
async fn models_are_listed_in_columns() {
    let upstream = Upstream::start(vec![Script::Says(Vec::new())]).await;
    let url = upstream.url.as_str();
    for arguments in [&["models", "--upstream", url][..], &["models", "list", "--upstream", url]] {
        let ended = Home::new().run(arguments).await;
        let stdout = "\
MODEL          CONTEXT  MAX OUTPUT  TOOLS  VISION  THINKING  OWNER
listed-first         -           -  -      -       -         flag
listed-second     4096           -  -      -       -         flag
";
        assert_eq!(ended, Ended { status: Some(0), stdout: stdout.to_owned(), stderr: String::new() });
    }
}

#[tokio::test]
async fn models_are_listed_as_json() {
    let upstream = Upstream::start(vec![Script::Says(Vec::new())]).await;
    let ended = Home::new().run(&["models", "--json", "--upstream", &upstream.url]).await;
    let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
    let entry = |id: &str, window: Option<u32>| {
        json!({"id": id, "owned_by": "flag", "created": 0, "max_input_tokens": window, "max_tokens": null,
        "tools": null, "vision": null, "thinking": null, "alias_of": null})
    };
    assert_eq!(listed, json!([entry("listed-first", None), entry("listed-second", Some(4096))]));
    let ended = Home::new().run(&["models", "list", "--demo", "--json"]).await;
    let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(listed[0]["id"], "demo-echo");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_status_5() {
    for arguments in [&["models"][..], &["chat", "-m", "m", "hi"]] {
        let ended = Home::new().run(&[arguments, &["--upstream", "http://127.0.0.1:1/v1"]].concat()).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(5), ""), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_closed_pipe_is_success() {
    for arguments in [&["models", "--demo"][..], &["models", "--demo", "--json"], &["config", "show"]] {
        let home = Home::new();
        let mut command = home.command(crate::terminal::PATH);
        let mut child = command.args(arguments).stdin(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = end(child).await;
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
