//! `auth login`, and bare `auth`, which asks first.

use super::browser::{self, Headless};
use super::{Place, ask, key, profile};
use crate::auth::callback::{LIMIT, Listener, nobody_came};
use crate::auth::credential::Credential;
use crate::auth::grant::Grants;
use crate::auth::http::Http;
use crate::auth::login::{Pending, Returned, complete};
use crate::auth::method::{Flow, Method};
use crate::auth::refresh;
use crate::auth::words::said;
use crate::cli::logins;
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::signals::Signals;
use crate::config::{Flags, Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::presets::rows::{Auth, Status};
use crate::secret::Secret;
use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use std::sync::Arc;
use url::Url;

/// Log in at a provider, or store a key of it
///
/// With a login in the browser where the provider has one, else with a key, which is asked for and not shown. A key is
/// tried with one cheap call before it is stored.
#[derive(Debug, ClapArgs)]
#[command(
    before_help = "Examples:\n  iflow2api auth login openrouter\n  iflow2api auth login zai --with-token < key.txt\n  iflow2api auth login corp --device --profile work"
)]
pub struct Args {
    /// The provider: a preset, or the name of an upstream that is set up
    #[arg(value_name = "PROVIDER", value_parser = NonEmptyStringValueParser::new())]
    provider: String,
    /// Store a key, read from stdin
    #[arg(long, conflicts_with_all = ["no_browser", "device", "port"])]
    with_token: bool,
    /// Store the key without trying it
    #[arg(long, requires = "with_token")]
    no_check: bool,
    /// Open no browser, only show the address
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// Log in on another device, with a code
    #[arg(long)]
    device: bool,
    /// Wait for the browser on this port
    #[arg(long, value_name = "N", conflicts_with = "device", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Keep it as this account, beside others of the provider
    #[arg(long, value_name = "NAME", value_parser = profile)]
    profile: Option<String>,
}

/// Runs `auth login`.
///
/// # Errors
/// `Usage` where something is missing and nobody can be asked; `LoginRequired` where the login is refused; `TimedOut`
/// where nobody came back; what else the provider's servers fail with.
pub async fn run<'a>(args: &Args, sources: &impl Fn(Flags) -> Sources<'a>, asks: bool) -> Result<()> {
    let place = Place::find(&args.provider, sources)?;
    let profile = args.profile.as_deref();
    match &place.method {
        Some(method) if !args.with_token => {
            let browse = Browse { no_browser: args.no_browser, device: args.device, port: args.port, asks };
            browse.log_in(&place, method.clone(), profile).await
        }
        None if args.device || args.no_browser || args.port.is_some() => {
            let name = place.name();
            let message = format!("`{name}` has no login in the browser, as far as is known; it takes a key");
            Err(Error::new(ErrorKind::Usage, message).with_hint(format!(
                "`iflow2api auth login {name}`, or describe its login in `[auth.{name}]`"
            )))
        }
        None if !asks && !args.with_token => Err(key::nobody_to_ask(place.name())),
        Some(_) | None => key::store(&place, profile, asks, !args.no_check).await,
    }
}

/// Asks where and how, and logs in.
///
/// # Errors
/// As [`run`].
pub async fn choose<'a>(sources: &impl Fn(Flags) -> Sources<'a>, asks: bool, color: bool) -> Result<()> {
    if !asks {
        return Err(Error::new(ErrorKind::Usage, "there is nobody to ask which provider is meant")
            .with_hint(
                "name it: `iflow2api auth login PROVIDER`; `iflow2api auth status` shows what there is",
            ));
    }
    let resolved = resolve(&sources(Flags::default()))?;
    let catalogue = setup::catalogue(resolved.rows.as_ref())?;
    let mut signals = Signals::listen()?;
    let mut offers: Vec<(String, String)> = Vec::new();
    let own = resolved.config.upstreams.iter().map(|upstream| upstream.name.as_str());
    let names: Vec<&str> = own.chain(catalogue.names()).collect();
    for name in names {
        let preset = resolved.config.upstreams.iter().find(|upstream| upstream.name == name);
        let row = catalogue.row(preset.map_or(name, |upstream| &upstream.preset))?;
        let takes_none =
            row.status == Some(Status::Local) || row.auth == Some(Auth::None) || row.base_url.is_none();
        if offers.iter().any(|(known, _)| known == name) || takes_none && preset.is_none() {
            continue;
        }
        let has_login =
            row.login.is_some() || resolved.config.auth.logins.iter().any(|(known, _)| known == name);
        let called = row.name.as_deref().map(|called| format!(": {called}")).unwrap_or_default();
        let how = if has_login { ", browser or key" } else { "" };
        let ended = row.retired.filter(|_| row.status == Some(Status::Retired));
        let ended = ended.map(|day| format!(", ended {day}")).unwrap_or_default();
        offers.push((name.to_owned(), format!("{name}{called}{how}{ended}")));
    }
    let items = offers.iter().map(|(_, item)| item.clone()).collect();
    let chosen = ask::choose(&mut signals, "Log in at", items, color).await?;
    let Some((name, _)) = chosen.and_then(|chosen| offers.get(chosen)) else { return Err(nothing_chosen()) };
    let place = Place::find(name, sources)?;
    let Some(method) = &place.method else { return key::store(&place, None, asks, true).await };
    let ways = ["In the browser".to_owned(), "With a key".to_owned()];
    match ask::choose(&mut signals, "Log in", ways.to_vec(), color).await? {
        Some(0) => {
            let browse = Browse { no_browser: false, device: false, port: None, asks };
            browse.log_in(&place, method.clone(), None).await
        }
        Some(_) => key::store(&place, None, asks, true).await,
        None => Err(nothing_chosen()),
    }
}

