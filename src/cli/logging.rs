//! The log, on stderr. What is logged is decided where it happens.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// What the command line asks of the log.
pub struct Wish {
    /// How often `-v` was given.
    pub verbose: u8,
    /// Whether `-q` was.
    pub quiet: bool,
    /// How lines are written.
    pub format: Format,
    /// Whether lines are coloured.
    pub color: bool,
    /// Whether the line per request is wanted without being asked for.
    pub requests: bool,
}

/// Starts the log. `RUST_LOG` says more than the flags can.
pub fn start(wish: &Wish) {
    let level = match (wish.quiet, wish.verbose, wish.requests) {
        (true, _, _) => LevelFilter::ERROR,
        (false, 0, true) => LevelFilter::INFO,
        (false, 0, false) => LevelFilter::WARN,
        (false, 1, _) => LevelFilter::DEBUG,
        (false, 2.., _) => LevelFilter::TRACE,
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::new(directives),
        // Below us nobody is heard but in trouble: the HTTP crates would print bodies and headers.
        // What happens in the middle of an answer would stand in the middle of the answer on a terminal.
        _ if wish.verbose == 0 && !wish.requests => {
            EnvFilter::new(format!("warn,iflow2api={level},iflow2api::gateway::continuation=error"))
        }
        _ => EnvFilter::new(format!("warn,iflow2api={level}")),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Otherwise a log that nobody reads any more ends the thread that writes it.
        .log_internal_errors(false)
        .with_ansi(wish.color);
    // A second start, as in tests, changes nothing.
    let _ = match wish.format {
        Format::Text => builder.with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}
