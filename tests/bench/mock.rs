//! The mock upstream: says what the model's name asks for, in either API's form, without parsing more.
//! `stream,chunks=100,delay=20,first=10,size=24` is a stream (milliseconds, bytes), `whole` one answer.

use crate::process;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// As much of a body as holds the model's name.
const LOOK: usize = 2048;

/// Answers kept, by model and face.
type Bursts = Arc<Mutex<HashMap<String, Arc<Vec<u8>>>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    OpenAi,
    Anthropic,
}

/// Runs the mock until it is killed.
pub fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = process::listen();
        let bursts = Bursts::default();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let bursts = Arc::clone(&bursts);
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let _ = serve(stream, bursts).await;
            });
        }
    })
}

async fn serve(mut stream: TcpStream, bursts: Bursts) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut filled = 0;
        let end = loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            if let Some(end) = memchr::memmem::find(&buffer[..filled], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let face = if head.starts_with("post /v1/messages") { Face::Anthropic } else { Face::OpenAi };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        let mut start = buffer[end..filled].to_vec();
        let mut missing = length.saturating_sub(start.len());
        while missing > 0 {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            missing = missing.saturating_sub(read);
            if start.len() < LOOK {
                start.extend_from_slice(&buffer[..read.min(LOOK)]);
            }
        }
        match model(&start) {
            Some(model) if model.starts_with("stream") => answer(&mut stream, &model, face, &bursts).await?,
            Some(_) => stream.write_all(whole(face).as_bytes()).await?,
            None => stream.write_all(response("{\"object\":\"list\",\"data\":[]}").as_bytes()).await?,
        }
    }
}

fn model(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOK)]).into_owned();
    let (_, rest) = text.split_once("\"model\":")?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn response(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn whole(face: Face) -> String {
    response(match face {
        Face::OpenAi => concat!(
            r#"{"id":"chatcmpl-9f2c6a31","object":"chat.completion","created":1763800000,"model":"mock","#,
            r#""choices":[{"index":0,"message":{"role":"assistant","content":"It is done, and the tests pass."},"#,
            r#""logprobs":null,"finish_reason":"stop"}],"#,
            r#""usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}"#
        ),
        Face::Anthropic => concat!(
            r#"{"id":"msg_9f2c6a31","type":"message","role":"assistant","model":"mock","#,
            r#""content":[{"type":"text","text":"It is done, and the tests pass."}],"stop_reason":"end_turn","#,
            r#""stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":9}}"#
        ),
    })
}

async fn answer(stream: &mut TcpStream, model: &str, face: Face, bursts: &Bursts) -> std::io::Result<()> {
    let setting = |key: &str, default: u64| {
        let found = model.split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        found.map_or(default, |number| number.parse().unwrap())
    };
    let (chunks, delay) = (setting("chunks", 1), setting("delay", 0));
    let filler = "x".repeat(usize::try_from(setting("size", 4)).unwrap());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    if delay == 0 {
        tokio::time::sleep(Duration::from_millis(setting("first", 0))).await;
        let key = format!("{}{model}", u8::from(face == Face::Anthropic));
        let burst = bursts.lock().unwrap().get(&key).cloned();
        let burst = burst.unwrap_or_else(|| {
            let mut text = head.to_owned();
            (0..chunks).for_each(|number| piece(face, number, &filler, &mut text));
            end(face, &mut text);
            let burst = Arc::new(text.into_bytes());
            bursts.lock().unwrap().insert(key, Arc::clone(&burst));
            burst
        });
        return stream.write_all(&burst).await;
    }
    stream.write_all(head.as_bytes()).await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(delay));
    let mut text = String::new();
    for number in 0..chunks {
        ticks.tick().await;
        text.clear();
        piece(face, number, &filler, &mut text);
        stream.write_all(text.as_bytes()).await?;
    }
    text.clear();
    end(face, &mut text);
    stream.write_all(text.as_bytes()).await
}

/// One event in an HTTP chunk of its own, as providers send them. Its text bears its number.
fn piece(face: Face, number: u64, filler: &str, out: &mut String) {
    let event = match face {
        Face::OpenAi => format!(
            "data: {{\"id\":\"chatcmpl-9f2c6a31\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\
             \"model\":\"mock\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"#{number:06} {filler}\"}},\
             \"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        ),
        Face::Anthropic => format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"text_delta\",\"text\":\"#{number:06} {filler}\"}}}}\n\n"
        ),
    };
    let _ = write!(out, "{:x}\r\n{event}\r\n", event.len());
}

fn end(face: Face, out: &mut String) {
    let events = match face {
        Face::OpenAi => [
            "data: {\"id\":\"chatcmpl-9f2c6a31\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\
             \"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
            "data: [DONE]\n\n",
        ],
        Face::Anthropic => [
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
    };
    for event in events {
        let _ = write!(out, "{:x}\r\n{event}\r\n", event.len());
    }
    out.push_str("0\r\n\r\n");
}
