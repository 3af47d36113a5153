//! Which upstreams are set up, with which key, and which is the default.

use super::{Home, shown};
use iflow2api::config::{Resolved, Upstream};
use iflow2api::error::ErrorKind;
use iflow2api::secret::Secret;

fn upstream(name: &str, preset: &str, base_url: Option<&str>, key: Option<&str>) -> Upstream {
    Upstream {
        name: name.to_owned(),
        preset: preset.to_owned(),
        base_url: base_url.map(str::to_owned),
        key: key.map(Secret::new),
        headers: Vec::new(),
        models: Vec::new(),
        max_output: None,
        context_window: None,
        prefix: None,
        max_concurrent: None,
        max_queue: None,
    }
}

fn of(resolved: &Resolved) -> (Vec<Upstream>, Option<&str>) {
    (resolved.config.upstreams.clone(), resolved.config.default_upstream.as_deref())
}

const IFLOW: &str = "https://apis.iflow.cn/v1";

#[test]
fn a_table_of_the_file_fills_every_field() {
    let resolved = Home::new()
        .file(
            r#"
            [upstream.office]
            preset = "zai"
            base_url = "https://llm.example.com/"
            key_env = "OFFICE_KEY"
            headers = { x-team = "blue", "X.Other" = "1" }
            models = ["glm-4.7", "qwen3"]
            max_output = 8192
            "#,
        )
        .variable("OFFICE_KEY", " sk-office\n")
        .resolve();
    let mut expected = upstream("office", "zai", Some("https://llm.example.com/v1"), Some("sk-office"));
    expected.headers =
        vec![("x-team".to_owned(), Secret::new("blue")), ("X.Other".to_owned(), Secret::new("1"))];
    expected.models = vec!["glm-4.7".to_owned(), "qwen3".to_owned()];
    expected.max_output = Some(8192);
    assert_eq!(of(&resolved), (vec![expected], Some("office")));
    assert_eq!(shown(&resolved, "upstream.office.key").1, "environment OFFICE_KEY");
    assert_eq!(resolved.warnings, Vec::<String>::new());
}

#[test]
fn a_key_variable_that_is_not_set_is_a_warning() {
    let resolved = Home::new().file("[upstream.zai]\nkey_env = \"ZAI_API_KEY\"\n").resolve();
    assert_eq!(of(&resolved), (vec![upstream("zai", "zai", None, None)], Some("zai")));
    let expected = "the variable `ZAI_API_KEY` with the key of the upstream `zai` is not set";
    assert_eq!(resolved.warnings, [expected]);
}

#[test]
fn two_variables_make_an_upstream() {
    let resolved = Home::new()
        .variable("IFLOW2API_BASE_URL", "http://127.0.0.1:11434")
        .variable("IFLOW2API_API_KEY", "sk-env")
        .resolve();
    let expected = upstream("env", "openai", Some("http://127.0.0.1:11434/v1"), Some("sk-env"));
    assert_eq!(of(&resolved), (vec![expected], Some("env")));
    assert_eq!(shown(&resolved, "upstream.env.base_url").1, "environment IFLOW2API_BASE_URL");

    let alone = Home::new().variable("IFLOW2API_API_KEY", "sk-env").resolve();
    assert_eq!(of(&alone), (Vec::new(), None));
    assert_eq!(alone.warnings, ["`IFLOW2API_API_KEY` has no effect without `IFLOW2API_BASE_URL`"]);
}

