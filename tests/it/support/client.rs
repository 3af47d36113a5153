//! A client that writes the bytes it is told to and shows an answer as it comes in.

use super::PATIENCE;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The first line of a request or an answer, and its headers with names in small letters.
#[derive(Debug, Clone)]
pub struct Head {
    pub line: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a head; leaves what follows it in the buffer. Nothing where the connection ends before.
pub async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Head> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let text: Vec<u8> = buffer.drain(..end + 4).collect();
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.trim_end().lines();
    let line = lines.next().unwrap().to_owned();
    let headers = lines.map(|line| line.split_once(':').unwrap());
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Head { line, headers: headers.collect() })
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Chunked,
    Left(usize),
    /// By the end of the connection, as the fake upstream writes streams.
    Closed,
}

/// An answer that is being read. Dropping it is leaving.
pub struct Answer {
    pub head: Head,
    pub status: u16,
    stream: TcpStream,
    buffer: Vec<u8>,
    length: Length,
    body: Vec<u8>,
    over: bool,
}

/// Sends bytes, and nothing else.
pub async fn connect(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

impl Answer {
    /// Waits for the head of an answer.
    pub async fn of(mut stream: TcpStream) -> Self {
        let mut buffer = Vec::new();
        let head = timeout(PATIENCE, read_head(&mut stream, &mut buffer)).await;
        let head = head.expect("an answer in time").expect("an answer");
        let status: u16 = head.line.split(' ').nth(1).unwrap().parse().unwrap();
        let length = match head.get("content-length") {
            Some(length) => Length::Left(length.parse().unwrap()),
            None if status == 204 => Length::Left(0),
            None if head.get("transfer-encoding").is_none() && head.get("connection") == Some("close") => {
                Length::Closed
            }
            None => {
                assert_eq!(head.get("transfer-encoding"), Some("chunked"), "{head:?}");
                Length::Chunked
            }
        };
        Self { head, status, stream, buffer, length, body: Vec::new(), over: false }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    /// The body, at once.
    pub async fn bytes(&mut self) -> Vec<u8> {
        while self.more().await {}
        self.body.clone()
    }

    /// The body, as text.
    pub async fn text(&mut self) -> String {
        String::from_utf8(self.bytes().await).unwrap()
    }

    /// The body, as JSON.
    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Reads until the body holds a text; returns the body so far.
    pub async fn until(&mut self, wanted: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.body).into_owned();
            if text.contains(wanted) {
                return text;
            }
            assert!(self.more().await, "no {wanted:?} in {text:?}");
        }
    }

    /// Reads on until `bytes` of the body have been read in all; what was read is not kept.
    pub async fn skip_to(&mut self, bytes: usize) -> usize {
        let mut read = 0;
        while read < bytes && self.more().await {
            read += self.body.len();
            self.body.clear();
        }
        read
    }

    /// Reads a piece; false where the body is over. A body that breaks off fails the test.
    async fn more(&mut self) -> bool {
        loop {
            if self.over {
                return false;
            }
            let before = self.body.len();
            self.decode();
            if self.body.len() > before {
                return true;
            }
            if !self.over {
                let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
                let read = read.expect("bytes in time").expect("a living connection");
                self.over = read == 0 && self.length == Length::Closed;
                assert!(
                    read > 0 || self.over,
                    "the body breaks off: {}",
                    String::from_utf8_lossy(&self.body)
                );
            }
        }
    }

    fn decode(&mut self) {
        match &mut self.length {
            Length::Left(left) => {
                let taken = self.buffer.len().min(*left);
                self.body.extend(self.buffer.drain(..taken));
                *left -= taken;
                self.over = *left == 0;
            }
            Length::Closed => self.body.append(&mut self.buffer),
            Length::Chunked => {
                while let Some(line) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                    let size = std::str::from_utf8(&self.buffer[..line]).unwrap();
                    let size = usize::from_str_radix(size, 16).unwrap();
                    if self.buffer.len() < line + 2 + size + 2 {
                        return;
                    }
                    self.body.extend_from_slice(&self.buffer[line + 2..line + 2 + size]);
                    self.buffer.drain(..line + 2 + size + 2);
                    if size == 0 {
                        self.over = true;
                        return;
                    }
                }
            }
        }
    }
}

/// The data of each event of a stream, as JSON; `[DONE]` and comments left out.
pub fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let json = data.filter(|data| *data != "[DONE]").map(serde_json::from_str);
    json.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The names of the events of a stream, pings left out.
pub fn names(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("event: ")).filter(|name| *name != "ping").collect()
}
