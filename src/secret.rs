//! A string that never prints: keys, tokens and the like.

use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;

/// A secret: wiped from memory when dropped, shown as `(redacted)`, without `Display` or `Serialize`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text into keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one place that must send or compare it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The last four characters behind dots, for a listing; dots alone when the secret is short.
    pub fn masked(&self) -> String {
        let text = self.expose();
        let tail: String = text.chars().skip(text.chars().count().saturating_sub(4)).collect();
        if text.chars().count() < 12 { "…".to_owned() } else { format!("…{tail}") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Secret {}
