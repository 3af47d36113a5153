//! The program as its users start it, in an environment of its own.

use super::PATIENCE;
use super::client::{Answer, connect};
use super::upstream::Upstream;
use std::io::{Seek as _, Write as _};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// Our key to the fake upstream.
pub const KEY: &str = "sk-upstream-8Zq4-never-shown";

/// A program that is set up and not started.
pub struct Setup {
    pub(super) home: Arc<TempDir>,
    pub(super) command: Command,
}

/// Sets up `iflow2api` with these arguments, and nothing of the environment of the test.
pub fn setup(arguments: &[&str]) -> Setup {
    setup_in(&Arc::new(tempfile::tempdir().unwrap()), arguments)
}

/// The same in a home that others use too.
pub fn setup_in(home: &Arc<TempDir>, arguments: &[&str]) -> Setup {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iflow2api"));
    command.args(arguments).env_clear().current_dir(home.path());
    for (name, folder) in [
        ("HOME", ""),
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_RUNTIME_DIR", "run"),
    ] {
        command.env(name, home.path().join(folder));
    }
    // Scripts are exact; a test that wants retries, rescues or a circuit says so.
    command.env("IFLOW2API_RETRY_RETRIES", "0").env("IFLOW2API_CONTINUATION_RESCUE", "off");
    command.env("IFLOW2API_CIRCUIT_FAILURES", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Setup { home: Arc::clone(home), command }
}

/// Sets up a server before a provider of this preset, whose table has these further lines.
pub fn with_preset(preset: &str, lines: &str, upstream: &Upstream) -> Setup {
    let table = format!(
        "[upstream.fake]\npreset = \"{preset}\"\nbase_url = \"UPSTREAM\"\nkey = \"{KEY}\"\n{lines}\n"
    );
    setup(&["serve", "--port", "0"]).config(&table, upstream)
}

/// Sets up a server before the fake upstream.
pub fn serve(upstream: &Upstream) -> Setup {
    setup(&["serve", "--port", "0"]).env("IFLOW2API_BASE_URL", &upstream.url()).env("IFLOW2API_API_KEY", KEY)
}

impl Setup {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Writes a configuration file and uses it. Where the text has `UPSTREAM`, the file gets this URL.
    pub fn config(mut self, text: &str, upstream: &Upstream) -> Self {
        let path = self.home.path().join("test.toml");
        std::fs::write(&path, text.replace("UPSTREAM", &upstream.url())).unwrap();
        self.command.arg("--config").arg(path);
        self
    }

    /// Writes a file below the home directory, with `UPSTREAM` as in `config`.
    pub fn home_file(self, path: &str, text: &str, upstream: &Upstream) -> Self {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text.replace("UPSTREAM", &upstream.url())).unwrap();
        self
    }

    /// Lets the program have so many descriptors. It is started through a shell then.
    pub fn with_descriptors(self, count: usize) -> Self {
        self.through(&["sh", "-c", &format!("ulimit -n {count}; exec \"$0\" \"$@\"")])
    }

    /// Starts the program through another one, which gets it and its arguments behind its own.
    pub fn through(mut self, other: &[&str]) -> Self {
        let inner = self.command.as_std();
        let mut command = Command::new(other[0]);
        command.args(&other[1..]).arg(inner.get_program());
        command.args(inner.get_args()).env_clear().current_dir(self.home.path());
        for (name, value) in inner.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        self.command = command;
        self
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Gives the program this on stdin.
    pub fn stdin(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).and_then(|()| file.rewind()).unwrap();
        self.command.stdin(file);
        self
    }

    /// Starts it, and waits for nothing.
    pub fn launch(mut self) -> Program {
        let mut child = self.command.spawn().unwrap();
        let (sender, said) = watch::channel(String::new());
        let pipes: [Pipe; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            tokio::spawn(collect(pipe, sender.clone()));
        }
        Program { address: ([127, 0, 0, 1], 0).into(), said, child, _home: self.home }
    }

    /// Starts a server, and waits until it says where it listens.
    pub async fn start(self) -> Program {
        self.started(true).await
    }

    /// The same, and then closes the pipes that it writes into.
    pub async fn start_and_look_away(self) -> Program {
        self.started(false).await
    }

    async fn started(mut self, look_on: bool) -> Program {
        let mut child = self.command.spawn().unwrap();
        let (sender, mut said) = watch::channel(String::new());
        let pipes: [Pipe; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = pipes.map(|pipe| tokio::spawn(collect(pipe, sender.clone())));
        drop(sender);
        let listening = |said: &String| said.lines().find_map(address_in).is_some();
        let found = timeout(PATIENCE, said.wait_for(listening)).await.expect("it starts in time");
        let address = found.ok().and_then(|said| said.lines().find_map(address_in));
        let address = address.unwrap_or_else(|| panic!("it ended: {}", *said.borrow()));
        if !look_on {
            for reader in readers {
                reader.abort();
                assert!(reader.await.is_err_and(|error| error.is_cancelled()));
            }
        }
        Program { address, said, child, _home: self.home }
    }

    /// Runs the program to its end: exit status, stdout, stderr.
    pub async fn run(mut self) -> (i32, String, String) {
        let output = timeout(PATIENCE, self.command.output()).await.expect("it ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().expect("an exit status"), text(output.stdout), text(output.stderr))
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    rest.split([' ', '/']).next()?.trim().parse().ok()
}

type Pipe = Box<dyn tokio::io::AsyncRead + Send + Unpin>;

/// Adds what the program writes, line by line.
async fn collect(pipe: Pipe, sender: watch::Sender<String>) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        sender.send_modify(|said| said.push_str(&String::from_utf8_lossy(&line)));
        line.clear();
    }
}

/// A server that runs; dropping it kills it.
pub struct Program {
    pub address: SocketAddr,
    said: watch::Receiver<String>,
    child: Child,
    _home: Arc<TempDir>,
}

impl Program {
    /// Sends a request with these headers, each ended by CRLF, and waits for the answer's head.
    pub async fn ask(&self, line: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        Answer::of(self.send(line, headers, body).await).await
    }

    /// Sends a request, and waits for nothing.
    pub async fn send(&self, line: &str, headers: &str, body: impl AsRef<[u8]>) -> tokio::net::TcpStream {
        let length = body.as_ref().len();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        connect(self.address, &[head.as_bytes(), body.as_ref()].concat()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", "").await
    }

    pub async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask(&format!("POST {path}"), "content-type: application/json\r\n", body).await
    }

    /// A call on the OpenAI face.
    pub async fn chat(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post("/v1/chat/completions", body).await
    }

    /// A call on the Anthropic face.
    pub async fn messages(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post("/v1/messages", body).await
    }

    /// All that was written so far, stdout and stderr.
    pub fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Waits for a line that holds all these texts.
    pub async fn line(&mut self, wanted: &[&str]) -> String {
        let holds = |line: &&str| wanted.iter().all(|text| line.contains(text));
        let found = self.said.wait_for(|said| said.lines().any(|line| holds(&line)));
        let found = timeout(PATIENCE, found).await.map(|said| said.map(|said| said.clone()));
        match found {
            Ok(Ok(said)) => said.lines().find(holds).unwrap().to_owned(),
            _ => panic!("no line with {wanted:?} in:\n{}", self.said()),
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id().expect("a living program")
    }

    /// Asks it to end, as the system does.
    pub async fn terminate(&self) {
        let id = self.child.id().expect("a living program").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    }

    /// Ends it as nothing can keep it from; whether it was still there.
    pub async fn kill(&mut self) -> bool {
        let _ = self.child.start_kill();
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap().code().is_none()
    }

    /// Waits for its end and the last of what it wrote: exit status, stdout and stderr.
    pub async fn ended(&mut self) -> (Option<i32>, String) {
        let code = self.end().await;
        // It never comes about, and so waits until nobody writes any more.
        assert!(timeout(PATIENCE, self.said.wait_for(|_| false)).await.expect("its pipes end").is_err());
        (code, self.said())
    }

    /// Waits for its end, and returns the exit status.
    pub async fn end(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap().code()
    }
}
