//! Data on stdout, and words for people on stderr.

use crate::chat::sanitiser::Sanitiser;
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, IsTerminal as _, Write as _};

/// Says a line on stderr; without a reader there is nobody to tell.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints data and a line end. A reader that has left wants no more, and is no failure.
///
/// # Errors
/// `Internal` where stdout cannot be written.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Internal, "stdout cannot be written").with_source(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints for people: what others wrote may not steer a terminal.
///
/// # Errors
/// As [`print`].
pub fn print_text(text: &str) -> Result<()> {
    if io::stdout().is_terminal() { print(&Sanitiser::default().clean(text)) } else { print(text) }
}
