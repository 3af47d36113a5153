//! Which upstreams are set up, with which key, and which is the default.

use super::{Home, shown};
use iflow2api::config::{Resolved, Upstream};
use iflow2api::secret::Secret;

fn upstream(name: &str, preset: &str, base_url: Option<&str>, key: Option<&str>) -> Upstream {
    Upstream {
        name: name.to_owned(),
        preset: preset.to_owned(),
        base_url: base_url.map(str::to_owned),
        elsewhere: false,
        key: key.map(Secret::new),
        stored: false,
        key_origin: None,
        named_only: false,
        headers: Vec::new(),
        models: Vec::new(),
        max_output: None,
        context_window: None,
        prefix: None,
        max_concurrent: None,
        max_queue: None,
        anthropic_base_url: None,
        wire: None,
        proxy: None,
        ca_file: None,
    }
}

/// The upstreams that are set up, and the default one. Where their keys and addresses come from is told by others.
fn of(resolved: &Resolved) -> (Vec<Upstream>, Option<&str>) {
    let mut upstreams = resolved.config.upstreams.clone();
    for upstream in &mut upstreams {
        upstream.key_origin = None;
        upstream.elsewhere = false;
    }
    (upstreams, resolved.config.default_upstream.as_deref())
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
    assert_eq!(of(&resolved), (vec![upstream("zai", "zai", Some("https://zai.test/v4"), None)], Some("zai")));
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
            vec!["first", "second", "env", "third", "iflow"],
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
    assert_eq!(of(&resolved), (vec![upstream("first", "openai", None, None), flag], Some("flag")));
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
    for (table, preset, base_url) in [
        ("[upstream.mine]\npreset = \"zai\"", "zai", Some("https://zai.test/v4")),
        ("[upstream.zai]\nbase_url = \"http://h/v1\"", "zai", Some("http://h/v1")),
        ("[upstream.office]\nbase_url = \"http://h/v1\"", "openai", Some("http://h/v1")),
        ("[upstream.office]", "openai", None),
    ] {
        let resolved = Home::new().file(table).resolve();
        let found = &resolved.config.upstreams[0];
        assert_eq!((found.preset.as_str(), found.base_url.as_deref()), (preset, base_url), "{table}");
        assert_eq!(found.elsewhere, table.contains("base_url"));
    }
    let (message, hint) = Home::new().file("[upstream.office]\npreset = \"zia\"").refusal();
    assert_eq!(message, "`upstream.office.preset` must be a preset, not `zia`");
    assert_eq!(hint, "did you mean `zai`?");
}

#[test]
fn a_key_in_the_environment_sets_its_provider_up() {
    let names = |home: Home| {
        let config = home.resolve().config;
        let shown = |upstream: &Upstream| {
            format!("{}{}", upstream.name, if upstream.named_only { " by name" } else { "" })
        };
        (config.upstreams.iter().map(shown).collect::<Vec<_>>().join(", "), config.default_upstream)
    };
    let default = |name: &str| Some(name.to_owned());
    for (variables, upstreams, chosen) in [
        (&["ZAI_API_KEY"][..], "zai", "zai"),
        (&["DEEPSEEK_API_KEY", "ZAI_API_KEY"], "zai, deepseek", "zai"),
        (&["IFLOW_API_KEY", "DEEPSEEK_API_KEY"], "deepseek, iflow", "deepseek"),
        (&["ZHIPU_API_KEY"], "zai, bigmodel by name", "zai"),
    ] {
        let home = variables.iter().fold(Home::new(), |home, name| home.variable(name, "sk-a"));
        assert_eq!(names(home), (upstreams.to_owned(), default(chosen)), "{variables:?}");
    }
    // Every tool sets this one.
    assert_eq!(names(Home::new().variable("OPENAI_API_KEY", "sk-a")), (String::new(), None));
    let named = Home::new().variable("OPENAI_API_KEY", "sk-a").upstream_flag("openai").resolve();
    assert_eq!(named.config.upstreams[0].key, Some(Secret::new("sk-a")));
    // Nor does a server of the user's own get OpenAI's key.
    let own = "[upstream.own]\nbase_url = \"http://h/v1\"\npreset = \"openai\"";
    let own = Home::new().variable("OPENAI_API_KEY", "sk-a").file(own).resolve();
    assert_eq!(own.config.upstreams[0].key, None);
    // The one that is named has the variable, and nobody else is set up by it.
    let named = Home::new().variable("ZHIPU_API_KEY", "sk-a").upstream_flag("bigmodel");
    assert_eq!(names(named), ("bigmodel, zai by name".to_owned(), default("bigmodel")));
    let file =
        Home::new().variable("DEEPSEEK_API_KEY", "sk-a").file("[upstream.own]\nbase_url = \"http://h\"");
    assert_eq!(names(file), ("own, deepseek".to_owned(), default("own")));
    let resolved = Home::new().variable("DEEPSEEK_API_KEY", "sk-a").resolve();
    assert_eq!(resolved.config.upstreams[0].key_origin.as_deref(), Some("DEEPSEEK_API_KEY"));
}

#[test]
fn an_engine_on_this_machine_is_there_where_something_names_it() {
    let names = |home: Home| {
        let upstreams = home.resolve().config.upstreams;
        upstreams.iter().map(|up| (up.name.clone(), up.named_only)).collect::<Vec<_>>()
    };
    let zai = || Home::new().variable("ZAI_API_KEY", "sk-a");
    let both = vec![("zai".to_owned(), false), ("ollama".to_owned(), true)];
    assert_eq!(names(zai()), both[..1]);
    assert_eq!(names(zai().file("[fallback]\n\"glm-*\" = [\"ollama/qwen3\"]")), both);
    assert_eq!(names(zai().file("[alias]\nsmall = \"ollama/qwen3\"")), both);
    assert_eq!(names(zai().file("vision_model = \"ollama/qwen3\"")), both);
    let mut home = zai();
    home.flags.model = Some("ollama/qwen3".to_owned());
    assert_eq!(names(home), both);
    // A provider that needs a key is meant only where it has one: its name may begin another one's model.
    assert_eq!(names(zai().file("[alias]\nsmall = \"deepseek/v4\"")), both[..1]);
}

#[test]
fn the_settings_of_iflow_may_be_about_any_other_server() {
    let settings =
        r#"{"selectedAuthType": "openai-compatible", "apiKey": "sk-a", "baseUrl": "http://h:1/v1"}"#;
    let resolved = Home::new().iflow_settings(settings).resolve();
    let expected = upstream("iflow", "openai", Some("http://h:1/v1"), Some("sk-a"));
    assert_eq!(of(&resolved), (vec![expected], Some("iflow")));
    let settings = r#"{"selectedAuthType": "openai-compatible", "apiKey": "sk-a"}"#;
    assert_eq!(Home::new().iflow_settings(settings).resolve().config.upstreams[0].preset, "iflow");
}
