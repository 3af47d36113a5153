//! An upstream that plays recorded streams as the model's name says, to many at once:
//! `RECORDING@OFFSET` breaks off there, and once is asked to go on with a text, says the rest of it.
//! `/reset` behind it breaks the connection too, `/chunked` the encoding of an answer in chunks.

use crate::support::client::read_head;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The head of a stream that ends with its connection.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// The head of a stream in chunks.
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A recorded stream.
pub fn recording(name: &str) -> String {
    let path = format!("{}/tests/fixtures/upstream/{name}.sse", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The chunks among these bytes, and whether `[DONE]` was.
pub fn chunks(bytes: &[u8]) -> (Vec<Value>, bool) {
    let text = String::from_utf8_lossy(bytes);
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let chunks = data.iter().filter_map(|data| serde_json::from_str(data).ok()).collect();
    (chunks, data.contains(&"[DONE]"))
}

/// What the chunks say at this place of their first choice's delta, all together.
pub fn said(chunks: &[Value], place: &str) -> String {
    let path = format!("/choices/0/delta/{place}");
    chunks.iter().filter_map(|chunk| chunk.pointer(&path)?.as_str()).collect()
}

/// Starts it.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&asked)));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<HashMap<String, usize>>>) {
    let mut buffer = Vec::new();
    let Some(head) = read_head(&mut stream, &mut buffer).await else { return };
    let length: usize = head.get("content-length").unwrap().parse().unwrap();
    while buffer.len() < length {
        if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let request: Value = serde_json::from_slice(&buffer[..length]).unwrap();
    let model = request["model"].as_str().unwrap().to_owned();
    let (name, what) = model.split_once('@').unwrap();
    let (offset, how) = what.split_once('/').unwrap_or((what, ""));
    let (recording, offset) = (recording(name), offset.parse::<usize>().unwrap());
    let before = {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(format!("{model} {}", how.is_empty())).or_default();
        *count += 1;
        *count - 1
    };
    let answer = match request.pointer("/messages/1/content") {
        Some(partial) => rest(&recording, partial.as_str().unwrap(), how.contains("overlap")),
        None if before > 0 && how.contains("rescue") => recording,
        None => {
            let bytes = recording.as_bytes();
            let head = if how.contains("chunked") {
                // One chunk that is never whole: it says more than will come.
                format!("{CHUNKED}{:x}\r\n", bytes.len() + 1)
            } else {
                HEAD.to_owned()
            };
            let _ = stream.write_all(&[head.as_bytes(), &bytes[..offset.min(bytes.len())]].concat()).await;
            if how.contains("reset") {
                // What was sent has to be read before it is thrown away.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                let _ = stream.set_zero_linger();
            }
            return;
        }
    };
    let _ = stream.write_all(&[HEAD.as_bytes(), answer.as_bytes()].concat()).await;
}

/// What an upstream says that is asked to go on behind `partial`.
fn rest(recording: &str, partial: &str, overlap: bool) -> String {
    let whole = said(&chunks(recording.as_bytes()).0, "content");
    let rest = whole.strip_prefix(partial).unwrap_or_else(|| panic!("{partial:?} is no part of the answer"));
    let twice: String = match partial.char_indices().rev().nth(13).filter(|_| overlap) {
        Some((at, _)) => format!("{}{rest}", &partial[at..]),
        None => rest.to_owned(),
    };
    let mut characters = twice.chars().peekable();
    let mut frames = vec![json!({"role": "assistant", "content": ""})];
    while characters.peek().is_some() {
        frames.push(json!({"content": characters.by_ref().take(5).collect::<String>()}));
    }
    let frame = |delta: Value, reason: Value| {
        format!(
            "data: {}\n\n",
            json!({"id": "other", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        )
    };
    let mut text: String = frames.into_iter().map(|delta| frame(delta, Value::Null)).collect();
    text.push_str(&frame(json!({}), json!("stop")));
    text.push_str("data: {\"id\":\"other\",\"choices\":[],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":9}}\n\n");
    text + "data: [DONE]\n\n"
}
