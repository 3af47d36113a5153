//! Parses, runs and returns the exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    iflow2api::cli::run()
}
