//! A key that somebody enters, and that is stored once the provider takes it.

use super::check::{self, Checked};
use super::{Place, ask};
use crate::auth::credential::Credential;
use crate::cli::input;
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::signals::Signals;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use jiff::Timestamp;
use std::io::{self, IsTerminal as _};

/// Takes a key of a provider, from stdin or by asking, and stores it.
///
/// # Errors
/// `Usage` where there is none and nobody can be asked; `LoginRequired` where the provider refuses it; what else its
/// servers fail with.
pub async fn store(place: &Place, profile: Option<&str>, asks: bool, checks: bool) -> Result<()> {
    let name = place.name();
    let text = if asks {
        if let Some(docs) = &place.row.docs {
            say(&format!("Keys of {}: {docs}", place.row.name.as_deref().unwrap_or(name)));
        }
        ask::secret(&mut Signals::listen()?, &format!("Key of `{name}`")).await?
    } else if io::stdin().is_terminal() {
        return Err(nobody_to_ask(name));
    } else {
        input::value()?
    };
    let key = of_text(name, &text)?;
    if let Some(other) = setup::belongs_elsewhere(&place.resolved, key.expose(), &place.row) {
        say(&format!("iflow2api: warning: this key begins like one of `{other}`, which may be another plan"));
    }
    if checks {
        let mut signals = Signals::listen()?;
        let line = asks.then(|| ask::Line::open("Trying the key with one call."));
        let checked = tokio::select! {
            checked = check::check(place, &key) => checked?,
            _ = signals.next() => return Err(Error::new(ErrorKind::Interrupted, "interrupted")),
        };
        drop(line);
        match checked {
            Checked::Good => {}
            Checked::But(why) => say(&format!("iflow2api: note: {why}")),
        }
    }
    let credential = Credential::key(key, None, Timestamp::now());
    place.keep(&place.account(profile), &credential)
}

/// That a key is wanted, and there is nobody to give it.
pub fn nobody_to_ask(name: &str) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!("a login at `{name}` takes a key, and there is nobody to ask for it"),
    )
    .with_hint(format!("give it on stdin: `iflow2api auth login {name} --with-token < FILE`"))
}

/// A key as somebody gave it, without what surrounds it.
fn of_text(name: &str, text: &str) -> Result<Secret> {
    let key = text.trim();
    let key = key.strip_prefix("Bearer ").unwrap_or(key).trim();
    if key.is_empty() {
        return Err(Error::new(ErrorKind::Usage, format!("no key was given for `{name}`")));
    }
    if key.contains(|c: char| c.is_whitespace() || c.is_control()) || !key.is_ascii() {
        let message = "this is no key: it has blanks, line ends or other characters that no header can carry";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(Secret::new(key))
}
