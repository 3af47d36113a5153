//! F-15: the program is told to stop while streams are open.

use crate::program::{CHAT, CHAT_STREAM, MESSAGES_STREAM, delta, finish};
use crate::support::client::{Answer, connect, events, names};
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const STREAMS: usize = 50;

/// The program with that many streams open, half of each face, in whose middle the upstream waits.
async fn opened(drain: &str) -> (Upstream, Program, Vec<Answer>) {
    let end = [finish("stop"), "data: [DONE]\n\n".to_owned()].concat();
    let slow = Exchange::steps([begin(delta(r#"{"content":"a"}"#)), Step::Pause, send(end), Step::Close]);
    let upstream = Upstream::start(vec![slow; STREAMS]).await;
    let program = serve(&upstream).env("IFLOW2API_SERVER_DRAIN", drain).start().await;
    let mut answers = Vec::new();
    for number in 0..STREAMS {
        let mut answer = match number % 2 {
            0 => program.chat(CHAT_STREAM).await,
            _ => program.messages(MESSAGES_STREAM).await,
        };
        answer.until("\"a\"").await;
        answers.push(answer);
    }
    (upstream, program, answers)
}

/// Waits until nobody listens any more.
async fn refused(program: &Program) {
    for _ in 0..500 {
        if TcpStream::connect(program.address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it still listens");
}

#[tokio::test]
async fn f_15_streams_finish_within_the_drain_and_nothing_new_begins() {
    let (upstream, mut program, answers) = opened("60s").await;
    let mut begun = connect(program.address, b"GET /readyz HTTP/1.1\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    program.terminate().await;
    refused(&program).await;
    // A request that was under way still hears that no call is taken.
    begun.write_all(b"host: localhost\r\n\r\n").await.unwrap();
    let mut ready = Answer::of(begun).await;
    assert_eq!((ready.status, &ready.json().await["status"]), (503, &serde_json::json!("draining")));
    for _ in 0..STREAMS {
        upstream.go();
    }
    for mut answer in answers {
        let text = answer.text().await;
        assert!(text.contains("[DONE]") || text.contains("message_stop"), "{text}");
    }
    assert_eq!(program.end().await, Some(0));
    assert!(!program.said().contains("panicked"));
}

#[tokio::test]
async fn f_15_what_is_open_at_the_end_of_the_drain_ends_with_an_error_of_its_own_protocol() {
    let (upstream, mut program, answers) = opened("300ms").await;
    program.terminate().await;
    for (number, mut answer) in answers.into_iter().enumerate() {
        let text = answer.text().await;
        let last = events(&text).pop().unwrap();
        if number % 2 == 0 {
            assert_eq!(last["error"]["code"], "overloaded", "{text}");
            assert!(!text.contains("[DONE]"), "{text}");
        } else {
            assert_eq!(last["error"]["type"], "overloaded_error", "{text}");
            let named = names(&text);
            assert_eq!(named[named.len() - 2..], ["content_block_stop", "error"], "{text}");
        }
    }
    assert_eq!(program.end().await, Some(0));
    program.line(&["drain limit reached"]).await;
    program.line(&["call", "failure=\"Overloaded\"", "the server is shutting down"]).await;
    assert!(!program.said().contains("panicked"));
    // The upstream was let go.
    for _ in 0..STREAMS {
        upstream.left().await;
    }
}

#[tokio::test]
async fn f_15_a_whole_call_that_waits_at_the_end_of_the_drain_hears_503() {
    let upstream = Upstream::start([Exchange::steps([Step::Hang])]).await;
    let mut program = serve(&upstream).env("IFLOW2API_SERVER_DRAIN", "300ms").start().await;
    let waiting = program.send("POST /v1/chat/completions", "", CHAT).await;
    upstream.asked().await;
    program.terminate().await;
    let mut answer = Answer::of(waiting).await;
    let body = answer.json().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{body}");
    assert_eq!(answer.header("x-iflow2api-error"), Some("local"));
    assert_eq!(program.end().await, Some(0));
}

#[tokio::test]
async fn f_15_a_second_signal_ends_at_once() {
    let (_upstream, mut program, answers) = opened("60s").await;
    program.terminate().await;
    program.line(&["interrupt again"]).await;
    program.terminate().await;
    let begun = Instant::now();
    assert_eq!(program.end().await, Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(answers);
    // Its streams are let go with it.
    for _ in 0..STREAMS {
        _upstream.left().await;
    }
}
