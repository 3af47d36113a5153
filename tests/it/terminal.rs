//! The spawned program with a home of its own, and an upstream that does as it is told.

use crate::wire_client::PATIENCE;
use serde_json::{Value, json};
use std::process::{Output, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The program's path.
pub const PATH: &str = env!("CARGO_BIN_EXE_iflow2api");

/// A home directory with nothing in it but what a test puts there.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Writes the configuration.
    pub fn configure(&self, text: &str) {
        let directory = self.0.path().join("config/iflow2api");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("config.toml"), text).unwrap();
    }

    /// A command that knows nothing of this machine's user.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let home = self.0.path();
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", home).env("XDG_CONFIG_HOME", home.join("config"));
        command.env("XDG_DATA_HOME", home.join("data")).env("XDG_CACHE_HOME", home.join("cache"));
        // A test that wants to wait for retries says so.
        command
            .env("IFLOW2API_RETRY_RETRIES", "0")
            .env("IFLOW2API_CONTINUATION_RESCUE", "off")
            .env("IFLOW2API_CIRCUIT_FAILURES", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts the program.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(PATH).args(arguments).spawn().unwrap()
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        end(self.spawn(arguments)).await
    }

    /// Runs the program to its end with this on stdin.
    pub async fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Ended {
        let mut child = self.command(PATH).args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin).await.unwrap();
        end(child).await
    }
}

/// Waits for a program's end.
pub async fn end(child: Child) -> Ended {
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("an end in time").unwrap();
    Ended::of(output)
}

/// What a program left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// An upstream that gives the same answer to every request, and tells what it was sent.
pub struct Upstream {
    pub url: String,
    requests: mpsc::UnboundedReceiver<Value>,
    departures: mpsc::UnboundedReceiver<()>,
}

/// What an upstream answers with.
#[derive(Debug, Clone)]
pub enum Script {
    /// These pieces of text, and a proper end.
    Says(Vec<&'static str>),
    /// These pieces of text, and then nothing until the client leaves.
    Stalls(Vec<&'static str>),
}

impl Upstream {
    /// Starts one; the last script answers all further requests.
    pub async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (request_sender, requests) = mpsc::unbounded_channel();
        let (departure_sender, departures) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            let mut script = scripts.next().unwrap();
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let Some((head, body)) = read_request(&mut stream).await else { continue };
                if head.starts_with("GET ") {
                    let list = json!({"data": [{"id": "listed-first"}, {"id": "listed-second", "context_length": 4096}]});
                    let _ = stream.write_all(whole(&list).as_bytes()).await;
                    continue;
                }
                let _ = request_sender.send(body);
                if answer(&mut stream, &script).await {
                    let _ = departure_sender.send(());
                }
                script = scripts.next().unwrap_or(script);
            }
        });
        Self { url, requests, departures }
    }

    /// The body of the next request.
    pub async fn request(&mut self) -> Value {
        timeout(PATIENCE, self.requests.recv()).await.expect("a request in time").unwrap()
    }

    /// Whether nobody asked since.
    pub fn is_unasked(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// Waits until a client has left a stalled answer.
    pub async fn departure(&mut self) {
        timeout(PATIENCE, self.departures.recv()).await.expect("a departure in time").unwrap();
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), serde_json::from_str(body).unwrap_or_default()));
        }
    }
}

/// Plays a script; true where the client left it.
async fn answer(stream: &mut TcpStream, script: &Script) -> bool {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(head.as_bytes()).await;
    let (Script::Says(pieces) | Script::Stalls(pieces)) = script;
    for piece in pieces {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]});
        let _ = stream.write_all(format!("data: {chunk}\n\n").as_bytes()).await;
    }
    if let Script::Stalls(_) = script {
        let mut rest = [0; 64];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        return true;
    }
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let _ = stream.write_all(format!("data: {last}\n\ndata: [DONE]\n\n").as_bytes()).await;
    false
}

fn whole(body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
