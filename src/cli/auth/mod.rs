//! `auth`: who we are to providers.

mod ask;
mod browser;
mod check;
mod key;
mod login;
mod logout;
mod refresh;
mod status;
mod switch;

use super::logins;
use super::output::say;
use super::setup;
use crate::auth::keyring;
use crate::auth::method::Method;
use crate::auth::store::{Account, DEFAULT_PROFILE, Entry, Kept, Store};
use crate::config::{self, Flags, Resolved, Sources, Upstream};
use crate::error::{Error, ErrorKind, Result};
use crate::near;
use crate::policy::presets::rows::Provider as Row;
use clap::{Args as ClapArgs, Subcommand};
use std::io::IsTerminal as _;

const EXAMPLES: &str = "\
Examples:
  iflow2api auth
  iflow2api auth login openrouter
  pass show zai | iflow2api auth login zai --with-token
  iflow2api auth status";

/// Log in at providers, and look after keys and logins
#[derive(Debug, ClapArgs)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Never ask anything
    #[arg(long, global = true)]
    no_input: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in at a provider, or store a key of it
    Login(login::Args),
    /// Show what is stored, and whether it is still good
    Status(status::Args),
    /// Renew logins now
    Refresh(refresh::Args),
    /// Use another account of a provider
    Switch(switch::Args),
    /// Forget a key or a login, and take its tokens back where the provider can
    Logout(logout::Args),
}

/// Runs `auth`; without a subcommand it asks.
///
/// # Errors
/// `Usage` for what does not exist and where nobody can be asked, `LoginRequired` where nobody is logged in or the
/// provider refuses, and what its servers fail with.
pub fn run<'a>(args: Args, sources: impl Fn(Flags) -> Sources<'a>, color: bool) -> Result<()> {
    let asks = !args.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(async {
        match args.command {
            None => login::choose(&sources, asks, color).await,
            Some(Command::Login(args)) => login::run(&args, &sources, asks).await,
            Some(Command::Status(args)) => status::run(&args, &sources(Flags::default())),
            Some(Command::Refresh(args)) => refresh::run(&args, &sources(Flags::default())).await,
            Some(Command::Switch(args)) => switch::run(&args, &sources(Flags::default())),
            Some(Command::Logout(args)) => logout::run(&args, &sources(Flags::default())).await,
        }
    });
    // A read of the terminal that was given up would keep the runtime waiting.
    runtime.shutdown_background();
    outcome
}

/// One upstream at which somebody logs in.
struct Place {
    resolved: Resolved,
    upstream: Upstream,
    row: Row,
    store: Store,
    method: Option<Method>,
}

impl Place {
    /// Finds an upstream that is set up, or the preset of that name.
    ///
    /// # Errors
    /// `Usage`, with near names, where there is neither.
    fn find<'a>(name: &str, sources: &impl Fn(Flags) -> Sources<'a>) -> Result<Self> {
        let flags = Flags { described: Some(format!("{name}/")), ..Flags::default() };
        let resolved = config::resolve(&sources(flags))?;
        say_warnings(&resolved);
        Self::of(name, resolved)
    }

    /// The same among settings that were read already.
    ///
    /// # Errors
    /// As [`Place::find`].
    fn of(name: &str, resolved: Resolved) -> Result<Self> {
        let catalogue = setup::catalogue(resolved.rows.as_ref())?;
        let found = resolved.config.upstreams.iter().find(|upstream| upstream.name == name).cloned();
        let Some(upstream) = found else {
            let upstreams = resolved.config.upstreams.iter().map(|upstream| upstream.name.as_str());
            let names: Vec<&str> = upstreams.chain(catalogue.names()).collect();
            let hint = near::hint(name, names)
                .unwrap_or_else(|| "`iflow2api auth` lists the providers there are".to_owned());
            let message = format!("no upstream and no provider is called `{}`", config::shown(name));
            return Err(Error::new(ErrorKind::Usage, message).with_hint(hint));
        };
        let row = catalogue.row(&upstream.preset)?;
        let store = store_of(&resolved)?;
        if resolved.config.auth.store == "keyring" && !keyring::IS_BUILT_IN {
            let message = "`auth.store` is `keyring`, but this program was built without that feature";
            return Err(Error::new(ErrorKind::Usage, message).with_hint(
                "`cargo install --features keyring` builds it with, `iflow2api config set auth.store file` does without",
            ));
        }
        let method = logins::method(&resolved, &upstream, &row, &store)?;
        Ok(Self { upstream, row, store, method, resolved })
    }

    fn name(&self) -> &str {
        &self.upstream.name
    }

    fn account(&self, profile: Option<&str>) -> Account {
        account(self.name(), profile.unwrap_or(DEFAULT_PROFILE))
    }

    /// Stores what came of a login, and says so.
    fn keep(&self, account: &Account, credential: &crate::auth::credential::Credential) -> Result<()> {
        let kept = match self.store.put(account, credential)? {
            Kept::File(path) => format!("`{}`", path.display()),
            Kept::Keyring(_) => "the system's keyring".to_owned(),
        };
        let who = credential.account().map(|who| format!(" as {who}")).unwrap_or_default();
        let profile = match account.profile.as_str() {
            DEFAULT_PROFILE => String::new(),
            profile => format!(" (profile `{profile}`)"),
        };
        say(&format!("Logged in at `{}`{who}{profile}; stored in {kept}", self.name()));
        if self.upstream.key.is_some() {
            let origin = self.resolved.origin(&format!("upstream.{}.key", self.name()));
            say(&format!("iflow2api: warning: calls use the key from {origin} all the same; take that away"));
        }
        setup::show_terms(&self.resolved, &self.upstream.preset, self.name());
        Ok(())
    }
}

fn say_warnings(resolved: &Resolved) {
    resolved.warnings.iter().for_each(|warning| say(&format!("iflow2api: warning: {warning}")));
}

fn account(upstream: &str, profile: &str) -> Account {
    Account { upstream: upstream.to_owned(), profile: profile.to_owned() }
}

/// Where keys and logins are kept.
///
/// # Errors
/// `Usage` on a system without a home.
fn store_of(resolved: &Resolved) -> Result<Store> {
    logins::store_of(resolved).ok_or_else(|| {
        Error::new(ErrorKind::Usage, "there is no home directory to keep logins in")
            .with_hint("set HOME, or name a configuration with `--config`, beside which they are kept")
    })
}

/// What is stored for an upstream, or for all; what cannot be read is an error.
fn entries(store: &Store, upstream: Option<&str>) -> Result<Vec<Entry>> {
    let listing = store.list();
    if let Some((_, fault)) = listing.faults.into_iter().next() {
        return Err(fault);
    }
    let of_it = |entry: &Entry| upstream.is_none_or(|upstream| entry.account.upstream == upstream);
    Ok(listing.entries.into_iter().filter(of_it).collect())
}

/// A profile's name, as far as it can be one.
fn profile(text: &str) -> Result<String, String> {
    if config::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, `-` and `_` make a name".to_owned())
    }
}
