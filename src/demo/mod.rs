//! The embedded demo upstream: an OpenAI-compatible service on a loopback port of its own, with
//! no model behind it. Callers reach it over HTTP, like any provider.
//!
//! What is answered is decided in `plan` and its neighbours, which are pure; this file and `play`
//! only carry it out. The caller's key is not looked at: nothing here is worth guarding.

mod fail;
mod long;
mod plan;
mod play;
mod request;
mod side;
mod tools;
mod words;

use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use plan::Refusal;
use play::Body;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The models that behave each in their own way; any other name answers as the first.
pub const MODELS: [&str; 6] =
    ["demo-echo", "demo-think", "demo-tools", "demo-long", "demo-fail", "demo-stall"];

/// How large a request body may be. Chosen: above the gateway's own default, so that the gateway
/// is the one that refuses.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// How long to wait after the listener failed. Chosen: long enough not to spin where the process
/// is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running demo upstream. Dropping it closes its port and breaks off every answer.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// Starts the demo upstream on a free loopback port.
///
/// # Errors
/// `Internal`, where no loopback port can be opened.
pub async fn start() -> Result<Demo> {
    let unavailable = |cause: std::io::Error| {
        Error::new(ErrorKind::Internal, "the demo upstream has no loopback port to listen on")
            .with_source(cause)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(unavailable)?;
    let address = listener.local_addr().map_err(unavailable)?;
    Ok(Demo { address, server: tokio::spawn(serve(listener)) })
}

impl Demo {
    /// Where the service is, as a provider's base URL: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts connections for ever. Dropping the future ends them all: they live in its `JoinSet`.
///
/// `poem::Server` would leave its connections running, stalled ones for good.
async fn serve(listener: TcpListener) {
    let answers = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let _ = socket.set_nodelay(true);
                    let answers = Arc::clone(&answers);
                    let service = service_fn(move |request| {
                        let number = answers.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                        async move { Ok::<_, Infallible>(answer(request, number).await) }
                    });
                    connections.spawn(
                        hyper::server::conn::http1::Builder::new()
                            .timer(TokioTimer::new())
                            .serve_connection(TokioIo::new(socket), service),
                    );
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(request: Request<Incoming>, number: u64) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_end_matches('/');
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    match (&parts.method, path) {
        (&Method::GET, "/v1/models") => play::json(&side::models(created)),
        (&Method::POST, "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings") => {
            let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
                return play::refuse(&Refusal::new(413, "the body is too large, or broke off"));
            };
            post(path, &body.to_bytes(), number, created).await
        }
        (_, "/v1/models" | "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings") => {
            play::refuse(&Refusal::new(405, format!("{} does not go with {path}", parts.method)))
        }
        _ => play::refuse(&Refusal::new(404, format!("there is no route {path}"))),
    }
}

async fn post(path: &str, body: &Bytes, number: u64, created: u64) -> Response<Body> {
    let answered = match path {
        "/v1/completions" => side::completion(body, number, created).map(play::side),
        "/v1/embeddings" => side::embeddings(body).map(|value| play::json(&value)),
        _ => match request::Request::parse(body) {
            Ok(request) => Ok(play::chat(&request, number, created).await),
            Err(refusal) => Err(refusal),
        },
    };
    answered.unwrap_or_else(|refusal| play::refuse(&refusal))
}
