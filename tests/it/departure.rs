//! Clients that leave, stall or stay: what the accept loop does with their handlers.

use crate::wire_client::PATIENCE;
use bytes::Bytes;
use futures_util::StreamExt as _;
use iflow2api::server::accept::{self, Limits};
use poem::{Body, Endpoint, IntoResponse as _, Request, Response};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What a handler went through.
#[derive(Debug, PartialEq, Eq)]
enum Sign {
    Begun,
    Dropped,
}

/// Says when it is dropped.
struct Witness(mpsc::Sender<Sign>);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.try_send(Sign::Dropped);
    }
}

/// `/wait` never answers, `/stream` sends one event and waits for `go`, `/flood` never ends, all else
/// answers at once.
struct Script {
    signs: mpsc::Sender<Sign>,
    go: Arc<Notify>,
}

impl Endpoint for Script {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let witness = Witness(self.signs.clone());
        match request.uri().path() {
            "/wait" => {
                let _ = self.signs.send(Sign::Begun).await;
                let _witness = witness;
                std::future::pending().await
            }
            "/stream" => {
                let go = Arc::clone(&self.go);
                let first = futures_util::stream::once(async { Ok(Bytes::from_static(b"first\n")) });
                let last = futures_util::stream::once(async move {
                    let _witness = witness;
                    go.notified().await;
                    Ok::<_, std::io::Error>(Bytes::from_static(b"last\n"))
                });
                Ok(Body::from_bytes_stream(first.chain(last)).into_response())
            }
            "/flood" => {
                let flood = futures_util::stream::repeat_with(move || {
                    let _witness = &witness;
                    Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 16 * 1024]))
                });
                Ok(Body::from_bytes_stream(flood).into_response())
            }
            _ => Ok("done".into_response()),
        }
    }
}

struct Stage {
    address: SocketAddr,
    signs: mpsc::Receiver<Sign>,
    go: Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Stage {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, signs) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel();
        let go = Arc::new(Notify::new());
        let script = Script { signs: sender, go: Arc::clone(&go) };
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            accept::serve(vec![listener], script, limits, stopped, || {}).await;
        });
        Self { address, signs, go, stop, task }
    }

    async fn connect(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn sign(&mut self) -> Sign {
        timeout(PATIENCE, self.signs.recv()).await.expect("a sign in time").expect("a living endpoint")
    }
}

/// Reads until `end` was seen; false where the connection ended before.
async fn read_until(stream: &mut TcpStream, end: &str) -> bool {
    let mut text = Vec::new();
    loop {
        if text.windows(end.len()).any(|window| window == end.as_bytes()) {
            return true;
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut text)).await.expect("bytes in time");
        if matches!(read, Ok(0) | Err(_)) {
            return false;
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_ends_its_handler() {
    let mut stage = Stage::start(Limits::default()).await;
    let client = stage.connect("/wait").await;
    assert_eq!(stage.sign().await, Sign::Begun);
    drop(client);
    assert_eq!(stage.sign().await, Sign::Dropped);
}

#[tokio::test]
async fn a_client_that_leaves_in_a_stream_ends_it() {
    let mut stage = Stage::start(Limits::default()).await;
    let mut client = stage.connect("/stream").await;
    assert!(read_until(&mut client, "first\n").await);
    drop(client);
    assert_eq!(stage.sign().await, Sign::Dropped);
}

#[tokio::test]
async fn an_open_stream_may_end_after_the_stop_and_nobody_new_is_let_in() {
    let stage = Stage::start(Limits::default()).await;
    let mut client = stage.connect("/stream").await;
    assert!(read_until(&mut client, "first\n").await);
    let mut idle = stage.connect("/").await;
    assert!(read_until(&mut idle, "done").await);
    stage.stop.send(()).unwrap();
    assert!(!read_until(&mut idle, "more").await, "an idle connection is closed");
    assert!(TcpStream::connect(stage.address).await.is_err(), "the listener is closed");
    stage.go.notify_one();
    assert!(read_until(&mut client, "last\n").await);
    timeout(PATIENCE, stage.task).await.expect("the server ends").unwrap();
}

#[tokio::test]
async fn what_is_open_after_the_drain_is_dropped() {
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let mut stage = Stage::start(limits).await;
    let mut client = stage.connect("/wait").await;
    assert_eq!(stage.sign().await, Sign::Begun);
    stage.stop.send(()).unwrap();
    assert!(!read_until(&mut client, "HTTP").await);
    timeout(PATIENCE, stage.task).await.expect("the server ends").unwrap();
    assert_eq!(timeout(PATIENCE, stage.signs.recv()).await.unwrap(), Some(Sign::Dropped));
}

#[tokio::test]
async fn heads_that_do_not_come_to_an_end_are_closed() {
    let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::start(limits).await;
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nx-a"] {
        let mut client = TcpStream::connect(stage.address).await.unwrap();
        client.write_all(begun.as_bytes()).await.unwrap();
        assert!(!read_until(&mut client, "200 OK").await, "{begun:?}");
    }
}

#[tokio::test]
async fn a_client_that_stays_without_reading_is_given_up() {
    let limits = Limits { stall: Duration::from_millis(100), ..Limits::default() };
    let mut stage = Stage::start(limits).await;
    let client = stage.connect("/flood").await;
    assert_eq!(stage.sign().await, Sign::Dropped);
    drop(client);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let mut stage = Stage::start(limits).await;
    let first = stage.connect("/wait").await;
    assert_eq!(stage.sign().await, Sign::Begun);
    let mut second = stage.connect("/").await;
    drop(first);
    assert_eq!(stage.sign().await, Sign::Dropped);
    assert!(read_until(&mut second, "done").await);
}
