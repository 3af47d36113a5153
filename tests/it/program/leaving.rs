//! Clients that leave or do not read: the upstream is let go, and memory stays flat (B30).

use super::{CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, delta};
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Step, Upstream, begin};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test]
async fn a_client_that_leaves_before_the_first_token_or_during_a_whole_answer_ends_the_upstreams_work() {
    let half =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"choices\":";
    let silent = Exchange::steps([Step::Hang]);
    let begun = Exchange::steps([begin(""), Step::Hang]);
    let in_body = Exchange::steps([crate::support::upstream::send(half), Step::Hang]);
    let cases = [
        ("/v1/chat/completions", CHAT_STREAM, silent.clone()),
        ("/v1/chat/completions", CHAT_STREAM, begun.clone()),
        ("/v1/chat/completions", CHAT, silent.clone()),
        ("/v1/chat/completions", CHAT, in_body.clone()),
        ("/v1/messages", MESSAGES_STREAM, silent.clone()),
        ("/v1/messages", MESSAGES_STREAM, begun),
        ("/v1/messages", MESSAGES, silent),
        ("/v1/messages", MESSAGES, in_body),
    ];
    let upstream = Upstream::start(cases.clone().map(|(_, _, exchange)| exchange)).await;
    let program = serve(&upstream).start().await;
    for (path, body, _) in cases {
        let client = program.send(&format!("POST {path}"), "", body).await;
        upstream.asked().await;
        drop(client);
        upstream.left().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_after_the_head_was_committed_ends_the_upstreams_work() {
    let upstream = Upstream::start(vec![Exchange::steps([Step::Hang]); 2]).await;
    let program = serve(&upstream).env("IFLOW2API_TIMEOUT_HOLD", "100ms").start().await;
    for (path, body) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
        let mut answer = program.post(path, body).await;
        answer.until("\n\n").await;
        drop(answer);
        upstream.left().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_mid_stream_ends_the_upstreams_work() {
    let exchange = Exchange::steps([begin(delta("{\"content\":\"Hel\"}")), Step::Hang]);
    let upstream = Upstream::start([exchange.clone(), exchange]).await;
    let program = serve(&upstream).start().await;
    for (path, body) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
        let mut answer = program.post(path, body).await;
        answer.until("Hel").await;
        drop(answer);
        upstream.left().await;
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_stops_the_upstream_until_it_reads_on() {
    let text = "x".repeat(64 * 1024);
    let piece = delta(&format!("{{\"content\":\"{text}\"}}")).into_bytes();
    let times = 256 * MEBIBYTE / piece.len();
    let flood = Exchange::steps([begin(""), Step::Flood(piece, times)]);
    let upstream = Upstream::start([flood.clone(), flood]).await;
    let program = serve(&upstream).start().await;
    for (path, body) in [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)] {
        let before = upstream.written();
        let mut answer = program.post(path, body).await;
        let stuck = usize::try_from(upstream.stuck().await - before).unwrap();
        assert!(stuck < 32 * MEBIBYTE, "{path}: {stuck} bytes were taken that nobody read");
        let read = answer.skip_to(stuck + 8 * MEBIBYTE).await;
        assert!(read > stuck, "{path}: {read}");
        let written = usize::try_from(upstream.written() - before).unwrap();
        assert!(written > stuck, "{path}: it goes on once it is read");
        drop(answer);
        upstream.left().await;
    }
}
