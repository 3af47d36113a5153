//! Logins: how one logs in, what is kept of it, and how it stays good.

mod accounts;
mod callback;
mod disk;
mod faults;
mod files;
mod flows;
mod iflow;
mod keys;
mod meanwhile;
mod refresh;
mod secrets;
mod strangers;
mod waits;

use crate::support::client::{Answer, connect};
use crate::support::login::{CLIENT, Form, Granted, Login, SECRET};
use crate::support::program::{Program, Setup, setup_in};
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use url::Url;

const ASK: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// A home, and a login server before an API.
struct Place {
    home: Arc<TempDir>,
    login: Login,
    server: Upstream,
    form: Form,
}

impl Place {
    /// Nobody is logged in yet. The upstream is `corp`, `iflow` or `openrouter`.
    async fn new(form: Form) -> Self {
        let (home, login) = (Arc::new(tempfile::tempdir().unwrap()), Login::new(form));
        let server = login.listen().await;
        let place = Self { home, login, server, form };
        place.write(&place.config(), "");
        place
    }

    fn name(&self) -> &'static str {
        match self.form {
            Form::Standard => "corp",
            Form::Iflow => "iflow",
            Form::Openrouter => "openrouter",
        }
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("config/iflow2api/config.toml")
    }

    fn credentials(&self) -> PathBuf {
        self.home.path().join("config/iflow2api/credentials.json")
    }

    fn iflow_file(&self) -> PathBuf {
        self.home.path().join(".iflow/oauth_creds.json")
    }

    /// Writes the settings, and these behind them.
    fn write(&self, path: &std::path::Path, more: &str) {
        let (root, name) = (format!("http://{}", self.server.address()), self.name());
        let login = match self.form {
            Form::Standard => format!(
                "authorize_url = \"{root}/oauth/authorize\"\ntoken_url = \"{root}/oauth/token\"\nclient_id = \"{CLIENT}\"\n"
            ),
            Form::Iflow => format!(
                "authorize_url = \"{root}/oauth\"\ntoken_url = \"{root}/oauth/token\"\n\
                 userinfo_url = \"{root}/api/oauth/getUserInfo\"\n"
            ),
            Form::Openrouter => {
                format!("authorize_url = \"{root}/auth\"\ntoken_url = \"{root}/api/v1/auth/keys\"\n")
            }
        };
        let text = format!(
            "[upstream.{name}]\nbase_url = \"{root}/v1\"\nwire = \"openai\"\n[auth.{name}]\n{login}{more}"
        );
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn setup(&self, arguments: &[&str]) -> Setup {
        let setup = setup_in(&self.home, arguments);
        // Any port will do; two tests at once must not meet.
        let setup = setup.env(&format!("IFLOW2API_AUTH_{}_PORTS", self.name().to_uppercase()), "any");
        match self.form {
            Form::Iflow => setup.env("IFLOW2API_AUTH_IFLOW_CLIENT_SECRET", SECRET),
            Form::Standard | Form::Openrouter => setup,
        }
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.setup(arguments).run().await
    }

    async fn serve(&self) -> Program {
        self.setup(&["serve", "--port", "0"]).start().await
    }

    /// Begins a login, and waits for its address.
    async fn begin(&self, more: &[&str]) -> (Program, String) {
        let arguments = [&["auth", "login", self.name(), "--no-browser"], more].concat();
        let mut program = self.setup(&arguments).launch();
        let address = program.line(&["  http"]).await.trim().to_owned();
        (program, address)
    }

    /// Logs in, in a browser; all that was said.
    async fn log_in(&self, more: &[&str]) -> String {
        let (mut program, address) = self.begin(more).await;
        let page = fetch(&self.login.visit(&address)).await;
        assert_eq!(page.status, 200);
        let (code, said) = program.ended().await;
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// Writes a login of these tokens that ends in so many hours, as iFlow's clients write it, or as we do.
    fn store(&self, granted: &Granted, hours: i64) {
        self.store_since(granted, hours, 200);
    }

    /// The same with when it was granted, which only we write.
    fn store_since(&self, granted: &Granted, hours: i64, ago: i64) {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let mut login = json!({"access_token": granted.access_token, "refresh_token": granted.refresh_token,
            "expiry_date": now + hours * 3_600_000, "token_type": "bearer", "scope": "read", "theirs": {"x": 1}});
        let (path, whole) = match self.form {
            Form::Iflow => {
                login["apiKey"] = json!(granted.key);
                (self.iflow_file(), login)
            }
            Form::Standard | Form::Openrouter => {
                login["obtained_at"] = json!(now - ago * 3_600_000);
                let upstream = json!({"current": "default", "profiles": {"default": login}});
                (self.credentials(), json!({"version": 1, "upstreams": {self.name(): upstream}}))
            }
        };
        write_private(&path, &whole.to_string());
    }

    /// What is stored of the login.
    fn stored(&self) -> Value {
        let file = match self.form {
            Form::Iflow => self.iflow_file(),
            Form::Standard | Form::Openrouter => self.credentials(),
        };
        let whole: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        match self.form {
            Form::Iflow => whole,
            Form::Standard | Form::Openrouter => {
                whole["upstreams"][self.name()]["profiles"]["default"].clone()
            }
        }
    }
}

/// A file with mode 0600, in a directory with mode 0700.
fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Waits until a file changes, or something beside it, or until this says that nothing more will come.
fn wait_for_change(path: &std::path::Path, mut is_over: impl FnMut() -> bool) {
    use std::os::unix::fs::MetadataExt as _;
    let look = || {
        [Some(path), path.parent()].map(|path| {
            let found = std::fs::metadata(path?).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        })
    };
    let before = look();
    while look() == before && !is_over() {
        std::hint::spin_loop();
    }
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Fetches an address of this machine as a browser does.
async fn fetch(url: &Url) -> Answer {
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let target = &url[url::Position::BeforePath..];
    ask(url.port().unwrap(), &format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
}

/// Sends this text to a port of this machine.
async fn ask(port: u16, text: &str) -> Answer {
    Answer::of(connect(SocketAddr::from(([127, 0, 0, 1], port)), text.as_bytes()).await).await
}
