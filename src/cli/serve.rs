//! `serve`: binds, says how to use it, and serves until it is told to stop.

use super::child;
use super::engines;
use super::output::say;
use super::setup::{self, Core};
use super::signals::Signals;
use crate::config::{Config, Flags, Resolved, Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use crate::server::{self, Info};
use clap::Args as ClapArgs;
use futures_util::future::join_all;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use tokio::sync::oneshot;

const EXAMPLES: &str = "\
Examples:
  iflow2api serve --demo
  iflow2api serve --upstream http://127.0.0.1:11434/v1
  IFLOW2API_BASE_URL=https://api.example.com/v1 IFLOW2API_API_KEY=… iflow2api serve
  iflow2api serve -- claude -p \"explain this repository\"";

/// Serve both APIs on this machine
#[derive(Debug, ClapArgs)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// Listen on this address [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Listen on this port, 0 for a free one [default: 8000]
    #[arg(long)]
    port: Option<u16>,
    /// Send calls to this upstream: the name of one that is set up, or a base URL
    #[arg(long, value_name = "NAME|URL")]
    upstream: Option<String>,
    /// Answer from a built-in demo upstream, without any account
    #[arg(long)]
    demo: bool,
    /// Run this command with an environment that points clients here, on a free port, and end with its exit status
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Runs `serve`.
///
/// # Errors
/// `Usage` for settings that cannot work, `Internal` for an address that cannot be listened on.
pub fn run<'a>(args: Args, sources: impl FnOnce(Flags) -> Sources<'a>) -> Result<ExitCode> {
    // A client that is started here finds its port by itself, so that several can run.
    let port = args.port.or(if args.command.is_empty() { None } else { Some(0) });
    let resolved =
        resolve(&sources(Flags { host: args.host, port, upstream: args.upstream, ..Flags::default() }))?;
    setup::warn(&resolved);
    setup::runtime()?.block_on(serve(&resolved, args.demo, &args.command))
}

async fn serve(resolved: &Resolved, demo: bool, command: &[String]) -> Result<ExitCode> {
    let config = &resolved.config;
    let signals = Signals::listen()?;
    let core = setup::core(resolved, demo).await?;
    let bound = server::bind(&config.server).await?;
    let addresses = bound.addresses().to_vec();
    refuse_loop(config, &addresses)?;
    let address = addresses
        .first()
        .copied()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "no address to listen on"))?;
    let url = url_of(address);
    let info = Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: core.gateway.default_model().map(str::to_owned),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let tended = async {
        join_all(core.sessions.iter().map(|session| session.tend())).await;
        // Without a login there is nothing to look after, and that never ends either.
        std::future::pending::<Infallible>().await
    };
    let served = server::run(bound, core.gateway.clone(), config.server.clone(), info, stopped);
    if command.is_empty() {
        let banner = banner(&core, config, &url, demo);
        let announced = async {
            say(&banner);
            if core.gateway.default_upstream().is_none() {
                engines::offer(address.port()).await;
            }
            until_told(signals, stop).await
        };
        tokio::pin!(announced);
        tokio::select! {
            served = served => served.map(|()| ExitCode::SUCCESS),
            code = announced => Ok(code),
            never = tended => match never {},
        }
    } else {
        let model = core.gateway.default_model();
        let environment = child::environment(&url, config.server.keys.first(), model);
        tokio::select! {
            served = served => served.map(|()| ExitCode::SUCCESS),
            code = child::run(command, &environment, signals) => code,
            never = tended => match never {},
        }
    }
}

/// Waits for the first signal, which starts the drain, and for the second, which ends it.
async fn until_told(mut signals: Signals, stop: oneshot::Sender<()>) -> ExitCode {
    signals.next().await;
    say("iflow2api: finishing open answers; interrupt again to stop at once");
    let _ = stop.send(());
    signals.next().await;
    ExitCode::from(130)
}

fn url_of(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// A base URL that leads back here would answer itself for ever.
fn refuse_loop(config: &Config, addresses: &[SocketAddr]) -> Result<()> {
    let leads_back = |url: &str| {
        let Ok(url) = url::Url::parse(url) else { return false };
        let ours = addresses.iter().any(|address| Some(address.port()) == url.port_or_known_default());
        ours && match url.host() {
            Some(url::Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
            Some(url::Host::Ipv4(ip)) => is_here(ip.into(), addresses),
            Some(url::Host::Ipv6(ip)) => is_here(ip.to_canonical(), addresses),
            None => false,
        }
    };
    match config.upstreams.iter().find(|upstream| upstream.base_url.as_deref().is_some_and(leads_back)) {
        None => Ok(()),
        Some(upstream) => {
            let message = format!("the base URL of upstream `{}` leads back to this server", upstream.name);
            let hint = "give the upstream's own address, or listen on another port with --port";
            Err(Error::new(ErrorKind::Usage, message).with_hint(hint))
        }
    }
}

/// Whether an address is one at which this machine hears itself.
fn is_here(ip: IpAddr, addresses: &[SocketAddr]) -> bool {
    ip.is_loopback() || ip.is_unspecified() || addresses.iter().any(|address| address.ip() == ip)
}

fn banner(core: &Core, config: &Config, url: &str, demo: bool) -> String {
    let key = if config.server.keys.is_empty() { "anything" } else { "YOUR_KEY" };
    let upstreams: Vec<&str> = core.gateway.upstreams().collect();
    let upstreams = match upstreams.as_slice() {
        [_, ..] if demo => "demo (built in: honest answers, no model behind it)".to_owned(),
        names @ [_, ..] => names.join(", "),
        [] => "none yet: log in with `iflow2api auth`, set the key of a provider (ZAI_API_KEY, …),\n               \
                 or use --upstream URL or --demo"
            .to_owned(),
    };
    format!(
        "iflow2api {version} listening on {url}\n\
         \x20 upstreams    {upstreams}\n\
         \x20 Claude Code  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={key} claude\n\
         \x20 Anthropic    base_url={url}  api_key={key}\n\
         \x20 OpenAI       base_url={url}/v1  api_key={key}\n\
         \x20 status       {url}/admin   API: {url}/docs",
        version = env!("CARGO_PKG_VERSION"),
    )
}
