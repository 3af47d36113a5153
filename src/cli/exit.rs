//! How a failure is shown in a terminal, and the exit status it gives: the third table of kinds.

#![deny(clippy::wildcard_enum_match_arm)]

use crate::auth::words::is_printable;
use crate::error::{Error, ErrorKind};
use clap::ColorChoice;
use std::error::Error as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// The exit status of a failure.
pub fn status(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::PromptTooLong
        | ErrorKind::NotFound
        | ErrorKind::TooLarge
        | ErrorKind::Internal => 1,
        ErrorKind::Usage => 2,
        ErrorKind::NotConfigured
        | ErrorKind::AccessDenied
        | ErrorKind::LoginRequired
        | ErrorKind::Forbidden => 4,
        ErrorKind::Overloaded | ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::BadAnswer => 5,
        ErrorKind::QuotaExhausted | ErrorKind::RateLimited => 6,
        ErrorKind::Interrupted => 130,
    }
}

/// Shows a failure on stderr and gives its exit status.
pub fn of_error(error: &Error, color: bool) -> ExitCode {
    // A reader that has left wants no more words.
    if error.kind() == ErrorKind::Internal && is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if error.kind() != ErrorKind::Interrupted {
        let (red, reset) = if color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let mut text = format!("iflow2api: {red}error:{reset} {}\n", printable(&error.to_string()));
        let causes: Vec<String> =
            std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string).collect();
        // A message that ends with the first cause of all needs none of the steps between.
        let said = error.message().to_lowercase();
        let is_said = |first: &str| {
            let first = first.split(" (os error").next().unwrap_or(first);
            said.contains(&first.to_lowercase())
        };
        if !causes.last().is_some_and(|first| is_said(first)) {
            for cause in causes {
                text.push_str(&format!("  caused by: {}\n", printable(&cause)));
            }
        }
        if let Some(hint) = error.hint() {
            text.push_str(&format!("  hint: {}\n", printable(hint)));
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    ExitCode::from(status(error.kind()))
}

/// Shows what clap has to say: help and version on stdout, a fault on stderr with status 2.
pub fn of_usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether stderr may be coloured.
pub fn use_color(choice: ColorChoice) -> bool {
    colors(choice, std::io::stderr().is_terminal())
}

/// Whether a stream may be coloured that is a terminal or not.
pub fn colors(choice: ColorChoice, is_terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            is_terminal && !set("NO_COLOR") && !dumb
        }
    }
}

/// Text of others without what a terminal would obey (S-9).
fn printable(text: &str) -> String {
    text.chars().filter(|&c| is_printable(c) || c == '\n').collect()
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = inner.source();
    }
    false
}
