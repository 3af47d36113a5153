//! The accept loop: hyper over a poem endpoint, with the limits that `poem::Server` lacks.
//!
//! A connection is one task that owns its handler, so a client that leaves drops the handler at
//! once, before the first byte too. What a request is answered with is left to the endpoint.

use super::payload::BoxBody;
use super::stall::Stalling;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

/// The most header fields of a request (S-12).
const MAX_HEADERS: usize = 64;
/// The most bytes of a request's head (S-12); also the largest piece in which a body is read.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The pauses after an accept that failed for lack of descriptors. Chosen: short enough to be
/// back soon, long enough not to spin.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What a client may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many connections are open at once; further ones wait in the system's queue.
    pub connections: usize,
    /// How long a request's head may take, the pause before it included.
    pub head: Duration,
    /// How long a client may take nothing of what is ready for it.
    pub stall: Duration,
    /// How long open calls may go on after the stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}

/// How long answers have to say that they end, after the drain. Chosen: a reader who reads gets it at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Accepts and serves until `stop` resolves, then drains. At the drain's limit `finish` is called, which
/// brings what is still open to its end; what does not end in a moment then is dropped. Dropping the future
/// drops all connections.
pub async fn serve<E>(
    listeners: Vec<TcpListener>,
    endpoint: E,
    limits: Limits,
    stop: impl Future<Output = ()>,
    finish: impl FnOnce(),
) where
    E: Endpoint<Output = Response> + 'static,
{
    let endpoint = Arc::new(endpoint);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (permit, accepted) = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            next = next_connection(&listeners, &permits) => next,
        };
        let connection = connection(accepted, Arc::clone(&endpoint), &limits);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                debug!(error = %error, "connection ended early");
            }
        });
    }
    drop(listeners);
    info!(open = connections.len(), "draining");
    let mut closed = pin!(graceful.shutdown());
    if tokio::time::timeout(limits.drain, &mut closed).await.is_err() {
        while connections.try_join_next().is_some() {}
        warn!(open = connections.len(), "drain limit reached, open calls are ended");
        finish();
        let _ = tokio::time::timeout(LAST_WORDS, closed).await;
    }
    connections.shutdown().await;
}

/// The next connection, once there is a place for it. Dropping the future loses neither.
async fn next_connection(
    listeners: &[TcpListener],
    permits: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, (TcpStream, SocketAddr)) {
    let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
        unreachable!("nobody closes this semaphore");
    };
    let (mut pause, longest) = BACK_OFF;
    loop {
        match accept_any(listeners).await {
            Ok(accepted) => return (permit, accepted),
            Err(error) if is_about_one_connection(&error) => debug!(error = %error, "accept failed"),
            Err(error) => {
                warn!(error = %error, "accept failed, pausing");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        }
    }
}

async fn accept_any(listeners: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|context| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether the next accept may well succeed at once.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One connection as a future; dropping it drops the handler that is at work.
fn connection<E>(
    (stream, remote): (TcpStream, SocketAddr),
    endpoint: Arc<E>,
    limits: &Limits,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + use<E>
where
    E: Endpoint<Output = Response> + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        debug!(error = %error, "TCP_NODELAY was refused");
    }
    let local = stream.local_addr().unwrap_or(remote);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        let local = LocalAddr(Addr::SocketAddr(local));
        let remote = RemoteAddr(Addr::SocketAddr(remote));
        async move {
            let request = Request::from((request, local, remote, Scheme::HTTP));
            let response = endpoint.get_response(request).await;
            Ok::<hyper::Response<BoxBody>, Infallible>(response.into())
        }
    });
    // `http1` rather than `auto`, which looks for HTTP/2 outside any time limit.
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(MAX_HEADERS)
        // The buffer alone is no strict limit.
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Stalling::new(stream, limits.stall)), service)
}
