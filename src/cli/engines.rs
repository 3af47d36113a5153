//! Model servers that run on this machine already, offered where nothing is set up.

use super::output::say;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The usual ones, their presets, and where they listen.
const USUAL: [(&str, &str, u16); 4] = [
    ("Ollama", "ollama", 11434),
    ("llama.cpp", "llamacpp", 8080),
    ("LM Studio", "lmstudio", 1234),
    ("vLLM", "vllm", 8000),
];
/// How long one may take to answer. Chosen: it is on this machine.
const WAIT: Duration = Duration::from_millis(500);
/// As much of an answer as tells a model list from anything else.
const HEAD_BYTES: u64 = 4096;

/// Looks for engines, and says how to use those that are there. `own_port` is never taken for one.
pub async fn offer(own_port: u16) {
    for (name, preset, port) in USUAL.into_iter().filter(|(_, _, port)| *port != own_port) {
        if tokio::time::timeout(WAIT, lists_models(port)).await == Ok(Some(true)) {
            say(&format!("  found        {name} on port {port}: iflow2api serve --upstream {preset}"));
        }
    }
}

/// Whether a model list that is not our own is served there.
async fn lists_models(port: u16) -> Option<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(HEAD_BYTES).read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8_lossy(&answer);
    let ours = text.to_ascii_lowercase().contains("x-request-id: req_") && text.contains("\"display_name\"");
    Some(text.starts_with("HTTP/1.1 200") && text.contains("\"data\"") && !ours)
}