#[test]
fn the_settings_of_iflow_make_an_upstream() {
    let table = [
        (r#"{"apiKey": "sk-a"}"#, vec![upstream("iflow", "iflow", Some(IFLOW), Some("sk-a"))]),
        (
            r#"{"apiKey": "sk-a", "baseUrl": "http://h:1/", "theme": {"dark": [1]}}"#,
            vec![upstream("iflow", "iflow", Some("http://h:1/v1"), Some("sk-a"))],
        ),
        (
            r#"{"apiKey": "$MY_KEY", "baseUrl": "${MY_URL}"}"#,
            vec![upstream("iflow", "iflow", Some("http://v/v1"), Some("sk-variable"))],
        ),
        (
            "\u{feff}{\"apiKey\": \"$not-a-variable\"}",
            vec![upstream("iflow", "iflow", Some(IFLOW), Some("$not-a-variable"))],
        ),
        (r#"{"baseUrl": "http://h:1"}"#, vec![upstream("iflow", "iflow", Some("http://h:1/v1"), None)]),
        (r#"{"apiKey": "", "baseUrl": null}"#, vec![]),
        ("{}", vec![]),
    ];
    for (settings, expected) in table {
        let home = Home::new()
            .iflow_settings(settings)
            .variable("MY_KEY", "sk-variable")
            .variable("MY_URL", "http://v");
        let resolved = home.resolve();
        let default = expected.iter().find(|upstream| upstream.key.is_some()).map(|_| "iflow");
        assert_eq!(of(&resolved), (expected, default), "{settings}");
        assert_eq!(resolved.warnings, Vec::<String>::new());
    }
}

#[test]
fn broken_settings_of_iflow_are_a_warning_and_left_out() {
    let table = [
        ("{\"apiKey\": \"sk-a\",", "line 1, column 18: not the JSON expected"),
        ("{\"apiKey\": 5}", "line 1, column 12: not the JSON expected"),
        ("{\"apiKey\": \"$UNSET\"}", "the variable `UNSET` it names is not set"),
        ("{\"apiKey\": \"sk-a\", \"baseUrl\": \"h:1\"}", "`baseUrl` must begin with `http://` or `https://`"),
    ];
    for (settings, reason) in table {
        let home = Home::new().iflow_settings(settings);
        let resolved = home.resolve();
        assert_eq!(of(&resolved), (Vec::new(), None), "{settings}");
        let expected = format!("`{}` is left out: {reason}", home.settings_path().display());
        assert_eq!(resolved.warnings, [expected]);
        assert_eq!(std::fs::read_to_string(home.settings_path()).unwrap(), settings);
    }
}

#[test]
fn the_users_own_table_wins_over_the_settings_of_iflow_field_by_field() {
    let settings = r#"{"apiKey": "sk-theirs", "baseUrl": "http://theirs"}"#;
    let table = [
        ("key = \"sk-mine\"", Some("http://theirs/v1"), Some("sk-mine")),
        ("base_url = \"http://mine\"", Some("http://mine/v1"), Some("sk-theirs")),
        ("key_env = \"MINE\"", Some("http://theirs/v1"), Some("sk-variable")),
        ("key_env = \"UNSET\"", Some("http://theirs/v1"), None),
    ];
    for (line, base_url, key) in table {
        let home = Home::new().iflow_settings(settings).file(&format!("[upstream.iflow]\n{line}\n"));
        let resolved = home.variable("MINE", "sk-variable").resolve();
        assert_eq!(of(&resolved).0, [upstream("iflow", "iflow", base_url, key)], "{line}");
    }
}

#[test]
fn the_key_of_iflow_in_the_environment_is_its_last_resort() {
    let variable = || Home::new().variable("IFLOW_API_KEY", "sk-variable");
    let resolved = variable().resolve();
    let expected = upstream("iflow", "iflow", Some(IFLOW), Some("sk-variable"));
    assert_eq!(of(&resolved), (vec![expected], Some("iflow")));
    assert_eq!(shown(&resolved, "upstream.iflow.key").1, "environment IFLOW_API_KEY");
    let stored = variable().iflow_settings(r#"{"apiKey": "sk-stored"}"#).resolve();
    assert_eq!(stored.config.upstreams[0].key, Some(Secret::new("sk-stored")));
}

#[test]
fn the_default_upstream_is_the_first_that_someone_names() {
    let file = "[upstream.first]\n[upstream.second]\n";
    let chosen = format!("default_upstream = \"second\"\n{file}");
    let all =
        |home: Home| home.variable("IFLOW2API_BASE_URL", "http://env").variable("IFLOW_API_KEY", "sk-iflow");
    let without_key = Home::new().iflow_settings(r#"{"baseUrl": "http://h"}"#);
    let table = [
        (
            all(Home::new().file(&chosen)).upstream_flag("third"),
            Some("third"),
            vec!["first", "second", "env", "iflow", "third"],
        ),
        (all(Home::new().file(&chosen)), Some("second"), vec!["first", "second", "env", "iflow"]),
        (all(Home::new().file(file)), Some("first"), vec!["first", "second", "env", "iflow"]),
        (all(Home::new()), Some("env"), vec!["env", "iflow"]),
        (Home::new().variable("IFLOW_API_KEY", "sk"), Some("iflow"), vec!["iflow"]),
        (without_key, None, vec!["iflow"]),
        (Home::new(), None, vec![]),
        (Home::new().variable("IFLOW2API_DEFAULT_UPSTREAM", "zai"), Some("zai"), vec!["zai"]),
    ];
    for (home, default, names) in table {
        let config = home.resolve().config;
        let found: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
        assert_eq!((config.default_upstream.as_deref(), found), (default, names));
    }
}

#[test]
fn a_url_as_the_flag_is_an_upstream_and_the_default() {
    let home = Home::new().file("[upstream.first]\n").upstream_flag("http://127.0.0.1:9/v1/");
    let resolved = home.resolve();
    let flag = upstream("flag", "openai", Some("http://127.0.0.1:9/v1"), None);
    assert_eq!(of(&resolved), (vec![upstream("first", "first", None, None), flag], Some("flag")));
    let (message, _) = Home::new().upstream_flag("localhost:9").refusal();
    assert_eq!(message, "`--upstream` must begin with `http://` or `https://`");
}

#[test]
fn the_default_cannot_be_a_variable_that_is_not_set() {
    let (message, _) = Home::new().upstream_flag("env").refusal();
    assert_eq!(message, "the default upstream is `env`, but `IFLOW2API_BASE_URL` is not set");
}

#[test]
fn a_preset_is_the_given_one_or_that_of_the_name_or_the_generic_one() {
    let is_known = |name: &str| matches!(name, "zai" | "openai");
    let table = [
        (upstream("mine", "zai", None, None), Ok("zai")),
        (upstream("zai", "zai", Some("http://h/v1"), None), Ok("zai")),
        (upstream("office", "office", Some("http://h/v1"), None), Ok("openai")),
        (
            upstream("office", "office", None, None),
            Err("the upstream `office` has no base URL, and no preset bears its name"),
        ),
        (
            upstream("office", "zia", Some("http://h/v1"), None),
            Err("`upstream.office.preset` must be a preset, not `zia`"),
        ),
    ];
    for (upstream, expected) in table {
        let found = upstream.preset_among(is_known).map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::Usage);
            error.message().to_owned()
        });
        assert_eq!(found, expected.map_err(str::to_owned), "{upstream:?}");
    }
}
