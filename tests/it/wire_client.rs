//! A client that writes exactly the bytes it is told to, and an in-process server for it.

use iflow2api::gateway::{Gateway, Patience};
use iflow2api::secret::Secret;
use iflow2api::server::{self, Info, Settings};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long any wait of a test may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The settings of a server for tests.
pub fn settings() -> Settings {
    Settings {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        keys: Vec::new(),
        allowed_hosts: vec!["box.example".to_owned()],
        allowed_origins: vec!["https://app.example".to_owned()],
        max_body: 1024 * 1024,
        drain: Duration::from_secs(5),
        body_time: Duration::from_secs(30),
        body_time_per_mib: Duration::from_secs(1),
        stall: Duration::from_secs(60),
    }
}

/// The same, with a caller's key.
pub fn keyed_settings() -> Settings {
    Settings { keys: vec![Secret::new("first-key-0001"), Secret::new("second-key-0002")], ..settings() }
}

/// A server in this process; dropping it stops it.
pub struct Server {
    pub addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<iflow2api::error::Result<()>>,
}

impl Server {
    pub async fn start(settings: Settings) -> Self {
        let bound = server::bind(&settings).await.unwrap();
        let addresses = bound.addresses().to_vec();
        let (stop, stopped) = oneshot::channel();
        let info = Info { version: "1.2.3".to_owned(), ..Info::default() };
        let stopped = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(server::run(bound, Arc::new(empty_gateway()), settings, info, stopped));
        Self { addresses, stop: Some(stop), task }
    }

    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub async fn ask(&self, request: &str) -> Answer {
        ask(self.address(), request.as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    pub async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        ))
        .await
    }

    /// Stops the server and waits for its end.
    pub async fn stop(mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        tokio::time::timeout(PATIENCE, self.task).await.expect("it drains").unwrap().unwrap();
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends bytes and reads to the end of the connection.
pub async fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it answers").unwrap();
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap_or((line, "")));
    let headers = headers.map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// A gateway that has nowhere to send a call.
fn empty_gateway() -> Gateway {
    let patience = Patience { hold: Duration::from_secs(8), ping: Duration::from_secs(10) };
    Gateway::new(iflow2api::gateway::Settings {
        upstreams: Vec::new(),
        default_model: None,
        vision_model: None,
        aliases: Vec::new(),
        fallbacks: Vec::new(),
        shelf: Default::default(),
        patience,
        continuation: iflow2api::gateway::Rules {
            mode: iflow2api::gateway::Mode::Off,
            rounds: 0,
            rescue: false,
            again: false,
        },
        history: iflow2api::gateway::History { mode: iflow2api::gateway::HistoryMode::Off, keep_turns: 10 },
    })
}
