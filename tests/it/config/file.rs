//! What is wrong in a file is told with its line and column.

use super::Home;

#[test]
fn each_fault_of_the_file_is_told_with_its_place() {
    let duration = "write numbers with a unit of `ms`, `s`, `m`, `h` or `d`, as in `30s` or `1m30s`";
    let table = [
        (
            "# one\n[server]\n       prot = 1\n",
            "line 3, column 8: unknown setting `prot`",
            "did you mean `server.port`?",
        ),
        ("[sever]\nport = 1\n", "line 1, column 2: unknown setting `sever`", "did you mean `server`?"),
        ("port = 1\n", "line 1, column 1: unknown setting `port`", "did you mean `server.port`?"),
        (
            "\"server.port\" = 1\n",
            "line 1, column 1: unknown setting `server.port`",
            "did you mean `server.port`?",
        ),
        (
            "upstream.zai.kee = \"\"\n",
            "line 1, column 14: unknown setting `kee`",
            "did you mean `upstream.zai.key`?",
        ),
        ("server = 1\n", "line 1, column 10: `server` must be a table", ""),
        ("[[upstream]]\n", "line 1, column 1: `upstream` must be a table", ""),
        (
            "[upstream.\"a.b\"]\n",
            "line 1, column 11: `a.b` cannot be an upstream's name",
            "a name is made of letters, digits, `-` and `_`",
        ),
        ("[server]\nport = true\n", "line 2, column 8: `server.port` must be a number from 0 to 65535", ""),
        ("[server]\nport = \"80\"\n", "line 2, column 8: `server.port` must be a number from 0 to 65535", ""),
        ("[server]\nport = -1\n", "line 2, column 8: `server.port` must be a number from 0 to 65535", ""),
        (
            "[server]\nport = 65536\n",
            "line 2, column 8: `server.port` must be a number from 0 to 65535, not 65536",
            "",
        ),
        ("[server]\nkeys = \"a\"\n", "line 2, column 8: `server.keys` must be a list of texts", ""),
        ("[server]\nkeys = [1]\n", "line 2, column 8: `server.keys` must be a list of texts", ""),
        ("[server]\nkeys = [\"\"]\n", "line 2, column 8: `server.keys` must not be empty", ""),
        ("default_model = 4.7\n", "line 1, column 17: `default_model` must be a text", ""),
        ("default_model = \" \"\n", "line 1, column 17: `default_model` must not be empty", ""),
        (
            "timeout.idle = 30\n",
            "line 1, column 16: `timeout.idle` must be a duration as a text with a unit, such as \"30s\"",
            "",
        ),
        (
            "timeout.idle = \"30\"\n",
            "line 1, column 16: `timeout.idle` must be a duration, not `30`",
            duration,
        ),
        (
            "[upstream.é]\n",
            "line 1, column 11: invalid unquoted key, expected letters, numbers, `-`, `_`",
            "",
        ),
        (
            "[upstream.a]\nheaders = { \"a b\" = \"c\" }\n",
            "line 2, column 21: `upstream.a.headers.a b` must bear the name of a header, such as `x-team`",
            "",
        ),
        (
            "[upstream.a]\nmax_output = 0\n",
            "line 2, column 14: `upstream.a.max_output` must be at least 1",
            "",
        ),
        (
            "[upstream.a]\nkey = \"a\\nb\"\n",
            "line 2, column 7: `upstream.a.key` must be one line without control characters",
            "",
        ),
        (
            "[upstream.a]\nbase_url = \"h:1\"\n",
            "line 2, column 12: `upstream.a.base_url` must begin with `http://` or `https://`",
            "write it like `https://api.example.com/v1`",
        ),
    ];
    for (text, message, hint) in table {
        let home = Home::new().file(text);
        assert_eq!(home.refusal(), (format!("`config.toml` {message}"), hint.to_owned()), "{text}");
        assert_eq!(home.text(), text);
    }
}

#[test]
fn a_syntax_error_repeats_nothing_of_the_file() {
    let home = Home::new().file("[upstream.a]\nkey = \"sk-very-secret\nmodels = []\n");
    let error = home.try_resolve().unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(error.message().contains("config.toml` line 2, column "), "{printed}");
    assert!(!printed.contains("very-secret"), "{printed}");
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let home = Home::new().file("");
    std::fs::write(home.path(), b"\xff\xfe").unwrap();
    assert_eq!(home.refusal(), ("`config.toml` cannot be read".to_owned(), String::new()));
}

#[cfg(unix)]
#[test]
fn a_file_with_a_key_that_others_can_read_is_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let table = [
        ("[upstream.a]\nkey = \"k\"\n", 0o644, 1),
        ("[upstream.a]\nkey = \"k\"\n", 0o600, 0),
        ("[server]\nkeys = [\"k\"]\n", 0o640, 1),
        ("[upstream.a]\nheaders.authorization = \"k\"\n", 0o604, 1),
        ("[upstream.a]\nbase_url = \"http://h\"\n", 0o644, 0),
    ];
    for (text, mode, expected) in table {
        let home = Home::new().file(text);
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = home.resolve().warnings;
        assert_eq!(warnings.len(), expected, "{text} {mode:o} {warnings:?}");
    }
}
