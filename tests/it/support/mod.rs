//! What tests of the spawned program share: the fake upstream, the fakes of real providers, the
//! program, a terminal for it, a client that shows the bytes it gets, and one that remembers a
//! conversation.

pub mod caller;
pub mod client;
pub mod fake;
pub mod fakes;
pub mod login;
pub mod plan;
pub mod program;
#[cfg(target_os = "linux")]
pub mod pty;
pub mod story;
pub mod upstream;

use std::time::Duration;

/// How long any wait of a test may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
