//! The listener that a browser is sent back to: on loopback only, for one answer only, and for a few minutes only. Its
//! pages are fixed texts: nothing that came with a request is shown.

use super::login::{NotOurs, Pending, Returned};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use url::Url;

/// How long somebody may take in the browser.
pub const LIMIT: Duration = Duration::from_secs(5 * 60);
/// How long a connection may take to ask.
const HEAD: Duration = Duration::from_secs(10);
/// How many connections are looked after at once; browsers open a few.
const MOST: usize = 16;

const ARRIVED: &str = include_str!("arrived.html");
const NOT_FOUND: &str = include_str!("not_found.html");

/// A port of this machine on which a browser is awaited.
pub struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
}

impl Listener {
    /// Takes a port, on both loopback addresses where there are two; 0 is any that is free.
    ///
    /// # Errors
    /// What the system said.
    pub async fn bind(port: u16) -> io::Result<Self> {
        let ipv4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = ipv4.local_addr()?.port();
        let mut sockets = vec![ipv4];
        // `localhost` may mean either. Without IPv6 there is only one.
        match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
            Ok(ipv6) => sockets.push(ipv6),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => {}
        }
        Ok(Self { sockets, port })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the browser. What belongs to another login is refused, and the waiting goes on.
    ///
    /// # Errors
    /// `TimedOut` where nobody came, `Internal` where the system takes the sockets away.
    pub async fn returned(self, pending: &Arc<Pending>) -> Result<Returned> {
        let (sender, receiver) = oneshot::channel();
        let desk = Arc::new(Desk {
            pending: Arc::clone(pending),
            port: self.port,
            sender: Mutex::new(Some(sender)),
            taken: Mutex::default(),
        });
        let accepted = async {
            let mut sockets = self.sockets.iter();
            match (sockets.next(), sockets.next()) {
                (Some(first), Some(second)) => tokio::join!(accept(first, &desk), accept(second, &desk)),
                (Some(only), None) => (accept(only, &desk).await, ()),
                (None, _) => std::future::pending().await,
            }
        };
        tokio::select! {
            returned = tokio::time::timeout(LIMIT, receiver) => match returned {
                Ok(Ok(returned)) => Ok(returned),
                Ok(Err(_)) => Err(Error::new(ErrorKind::Internal, "the listener has ended by itself")),
                Err(_) => Err(nobody_came()),
            },
            _ = accepted => Err(Error::new(ErrorKind::Internal, "the listener has ended by itself")),
        }
    }
}

/// Nobody came back in time.
pub fn nobody_came() -> Error {
    let message = format!("nobody came back from the browser within {} minutes", LIMIT.as_secs() / 60);
    Error::new(ErrorKind::TimedOut, message).with_hint("log in again")
}

async fn accept(socket: &TcpListener, desk: &Arc<Desk>) {
    let places = Arc::new(tokio::sync::Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match socket.accept().await {
            Ok((stream, _)) => {
                let desk = Arc::clone(desk);
                tokio::spawn(async move {
                    // What a browser does wrong is its own affair.
                    let _ = tokio::time::timeout(HEAD, serve(stream, &desk)).await;
                    desk.hand_over();
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, desk: &Desk) -> Result<(), hyper::Error> {
    let answer = service_fn(|request: Request<Incoming>| {
        let answer = desk.answer(request.method(), request.headers().get_all(header::HOST), request.uri());
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}

/// Where answers are taken.
struct Desk {
    pending: Arc<Pending>,
    port: u16,
    sender: Mutex<Option<oneshot::Sender<Returned>>>,
    /// What came back. It is handed over once the browser has got its page: the program may end right after.
    taken: Mutex<Taken>,
}

/// One login has one answer.
#[derive(Default)]
enum Taken {
    #[default]
    Nothing,
    This(Returned),
    Over,
}

impl Desk {
    fn answer(
        &self,
        method: &Method,
        hosts: header::GetAll<'_, HeaderValue>,
        uri: &http::Uri,
    ) -> Response<Full<Bytes>> {
        let mut hosts = hosts.iter();
        // A name that leads here is not ours: a page elsewhere could have one.
        let is_ours = hosts.next().and_then(|host| host.to_str().ok()).is_some_and(|host| self.is_ours(host));
        if !is_ours || hosts.next().is_some() {
            return page(StatusCode::FORBIDDEN, NOT_FOUND);
        }
        if *method != Method::GET || uri.path() != self.pending.path() {
            return page(StatusCode::NOT_FOUND, NOT_FOUND);
        }
        let Ok(url) = Url::parse(&format!(
            "http://localhost{}",
            uri.path_and_query().map_or("/", |path| path.as_str())
        )) else {
            return page(StatusCode::BAD_REQUEST, NOT_FOUND);
        };
        match self.pending.returned(&url) {
            Ok(returned) => {
                let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
                if !matches!(*taken, Taken::Nothing) {
                    return page(StatusCode::GONE, NOT_FOUND);
                }
                *taken = Taken::This(returned);
                page(StatusCode::OK, ARRIVED)
            }
            Err(why @ (NotOurs::State | NotOurs::Issuer | NotOurs::Empty)) => {
                tracing::warn!(?why, "a request to the login's address was refused");
                page(StatusCode::BAD_REQUEST, NOT_FOUND)
            }
        }
    }

    fn hand_over(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Taken::This(_) = &*taken
            && let Taken::This(returned) = std::mem::replace(&mut *taken, Taken::Over)
            && let Some(sender) = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let _ = sender.send(returned);
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = host.strip_suffix(&format!(":{}", self.port));
        name.is_some_and(|name| {
            matches!(name.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]")
        })
    }
}

fn page(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::CONNECTION, "close"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
