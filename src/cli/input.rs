//! What is given on stdin in the place of an argument.

use crate::error::{Error, ErrorKind, Result};
use std::io::{self, Read as _};

/// As much of stdin as can be a value; a guess well above any key.
const LIMIT_BYTES: u64 = 64 * 1024;

/// Reads stdin to its end: a key given this way is in no shell history and no list of processes.
///
/// # Errors
/// `Usage` where it cannot be read.
pub fn value() -> Result<String> {
    let mut text = String::new();
    let read = io::stdin().lock().take(LIMIT_BYTES).read_to_string(&mut text);
    read.map_err(|error| Error::new(ErrorKind::Usage, "stdin cannot be read").with_source(error))?;
    Ok(text.trim().to_owned())
}
