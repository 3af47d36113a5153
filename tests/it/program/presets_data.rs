//! Providers, thinking, errors and models as rows of the configuration file; aliases and fallbacks as
//! settings; keys in the variables that a provider usually has.

use super::{CHAT, WHOLE};
use crate::support::program::{KEY, Setup, setup, with_preset};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// A configuration that outlives the programs that read and write it.
struct File {
    folder: TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    /// The program with these arguments and this configuration.
    fn setup(&self, arguments: &[&str]) -> Setup {
        setup(arguments).env("IFLOW2API_CONFIG", self.path().to_str().unwrap())
    }

    /// Runs it: what it prints.
    async fn run(&self, arguments: &[&str]) -> String {
        let (status, out, err) = self.setup(arguments).run().await;
        assert_eq!(status, 0, "{arguments:?}: {err}");
        out
    }
}

#[tokio::test]
async fn a_row_is_a_provider_that_its_usual_variable_sets_up() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let file = File::new(&format!(
        "[[provider]]\nid = \"mine\"\nextends = \"moonshot\"\nbase_url = \"{}\"\nkey_env = [\"MY_KEY\", \"OTHER_KEY\"]\n\
         auth = \"x-api-key\"\nheaders = {{ x-team = \"blue\" }}\nprefix_mode = \"none\"\n",
        upstream.url()
    ));
    let program = file.setup(&["serve", "--port", "0"]).env("OTHER_KEY", KEY).start().await;
    let mut answer = program
        .chat(r#"{"model":"kimi-x","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"temperature":1}"#)
        .await;
    assert_eq!((answer.status, answer.header("x-iflow2api-upstream")), (200, Some("mine")));
    answer.bytes().await;
    let sent = upstream.request();
    assert_eq!(
        sent.text(),
        r#"{"model":"kimi-x","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":5}"#
    );
    let headers = ["x-api-key", "authorization", "x-team"].map(|name| sent.head.get(name));
    assert_eq!(headers, [Some(KEY), None, Some("blue")]);
}

#[tokio::test]
async fn without_its_variable_a_row_sets_nothing_up() {
    let file = File::new(
        "[[provider]]\nid = \"mine\"\nbase_url = \"http://127.0.0.1:1/v1\"\nkey_env = [\"MY_KEY\"]\n",
    );
    let program = file.setup(&["serve", "--port", "0"]).start().await;
    assert_eq!(program.chat(CHAT).await.status, 503);
}

