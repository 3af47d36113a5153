//! F-17: descriptors run out, names do not resolve, certificates are refused.

use crate::program::{CHAT, CHAT_STREAM, MESSAGES};
use crate::support::client::connect;
use crate::support::program::{serve, setup};
use crate::support::upstream::Upstream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[tokio::test]
async fn f_17_without_descriptors_the_server_waits_and_goes_on() {
    let upstream = Upstream::start([]).await;
    let mut program = serve(&upstream).with_descriptors(64).start().await;
    // Those that find the system's queue full wait there, and are not waited for.
    let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let clients: Vec<_> = (0..200).map(|_| tokio::spawn(connect(program.address, request))).collect();
    program.line(&["accept failed, pausing"]).await;
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    for client in &clients {
        while !client.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    drop(clients);
    let health = program.get("/health").await;
    assert_eq!(health.status, 200, "it goes on");
    assert!(!program.said().contains("panicked"));
}

#[tokio::test]
async fn f_17_a_name_that_does_not_resolve_is_a_502_that_says_so() {
    let program = setup(&["serve", "--port", "0"]).env("IFLOW2API_BASE_URL", "http://nowhere.invalid/v1");
    let mut program = program.start().await;
    for (path, body) in
        [("/v1/chat/completions", CHAT), ("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES)]
    {
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!((answer.status, answer.header("x-iflow2api-error")), (502, Some("upstream")), "{text}");
        assert!(text.contains("cannot be reached"), "{text}");
    }
    program.line(&["call", "failure=\"Unreachable\"", "status=502"]).await;
}

/// Answers every greeting with the alert that a certificate has expired, as the other side would say it.
async fn expired() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            // RFC 8446, section 6: fatal, certificate_expired.
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 45]).await;
        }
    });
    address
}

#[tokio::test]
async fn f_17_tls_that_fails_is_a_502_that_says_why() {
    let address = expired().await;
    let program =
        setup(&["serve", "--port", "0"]).env("IFLOW2API_BASE_URL", &format!("https://{address}/v1"));
    let mut program = program.start().await;
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let mut answer = program.post(path, body).await;
        let text = answer.text().await;
        assert_eq!((answer.status, answer.header("x-iflow2api-error")), (502, Some("upstream")), "{text}");
        assert!(
            text.to_lowercase().contains("certificate") && text.to_lowercase().contains("expired"),
            "{text}"
        );
    }
    program.line(&["call", "failure=\"Unreachable\""]).await;
    assert!(!program.said().contains("panicked"));
}
