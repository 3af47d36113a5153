//! F-3: the upstream stalls before its head, behind it, in the middle of an event.

use crate::program::{CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, STREAM, WHOLE, delta};
use crate::support::client::events;
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};

#[tokio::test]
async fn f_3_a_stall_is_filled_with_signs_of_life_and_ends_with_one_error_at_the_deadline() {
    let said = delta(r#"{"content":"Hel"}"#);
    let half = format!("{said}data: {{\"choices\":[{{\"ind");
    let stalls = [
        ("before the head", vec![Step::Hang], false),
        ("behind the head", vec![begin(""), Step::Hang], false),
        ("behind an event", vec![begin(&said), Step::Hang], true),
        ("in an event", vec![begin(&half), Step::Hang], true),
    ];
    for (when, steps, spoke) in stalls {
        for (path, body, sign) in [
            ("/v1/chat/completions", CHAT_STREAM, ": keep-alive"),
            ("/v1/messages", MESSAGES_STREAM, "event: ping"),
        ] {
            let upstream = Upstream::start([Exchange::steps(steps.clone()), Exchange::stream(STREAM)]).await;
            let setup =
                serve(&upstream).env("IFLOW2API_TIMEOUT_HOLD", "50ms").env("IFLOW2API_TIMEOUT_PING", "50ms");
            let setup =
                setup.env("IFLOW2API_TIMEOUT_FIRST_BYTE", "1500ms").env("IFLOW2API_TIMEOUT_IDLE", "1500ms");
            let mut program = setup.start().await;
            let text = program.post(path, body).await.text().await;
            assert!(text.matches(sign).count() >= 3, "{when} on {path}: {text}");
            assert_eq!(text.contains("Hel"), spoke, "{when} on {path}: {text}");
            let errors = events(&text).iter().filter(|event| event["error"].is_object()).count();
            assert!(
                errors == 1 && !text.contains("[DONE]") && !text.contains("message_stop"),
                "{when}: {text}"
            );
            assert!(text.contains("sent nothing for 1.5 s"), "{when}: {text}");
            upstream.left().await;
            let next = program.post(path, body).await.text().await;
            assert!(next.contains("lo!"), "the next request succeeds: {next}");
            program.line(&["call", "failure=\"TimedOut\""]).await;
            assert!(!program.said().contains("panicked"));
        }
    }
}

#[tokio::test]
async fn f_3_a_whole_answer_that_stalls_is_a_504_at_the_deadline() {
    let half =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{\"choices\":[";
    for steps in [vec![Step::Hang], vec![send(half), Step::Hang]] {
        for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
            let upstream =
                Upstream::start([Exchange::steps(steps.clone()), Exchange::answer(200, WHOLE)]).await;
            let setup = serve(&upstream).env("IFLOW2API_TIMEOUT_FIRST_BYTE", "300ms");
            let mut program = setup.env("IFLOW2API_TIMEOUT_IDLE", "300ms").start().await;
            assert_eq!(program.post(path, body).await.status, 504, "{path}");
            upstream.left().await;
            assert_eq!(program.post(path, body).await.status, 200);
            program.line(&["call", "failure=\"TimedOut\""]).await;
        }
    }
}
