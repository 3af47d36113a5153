//! F-4: the upstream sends garbage.

use crate::program::{
    CHAT_STREAM, DONE, MESSAGES_STREAM, STREAM, STREAMED, WAYS, WHOLE, delta, finish, good,
};
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};

const MEBIBYTE: usize = 1024 * 1024;

fn garbage() -> Vec<(&'static str, Exchange)> {
    let with = |headers: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        Exchange::steps([Step::Send([head.as_bytes(), body].concat()), Step::Close])
    };
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56";
    let deep = format!("{{\"choices\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    vec![
        ("a page", with("content-type: text/html\r\n", b"<html><body>Welcome to nginx!</body></html>")),
        ("packed bytes", with("content-encoding: gzip\r\ncontent-length: 12\r\n", gzip)),
        (
            "too long a length",
            with("content-type: application/json\r\ncontent-length: 99999\r\n", WHOLE.as_bytes()),
        ),
        (
            "too short a length",
            with("content-type: application/json\r\ncontent-length: 20\r\n", WHOLE.as_bytes()),
        ),
        ("NUL", with("", b"\0\0\0\0")),
        ("bytes that are no text", with("", b"\xff\xfe{\"choices\":[]}")),
        ("deep JSON", with("", deep.as_bytes())),
        ("deep JSON in an event", Exchange::stream(format!("data: {deep}\n\n"))),
        ("an array", with("", b"[1,2,3]")),
        ("nothing", with("content-length: 0\r\n", b"")),
        ("no HTTP", Exchange::steps([send("SSH-2.0-OpenSSH_9.2\r\n"), Step::Close])),
    ]
}

#[tokio::test]
async fn f_4_garbage_is_the_upstream_s_failure() {
    for (what, bad) in garbage() {
        for (path, body, stream) in WAYS {
            let upstream = Upstream::start([bad.clone(), good(stream)]).await;
            let mut program = serve(&upstream).start().await;
            let mut answer = program.post(path, body).await;
            let text = answer.text().await;
            assert!(
                answer.status == 502 && !text.contains("nginx"),
                "{what} on {path}: {} {text}",
                answer.status
            );
            assert_eq!(answer.header("x-iflow2api-error"), Some("upstream"), "{what}");
            let mut next = program.post(path, body).await;
            assert_eq!(
                (next.status, next.text().await.contains("error")),
                (200, false),
                "after {what} on {path}"
            );
            program.line(&["call", "status=502", "failure="]).await;
            assert!(!program.said().contains("panicked"), "{what}");
        }
    }
}

/// The most memory that the program has had, in bytes; nothing where the system does not tell.
fn peak(program: &Program) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

#[tokio::test]
async fn f_4_a_line_without_an_end_is_bounded_in_memory() {
    let endless = Exchange::steps([
        begin(delta(r#"{"content":"Hel"}"#)),
        send("data: \""),
        Step::Flood(vec![b'x'; MEBIBYTE], 256),
    ]);
    let upstream = Upstream::start([
        Exchange::stream(STREAM),
        Exchange::stream(STREAM),
        endless.clone(),
        endless,
        Exchange::stream(STREAM),
    ])
    .await;
    let mut program = serve(&upstream).start().await;
    // What is loaded once, such as the vocabulary, is no part of it.
    program.chat(CHAT_STREAM).await.text().await;
    program.messages(MESSAGES_STREAM).await.text().await;
    let before = peak(&program);
    for (path, body) in STREAMED {
        let text = program.post(path, body).await.text().await;
        assert!(text.contains("too large an event") && !text.contains("xxxx"), "{path}");
        upstream.left().await;
    }
    program.line(&["call", "failure=\"BadAnswer\""]).await;
    assert!(program.chat(CHAT_STREAM).await.text().await.contains("lo!"));
    // An event may have 16 MiB, and the buffer that holds it grows by doubling.
    if let (Some(before), Some(after)) = (before, peak(&program)) {
        assert!(after - before < 64 * MEBIBYTE, "{} MiB more", (after - before) / MEBIBYTE);
    }
}

#[tokio::test]
async fn f_4_a_hundred_thousand_tiny_events_pass() {
    let tiny = delta(r#"{"content":"x"}"#).repeat(100_000) + &finish("stop") + DONE;
    let upstream = Upstream::start([Exchange::stream(&tiny), Exchange::stream(&tiny)]).await;
    let program = serve(&upstream).start().await;
    assert_eq!(program.chat(CHAT_STREAM).await.text().await.matches("\"content\":\"x\"").count(), 100_000);
    assert_eq!(program.messages(MESSAGES_STREAM).await.text().await.matches("text_delta").count(), 100_000);
}
