//! `config set` and `unset`: the rest of the file stays, and a failure leaves all of it.

use super::{Home, said};
use iflow2api::config;
use std::fs;

const FILE: &str = "\
# my gateway

# whom to ask
default_model = \"glm-4.7\" # the good one

[server] # how to reach it
# not 80
port   =  8000   # as ever
host = \"127.0.0.1\"

[upstream.zai]
key_env = \"ZAI_API_KEY\"

# the end
";

fn set(before: &str, name: &str, text: &str) -> String {
    let home = Home::new().file(before);
    config::set(&home.path(), name, text).unwrap();
    home.text()
}

#[test]
fn set_changes_one_value_and_keeps_the_rest() {
    let table = [
        ("server.port", "9", FILE.replace("8000", "9")),
        ("default_model", "glm-5", FILE.replace("glm-4.7", "glm-5")),
        (
            "server.keys",
            "a, b",
            FILE.replace("host = \"127.0.0.1\"\n", "host = \"127.0.0.1\"\nkeys = [\"a\", \"b\"]\n"),
        ),
        (
            "upstream.zai.base_url",
            "https://h/",
            FILE.replace("_KEY\"\n", "_KEY\"\nbase_url = \"https://h/v1\"\n"),
        ),
        (
            "upstream.zai.headers.x-team",
            "blue",
            FILE.replace("_KEY\"\n", "_KEY\"\nheaders = { x-team = \"blue\" }\n"),
        ),
        (
            "upstream.office.max_output",
            "8192",
            FILE.replace("\n# the end", "\n[upstream.office]\nmax_output = 8192\n\n# the end"),
        ),
        (
            "default_upstream",
            "zai",
            FILE.replace("the good one\n", "the good one\ndefault_upstream = \"zai\"\n"),
        ),
    ];
    for (name, text, expected) in table {
        assert_eq!(set(FILE, name, text), expected, "{name}");
    }
}

#[test]
fn set_finds_its_place_in_whatever_form_a_table_has() {
    let table = [
        (
            "server = { port = 1 } # here\n",
            "server.host",
            "::1",
            "server = { port = 1 , host = \"::1\" } # here\n",
        ),
        ("server.port = 1\n", "server.host", "::1", "server.port = 1\nserver.host = \"::1\"\n"),
        ("upstream = {}\n", "upstream.a.key", "k", "upstream = { a = { key = \"k\" } }\n"),
        ("# only this\n", "server.port", "1", "# only this\n[server]\nport = 1\n"),
        ("# only this", "default_model", "m", "# only this\ndefault_model = \"m\"\n"),
        ("", "upstream.a.key", "k", "[upstream.a]\nkey = \"k\"\n"),
        ("[upstream.a]\n", "upstream.a.headers.X.Y", "1", "[upstream.a]\nheaders = { \"X.Y\" = \"1\" }\n"),
    ];
    for (before, name, text, expected) in table {
        assert_eq!(set(before, name, text), expected, "{before}");
    }
}

#[test]
fn what_was_set_is_what_is_read() {
    let home = Home::new();
    for (name, text) in [
        ("server.keys", "caller-key-0001,caller-key-0002"),
        ("server.max_body", "1MiB"),
        ("upstream.zai.key", "sk-\"quoted\"\\"),
        ("upstream.zai.models", "a,b"),
    ] {
        config::set(&home.path(), name, text).unwrap();
        let resolved = home.resolve();
        let value = config::get(&resolved, name).unwrap().value.unwrap();
        assert_eq!(value.revealed().to_string(), text, "{name}");
    }
}

