//! Conversations that are kept: gone on with, listed, shown, exported and forgotten.

use crate::support::program::{Setup, setup_in};
use crate::terminal::{Script, Upstream};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

struct Place {
    home: Arc<TempDir>,
    upstream: Upstream,
}

impl Place {
    async fn new(answers: &[&'static str]) -> Self {
        let script = answers.iter().map(|answer| Script::Says(vec![answer])).collect();
        Self { home: Arc::new(tempfile::tempdir().unwrap()), upstream: Upstream::start(script).await }
    }

    fn setup(&self, arguments: &[&str]) -> Setup {
        let arguments = [&["chat", "--upstream", &self.upstream.url], arguments].concat();
        setup_in(&self.home, &arguments)
    }

    /// Asks, and returns what was sent.
    async fn ask(&mut self, arguments: &[&str]) -> Value {
        let (status, _, err) = self.setup(arguments).run().await;
        assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}");
        self.upstream.request().await
    }

    async fn out(&self, arguments: &[&str]) -> String {
        let (status, out, err) = self.setup(arguments).run().await;
        assert_eq!(status, 0, "{arguments:?}: {err}");
        out
    }

    async fn listed(&self) -> Vec<Value> {
        serde_json::from_str(&self.out(&["--list", "--json"]).await).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("data/iflow2api/chats")
    }
}

#[tokio::test]
async fn a_conversation_goes_on_where_it_ended_with_its_model_and_its_system_prompt() {
    let mut place = Place::new(&["first", "second", "third", "fourth"]).await;
    let user = |text: &str| json!({"role": "user", "content": text});
    let model = |text: &str| json!({"role": "assistant", "content": text});
    let system = json!({"role": "system", "content": "Be brief."});
    place.ask(&["-m", "m-1", "-s", "Be brief.", "one"]).await;
    let sent = place.ask(&["-c", "two"]).await;
    assert_eq!(sent["model"], "m-1");
    assert_eq!(sent["messages"], json!([system, user("one"), model("first"), user("two")]));
    let id = place.listed().await[0]["id"].as_str().unwrap().to_owned();
    // Another one is the last now; the first is found by its id.
    place.ask(&["-m", "m-2", "other"]).await;
    let sent = place.ask(&["--conversation", &id, "-m", "m-3", "three"]).await;
    assert_eq!(sent["model"], "m-3");
    let messages = json!([system, user("one"), model("first"), user("two"), model("second"), user("three")]);
    assert_eq!(sent["messages"], messages);

    let listed = place.listed().await;
    let seen: Vec<_> = listed.iter().map(|one| (&one["title"], &one["model"], &one["turns"])).collect();
    assert_eq!(
        seen,
        [(&json!("one"), &json!("m-3"), &json!(3)), (&json!("other"), &json!("m-2"), &json!(1))]
    );
    let text = place.out(&["--list"]).await;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with(&id) && lines[0].ends_with("m-3  one"), "{text}");

    let markdown = "# one\n\n## System\n\nBe brief.\n\n## You\n\none\n\n## m-1\n\nfirst\n\n## You\n\ntwo\n\n\
                    ## m-1\n\nsecond\n\n## You\n\nthree\n\n## m-3\n\nfourth\n";
    assert_eq!(place.out(&["--show", &id]).await, markdown);
    assert_eq!(place.out(&["--export", &id]).await, markdown);
    let whole: Value = serde_json::from_str(&place.out(&["--export", &id, "--json"]).await).unwrap();
    assert_eq!((&whole["system"], whole["messages"].as_array().unwrap().len()), (&json!("Be brief."), 6));

    let (status, _, err) = place.setup(&["--rm", &id]).run().await;
    assert_eq!((status, err), (0, format!("Conversation `{id}` is forgotten\n")));
    let (status, _, err) = place.setup(&["--show", &id]).run().await;
    assert!(status == 1 && err.contains("there is no such conversation"), "{err}");
    assert_eq!(place.listed().await.len(), 1);
}

#[tokio::test]
async fn what_is_kept_is_its_owners_alone_and_only_where_it_is_wanted() {
    let mut place = Place::new(&["a", "b", "c", "d"]).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    place.ask(&["-m", "m", "--no-save", "secret"]).await;
    let (status, _, _) = place.setup(&["-m", "m", "secret"]).env("IFLOW2API_CHAT_SAVE", "false").run().await;
    assert_eq!(status, 0);
    place.upstream.request().await;
    assert!(!place.folder().exists());
    let (status, _, err) = place.setup(&["-c", "on"]).run().await;
    assert!(status == 1 && err.contains("no conversation to go on with"), "{err}");
    place.ask(&["-m", "m", "kept"]).await;
    let files: Vec<_> =
        std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!((files.len(), mode(&files[0]), mode(&place.folder())), (1, 0o600, 0o700));
    // Going on with one without keeping what is said leaves it as it was.
    let before = std::fs::read(&files[0]).unwrap();
    let sent = place.ask(&["-c", "--no-save", "more"]).await;
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3);
    assert_eq!(std::fs::read(&files[0]).unwrap(), before);
}

#[tokio::test]
async fn scripts_get_the_id_and_files_that_are_none_of_ours_are_said_and_left() {
    let mut place = Place::new(&["a", "b"]).await;
    let json: Value = serde_json::from_str(&place.out(&["-m", "m", "--json", "hi"]).await).unwrap();
    let id = json["conversation"].as_str().unwrap().to_owned();
    place.upstream.request().await;
    std::fs::write(place.folder().join("broken.jsonl"), "{\"version\": 7}\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.folder().join("link.jsonl")).unwrap();
    let (status, out, err) = place.setup(&["--list"]).run().await;
    assert!(status == 0 && out.starts_with(&id), "{out}{err}");
    assert!(
        err.contains("broken.jsonl` is no conversation of ours")
            && err.contains("link.jsonl` is a symbolic link"),
        "{err}"
    );
    for id in ["../../../etc/passwd", "broken", "link", "%2e%2e"] {
        let (status, out, _) = place.setup(&["--show", id]).run().await;
        assert!((status == 1 || status == 2) && out.is_empty(), "{id}");
    }
    place.ask(&["--conversation", &id, "again"]).await;
    for arguments in [
        &["--list", "hi"][..],
        &["-c", "--list"],
        &["--show", "x", "--rm", "y"],
        &["-c", "--conversation", "x", "hi"],
    ] {
        assert_eq!(place.setup(arguments).run().await.0, 2, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_had_costs_no_answer() {
    let place = Place::new(&["a"]).await;
    std::fs::write(place.home.path().join("data"), "a file in its place").unwrap();
    let (status, out, err) = place.setup(&["-m", "m", "hi"]).run().await;
    assert_eq!((status, out.as_str()), (0, "a\n"));
    assert!(err.contains("this conversation cannot be kept"), "{err}");
}
