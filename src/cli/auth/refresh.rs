//! `auth refresh`.

use super::{Place, entries, say_warnings, store_of};
use crate::auth::refresh::signed_out;
use crate::auth::store::Entry;
use crate::cli::logins;
use crate::cli::output::say;
use crate::cli::setup;
use crate::config::{Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use clap::Args as ClapArgs;

/// Renew logins now
///
/// They are renewed by themselves before they end; this does it at once.
#[derive(Debug, ClapArgs)]
#[command(before_help = "Examples:\n  iflow2api auth refresh\n  iflow2api auth refresh iflow")]
pub struct Args {
    /// Only this one
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
}

/// Runs `auth refresh`.
///
/// # Errors
/// `LoginRequired` where nobody is logged in or a refresh is refused, `Usage` for what is a key; what else a login
/// server fails with.
pub async fn run(args: &Args, sources: &Sources<'_>) -> Result<()> {
    let resolved = resolve(sources)?;
    let stored = entries(&store_of(&resolved)?, args.provider.as_deref())?;
    let current: Vec<&Entry> = stored.iter().filter(|entry| entry.is_current).collect();
    let logins: Vec<&Entry> =
        current.iter().copied().filter(|entry| entry.credential.as_login().is_some()).collect();
    if logins.is_empty() {
        return Err(match (&args.provider, current.is_empty()) {
            (Some(name), true) => signed_out(name),
            (Some(name), false) => Error::new(
                ErrorKind::Usage,
                format!("what is stored for `{name}` is a key, which needs no refresh"),
            ),
            (None, _) => Error::new(ErrorKind::LoginRequired, "there is no login that could be renewed")
                .with_hint("`iflow2api auth` logs in"),
        });
    }
    say_warnings(&resolved);
    let mut failed: Option<Error> = None;
    for entry in logins {
        let name = &entry.account.upstream;
        let renewed = async {
            let place = Place::of(name, resolved.clone())?;
            let way = setup::way(&place.upstream);
            let session = logins::session(&place.resolved, &place.upstream, &place.row, &way)?;
            match session {
                Some(session) => session.force().await,
                None => Err(signed_out(name)),
            }
        };
        match renewed.await {
            Ok(()) => say(&format!("The login at `{name}` is renewed")),
            Err(error) if failed.is_none() => failed = Some(error),
            Err(error) => say(&format!("iflow2api: error: {error}")),
        }
    }
    failed.map_or(Ok(()), Err)
}
