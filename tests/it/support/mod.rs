//! What tests of the spawned program share: the fake upstream, the program, and a client that shows
//! the bytes it gets.

pub mod client;
pub mod program;
pub mod upstream;

use std::time::Duration;

/// How long any wait of a test may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