fn nothing_chosen() -> Error {
    Error::new(ErrorKind::Interrupted, "nothing was chosen")
}

/// A login in a browser, as it was asked for.
struct Browse {
    no_browser: bool,
    device: bool,
    port: Option<u16>,
    asks: bool,
}

impl Browse {
    async fn log_in(&self, place: &Place, mut method: Method, profile: Option<&str>) -> Result<()> {
        let name = place.name();
        if let Some(day) = &method.retired {
            say(&format!(
                "iflow2api: note: the service of {} ended on {day}; this login works only where somebody still runs \
                 one like it, at the addresses in `auth.{name}.*`",
                place.row.name.as_deref().unwrap_or(name)
            ));
        }
        let mut signals = Signals::listen()?;
        let http = logins::http(name, &setup::way(&place.upstream), place.resolved.config.timeout.connect);
        let mut entered = None;
        if method.lacks_secret() && self.asks {
            say(&format!("A login at `{name}` needs the secret of the client `{}`.", method.client_id()?));
            let secret = ask::secret(&mut signals, "Secret of the client").await?;
            if secret.trim().is_empty() {
                return Err(method.secret_is_missing());
            }
            entered = Some(Secret::new(secret.trim()));
            method.client_secret.clone_from(&entered);
        }
        let work = async {
            let method = method.discovered(&http).await?;
            let headless = browser::headless(&|name| std::env::var(name).ok(), &|path| {
                std::path::Path::new(path).exists()
            });
            let by_device = self.device || headless.is_some() && !self.no_browser && self.port.is_none();
            if self.device && method.device_url.is_none() {
                let message = format!("`{name}` has no login for other devices");
                return Err(Error::new(ErrorKind::Usage, message).with_hint(format!(
                    "`iflow2api auth login {name}` uses a browser; or set `auth.{name}.device_url`"
                )));
            }
            if by_device && method.device_url.is_some() {
                return on_device(&method, &http).await;
            }
            self.in_browser(method, headless, &http).await
        };
        let credential = tokio::select! {
            credential = work => credential?,
            _ = signals.next() => return Err(Error::new(ErrorKind::Interrupted, "interrupted")),
        };
        if let Some(secret) = &entered {
            place.store.put_client_secret(name, secret)?;
        }
        place.keep(&place.account(profile), &credential)
    }