#[tokio::test]
async fn of_two_providers_with_one_variable_the_second_must_be_named() {
    let (one, two) = (
        Upstream::start([Exchange::answer(200, WHOLE)]).await,
        Upstream::start([Exchange::answer(200, WHOLE)]).await,
    );
    let row = |id: &str, upstream: &Upstream| {
        format!(
            "[[provider]]\nid = \"{id}\"\nbase_url = \"{}\"\nkey_env = [\"MY_KEY\"]\nmodels = \"static\"\nknown = [\"{id}-m\"]\n",
            upstream.url()
        )
    };
    let file = File::new(&[row("one", &one), row("two", &two)].concat());
    let program = file.setup(&["serve", "--port", "0"]).env("MY_KEY", KEY).start().await;
    let asked = |name: &str| CHAT.replace("\"m\"", &json!(name).to_string());
    let mut answer = program.chat(asked("two-m")).await;
    assert_eq!((answer.status, answer.header("x-iflow2api-upstream")), (200, Some("one")));
    answer.bytes().await;
    let mut answer = program.chat(asked("two/two-m")).await;
    let headers = ["x-iflow2api-upstream", "x-iflow2api-model"].map(|name| answer.header(name));
    assert_eq!(headers, [Some("two"), Some("two-m")]);
    answer.bytes().await;
    assert_eq!(two.request().head.get("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let ready = program.get("/readyz").await.json().await;
    assert_eq!(ready["upstreams"], json!([{"name": "one", "state": "closed"}]));
}

#[tokio::test]
async fn a_row_at_another_host_inherits_no_other_address() {
    let theirs = Upstream::start([]).await;
    let ours = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let file = File::new(&format!(
        "[[provider]]\nid = \"theirs\"\nbase_url = \"{0}\"\nanthropic_base_url = \"http://{1}/anthropic\"\n\
         [[provider]]\nid = \"ours\"\nextends = \"theirs\"\nbase_url = \"http://localhost:{2}/v1\"\nkey_env = [\"MY_KEY\"]\n",
        theirs.url(),
        theirs.address(),
        ours.address().port()
    ));
    let program = file.setup(&["serve", "--port", "0"]).env("MY_KEY", KEY).start().await;
    // Their address would get the key that is meant for ours.
    let answer = program.messages(super::MESSAGES).await;
    assert_eq!((answer.status, theirs.forgive()), (200, Vec::<String>::new()));
}

#[tokio::test]
async fn a_users_row_lies_over_a_built_in_one_of_its_name() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let lines = "[[provider]]\nid = \"moonshot\"\nextends = \"moonshot\"\ndrop = [\"top_p\"]\n";
    let program = with_preset("moonshot", lines, &upstream).start().await;
    let asked = r#"{"model":"kimi-x","messages":[{"role":"user","content":"hi"}],"top_p":1,"temperature":1,"max_tokens":5}"#;
    assert_eq!(program.chat(asked).await.status, 200);
    assert_eq!(
        upstream.request().text(),
        r#"{"model":"kimi-x","messages":[{"role":"user","content":"hi"}],"temperature":1,"max_completion_tokens":5}"#
    );
}

#[tokio::test]
async fn a_users_thinking_rule_comes_before_the_built_in_ones() {
    let rule = "[[thinking]]\nprovider = [\"z*\"]\nmodel = [\"GLM-4.7*\"]\nclear = [\"reasoning_effort\", \"thinking\"]\n\
        always = { keep = true }\noff = { think = { on = false } }\nbudget = { path = \"think.tokens\", min = 10, max = 20 }\n\
        levels = { low = { think = { hard = 1 } }, max = { think = { hard = 9 } } }\n";
    for (member, rest) in [
        ("", r#","keep":true"#),
        (",\"reasoning_effort\":\"none\"", r#","keep":true,"think":{"on":false}"#),
        (",\"reasoning_effort\":\"high\"", r#","keep":true,"think":{"hard":9}"#),
        (
            ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":99}",
            r#","keep":true,"think":{"tokens":20}"#,
        ),
    ] {
        let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
        let program = with_preset("zai", rule, &upstream).start().await;
        let body = |rest: &str| {
            format!(r#"{{"model":"glm-4.7","messages":[{{"role":"user","content":"hi"}}]{rest}}}"#)
        };
        assert_eq!(program.chat(body(member)).await.status, 200);
        assert_eq!(upstream.request().text(), body(rest), "{member}");
    }
}

#[tokio::test]
async fn a_users_error_rule_comes_before_the_built_in_ones() {
    let rule = "[[error]]\nprovider = [\"zai\"]\nhttp = [429]\nat = \"/error/code\"\nis = [\"1302\"]\nclass = \"balance\"\n\
        [[error]]\nprovider = [\"*\"]\nwhere = \"body\"\ncontains = \"nope\"\nclass = \"permission\"\n";
    let upstream = Upstream::start([
        Exchange::answer(429, r#"{"error":{"code":"1302","message":"x"}}"#),
        Exchange::answer(429, r#"{"error":{"code":"1303","message":"x"}}"#),
        Exchange::answer(200, r#"{"note":"nope"}"#),
    ])
    .await;
    let program = with_preset("zai", rule, &upstream).start().await;
    for (status, code) in
        [(402, "insufficient_quota"), (429, "rate_limit_exceeded"), (403, "permission_denied")]
    {
        let mut answer = program.chat(CHAT).await;
        let found = answer.json().await;
        assert_eq!((answer.status, &found["error"]["code"]), (status, &json!(code)), "{found}");
    }
}

#[tokio::test]
async fn a_users_row_about_a_model_comes_before_the_built_in_ones() {
    let row = "[[model]]\nmatch = [\"*glm-4.7*\"]\nmax_output = 100\nthinks = \"never\"\nmax_tokens_field = \"limit\"\n";
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let program = with_preset("zai", row, &upstream).start().await;
    let asked = r#"{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}],"max_tokens":500,"reasoning_effort":"high","thinking":{"type":"enabled"}}"#;
    assert_eq!(program.chat(asked).await.status, 200);
    let sent = upstream.request().json();
    assert_eq!(
        sent,
        json!({"model": "glm-4.7", "messages": [{"role": "user", "content": "hi"}], "limit": 500})
    );
}

#[tokio::test]
async fn a_row_that_is_wrong_ends_the_program_with_2_and_its_place() {
    for (text, expected) in [
        ("[[provider]]\nid = \"a\"\nbas_url = \"x\"\n", ": `[[provider]]` `a`: unknown member `bas_url`"),
        ("\n[[provider]]\nid = 5\n", " line 3: invalid type: integer `5`, expected a string"),
        ("[[provider]]\nname = \"a\"\n", ": `[[provider]]`: `id` is missing"),
        ("[[provider]]\nid = \"a\"\nauth = \"loud\"\n", " line 3: unknown variant `loud`"),
        ("[[ thinking ]]\n\nlevls = {}\n", " line 3: unknown field `levls`"),
        (
            "[[thinking]]\nmodel = [\"m\"]\nlevels = { hard = {} }\n",
            ": `[[thinking]]` [\"m\"]: there is no level `hard`",
        ),
        ("[[error]]\nprovider = [\"*\"]\nclass = \"odd\"\n", " line 3: unknown variant `odd`"),
        (
            "[[error]]\nprovider = [\"*\"]\nclass = \"rate\"\nreset = \"(\"\n",
            ": `[[error]]`: `reset` is no regular expression",
        ),
        ("[[model]]\nmatch = [\"m\"]\ncontxt = 5\n", ": `[[model]]` [\"m\"]: unknown member `contxt`"),
        (
            "[provider]\nid = \"a\"\n",
            " line 1, column 2: `provider` must be tables with the head `[[provider]]`",
        ),
    ] {
        let file = File::new(text);
        let path = file.path().display().to_string();
        for arguments in [&["serve", "--port", "0"][..], &["models"], &["config", "show"]] {
            let (status, out, err) = file.setup(arguments).run().await;
            assert_eq!((status, out.as_str()), (2, ""), "{text}: {err}");
            let start = format!("iflow2api: error: `{path}`{expected}");
            assert!(err.starts_with(&start), "{arguments:?}\n{err}instead of\n{start}");
        }
    }
    let file = File::new("[[provider]]\nid = \"a\"\nextends = \"zaii\"\n");
    let (status, _, err) = file.setup(&["models"]).run().await;
    assert_eq!(status, 2);
    assert!(err.starts_with("iflow2api: error: there is no preset `zaii`"), "{err}");
}

#[tokio::test]
async fn rows_stay_as_they_are_where_a_setting_is_written() {
    let rows = "# mine\n[[provider]]   # first\nid = \"mine\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\n\
        [[thinking]]\nprovider = [\"mine\"]\nmodel = [\"*\"]\n# why\non = { a = { b = 1.10 } }\n\n\
        [[error]]\nprovider = [\"mine\"]\nclass = \"rate\"\n\n[[model]]\nmatch = [\"m\"]\ncontext = 5\n";
    let file = File::new(rows);
    file.run(&["config", "set", "default_model", "m"]).await;
    assert_eq!(file.text(), format!("default_model = \"m\"\n{rows}"));
    file.run(&["config", "set", "alias.fast", "mine/m(low)"]).await;
    assert_eq!(file.text(), format!("default_model = \"m\"\n{rows}\n[alias]\nfast = \"mine/m(low)\"\n"));
    file.run(&["config", "set", "upstream.x.preset", "mine"]).await;
    let expected = format!(
        "default_model = \"m\"\n{rows}\n[alias]\nfast = \"mine/m(low)\"\n\n[upstream.x]\npreset = \"mine\"\n"
    );
    assert_eq!(file.text(), expected);
    for name in ["default_model", "alias.fast", "upstream.x"] {
        file.run(&["config", "unset", name]).await;
    }
    assert!(file.text().starts_with(rows), "{}", file.text());
}

#[tokio::test]
async fn aliases_and_fallbacks_are_settings_like_others() {
    let file = File::new("");
    for (name, value) in [
        ("alias.glm-4.7", "zai/glm-4.7(high)"),
        ("alias.claude-*haiku*", "small"),
        ("alias.a/b c", "small"),
        ("fallback.glm-*", "zai/a,b,c"),
    ] {
        file.run(&["config", "set", name, value]).await;
        assert_eq!(file.run(&["config", "get", name]).await, format!("{value}\n"), "{name}");
    }
    assert_eq!(
        file.text(),
        "[alias]\n\"glm-4.7\" = \"zai/glm-4.7(high)\"\n\"claude-*haiku*\" = \"small\"\n\"a/b c\" = \"small\"\n\n\
         [fallback]\n\"glm-*\" = [\"zai/a\", \"b\", \"c\"]\n"
    );
    let shown = file.run(&["config", "show"]).await;
    let lines: Vec<&str> =
        shown.lines().filter(|line| line.starts_with("alias.") || line.starts_with("fallback.")).collect();
    let columns = |line: &str| {
        line.split("  ").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    };
    let found: Vec<Vec<String>> = lines.into_iter().map(columns).collect();
    let path = file.path().display().to_string();
    let origin = format!("file {path}");
    let expected = [
        ["alias.glm-4.7", "zai/glm-4.7(high)"],
        ["alias.claude-*haiku*", "small"],
        ["alias.a/b c", "small"],
        ["fallback.glm-*", "zai/a,b,c"],
    ];
    assert_eq!(found, expected.map(|[name, value]| vec![name.to_owned(), value.to_owned(), origin.clone()]));
    let listed: Value = serde_json::from_str(&file.run(&["config", "show", "--json"]).await).unwrap();
    let fallback = listed.as_array().unwrap().iter().find(|entry| entry["name"] == "fallback.glm-*");
    assert_eq!(
        *fallback.unwrap(),
        json!({"name": "fallback.glm-*", "value": ["zai/a", "b", "c"], "origin": "file", "source": path})
    );
    for name in ["alias.glm-4.7", "alias.claude-*haiku*", "alias.a/b c", "fallback.glm-*"] {
        file.run(&["config", "unset", name]).await;
        assert_eq!(file.run(&["config", "get", name]).await, "");
    }
}

#[tokio::test]
async fn what_no_alias_or_fallback_can_be_is_refused() {
    let file = File::new("");
    for (name, value) in [("alias.", "m"), ("alias", "m"), ("alias.x", ""), ("fallback", "m")] {
        let (status, _, err) = file.setup(&["config", "set", name, value]).run().await;
        assert_eq!((status, file.text().as_str()), (2, ""), "{name} = {value}: {err}");
    }
    for text in [
        "[alias]\nx = 5\n",
        "[alias]\nx = [\"a\"]\n",
        "[fallback]\nx = 5\n",
        "alias = \"x\"\n",
        "[alias]\nx = \"\"\n",
    ] {
        let file = File::new(text);
        let (status, _, err) = file.setup(&["models"]).run().await;
        assert_eq!(status, 2, "{text}: {err}");
        assert!(err.starts_with(&format!("iflow2api: error: `{}` line ", file.path().display())), "{err}");
    }
}

#[tokio::test]
async fn one_fallback_may_be_written_without_brackets() {
    let one = Upstream::start([Exchange::answer(503, "{}")]).await;
    let two = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let file = File::new(&format!(
        "[fallback]\nm = \"two/spare\"\n[upstream.one]\nbase_url = \"{}\"\n[upstream.two]\nbase_url = \"{}\"\n",
        one.url(),
        two.url()
    ));
    let program = file.setup(&["serve", "--port", "0"]).start().await;
    assert_eq!(program.chat(CHAT).await.status, 200);
    assert_eq!(two.request().json()["model"], "spare");
}

#[tokio::test]
async fn the_key_of_a_usual_variable_is_shown_to_nobody() {
    let refusal = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    let upstream = Upstream::start([
        Exchange::answer(401, refusal),
        Exchange::answer(200, r#"{"data":[{"id":"m"}]}"#).at("GET /v1/models"),
    ])
    .await;
    let file = File::new(&format!(
        "[[provider]]\nid = \"mine\"\nbase_url = \"{}\"\nkey_env = [\"MY_KEY\"]\n",
        upstream.url()
    ));
    for arguments in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "get", "upstream.mine.key"],
        &["config", "get", "--json", "upstream.mine.key"],
    ] {
        let (status, out, err) = file.setup(arguments).env("MY_KEY", KEY).run().await;
        assert_eq!(status, 0, "{arguments:?}: {err}");
        assert!(out.contains("…hown"), "{arguments:?}: {out}");
        assert!(!out.contains(KEY) && !err.contains(KEY), "{arguments:?}: {out}{err}");
    }
    let (_, out, _) =
        file.setup(&["config", "get", "--show-key", "upstream.mine.key"]).env("MY_KEY", KEY).run().await;
    assert_eq!(out, format!("{KEY}\n"));
    let program = file
        .setup(&["serve", "--port", "0", "-vv"])
        .env("MY_KEY", KEY)
        .env("RUST_LOG", "trace")
        .start()
        .await;
    let mut answer = program.chat(CHAT).await;
    let found = answer.json().await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        found["error"]["message"],
        "upstream `mine`: Incorrect API key provided: (redacted); check the key of upstream `mine`, which is from MY_KEY"
    );
    for path in ["/v1/models", "/readyz", "/admin", "/openapi.json"] {
        assert!(!program.get(path).await.text().await.contains(KEY), "{path}");
    }
    assert!(!program.said().contains(KEY));
}
