//! What scripts want of `chat`: files in, code out, a schema, what it has cost, and what would be sent.

use crate::support::program::{setup, setup_in};
use crate::terminal::{Script, Upstream};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// One pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async fn upstream(answer: &'static str) -> Upstream {
    Upstream::start(vec![Script::Says(vec![answer])]).await
}

#[tokio::test]
async fn files_stand_before_the_prompt_as_texts_and_images() {
    let mut upstream = upstream("ok").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let notes = file("notes.md", "\u{feff}# Notes\n你好\n".as_bytes());
    let image = file("dot.bin", &STANDARD.decode(PNG).unwrap());
    let arguments =
        ["chat", "-m", "m", "--upstream", &upstream.url, "-f", &notes, "--file", &image, "what", "is", "it?"];
    let (status, out, err) = setup(&arguments).run().await;
    assert_eq!((status, out.as_str(), err.as_str()), (0, "ok\n", ""));
    let content = json!([
        {"type": "text", "text": "<file name=\"notes.md\">\n# Notes\n你好\n</file>"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}},
        {"type": "text", "text": "what is it?"},
    ]);
    assert_eq!(upstream.request().await["messages"][0]["content"], content);

    let binary = file("a.out", b"\x7fELF\0\0");
    let missing = folder.path().join("missing").display().to_string();
    for (path, words) in [
        (binary.as_str(), "is neither UTF-8 text nor a PNG, JPEG, GIF or WebP image"),
        (missing.as_str(), "cannot be read"),
        ("/", "cannot be read"),
    ] {
        let (status, out, err) = setup(&["chat", "--demo", "-f", path, "hi"]).run().await;
        assert_eq!((status, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(words), "{path}: {err}");
    }
}

#[tokio::test]
async fn only_the_code_is_printed_where_only_that_is_wanted() {
    let answer = "First:\n\n```sh\nls -l\n\necho \"done\"\n```\n\nThen:\n\n~~~\npwd\n~~~\nThat is all.";
    for (option, expected) in [
        ("-x", "ls -l\n\necho \"done\"\n"),
        ("--extract", "ls -l\n\necho \"done\"\n"),
        ("--extract-last", "pwd\n"),
    ] {
        let upstream = upstream(answer).await;
        let (status, out, err) =
            setup(&["chat", "-m", "m", "--upstream", &upstream.url, option, "how?"]).run().await;
        assert_eq!((status, out.as_str(), err.as_str()), (0, expected, ""), "{option}");
    }
    let upstream = upstream("There is none.").await;
    let (status, out, err) =
        setup(&["chat", "-m", "m", "--upstream", &upstream.url, "-x", "how?"]).run().await;
    assert_eq!((status, out.as_str()), (5, ""), "{err}");
    assert!(err.contains("the answer holds no block of code"), "{err}");
}

#[tokio::test]
async fn an_answer_can_be_bound_to_a_schema() {
    let mut upstream = upstream("{\"n\": 1}").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schema.json");
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    std::fs::write(&path, schema.to_string()).unwrap();
    let shown = path.display().to_string();
    let arguments = ["chat", "-m", "m", "--upstream", &upstream.url, "--schema", &shown, "count"];
    let (status, out, err) = setup(&arguments).run().await;
    assert_eq!((status, out.as_str(), err.as_str()), (0, "{\"n\": 1}\n", ""));
    let format = &upstream.request().await["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["schema"]["properties"], schema["properties"]);
    for (text, words) in [("[1]", "is no JSON schema"), ("{", "is not JSON")] {
        std::fs::write(&path, text).unwrap();
        let (status, _, err) = setup(&["chat", "--demo", "--schema", &shown, "count"]).run().await;
        assert!(status == 2 && err.contains(words), "{err}");
    }
}

#[tokio::test]
async fn what_an_answer_has_cost_is_said_on_stderr() {
    let (status, out, err) = setup(&["chat", "--demo", "-m", "demo-echo", "--usage", "hi"]).run().await;
    assert_eq!(status, 0);
    assert!(out.ends_with("You said: hi\n"), "{out}");
    assert!(err.starts_with("(demo-echo at demo: ") && err.ends_with(" s in all)\n"), "{err}");
    assert!(err.contains(" tokens in, ") && err.contains(" out, first after "), "{err}");
}

#[tokio::test]
async fn what_would_be_sent_is_printed_and_not_sent() {
    // Nobody listens there.
    let arguments =
        ["chat", "-m", "m", "--upstream", "http://127.0.0.1:9/v1", "-s", "Be brief.", "--dry-run", "hi"];
    let (status, out, err) = setup(&arguments).run().await;
    assert_eq!((status, err.as_str()), (0, ""));
    let printed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(printed["url"], "http://127.0.0.1:9/v1/chat/completions");
    let messages = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]);
    assert_eq!((&printed["body"]["messages"], &printed["body"]["model"]), (&messages, &json!("m")));
    // It is the very body that is sent.
    let mut upstream = upstream("ok").await;
    let url = upstream.url.clone();
    let arguments = ["chat", "-m", "m", "--upstream", &url, "-s", "Be brief.", "--max-tokens", "9", "hi"];
    let (_, out, _) = setup(&[&arguments[..], &["--dry-run"]].concat()).run().await;
    assert_eq!(setup(&arguments).run().await.0, 0);
    let printed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(printed["body"], upstream.request().await);
}

#[tokio::test]
async fn a_system_prompt_can_have_a_name() {
    let mut upstream = upstream("ok").await;
    let home = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let set = ["config", "set", "prompt.code.review", "You review code."];
    assert_eq!(setup_in(&home, &set).run().await.0, 0);
    let (_, out, _) = setup_in(&home, &["config", "show"]).run().await;
    assert!(out.contains("prompt.code.review"), "{out}");
    let arguments = ["chat", "-m", "m", "--upstream", &upstream.url, "-p", "code.review", "hi"];
    assert_eq!(setup_in(&home, &arguments).run().await.0, 0);
    let system = json!({"role": "system", "content": "You review code."});
    assert_eq!(upstream.request().await["messages"][0], system);
    let (status, _, err) = setup_in(&home, &["chat", "--demo", "-p", "code.reviem", "hi"]).run().await;
    assert!(status == 2 && err.contains("did you mean `code.review`?"), "{err}");
    let (status, _, err) = setup_in(&home, &["chat", "--demo", "-p", "other", "hi"]).run().await;
    assert!(status == 2 && err.contains("`iflow2api config set prompt.other TEXT` makes one"), "{err}");
}
