//! The system's keyring, for those who want keys and logins there rather than in a file: the text of `credentials.json`
//! as one secret. A build without the feature `keyring` has none.

use crate::error::{Error, ErrorKind, Result};
use std::path::Path;

/// Reads the text that is kept in the place of a file; `None` where there is none.
///
/// # Errors
/// `Usage` where there is no keyring, or it does not answer.
pub fn get(file: &Path) -> Result<Option<String>> {
    entry::get(file.display().to_string()).map_err(|why| unusable(&why))
}

/// Keeps a text in the place of a file.
///
/// # Errors
/// As [`get`].
pub fn set(file: &Path, text: &str) -> Result<()> {
    entry::set(file.display().to_string(), text.to_owned()).map_err(|why| unusable(&why))
}

/// Forgets it, where it is there.
///
/// # Errors
/// As [`get`].
pub fn remove(file: &Path) -> Result<()> {
    entry::remove(file.display().to_string()).map_err(|why| unusable(&why))
}

/// Whether this program can have one at all.
pub const IS_BUILT_IN: bool = cfg!(feature = "keyring");

fn unusable(why: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the system's keyring cannot be used: {why}"))
        .with_hint("`iflow2api config set auth.store file` keeps keys and logins in a file")
}

#[cfg(feature = "keyring")]
mod entry {
    use keyring::{Entry, Error};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// How long a keyring may take. Without a screen some wait for ever for somebody to unlock them.
    const LIMIT: Duration = Duration::from_secs(15);
    const SERVICE: &str = "iflow2api";

    pub fn get(name: String) -> Result<Option<String>, String> {
        ask(move || match Entry::new(SERVICE, &name)?.get_password() {
            Err(Error::NoEntry) => Ok(None),
            text => text.map(Some),
        })
    }

    pub fn set(name: String, text: String) -> Result<(), String> {
        ask(move || Entry::new(SERVICE, &name)?.set_password(&text))
    }

    pub fn remove(name: String) -> Result<(), String> {
        ask(move || match Entry::new(SERVICE, &name)?.delete_credential() {
            Err(Error::NoEntry) => Ok(()),
            outcome => outcome,
        })
    }

    /// Asks in a thread that is left behind where there is no answer.
    fn ask<T: Send + 'static>(
        question: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, String> {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let _ = sender.send(question());
        });
        match receiver.recv_timeout(LIMIT) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Error::NoDefaultStore)) => Err(match Entry::store_status() {
                Err(error) => error.to_string(),
                Ok(()) => Error::NoDefaultStore.to_string(),
            }),
            // Some of its errors hold the secret, but none of these shows it.
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it did not answer within {} s", LIMIT.as_secs())),
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod entry {
    const WHY: &str = "this program was built without it (`cargo install --features keyring`)";

    pub fn get(_: String) -> Result<Option<String>, String> {
        Err(WHY.to_owned())
    }

    pub fn set(_: String, _: String) -> Result<(), String> {
        Err(WHY.to_owned())
    }

    pub fn remove(_: String) -> Result<(), String> {
        Err(WHY.to_owned())
    }
}