#[test]
fn unset_takes_one_setting_out_and_keeps_the_rest() {
    let table = [
        ("server.host", FILE.replace("host = \"127.0.0.1\"\n", ""), true),
        (
            "default_model",
            FILE.replace("# whom to ask\ndefault_model = \"glm-4.7\" # the good one\n", ""),
            true,
        ),
        ("upstream.zai", FILE.replace("[upstream.zai]\nkey_env = \"ZAI_API_KEY\"\n\n", ""), true),
        ("server.drain", FILE.to_owned(), false),
        ("upstream.office.key", FILE.to_owned(), false),
    ];
    for (name, expected, was_there) in table {
        let home = Home::new().file(FILE);
        assert_eq!(config::unset(&home.path(), name).unwrap(), was_there, "{name}");
        assert_eq!(home.text(), expected, "{name}");
    }
    let home = Home::new();
    assert!(!config::unset(&home.path(), "server.port").unwrap());
    assert!(!home.path().exists());
}

#[test]
fn a_value_that_cannot_be_read_is_not_written() {
    let table = [
        ("server.port", "http", "`server.port` must be a number from 0 to 65535, not `http`"),
        ("server.prot", "1", "there is no setting `server.prot`"),
        ("server", "1", "`server` is a table of settings, not a setting"),
        ("upstream.zai.headers", "1", "`upstream.zai.headers` is a table of settings, not a setting"),
        ("upstream.a b.key", "k", "there is no setting `upstream.a b.key`"),
        ("upstream.zai.key", "", "`upstream.zai.key` must not be empty"),
        ("default_upstream", "a/b", "`default_upstream` must be an upstream's name, not `a/b`"),
    ];
    for (name, text, message) in table {
        let home = Home::new().file(FILE);
        let error = config::set(&home.path(), name, text).unwrap_err();
        assert_eq!(said(&error, &home).0, message);
        assert_eq!(home.text(), FILE);
    }
}

#[test]
fn a_broken_file_is_refused_and_left_as_it_is() {
    for broken in ["[server\n", "[server]\nprot = 1\n", "[server]\nport = \"x\"\n"] {
        let home = Home::new().file(broken);
        let error = config::set(&home.path(), "server.host", "::1").unwrap_err();
        assert!(said(&error, &home).0.starts_with("`config.toml` line "), "{error}");
        let error = config::unset(&home.path(), "server.port").unwrap_err();
        assert!(said(&error, &home).0.starts_with("`config.toml` line "), "{error}");
        assert_eq!(home.text(), broken);
    }
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let home = Home::new();
    fs::create_dir_all(home.path()).unwrap();
    fs::write(home.path().join("kept"), "").unwrap();
    let error = config::set(&home.path(), "server.port", "1").unwrap_err();
    assert_eq!(said(&error, &home).0, "`config.toml` cannot be read");
    let names = |path: &std::path::Path| -> Vec<_> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(home.path().parent().unwrap()), ["config.toml"]);
    assert_eq!(names(&home.path()), ["kept"]);

    let home = Home::new().file(FILE);
    let below_a_file = home.path().join("config.toml");
    assert!(config::set(&below_a_file, "server.port", "1").is_err());
    assert_eq!(home.text(), FILE);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_and_its_directory_are_the_owners_alone() {
        let home = Home::new();
        config::set(&home.path(), "upstream.zai.key", "sk-a").unwrap();
        assert_eq!((mode(&home.path()), mode(home.path().parent().unwrap())), (0o600, 0o700));
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o644)).unwrap();
        config::set(&home.path(), "upstream.zai.key", "sk-b").unwrap();
        assert_eq!(mode(&home.path()), 0o600);
    }

    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let home = Home::new().file("");
        let target = home.directory.path().join("dotfiles.toml");
        fs::remove_file(home.path()).unwrap();
        symlink("../../dotfiles.toml", home.path()).unwrap();
        for port in ["1", "2"] {
            config::set(&home.path(), "server.port", port).unwrap();
            assert!(fs::symlink_metadata(home.path()).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap(), format!("[server]\nport = {port}\n"));
        }
    }

    #[test]
    fn a_circle_of_links_is_refused() {
        let home = Home::new().file("");
        fs::remove_file(home.path()).unwrap();
        symlink("config.toml", home.path()).unwrap();
        assert!(config::set(&home.path(), "server.port", "1").is_err());
    }
}
