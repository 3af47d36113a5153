//! `auth logout`.

use super::{Place, entries, profile, say_warnings, store_of};
use crate::auth::credential::Login;
use crate::auth::grant::Grants;
use crate::auth::refresh::signed_out;
use crate::auth::store::Entry;
use crate::cli::logins;
use crate::cli::output::say;
use crate::cli::setup;
use crate::config::{Resolved, Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use clap::Args as ClapArgs;

/// Forget a key or a login, and take its tokens back where the provider can
#[derive(Debug, ClapArgs)]
#[command(
    before_help = "Examples:\n  iflow2api auth logout openrouter\n  iflow2api auth logout corp --profile work\n  iflow2api auth logout --all"
)]
pub struct Args {
    /// The provider; needed where more than one is stored
    #[arg(value_name = "PROVIDER", conflicts_with = "all")]
    provider: Option<String>,
    /// This account, rather than the one in use
    #[arg(long, value_name = "NAME", requires = "provider", value_parser = profile)]
    profile: Option<String>,
    /// All accounts of all providers
    #[arg(long)]
    all: bool,
}

/// Runs `auth logout`.
///
/// # Errors
/// `LoginRequired` where nothing is stored, `Usage` where it is not clear what is meant or a file cannot be written.
pub async fn run(args: &Args, sources: &Sources<'_>) -> Result<()> {
    let resolved = resolve(sources)?;
    let store = store_of(&resolved)?;
    let stored = entries(&store, args.provider.as_deref())?;
    let mut chosen: Vec<&Entry> = match &args.profile {
        _ if args.all => stored.iter().collect(),
        Some(profile) => stored.iter().filter(|entry| entry.account.profile == *profile).collect(),
        None => stored.iter().filter(|entry| entry.is_current).collect(),
    };
    if args.profile.is_none() && chosen.is_empty() {
        chosen = stored.iter().collect();
    }
    if chosen.is_empty() {
        return Err(match &args.provider {
            Some(name) => signed_out(name),
            None => Error::new(ErrorKind::LoginRequired, "nobody is logged in anywhere"),
        });
    }
    if chosen.len() > 1 && !args.all {
        let names: Vec<String> = chosen.iter().map(|entry| format!("`{}`", entry.account.upstream)).collect();
        return Err(Error::new(ErrorKind::Usage, format!("which one is meant: {}?", names.join(", ")))
            .with_hint("name it, or say `--all`"));
    }
    say_warnings(&resolved);
    for entry in chosen {
        let name = &entry.account.upstream;
        if let Some(login) = entry.credential.as_login() {
            // Whether or not the server can be reached, it is forgotten here.
            if let Err(error) = revoke(name, login, &resolved).await {
                say(&format!("iflow2api: warning: the tokens stay good until they end: {error}"));
            }
        }
        store.remove(&entry.account)?;
        say(&format!("Logged out at `{name}` (profile `{}`)", entry.account.profile));
        if let Some(next) = store.current(name)? {
            say(&format!("Calls to `{name}` use the account `{}` now", next.account.profile));
        }
        let upstream = resolved.config.upstreams.iter().find(|upstream| upstream.name == *name);
        if upstream.is_some_and(|upstream| upstream.key.is_some()) {
            let origin = resolved.origin(&format!("upstream.{name}.key"));
            say(&format!("iflow2api: note: there is still a key from {origin}"));
        }
    }
    Ok(())
}

/// Takes the tokens of a login back, where its provider can.
async fn revoke(name: &str, login: &Login, resolved: &Resolved) -> Result<()> {
    let Ok(place) = Place::of(name, resolved.clone()) else { return Ok(()) };
    let Some(method) = place.method else { return Ok(()) };
    let http = logins::http(name, &setup::way(&place.upstream), place.resolved.config.timeout.connect);
    let method = method.discovered(&http).await?;
    if method.revoke_url.is_none() {
        return Ok(());
    }
    Grants::new(&method, &http).revoke(login.refresh_token.as_ref(), login.access_token.as_ref()).await
}
