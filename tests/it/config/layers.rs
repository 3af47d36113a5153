//! Defaults, file, environment and flags: which wins, and what each of them may say.

use super::{Home, presets, said, shown};
use iflow2api::config::keys::{AUTH_SETTINGS, SETTINGS, UPSTREAM_SETTINGS, VARIABLES};
use iflow2api::config::{
    self, Auth, Chat, Circuit, Config, Context, Continuation, Paths, Retry, Server, Sources, Timeouts,
};
use iflow2api::error::ErrorKind;
use iflow2api::secret::Secret;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

fn expected_defaults() -> Config {
    Config {
        server: Server {
            host: "127.0.0.1".parse().unwrap(),
            port: 8000,
            keys: Vec::new(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_body: 32 * 1024 * 1024,
            drain: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            body_time_per_mib: Duration::from_secs(1),
            stall: Duration::from_secs(60),
        },
        retry: Retry { retries: 3, delays: [1, 2, 3].map(Duration::from_secs).to_vec(), budget: 20 },
        circuit: Circuit { failures: 5, wait: Duration::from_secs(5), longest_wait: Duration::from_secs(60) },
        continuation: Continuation { mode: "auto".to_owned(), rounds: 5, rescue: "on".to_owned() },
        context: Context { mode: "auto".to_owned(), keep_turns: 10 },
        timeout: Timeouts {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            hold: Duration::from_secs(8),
            ping: Duration::from_secs(10),
        },
        chat: Chat { save: "on".to_owned() },
        auth: Auth {
            refresh_before: Duration::from_secs(45 * 3600),
            store: "file".to_owned(),
            logins: Vec::new(),
        },
        upstreams: Vec::new(),
        default_upstream: None,
        default_model: None,
        vision_model: None,
        aliases: Vec::new(),
        prompts: Vec::new(),
        fallbacks: Vec::new(),
    }
}

/// Each setting that stands once: as in the file, as in the environment, and as it is shown.
const EACH: &[(&str, &str, &str, &str)] = &[
    ("default_upstream", "\"zai\"", "zai", "zai"),
    ("default_model", "\"glm-4.7\"", "glm-4.7", "glm-4.7"),
    ("vision_model", "\"glm-4.6v\"", "glm-4.6v", "glm-4.6v"),
    ("server.host", "\"::1\"", "::1", "::1"),
    ("server.port", "9", "9", "9"),
    ("server.keys", "[\"sk-0123456789\", \"short\"]", " sk-0123456789, short,", "…6789,…"),
    ("server.allowed_hosts", "[\"a.example\", \"b\"]", "a.example,b", "a.example,b"),
    ("server.allowed_origins", "[\"https://a.example\"]", "https://a.example", "https://a.example"),
    ("server.max_body", "\"10MB\"", "10MB", "10MB"),
    ("server.drain", "\"1m30s\"", "1m30s", "1m30s"),
    ("server.body_time", "\"5s\"", "5s", "5s"),
    ("server.body_time_per_mib", "\"2s\"", "2s", "2s"),
    ("server.stall", "\"7s\"", "7s", "7s"),
    ("retry.retries", "0", "0", "0"),
    ("retry.delays", "[\"10ms\", \"1m\"]", "10ms,1m", "10ms,1m"),
    ("retry.budget", "100", "100", "100"),
    ("circuit.failures", "2", "2", "2"),
    ("circuit.wait", "\"1s\"", "1s", "1s"),
    ("circuit.longest_wait", "\"3s\"", "3s", "3s"),
    ("continuation.mode", "\"always\"", "always", "always"),
    ("continuation.rounds", "2", "2", "2"),
    ("continuation.rescue", "\"off\"", "off", "off"),
    ("context.mode", "\"window\"", "window", "window"),
    ("context.keep_turns", "3", "3", "3"),
    ("timeout.connect", "\"500ms\"", "500ms", "500ms"),
    ("timeout.first_byte", "\"45h\"", "45h", "45h"),
    ("timeout.idle", "\"1d\"", "1d", "1d"),
    ("timeout.hold", "\"0s\"", "0s", "0s"),
    ("chat.save", "false", "no", "off"),
    ("auth.refresh_before", "\"10m\"", "10m", "10m"),
    ("auth.store", "\"keyring\"", "keyring", "keyring"),
    ("timeout.ping", "\"2s\"", "2s", "2s"),
];

fn expected_each() -> Config {
    let mut config = expected_defaults();
    config.server = Server {
        host: "::1".parse().unwrap(),
        port: 9,
        keys: vec![Secret::new("sk-0123456789"), Secret::new("short")],
        allowed_hosts: vec!["a.example".to_owned(), "b".to_owned()],
        allowed_origins: vec!["https://a.example".to_owned()],
        max_body: 10_000_000,
        drain: Duration::from_secs(90),
        body_time: Duration::from_secs(5),
        body_time_per_mib: Duration::from_secs(2),
        stall: Duration::from_secs(7),
    };
    config.circuit =
        Circuit { failures: 2, wait: Duration::from_secs(1), longest_wait: Duration::from_secs(3) };
    config.continuation = Continuation { mode: "always".to_owned(), rounds: 2, rescue: "off".to_owned() };
    config.context = Context { mode: "window".to_owned(), keep_turns: 3 };
    config.timeout = Timeouts {
        connect: Duration::from_millis(500),
        first_byte: Duration::from_secs(45 * 3600),
        idle: Duration::from_secs(24 * 3600),
        hold: Duration::ZERO,
        ping: Duration::from_secs(2),
    };
    let delays = vec![Duration::from_millis(10), Duration::from_secs(60)];
    config.retry = Retry { retries: 0, delays, budget: 100 };
    config.chat.save = "off".to_owned();
    config.auth.refresh_before = Duration::from_secs(600);
    config.auth.store = "keyring".to_owned();
    config.default_model = Some("glm-4.7".to_owned());
    config.default_upstream = Some("zai".to_owned());
    config.vision_model = Some("glm-4.6v".to_owned());
    config
}

#[test]
fn without_any_source_the_defaults_hold() {
    let resolved = Home::new().resolve();
    assert_eq!(resolved.config, expected_defaults());
    assert_eq!(resolved.config, Config::default());
    assert_eq!(resolved.warnings, Vec::<String>::new());
    assert_eq!(shown(&resolved, "server.max_body"), ("32MiB".to_owned(), "default".to_owned()));
    assert_eq!(shown(&resolved, "default_model"), (String::new(), "default".to_owned()));
}

#[test]
fn each_setting_can_come_from_the_file() {
    assert_eq!(EACH.len(), SETTINGS.len(), "a setting has no row in this table");
    // Dotted names, so that the rows can stand in any order.
    let lines = EACH.iter().map(|(name, file, ..)| format!("{name} = {file}\n"));
    let home = Home::new().file(&lines.collect::<String>());
    let resolved = home.resolve();
    let mut config = resolved.config.clone();
    config.upstreams.clear();
    assert_eq!(config, expected_each());
    for (name, _, _, expected) in EACH {
        let origin = format!("file {}", home.path().display());
        assert_eq!(shown(&resolved, name), ((*expected).to_owned(), origin), "{name}");
    }
}

#[test]
fn each_setting_can_come_from_the_environment() {
    let mut home = Home::new();
    for (name, _, text, _) in EACH {
        let setting = SETTINGS.iter().find(|setting| setting.name == *name).unwrap();
        home = home.variable(setting.variable().leak(), text);
    }
    let resolved = home.resolve();
    let mut config = resolved.config.clone();
    config.upstreams.clear();
    assert_eq!(config, expected_each());
    for (name, _, _, expected) in EACH {
        let variable = format!("IFLOW2API_{}", name.replace('.', "_").to_uppercase());
        let origin = format!("environment {variable}");
        assert_eq!(shown(&resolved, name), ((*expected).to_owned(), origin), "{name}");
    }
}

#[test]
fn the_later_source_wins_value_by_value() {
    let mut home = Home::new()
        .file("default_model = \"file\"\n[server]\nport = 1\nhost = \"127.0.0.2\"\ndrain = \"1s\"\n")
        .variable("IFLOW2API_SERVER_PORT", "2")
        .variable("IFLOW2API_SERVER_HOST", "127.0.0.3");
    home.flags.port = Some(3);
    let resolved = home.resolve();
    let file = format!("file {}", home.path().display());
    let table = [
        ("server.port", "3", "flag --port"),
        ("server.host", "127.0.0.3", "environment IFLOW2API_SERVER_HOST"),
        ("server.drain", "1s", file.as_str()),
        ("server.max_body", "32MiB", "default"),
        ("default_model", "file", file.as_str()),
    ];
    for (name, value, origin) in table {
        assert_eq!(shown(&resolved, name), (value.to_owned(), origin.to_owned()), "{name}");
    }
    assert_eq!(resolved.config.server.port, 3);
    assert_eq!(resolved.config.server.host, "127.0.0.3".parse::<std::net::IpAddr>().unwrap());
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let home = Home::new().variable("IFLOW2API_SERVER_PORT", "").variable("IFLOW2API_BASE_URL", " ");
    assert_eq!(home.resolve().config, expected_defaults());
}

#[test]
fn a_bad_variable_or_flag_is_named() {
    let duration = "write numbers with a unit of `ms`, `s`, `m`, `h` or `d`, as in `30s` or `1m30s`";
    let size = "write a number of bytes, or one with a unit such as `KiB`, `MiB`, `GiB` or `MB`";
    let address = "for example `127.0.0.1`, `::1`, or `0.0.0.0` for all";
    let table = [
        ("SERVER_PORT", "70000", "must be a number from 0 to 65535, not 70000", ""),
        ("SERVER_PORT", "http", "must be a number from 0 to 65535, not `http`", ""),
        ("SERVER_PORT", "-1", "must be a number from 0 to 65535, not `-1`", ""),
        ("SERVER_HOST", "localhost", "must be an IP address, not `localhost`", address),
        ("SERVER_DRAIN", "30", "must be a duration, not `30`", duration),
        ("SERVER_DRAIN", "1.5s", "must be a duration, not `1.5s`", duration),
        ("SERVER_DRAIN", "s", "must be a duration, not `s`", duration),
        ("SERVER_DRAIN", "1 fortnight", "must be a duration, not `1 fortnight`", duration),
        (
            "SERVER_DRAIN",
            "99999999999999999999s",
            "must be a duration, not `99999999999999999999s`",
            duration,
        ),
        ("SERVER_DRAIN", "999999999999d", "must be a duration, not `999999999999d`", duration),
        ("SERVER_MAX_BODY", "32 pages", "must be a size, not `32 pages`", size),
        ("SERVER_MAX_BODY", "99999999999GiB", "must be a size, not `99999999999GiB`", size),
        (
            "DEFAULT_UPSTREAM",
            "a/b",
            "must be an upstream's name, not `a/b`",
            "a name is made of letters, digits, `-` and `_`",
        ),
    ];
    for (name, text, message, hint) in table {
        let variable: &'static str = format!("IFLOW2API_{name}").leak();
        let home = Home::new().variable(variable, text);
        assert_eq!(home.refusal(), (format!("`{variable}` {message}"), hint.to_owned()), "{text}");
    }
    let mut home = Home::new();
    home.flags.host = Some("here".to_owned());
    assert_eq!(home.refusal(), ("`--host` must be an IP address, not `here`".to_owned(), address.to_owned()));
}

#[test]
fn sizes_and_durations_are_read_with_their_units() {
    let sizes = [
        ("4096", 4096),
        ("1B", 1),
        ("2kB", 2000),
        ("2KiB", 2048),
        ("32MiB", 33_554_432),
        ("32 mib", 33_554_432),
        ("10MB", 10_000_000),
        ("1GiB", 1_073_741_824),
        ("1GB", 1_000_000_000),
    ];
    for (text, expected) in sizes {
        let resolved = Home::new().variable("IFLOW2API_SERVER_MAX_BODY", text).resolve();
        assert_eq!(resolved.config.server.max_body, expected, "{text}");
    }
    let durations = [("0s", 0), ("500ms", 500), ("1m30s", 90_000), ("1h 5m", 3_900_000), ("2d", 172_800_000)];
    for (text, expected) in durations {
        let resolved = Home::new().variable("IFLOW2API_SERVER_DRAIN", text).resolve();
        assert_eq!(resolved.config.server.drain, Duration::from_millis(expected), "{text}");
    }
}

#[test]
fn every_name_and_variable_stands_for_one_thing() {
    let names: HashSet<String> = SETTINGS
        .iter()
        .flat_map(|setting| [setting.name.to_owned(), setting.variable()])
        .chain(VARIABLES.iter().map(|variable| variable.name.to_owned()))
        .chain(UPSTREAM_SETTINGS.iter().map(|setting| format!("upstream.NAME.{}", setting.name)))
        .chain(
            AUTH_SETTINGS
                .iter()
                .flat_map(|setting| [format!("auth.NAME.{}", setting.name), setting.variable_of("x")]),
        )
        .collect();
    assert_eq!(
        names.len(),
        2 * (SETTINGS.len() + AUTH_SETTINGS.len()) + VARIABLES.len() + UPSTREAM_SETTINGS.len()
    );
    assert!(SETTINGS.iter().all(|setting| !setting.help.is_empty() && !setting.help.ends_with('.')));
}

#[test]
fn show_lists_every_setting_and_masks_secrets() {
    let resolved = Home::new()
        .file(concat!(
            "[server]\nkeys = [\"caller-secret-1234\"]\n",
            "[upstream.zai]\nkey = \"sk-upstream-secret-5678\"\nmodels = [\"a\", \"b\"]\n",
            "[upstream.zai.headers]\nx-team = \"header-secret-9012\"\n[upstream.zai2]\n",
        ))
        .resolve();
    let entries = config::show(&resolved);
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut expected: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    expected.extend([
        "upstream.zai.preset",
        "upstream.zai.base_url",
        "upstream.zai.key",
        "upstream.zai.models",
    ]);
    expected.extend(["upstream.zai.headers.x-team", "upstream.zai2.preset"]);
    assert_eq!(names, expected);
    let value = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name).unwrap();
        entry.value.clone().unwrap()
    };
    assert_eq!(value("default_upstream").to_string(), "zai");
    assert_eq!(value("server.keys").to_string(), "…1234");
    assert_eq!(value("upstream.zai.key").to_json(), serde_json::json!("…5678"));
    assert_eq!(value("upstream.zai.headers.x-team").to_string(), "…9012");
    assert_eq!(value("upstream.zai.key").revealed().to_string(), "sk-upstream-secret-5678");
    assert_eq!(value("server.port").to_json(), serde_json::json!(8000));
    let printed = format!("{entries:?} {resolved:?}");
    assert!(!printed.contains("secret-"), "{printed}");
}

