//! F-7: the client leaves before the first token, in the middle of a stream, during a whole answer.

use crate::program::{CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, delta, good, with_table};
use crate::support::upstream::{Exchange, Step, Upstream, begin};

#[tokio::test]
async fn f_7_a_client_that_leaves_frees_the_upstream_and_its_place() {
    let begun = Exchange::steps([begin(delta(r#"{"content":"Hel"}"#)), Step::Hang]);
    let silent = Exchange::steps([Step::Hang]);
    for (path, body, bad, seen) in [
        ("/v1/chat/completions", CHAT_STREAM, &silent, ""),
        ("/v1/chat/completions", CHAT_STREAM, &begun, "Hel"),
        ("/v1/chat/completions", CHAT, &silent, ""),
        ("/v1/messages", MESSAGES_STREAM, &silent, ""),
        ("/v1/messages", MESSAGES_STREAM, &begun, "Hel"),
        ("/v1/messages", MESSAGES, &silent, ""),
    ] {
        let good = good(body.contains("stream"));
        let upstream = Upstream::start([bad.clone(), good]).await;
        // One place alone: the next call gets it.
        let mut program = with_table(&upstream, "max_concurrent = 1").start().await;
        if seen.is_empty() {
            let client = program.send(&format!("POST {path}"), "", body).await;
            upstream.asked().await;
            drop(client);
        } else {
            let mut answer = program.post(path, body).await;
            answer.until(seen).await;
            drop(answer);
        }
        upstream.left().await;
        program.line(&["call", "status=499"]).await;
        assert_eq!(program.post(path, body).await.status, 200, "the next request succeeds");
        assert!(!program.said().contains("panicked"));
    }
}
