//! The address of an upstream's API, brought into one form. What lies below the address is left
//! to `upstream`.

use super::value::{Fault, quoted};
use crate::error::Result;
use url::Url;

const EXAMPLE: &str = "write it like `https://api.example.com/v1`";
const CALL: &str = "/chat/completions";

/// One form for the many ways to write a base URL: no trailing slash, no `/chat/completions`, and
/// `/v1` where there is no path at all. Any other path stays, since not every provider has a `/v1`.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) if it is not an http or https address of a host, or has a query, a fragment
/// or a user name.
pub fn normalise(text: &str) -> Result<String> {
    check(text).map_err(|fault| fault.about("the base URL"))
}

/// The same, with a fault that does not yet know which setting it is about.
pub(super) fn check(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    // The `url` crate repairs what follows silently; a typing error is better named.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(Fault::new("must be an address without spaces or backslashes").with_hint(EXAMPLE));
    }
    let mut url = parse(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new("must not hold a user name or password")
            .with_hint("put the key under `key` or `key_env`, other credentials under `headers`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::new("must end before the `?` or `#`")
            .with_hint("leave the query out; a key belongs under `key` or `key_env`"));
    }
    let path = base_path(url.path());
    url.set_path(&path);
    Ok(url.to_string())
}

fn parse(text: &str) -> Result<Url, Fault> {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        // Only what stands before a scheme's end is safe to repeat: a key pasted here is not.
        let fault = match text.split_once("://") {
            Some((scheme, _)) => {
                Fault::new(format!("must be an http or https address, not {}", quoted(scheme)))
            }
            None => Fault::new("must begin with `http://` or `https://`"),
        };
        return Err(fault.with_hint(EXAMPLE));
    }
    let after_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    if after_scheme.is_empty() || after_scheme.starts_with(['/', ':', '?', '#']) {
        return Err(Fault::new("must name a host").with_hint(EXAMPLE));
    }
    Url::parse(text).map_err(|error| Fault::new(format!("must be an address ({error})")).with_hint(EXAMPLE))
}

fn base_path(path: &str) -> String {
    let mut path = path.trim_end_matches('/');
    while let Some(base) = path.strip_suffix(CALL) {
        path = base.trim_end_matches('/');
    }
    if path.is_empty() { "/v1".to_owned() } else { path.to_owned() }
}
