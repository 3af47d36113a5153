//! The floor: what an HTTP/1 proxy on hyper costs that does nothing at all. One upstream connection for
//! each client's, kept open; bodies go through as they come.

use crate::process;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// The connection to the upstream, once it stands.
type Upstream = Arc<Mutex<Option<SendRequest<Incoming>>>>;

/// Runs the proxy until it is killed.
pub fn main(upstream: &str) -> ExitCode {
    let upstream: SocketAddr = upstream.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = process::listen();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let connection = Upstream::default();
            let service = service_fn(move |request| forward(request, upstream, Arc::clone(&connection)));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    })
}

async fn forward(
    request: Request<Incoming>,
    upstream: SocketAddr,
    connection: Upstream,
) -> hyper::Result<Response<Incoming>> {
    let mut connection = connection.lock().await;
    if let Some(sender) = connection.as_mut()
        && sender.ready().await.is_ok()
    {
        return sender.send_request(request).await;
    }
    let stream = TcpStream::connect(upstream).await.unwrap();
    let _ = stream.set_nodelay(true);
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    let response = sender.send_request(request).await;
    *connection = Some(sender);
    response
}