    /// Sends the browser, and takes what comes back: by itself, or by hand.
    async fn in_browser(
        &self,
        method: Method,
        headless: Option<Headless>,
        http: &Http,
    ) -> Result<Credential> {
        let listener = self.listener(&method).await;
        if let (Err(why), false) = (&listener, self.asks) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{why}, and there is nobody to paste the answer"),
            )
            .with_hint("free the port, or name another with `--port`"));
        }
        let first = self.port.or(method.ports.first().copied()).unwrap_or_default();
        let port = listener.as_ref().map_or(first, Listener::port);
        let pending = Arc::new(Pending::begin(method, port)?);
        let opens = !self.no_browser && headless.is_none();
        say(&match &headless {
            _ if opens => "Your browser opens for the login. If it does not, open this address:".to_owned(),
            Some(Headless::Ssh(hop)) if listener.is_ok() => format!(
                "There is no browser here. Run this on the machine that has one:\n\n  {}\n\n\
                 Then open this address there:",
                hop.forward(port)
            ),
            Some(Headless::Container) => {
                "There is no browser in a container. Open this address where there is one:".to_owned()
            }
            Some(_) => "There is no browser here. Open this address where there is one:".to_owned(),
            None => "Open this address in a browser:".to_owned(),
        });
        say(&format!("\n  {}\n", pending.address()));
        if let Err(why) = &listener {
            say(&format!("iflow2api: note: {why}; the browser will end at an error page: paste its address"));
        }
        if opens {
            browser::open(pending.address());
        }
        let returned = tokio::select! {
            returned = pasted(&pending, self.asks, listener.is_ok()) => returned?,
            returned = arrives(listener.ok(), &pending) => returned?,
        };
        pending.finish(returned, http).await
    }

    /// Takes a port to wait on, or says why there is none.
    async fn listener(&self, method: &Method) -> Result<Listener, String> {
        let mut wanted = self.port.map_or_else(|| method.ports.clone(), |port| vec![port]);
        if self.port.is_none() && method.any_port {
            wanted.push(0);
        }
        let mut taken: Option<String> = None;
        for port in wanted {
            match (Listener::bind(port).await, &taken) {
                (Ok(listener), None) => return Ok(listener),
                (Ok(listener), Some(why)) => {
                    say(&format!("iflow2api: note: {why}; port {} is used instead", listener.port()));
                    return Ok(listener);
                }
                (Err(error), None) => taken = Some(why_not(port, &error)),
                (Err(_), Some(_)) => {}
            }
        }
        Err(taken.unwrap_or_else(|| "there is no port to wait on".to_owned()))
    }
}

/// Why a port is not ours.
fn why_not(port: u16, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return format!("port {port} cannot be listened on ({error})");
    }
    let by = crate::cli::ports::holder(port).map(|by| format!(" by {by}")).unwrap_or_default();
    format!("port {port} is taken{by}")
}

/// Waits for the browser, where there is a port to wait on.
async fn arrives(listener: Option<Listener>, pending: &Arc<Pending>) -> Result<Returned> {
    match listener {
        Some(listener) => listener.returned(pending).await,
        None => {
            tokio::time::sleep(LIMIT).await;
            Err(nobody_came())
        }
    }
}

/// Waits for somebody to paste what the browser ended at. What is no answer is said, and asked for again.
async fn pasted(pending: &Pending, asks: bool, may_arrive: bool) -> Result<Returned> {
    if !asks {
        return nothing().await;
    }
    let mut prompt = ask::Prompt::new(match may_arrive {
        true => "Waiting for the browser; or paste the address it ends at, or the code:",
        false => "The address that the browser ends at, or the code:",
    });
    while let Some(line) = prompt.ask().await {
        match pending.pasted(&line) {
            Ok(returned) => return Ok(returned),
            Err(why) if !line.trim().is_empty() => say(&format!("Not taken: {why}.")),
            Err(_) => {}
        }
    }
    // The end of the input is no answer; the browser may still give one.
    if may_arrive {
        return nothing().await;
    }
    Err(Error::new(
        ErrorKind::Usage,
        "nothing was pasted, and there is no port on which the answer could come",
    ))
}

/// Waits for the browser alone.
async fn nothing() -> Result<Returned> {
    let _line = ask::Line::open("Waiting for the browser.");
    std::future::pending().await
}

/// Has somebody confirm the login on another device.
async fn on_device(method: &Method, http: &Http) -> Result<Credential> {
    let grants = Grants::new(method, http);
    let details = grants.device().await?;
    // What a server says is shown as an address and a line of text, and as nothing that a terminal would obey.
    let whole = details.verification_uri_complete().and_then(|address| Url::parse(address.secret()).ok());
    let address = whole.unwrap_or_else(|| details.verification_uri().url().clone());
    say(&format!(
        "Open this address on any device, and enter the code there if it asks:\n\n  {address}\n  {}\n",
        said(details.user_code().secret())
    ));
    let minutes = details.expires_in().as_secs().div_ceil(60);
    let line = ask::Line::open(&format!("Waiting; the code is good for {minutes} min."));
    let tokens = grants.confirmed(&details).await?;
    drop(line);
    debug_assert_ne!(method.flow, Flow::Openrouter, "its preset has no such endpoint");
    complete(method, refresh::first(tokens), http).await
}
