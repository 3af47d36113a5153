//! The files that are made from the program itself: completions, manual pages, and the table of
//! settings in the README. `UPDATE_GENERATED=1 cargo test generated` writes them anew.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use iflow2api::config::keys::{AUTH_SETTINGS, PATTERN_SETTINGS, SETTINGS, UPSTREAM_SETTINGS, VARIABLES};
use iflow2api::policy::presets::Catalogue;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// File names and what the files hold.
type Files = BTreeMap<String, String>;

const EXIT_STATUS: [(&str, &str); 7] = [
    ("0", "done"),
    ("1", "refused or failed; a port that is taken, too"),
    ("2", "a setting or an argument is wrong"),
    ("4", "no upstream is set up, or the key is missing, refused or not allowed this"),
    ("5", "the upstream failed, or cannot be reached"),
    ("6", "a rate limit or a quota"),
    ("130", "interrupted"),
];

/// What others have named and we obey.
const COMMON_VARIABLES: [(&str, &str); 4] = [
    ("NO_COLOR", "if it is not empty, nothing is coloured unless `--color always` says so"),
    ("RUST_LOG", "what is logged, in place of `--verbose` and `--quiet`"),
    (
        "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "the proxy on the way to upstreams; none is used for loopback",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "the CA certificates to trust, in place of the system's"),
];

const FILES: [(&str, &str); 5] = [
    (
        "~/.config/iflow2api/config.toml",
        "the settings; below $XDG_CONFIG_HOME if that is set, and elsewhere on other systems: `iflow2api config path` \
         says where",
    ),
    (
        "~/.config/iflow2api/credentials.json",
        "keys and logins, beside the settings; written by `iflow2api auth`, and for its owner alone",
    ),
    (
        "~/.local/share/iflow2api/chats/",
        "conversations of `chat`, a file each; below $XDG_DATA_HOME if that is set",
    ),
    ("~/.iflow/oauth_creds.json", "iFlow's login, which its other clients read and write too"),
    (
        "~/.iflow/settings.json",
        "`apiKey` and `baseUrl` in it are read as the upstream `iflow`; the file is never written",
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_GENERATED").is_some()
}

/// Compares a directory with what it should hold, no file more and none less; or writes it.
fn check(directory: &str, expected: &Files) {
    let directory = root().join(directory);
    if is_update() {
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in expected {
            fs::write(directory.join(name), text).unwrap();
        }
    }
    let found = files_of(&directory);
    let differs = |name: &&String| found.get(*name) != expected.get(*name);
    let stale: Vec<&String> = expected.keys().chain(found.keys()).filter(differs).collect();
    assert!(
        stale.is_empty(),
        "not what the program says today: {stale:?} in {}; run `UPDATE_GENERATED=1 cargo test generated`",
        directory.display()
    );
}

fn files_of(directory: &Path) -> Files {
    let Ok(entries) = fs::read_dir(directory) else { return Files::new() };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap().replace("\r\n", "\n"))
        })
        .collect()
}

#[test]
fn completions_are_what_the_program_says_today() {
    let mut expected = Files::new();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        let mut text = Vec::new();
        let mut command = iflow2api::cli::command();
        clap_complete::generate(shell, &mut command, "iflow2api", &mut text);
        let name = clap_complete::Generator::file_name(&shell, "iflow2api");
        expected.insert(name, String::from_utf8(text).unwrap());
    }
    check("completions", &expected);
}

#[test]
fn manual_pages_are_what_the_program_says_today() {
    let mut command = iflow2api::cli::command();
    command.build();
    let mut expected = Files::new();
    add_pages(&command, true, &mut expected);
    check("man", &expected);
}

/// The page of a command and of all below it.
fn add_pages(command: &Command, is_top: bool, pages: &mut Files) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        add_pages(below, false, pages);
    }
    // What clap prints around the help are sections of their own here.
    let bare = command.clone().before_help(None::<&str>).after_help(None::<&str>);
    let page = Man::new(bare)
        .title(command.get_display_name().unwrap_or(command.get_name()).to_uppercase())
        .source(concat!("iflow2api ", env!("CARGO_PKG_VERSION")))
        .manual("iflow2api manual");
    let mut text = Vec::new();
    page.render(&mut text).unwrap();
    let mut more = Roff::new();
    if is_top {
        list(&mut more, "EXIT STATUS", EXIT_STATUS);
        list(&mut more, "ENVIRONMENT", variables());
        list(&mut more, "FILES", FILES);
    }
    for help in [command.get_after_help(), command.get_before_help()].into_iter().flatten() {
        verbatim(&mut more, &help.to_string());
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    // The preamble stands at the top of the page already.
    let more = more.render();
    let (_, more) = more.split_once(".el .ds Aq '\n").expect("roff begins with its preamble");
    pages.insert(format!("{name}.1"), portable(&(String::from_utf8(text).unwrap() + more)));
}

