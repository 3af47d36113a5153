//! `auth switch`.

use super::{account, entries, profile, store_of};
use crate::auth::refresh::signed_out;
use crate::cli::output::say;
use crate::config::{self, Sources};
use crate::error::{Error, ErrorKind, Result};
use crate::near;
use clap::Args as ClapArgs;

/// Use another account of a provider
///
/// Calls use one account; which one is changed only here, never by itself.
#[derive(Debug, ClapArgs)]
#[command(
    before_help = "Examples:\n  iflow2api auth switch openrouter work\n  iflow2api auth switch openrouter"
)]
pub struct Args {
    /// The provider
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// The account, as `--profile` named it; of two the other one
    #[arg(value_name = "PROFILE", value_parser = profile)]
    profile: Option<String>,
}

/// Runs `auth switch`.
///
/// # Errors
/// `LoginRequired` where nothing is stored, `Usage` where there is no such account, or more than one other.
pub fn run(args: &Args, sources: &Sources<'_>) -> Result<()> {
    let store = store_of(&config::resolve(sources)?)?;
    let name = &args.provider;
    let stored = entries(&store, Some(name))?;
    if stored.is_empty() {
        return Err(signed_out(name));
    }
    let profiles: Vec<&str> = stored.iter().map(|entry| entry.account.profile.as_str()).collect();
    let listed = profiles.iter().map(|profile| format!("`{profile}`")).collect::<Vec<_>>().join(", ");
    let others: Vec<&str> =
        stored.iter().filter(|entry| !entry.is_current).map(|entry| entry.account.profile.as_str()).collect();
    let chosen = match (&args.profile, others.as_slice()) {
        (Some(profile), _) if profiles.contains(&profile.as_str()) => profile.as_str(),
        (Some(profile), _) => {
            let message = format!("`{name}` has no account `{profile}`");
            let hint = near::hint(profile, profiles.iter().copied())
                .unwrap_or_else(|| format!("there are {listed}"));
            return Err(Error::new(ErrorKind::Usage, message).with_hint(hint));
        }
        (None, [other]) => other,
        (None, _) => {
            let message = format!("which account of `{name}` is meant?");
            return Err(Error::new(ErrorKind::Usage, message).with_hint(format!("there are {listed}")));
        }
    };
    store.select(&account(name, chosen))?;
    say(&format!("Calls to `{name}` use the account `{chosen}` now"));
    Ok(())
}