#[test]
fn an_unknown_name_is_answered_with_near_ones() {
    let home = Home::new().file("[upstream.zai]\n");
    let resolved = home.resolve();
    let table = [
        ("server.prot", "there is no setting `server.prot`", "did you mean `server.port`?"),
        ("port", "there is no setting `port`", "did you mean `server.port`?"),
        ("defualt_model", "there is no setting `defualt_model`", "did you mean `default_model`?"),
        ("upstream.zai.kye", "there is no setting `upstream.zai.kye`", "did you mean `upstream.zai.key`?"),
        ("colour", "there is no setting `colour`", "`iflow2api config show` lists the settings"),
        ("upstream.zia.key", "no upstream `zia` is set up", "did you mean `zai`?"),
    ];
    for (name, message, hint) in table {
        let error = config::get(&resolved, name).unwrap_err();
        assert_eq!(said(&error, &home), (message.to_owned(), hint.to_owned()), "{name}");
    }
    let error = config::get(&resolved, "server").unwrap_err();
    assert_eq!(said(&error, &home).0, "`server` is a table of settings, not a setting");
}

#[test]
fn a_named_file_wins_over_the_usual_one_and_must_exist() {
    let home = Home::new().file("[server]\nport = 1\n");
    let other = home.directory.path().join("other.toml");
    let paths = home.paths().with_config(&other);
    let resolve = || {
        let flags = Default::default();
        let stored = |_: &Paths| Default::default();
        let sources = Sources { paths: paths.clone(), environment: &|_| None, flags, presets, stored };
        config::resolve(&sources)
    };
    let error = resolve().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(error.message(), format!("`{}` does not exist", other.display()));
    std::fs::write(&other, "[server]\nport = 2\n").unwrap();
    assert_eq!(resolve().unwrap().config.server.port, 2);
}

#[test]
fn the_flag_names_the_file_before_the_variable_does() {
    let environment = |name: &str| (name == "IFLOW2API_CONFIG").then(|| "/variable.toml".to_owned());
    let path = |flag: Option<&str>| {
        let paths = Paths::of_user(flag.map(Path::new), &environment);
        paths.config().unwrap().to_path_buf()
    };
    assert_eq!(path(Some("/flag.toml")), Path::new("/flag.toml"));
    assert_eq!(path(None), Path::new("/variable.toml"));
    assert_eq!(Paths::default().config().unwrap_err().kind(), ErrorKind::Usage);
}