/// A page that every roff reads alike: its empty date kept as an argument, so that what follows it
/// is not taken for one, and no character beyond ASCII.
fn portable(page: &str) -> String {
    let page = page.replacen(" 1  \"", " 1 \"\" \"", 1);
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    page.chars().map(escaped).collect()
}

/// All variables, the plain settings first.
fn variables() -> Vec<(String, String)> {
    let settings = SETTINGS.iter().map(|setting| {
        let default = setting.default.filter(|default| !default.is_empty());
        let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        (setting.variable(), format!("`{}`: {}{default}", setting.name, setting.help))
    });
    let ours = VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.help.to_owned()));
    let common = COMMON_VARIABLES.iter().map(|(name, help)| ((*name).to_owned(), (*help).to_owned()));
    settings.chain(ours).chain(common).collect()
}

/// A section of terms, each with what it means.
fn list<T: Into<String>, U: Into<String>>(
    roff: &mut Roff,
    heading: &str,
    rows: impl IntoIterator<Item = (T, U)>,
) {
    roff.control("SH", [heading]);
    for (term, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(meaning)]);
    }
}

/// `Heading:` and the lines below it, as a section that is not filled.
fn verbatim(roff: &mut Roff, help: &str) {
    let (heading, lines) = help.split_once(":\n").unwrap_or(("Notes", help));
    roff.control("SH", [heading.to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
}

/// Compares the part of the README between two markers with what the program says, or writes it anew.
fn check_part(name: &str, expected: &str) {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let (before, rest) = readme.split_once(&begin).expect("the README has the marker of the table's begin");
    let (found, after) = rest.split_once(&end).expect("the README has the marker of the table's end");
    if is_update() {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, expected, "run `UPDATE_GENERATED=1 cargo test generated`");
    }
}

#[test]
fn the_tables_in_the_readme_are_those_of_the_program() {
    check_part("settings", &settings_table());
    check_part("presets", &presets_table());
}

fn presets_table() -> String {
    let mut table = String::from(
        "| preset | provider | key | address | `/v1/messages` |\n| --- | --- | --- | --- | --- |\n",
    );
    let catalogue = Catalogue::built_in();
    for name in catalogue.names().into_iter().filter(|name| *name != "demo") {
        let provider = catalogue.provider(name);
        let key =
            provider.key_variables().first().map(|variable| format!("`{variable}`")).unwrap_or_default();
        let ended = provider.retired().map(|day| format!(", ended {day}")).unwrap_or_default();
        let plan = provider.terms().map(|_| " (see its terms)").unwrap_or_default();
        let wire = if provider.anthropic_base_url().is_some() { "passed on" } else { "translated" };
        let address = provider.base_url().unwrap_or_default();
        table.push_str(&format!(
            "| `{name}` | {}{plan}{ended} | {key} | `{address}` | {wire} |\n",
            provider.name()
        ));
    }
    table
}

fn settings_table() -> String {
    let mut table =
        String::from("| setting | variable | flag | default | meaning |\n| --- | --- | --- | --- | --- |\n");
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    for setting in SETTINGS {
        table.push_str(&format!(
            "| `{}` | `{}` | {} | {} | {} |\n",
            setting.name,
            setting.variable(),
            code(setting.flag.unwrap_or_default()),
            code(setting.default.unwrap_or_default()),
            setting.help,
        ));
    }
    for setting in PATTERN_SETTINGS {
        table.push_str(&format!("| `{}` | | | | {} |\n", setting.name, setting.help));
    }
    for setting in AUTH_SETTINGS {
        let (name, variable) = (setting.name, setting.variable_of("name"));
        table.push_str(&format!("| `auth.NAME.{name}` | `{variable}` | | | {} |\n", setting.help));
    }
    for setting in UPSTREAM_SETTINGS {
        table.push_str(&format!("| `upstream.NAME.{}` | | | | {} |\n", setting.name, setting.help));
    }
    table
}
