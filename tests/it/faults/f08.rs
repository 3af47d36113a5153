//! F-8: the client reads nothing.

use crate::program::{CHAT, STREAMED, WHOLE, delta};
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Step, Upstream, begin};

#[tokio::test]
async fn f_8_a_client_that_reads_nothing_is_left_at_the_stall_limit_and_holds_up_nobody() {
    for (path, body) in STREAMED {
        let text = delta(&format!("{{\"content\":\"{}\"}}", "x".repeat(10_000)));
        let flood = Exchange::steps([begin(""), Step::Flood(text.into_bytes(), 100_000)]);
        let upstream =
            Upstream::start([flood, Exchange::answer(200, WHOLE), Exchange::answer(200, WHOLE)]).await;
        let mut program = serve(&upstream).env("IFLOW2API_SERVER_STALL", "2s").start().await;
        let client = program.send(&format!("POST {path}"), "", body).await;
        let written = upstream.stuck().await;
        assert!(written < 64 * 1024 * 1024, "what nobody reads is not read on: {written} bytes");
        assert_eq!(program.chat(CHAT).await.status, 200, "others are served meanwhile");
        program.line(&["call", "status=499"]).await;
        upstream.left().await;
        assert!(upstream.written() < 64 * 1024 * 1024);
        assert_eq!(program.chat(CHAT).await.status, 200, "the next request succeeds");
        assert!(!program.said().contains("panicked"));
        drop(client);
    }
}

#[tokio::test]
async fn f_8_a_client_that_sends_too_slowly_is_refused_in_time() {
    use crate::support::client::{Answer, connect};
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let setup = serve(&upstream).env("IFLOW2API_SERVER_BODY_TIME", "200ms");
    let program = setup.env("IFLOW2API_SERVER_BODY_TIME_PER_MIB", "300ms").start().await;
    for (path, announced) in [("/v1/chat/completions", "100"), ("/v1/messages", "1048577")] {
        let request =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {announced}\r\n\r\n{{");
        let mut answer = Answer::of(connect(program.address, request.as_bytes()).await).await;
        let body = answer.text().await;
        let seconds = if announced == "100" { "0.5" } else { "0.8" };
        let said = format!("the body did not arrive within {seconds} s; the limit is `server.body_time`");
        assert!(answer.status == 400 && body.contains(&said), "{body}");
    }
    assert_eq!(program.chat(CHAT).await.status, 200, "the next request succeeds");
}
