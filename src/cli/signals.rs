//! Being told to stop. The listeners are made once, so that none is missed between two waits.

use crate::error::{Error, ErrorKind, Result};

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Somebody at the terminal wants it to end.
    Interrupt,
    /// The system wants it to end.
    Terminate,
}

/// Listens for both.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
    #[cfg(windows)]
    terminate: tokio::signal::windows::CtrlBreak,
}

impl Signals {
    /// Begins to listen; from now on neither ends the program by itself.
    ///
    /// # Errors
    /// `Internal` where the system gives no listener.
    pub fn listen() -> Result<Self> {
        Self::new().map_err(|error| {
            Error::new(ErrorKind::Internal, "interrupts cannot be listened for").with_source(error)
        })
    }

    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(windows)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_break()? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Interrupt,
            _ = self.terminate.recv() => Told::Terminate,
        }
    }
}
