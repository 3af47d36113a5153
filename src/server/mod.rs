//! The way in over HTTP: binds, serves and drains. What an address answers is in `routes`, what
//! every request passes first is in `front`, and what an answer contains is left to `gateway`.

pub mod accept;
mod access;
mod admin;
mod answer;
mod anthropic;
mod doc;
mod envelope;
mod front;
mod log;
mod openai;
mod ops;
mod payload;
mod routes;
mod stall;

pub use crate::config::Server as Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Gateway, Over};
use poem::{Endpoint, Response};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;

/// How often a free port is looked for that both loopback addresses have. Chosen: one miss is
/// already rare.
const PORT_ATTEMPTS: usize = 16;

/// What the status page says of this program, beside the addresses and the models.
#[derive(Debug, Clone, Default)]
pub struct Info {
    /// Our own version.
    pub version: String,
    /// The default model, where there is one.
    pub model: Option<String>,
}

/// Sockets that listen already, so that nothing can go wrong between "ready" and the first call.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Bound {
    /// Where we listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// What every handler may read.
pub(crate) struct State {
    gateway: Arc<Gateway>,
    settings: Settings,
    info: Info,
    addresses: Vec<SocketAddr>,
    draining: AtomicBool,
}

impl State {
    /// Whether the stop was asked for.
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Listens where the settings say: on `127.0.0.1` and, where there is IPv6, on `::1` as well, so
/// that `localhost` works for every client.
///
/// # Errors
/// `Usage` for an address beyond loopback without a caller's key (S-1), `Internal` for a port that
/// is taken or not ours to use.
pub async fn bind(settings: &Settings) -> Result<Bound> {
    let host = settings.host;
    if !host.to_canonical().is_loopback() && settings.keys.is_empty() {
        let message =
            format!("listening on {host} without a caller's key would lend your models to everyone");
        let hint = "set one with `server.keys` or IFLOW2API_SERVER_KEYS, or listen on 127.0.0.1";
        return Err(Error::new(ErrorKind::Usage, message).with_hint(hint));
    }
    let listeners = if host == Ipv4Addr::LOCALHOST {
        bind_both(settings.port).await
    } else {
        TcpListener::bind((host, settings.port)).await.map(|listener| vec![listener])
    };
    let listeners = listeners.map_err(|source| bind_error(settings, source))?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>();
    let addresses = addresses.map_err(|source| bind_error(settings, source))?;
    Ok(Bound { listeners, addresses })
}

/// Both loopback addresses on one port; IPv4 alone where there is no IPv6.
async fn bind_both(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut attempts = 1;
    loop {
        let fourth = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let chosen = fourth.local_addr()?.port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, chosen)).await {
            Ok(sixth) => return Ok(vec![fourth, sixth]),
            // Another program there would answer those who say `localhost`.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if port != 0 || attempts == PORT_ATTEMPTS {
                    return Err(error);
                }
                attempts += 1;
            }
            Err(_) => return Ok(vec![fourth]),
        }
    }
}

fn bind_error(settings: &Settings, source: io::Error) -> Error {
    let Settings { host, port, .. } = settings;
    let message = match source.kind() {
        io::ErrorKind::AddrInUse => format!("port {port} on {host} is taken"),
        io::ErrorKind::PermissionDenied => format!("port {port} on {host} is not allowed to this user"),
        io::ErrorKind::AddrNotAvailable => {
            let error = Error::new(ErrorKind::Internal, format!("{host} is not an address of this machine"));
            return error
                .with_hint("listen on 127.0.0.1, or on 0.0.0.0 for all addresses")
                .with_source(source);
        }
        _ => format!("cannot listen on port {port} of {host}"),
    };
    Error::new(ErrorKind::Internal, message)
        .with_hint("choose another with --port, or --port 0 for a free one")
        .with_source(source)
}

/// Routes behind what every request passes first, for whoever brings routes and an accept loop of its own.
pub fn guarded<E: Endpoint<Output = Response>>(
    settings: &Settings,
    routes: E,
) -> impl Endpoint<Output = Response> + use<E> {
    front::Front::new(settings, Over::default(), routes)
}

/// Serves until `stop` resolves; then closes the listeners, lets what is open go on for
/// `settings.drain`, and ends the rest with an error. Dropping the future drops everything at once.
///
/// # Errors
/// `Internal` where the routes cannot be built.
pub async fn run(
    bound: Bound,
    gateway: Arc<Gateway>,
    settings: Settings,
    info: Info,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let limits = accept::Limits { drain: settings.drain, stall: settings.stall, ..accept::Limits::default() };
    let Bound { listeners, addresses } = bound;
    let state = Arc::new(State { gateway, settings, info, addresses, draining: AtomicBool::new(false) });
    let (finish, over) = Over::new();
    let endpoint = front::Front::new(&state.settings, over, routes::routes(&state));
    let stop = async {
        stop.await;
        state.draining.store(true, Ordering::Relaxed);
    };
    accept::serve(listeners, endpoint, limits, stop, || finish.now()).await;
    Ok(())
}
