//! `auth` on a pseudo-terminal: what stands on its screen at several widths, what its keys do, what never reaches the
//! screen, and how it leaves the terminal.

mod browser;
mod device;
mod keys;
mod lists;
mod paste;

use crate::support::client::{Answer, connect};
use crate::support::login::{CLIENT, Form, Login, SECRET};
use crate::support::program::{Setup, setup_in};
use crate::support::pty::{Key, Mode, Terminal};
use crate::support::upstream::Upstream;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use url::Url;

const ROWS: u16 = 30;

/// A home with two upstreams before one server: `mine` takes a key; the other, `corp` or `iflow`, has a login too.
struct Place {
    home: Arc<TempDir>,
    login: Login,
    server: Upstream,
    name: &'static str,
}

impl Place {
    async fn new(form: Form) -> Self {
        let (home, login) = (Arc::new(tempfile::tempdir().unwrap()), Login::new(form));
        let server = login.listen().await;
        let root = format!("http://{}", server.address());
        let (name, addresses) = match form {
            Form::Standard => (
                "corp",
                format!(
                    "authorize_url = \"{root}/oauth/authorize\"\ntoken_url = \"{root}/oauth/token\"\nclient_id = \"{CLIENT}\""
                ),
            ),
            Form::Iflow => (
                "iflow",
                format!(
                    "authorize_url = \"{root}/oauth\"\ntoken_url = \"{root}/oauth/token\"\n\
                     userinfo_url = \"{root}/api/oauth/getUserInfo\""
                ),
            ),
            Form::Openrouter => unreachable!("its screens are those of the others"),
        };
        let place = Self { home, login, server, name };
        place.write(&format!(
            "[upstream.{name}]\nbase_url = \"{root}/v1\"\nwire = \"openai\"\n\
             [upstream.mine]\nbase_url = \"{root}/v1\"\n[auth.{name}]\n{addresses}\n"
        ));
        place
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("config/iflow2api/config.toml")
    }

    fn write(&self, text: &str) {
        std::fs::create_dir_all(self.config().parent().unwrap()).unwrap();
        std::fs::write(self.config(), text).unwrap();
    }

    /// Writes further settings of the login behind the others.
    fn add(&self, line: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        self.write(&format!("{text}{line}\n"));
    }

    fn credentials(&self) -> PathBuf {
        self.home.path().join("config/iflow2api/credentials.json")
    }

    /// What is stored; nothing where there is no file.
    fn stored(&self) -> Value {
        read(&self.credentials())
    }

    /// The program on a machine with a screen, where any port will do for the answer.
    fn setup(&self, arguments: &[&str]) -> Setup {
        self.headless(arguments).env("DISPLAY", ":0")
    }

    fn headless(&self, arguments: &[&str]) -> Setup {
        let ports = format!("IFLOW2API_AUTH_{}_PORTS", self.name.to_uppercase());
        setup_in(&self.home, arguments).env(&ports, "any")
    }

    /// Begins a login without a browser; its address.
    async fn begin(&self, columns: u16) -> (Terminal, Url) {
        let login = ["auth", "login", self.name, "--no-browser"];
        let terminal = self.setup(&login).on_terminal(columns, ROWS);
        let address = address(&terminal).await;
        (terminal, address)
    }

    /// What is said at the end, behind who that is.
    fn logged_in(&self, who: &str, file: &Path) -> String {
        format!("Logged in at `{}`{who}; stored in `{}`", self.name, file.display())
    }
}

fn read(path: &Path) -> Value {
    std::fs::read(path).map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default()
}

/// The address that stands on a line of its own, which the program has not broken.
async fn address(terminal: &Terminal) -> Url {
    terminal.wait_for("the code: ".trim_end()).await;
    let raw = raw(terminal);
    let line = raw.lines().find(|line| line.starts_with("  http")).unwrap();
    Url::parse(line.trim()).unwrap()
}

fn raw(terminal: &Terminal) -> String {
    String::from_utf8(terminal.raw()).unwrap()
}

/// The port that a login's browser is sent back to.
fn port(address: &Url) -> u16 {
    let redirect = address.query_pairs().find(|(name, _)| name.starts_with("redirect")).unwrap().1;
    Url::parse(&redirect).unwrap().port().unwrap()
}

/// Lines as a terminal of so many columns breaks them.
fn wrapped(text: &str, columns: u16) -> String {
    let rows = text.lines().flat_map(|line| {
        let cells: Vec<char> = line.chars().collect();
        let rows: Vec<String> = cells.chunks(columns.into()).map(|row| row.iter().collect()).collect();
        if rows.is_empty() { vec![String::new()] } else { rows }
    });
    rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Waits for these lines and no others.
async fn shows(terminal: &Terminal, text: &str) {
    let (_, columns) = terminal.state().size();
    terminal.shows(&wrapped(text, columns.get())).await;
}

/// Presses a key once the program reads keys.
async fn press(terminal: &mut Terminal, key: Key) {
    terminal.wait_for_mode(Mode::Keys).await;
    terminal.send_key(key).await;
}

/// Waits for the end, and looks at what is left of the terminal.
async fn ends(terminal: &mut Terminal, status: i32) {
    assert_eq!(terminal.end().await, status, "{}", terminal.screen());
    assert_eq!(terminal.mode(), Mode::Lines);
    assert!(!terminal.state().hide_cursor(), "the cursor is seen");
    assert_eq!(terminal.cursor().0, 0, "at the beginning of a line: {}", terminal.screen());
}

/// Fetches an address of this machine as a browser does; the status.
async fn fetch(url: &Url) -> u16 {
    let (port, target) = (url.port().unwrap(), &url[url::Position::BeforePath..]);
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n");
    Answer::of(connect(SocketAddr::from(([127, 0, 0, 1], port)), request.as_bytes()).await).await.status
}
