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
use crate::cli::logins;
use crate::cli::output::say;
use crate::cli::setup;
use crate::config::{Flags, Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::presets::rows::{Auth, Status};
use crate::secret::Secret;
use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use std::io::Write as _;
use std::sync::Arc;

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
pub async fn choose<'a>(sources: &impl Fn(Flags) -> Sources<'a>, asks: bool) -> Result<()> {
    if !asks {
        return Err(Error::new(ErrorKind::Usage, "there is nobody to ask which provider is meant")
            .with_hint(
                "name it: `iflow2api auth login PROVIDER`; `iflow2api auth status` shows what there is",
            ));
    }
    let resolved = resolve(&sources(Flags::default()))?;
    let catalogue = setup::catalogue(resolved.rows.as_ref())?;
    let mut signals = super::signals()?;
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
        let how = if has_login { "browser or key" } else { "key" };
        let ended = row.retired.filter(|_| row.status == Some(Status::Retired));
        let ended = ended.map(|day| format!(", ended {day}")).unwrap_or_default();
        offers.push((
            name.to_owned(),
            format!("{} ({name}: {how}{ended})", row.name.as_deref().unwrap_or(name)),
        ));
    }
    let items = offers.iter().map(|(_, item)| item.clone()).collect();
    let chosen = ask::choose(&mut signals, "Log in at", items).await?;
    let Some((name, _)) = chosen.and_then(|chosen| offers.get(chosen)) else { return Err(nothing_chosen()) };
    let place = Place::find(name, sources)?;
    let Some(method) = &place.method else { return key::store(&place, None, asks, true).await };
    let ways = ["In the browser".to_owned(), "With a key".to_owned()];
    match ask::choose(&mut signals, "How", ways.to_vec()).await? {
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
                "iflow2api: note: the service of {} ended on {day}; this login works only where somebody runs it on, \
                 at the addresses that `auth.{name}.*` name",
                place.row.name.as_deref().unwrap_or(name)
            ));
        }
        let mut signals = super::signals()?;
        let http = logins::http(name, &setup::way(&place.upstream), place.resolved.config.timeout.connect);
        let mut entered = None;
        if method.lacks_secret() && self.asks {
            say(&format!("A login at `{name}` needs the secret of the client `{}`.", method.client_id()?));
            let secret = ask::secret(&mut signals, "Secret of the client (it is not shown)").await?;
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
        let first = self.port.or(method.ports.first().copied());
        let listener = self.listener(&method).await;
        if let (Err(why), false) = (&listener, self.asks) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{why}, and there is nobody to paste the answer"),
            )
            .with_hint("free the port, or name another with `--port`"));
        }
        let port = listener.as_ref().ok().map(Listener::port).or(first).unwrap_or_default();
        let pending = Arc::new(Pending::begin(method, port)?);
        let opens = !self.no_browser && headless.is_none();
        say(match (opens, &headless) {
            (true, _) => "Your browser is opened for the login. If it is not, open this address:",
            (false, Some(Headless::Container)) => {
                "A container has no browser. Open this address where there is one:"
            }
            (false, Some(_)) => "There is no browser here. Open this address where there is one:",
            (false, None) => "Open this address in a browser:",
        });
        say(&format!("\n  {}\n", pending.address()));
        match (&listener, &headless) {
            (Err(why), _) => say(&format!(
                "iflow2api: note: {why}; the browser will end at an error page, whose address is the answer"
            )),
            (Ok(_), Some(Headless::Ssh(hop))) => {
                say("So that the answer finds its way back, run this on the machine with the browser first:");
                say(&format!("\n  {}\n", hop.forward(port)));
            }
            (Ok(_), _) => {}
        }
        if opens {
            browser::open(pending.address());
        }
        let returned = tokio::select! {
            returned = arrives(listener.ok(), &pending) => returned?,
            returned = pasted(&pending, self.asks) => returned?,
        };
        pending.finish(returned, http).await
    }

    /// Takes a port to wait on, or says why there is none.
    async fn listener(&self, method: &Method) -> Result<Listener, String> {
        let wanted = self.port.map_or_else(|| method.ports.clone(), |port| vec![port]);
        let error = match Listener::bind(&wanted).await {
            Ok(listener) => return Ok(listener),
            Err(error) => error,
        };
        if self.port.is_none()
            && method.any_port
            && let Ok(listener) = Listener::bind(&[0]).await
        {
            return Ok(listener);
        }
        let port = wanted.first().copied().unwrap_or_default();
        Err(match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                let by = crate::cli::ports::holder(port).map(|by| format!(" by {by}")).unwrap_or_default();
                format!("port {port} is taken{by}")
            }
            _ => format!("port {port} cannot be listened on ({error})"),
        })
    }
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
async fn pasted(pending: &Pending, asks: bool) -> Result<Returned> {
    if !asks {
        return std::future::pending().await;
    }
    let prompt = || {
        let _ = std::io::stderr().write_all(b"Or paste here the address that it ends at, or the code: ");
    };
    let mut lines = ask::lines();
    prompt();
    while let Some(line) = lines.recv().await {
        match pending.pasted(&line) {
            Ok(returned) => return Ok(returned),
            Err(why) => {
                if !line.trim().is_empty() {
                    say(&format!("{why}."));
                }
                prompt();
            }
        }
    }
    // The end of the input is no answer; the browser may still give one.
    std::future::pending().await
}

/// Has somebody confirm the login on another device.
async fn on_device(method: &Method, http: &Http) -> Result<Credential> {
    let grants = Grants::new(method, http);
    let details = grants.device().await?;
    let address = details.verification_uri_complete().map(|address| address.secret().clone());
    let address = address.unwrap_or_else(|| details.verification_uri().to_string());
    say(&format!(
        "Open this address on any device, and enter the code {} there if it asks:\n\n  {address}\n",
        details.user_code().secret()
    ));
    say(&format!("It is good for {} minutes.", details.expires_in().as_secs().div_ceil(60)));
    let tokens = grants.confirmed(&details).await?;
    debug_assert_ne!(method.flow, Flow::Openrouter, "its preset has no such endpoint");
    complete(method, refresh::first(tokens), http).await
}
