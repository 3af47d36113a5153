//! The client: connections that are used again, and answers that are looked through for their numbers.

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many connections are opened at once.
const AT_ONCE: usize = 50;

/// The two APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    OpenAi,
    Anthropic,
}

impl Face {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }
}

/// Runs a client to its end.
pub fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client)
}

/// Opens connections a few at a time, so that none is refused for lack of room in the system's queue.
pub async fn connections(address: SocketAddr, count: usize) -> Vec<Connection> {
    let mut opened = Vec::with_capacity(count);
    while opened.len() < count {
        let few = (count - opened.len()).min(AT_ONCE);
        opened.extend(join_all((0..few).map(|_| Connection::open(address))).await);
    }
    opened
}

/// A connection that is used again.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

/// What came of a stream.
#[derive(Debug, Default, Clone, Copy)]
pub struct Streamed {
    pub chunks: u64,
    /// Chunks that were not the next.
    pub misplaced: u64,
    /// Until the first content.
    pub first: Duration,
}

impl Connection {
    /// Opens a connection.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        Self { sender, address }
    }

    /// Sends a request; returns once the head of the answer is here.
    pub async fn send(&mut self, face: Face, body: &Bytes) -> Response<Incoming> {
        let request = Request::post(face.path())
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-06-01")
            .body(Full::new(body.clone()))
            .unwrap();
        timeout(PATIENCE, self.sender.ready()).await.unwrap().unwrap();
        timeout(PATIENCE, self.sender.send_request(request)).await.unwrap().unwrap()
    }

    /// Sends a request and reads the whole answer.
    pub async fn whole(&mut self, face: Face, body: &Bytes) {
        let response = self.send(face, body).await;
        let status = response.status();
        let body = timeout(PATIENCE, response.into_body().collect()).await.unwrap().unwrap().to_bytes();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }

    /// Sends a request and reads the stream.
    pub async fn stream(&mut self, face: Face, body: &Bytes) -> Streamed {
        let started = Instant::now();
        let response = self.send(face, body).await;
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let mut streamed = Streamed::default();
        let mut numbers = Numbers::default();
        while let Some(frame) = timeout(PATIENCE, body.frame()).await.unwrap() {
            let Ok(piece) = frame.unwrap().into_data() else { continue };
            let before = streamed.chunks;
            numbers.feed(&piece, &mut streamed);
            if before == 0 && streamed.chunks > 0 {
                streamed.first = started.elapsed();
            }
        }
        streamed
    }
}

/// Finds `#123456` in pieces, wherever they are cut.
#[derive(Default)]
struct Numbers {
    digits: Option<(u32, u64)>,
}

impl Numbers {
    fn feed(&mut self, piece: &[u8], streamed: &mut Streamed) {
        let mut rest = piece;
        loop {
            if self.digits.is_none() {
                let Some(at) = memchr::memchr(b'#', rest) else { return };
                rest = &rest[at + 1..];
                self.digits = Some((0, 0));
            }
            while let (Some((count, number)), Some((byte, behind))) = (self.digits, rest.split_first()) {
                rest = behind;
                self.digits = Some((count + 1, number * 10 + u64::from(byte.wrapping_sub(b'0'))));
                if count + 1 == 6 {
                    streamed.misplaced +=
                        u64::from(self.digits.map(|(_, number)| number) != Some(streamed.chunks));
                    streamed.chunks += 1;
                    self.digits = None;
                }
            }
            if rest.is_empty() {
                return;
            }
        }
    }
}
