//! F-18: a handler panics. No route of the program does; here is one that does, behind the real accept
//! loop.

use crate::support::client::{Answer, connect};
use iflow2api::server::accept::{self, Limits};
use iflow2api::server::guarded;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::test]
async fn f_18_a_handler_that_panics_is_a_500_and_the_server_goes_on() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let routes = poem::endpoint::make(|request: poem::Request| async move {
        assert!(request.uri().path() != "/v1/messages", "on purpose");
        poem::Response::builder().body("fine")
    });
    let endpoint = guarded(&crate::wire_client::settings(), routes);
    let served = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        accept::serve(vec![listener], endpoint, Limits::default(), stopped, || {}).await;
    });
    for _ in 0..3 {
        let request = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";
        let mut answer = Answer::of(connect(address, request).await).await;
        let body = answer.json().await;
        assert_eq!((answer.status, answer.header("x-iflow2api-error")), (500, Some("local")), "{body}");
        let id = answer.header("request-id").unwrap();
        assert!(body["request_id"] == id && !body.to_string().contains("purpose"), "{body}");
        let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
        assert_eq!(Answer::of(connect(address, request).await).await.text().await, "fine");
    }
    stop.send(()).unwrap();
    served.await.unwrap();
}
