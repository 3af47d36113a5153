//! F-6: the upstream is down for a while, under load: it is asked little, callers hear soon, and it is
//! asked again once it is back.

use crate::program::{CHAT, MESSAGES_STREAM, STREAM, WHOLE};
use crate::support::client::read_head;
use crate::support::program::{Program, setup};
use futures_util::future::join_all;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// An upstream that answers 503, or as it should, and counts.
struct Switched {
    address: SocketAddr,
    up: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Switched {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (up, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let shared = (Arc::clone(&up), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (up, asked) = shared.clone();
                tokio::spawn(async move {
                    let mut buffer = Vec::new();
                    while let Some(head) = read_head(&mut stream, &mut buffer).await {
                        let length: usize = head.get("content-length").unwrap().parse().unwrap();
                        while buffer.len() < length {
                            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let body: Vec<u8> = buffer.drain(..length).collect();
                        asked.fetch_add(1, SeqCst);
                        let streamed = String::from_utf8(body).unwrap().contains("\"stream\":true");
                        let (status, kind, body) = match (up.load(SeqCst), streamed) {
                            (false, _) => (503, "application/json", r#"{"error":{"message":"we are down"}}"#),
                            (true, true) => (200, "text/event-stream", STREAM),
                            (true, false) => (200, "application/json", WHOLE),
                        };
                        let length = body.len();
                        let answer = format!(
                            "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
                        );
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, up, asked }
    }

    async fn program(&self, wait: &str) -> Program {
        let setup = setup(&["serve", "--port", "0"])
            .env("IFLOW2API_BASE_URL", &format!("http://{}/v1", self.address));
        let setup = setup.env("IFLOW2API_RETRY_RETRIES", "3").env("IFLOW2API_RETRY_DELAYS", "10ms");
        let setup = setup.env("IFLOW2API_CIRCUIT_FAILURES", "5");
        setup.env("IFLOW2API_CIRCUIT_WAIT", wait).env("IFLOW2API_CIRCUIT_LONGEST_WAIT", wait).start().await
    }
}

#[tokio::test]
async fn f_6_an_upstream_that_is_down_is_left_alone_and_found_again() {
    let upstream = Switched::start().await;
    let mut program = upstream.program("200ms").await;
    // Retries: a fifth of the requests and three a second, of which a second's worth is there at once.
    let begun = std::time::Instant::now();
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let answers = join_all((0..10).map(|_| program.chat(CHAT))).await;
        statuses.extend(answers.iter().map(|answer| answer.status));
        assert!(answers.iter().all(|answer| answer.header("x-iflow2api-error") == Some("upstream")));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    let asked = upstream.asked.load(SeqCst);
    let floor = 3.0 * begun.elapsed().as_secs_f64() + 3.0;
    assert!((asked as f64) < 1.2 * 200.0 + floor, "{asked} attempts for 200 requests");
    assert!(asked < 100, "most were not asked at all: {asked}");
    program.line(&["WARN", "circuit opened", "failures=5", "model=\"m\""]).await;

    let mut answer = program.messages(MESSAGES_STREAM).await;
    while answer.header("retry-after").is_none() || !answer.text().await.contains("left alone") {
        answer = program.messages(MESSAGES_STREAM).await;
    }
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let ready = program.get("/readyz").await.json().await;
    let shown = &ready["upstreams"][0];
    assert_eq!(
        (&ready["status"], &shown["name"], &shown["state"]),
        (&json!("ok"), &json!("env"), &json!("closed"))
    );
    assert_eq!(shown["models"][0]["name"], "m");
    assert!(["open", "probing"].contains(&shown["models"][0]["state"].as_str().unwrap()), "{shown}");
    assert!(program.get("/admin").await.text().await.contains("circuit open"));

    upstream.up.store(true, SeqCst);
    let mut waits = 0;
    while program.chat(CHAT).await.status != 200 {
        waits += 1;
        assert!(waits < 500, "it serves again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    program.line(&["circuit closed"]).await;
    assert_eq!(program.messages(MESSAGES_STREAM).await.status, 200);
    let ready = program.get("/readyz").await.json().await;
    assert_eq!(ready["upstreams"], json!([{"name": "env", "state": "closed"}]));
    assert!(!program.said().contains("panicked"));
}

#[tokio::test]
async fn f_6_a_probe_whose_caller_leaves_lets_the_next_one_try() {
    use crate::support::program::serve;
    use crate::support::upstream::{Exchange, Step, Upstream};
    let refused = || Exchange::answer(503, "{}");
    let script = [refused(), Exchange::steps([Step::Hang]), Exchange::answer(200, WHOLE)];
    let upstream = Upstream::start(script).await;
    let setup = serve(&upstream).env("IFLOW2API_CIRCUIT_FAILURES", "1").env("IFLOW2API_CIRCUIT_WAIT", "50ms");
    let program = setup.start().await;
    upstream_asked(&upstream, &program, 503).await;
    // The next one that is let through tries, and leaves.
    let stream = loop {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let stream = program.send("POST /v1/chat/completions", "", CHAT).await;
        if tokio::time::timeout(Duration::from_secs(2), upstream.asked()).await.is_ok() {
            break stream;
        }
    };
    drop(stream);
    upstream.left().await;
    let mut status = 0;
    for _ in 0..100 {
        status = program.chat(CHAT).await.status;
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 200);
}

async fn upstream_asked(upstream: &crate::support::upstream::Upstream, program: &Program, status: u16) {
    assert_eq!(program.chat(CHAT).await.status, status);
    upstream.asked().await;
}
