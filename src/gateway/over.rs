//! The moment from which on nothing more is answered: the end of the drain.

use crate::error::{Error, ErrorKind, Fault};
use std::time::Duration;
use tokio::sync::watch;

/// What a caller is told to wait before it asks again. Chosen: another instance is there already, or the
/// next one soon.
const COME_BACK: Duration = Duration::from_secs(1);

/// The moment from which on nothing more is answered. Cloning shares it; the default never comes.
#[derive(Debug, Clone, Default)]
pub struct Over(Option<watch::Receiver<bool>>);

/// Brings that moment about.
#[derive(Debug)]
pub struct Finish(watch::Sender<bool>);

impl Over {
    /// A moment to come, and what brings it about.
    pub fn new() -> (Finish, Self) {
        let (sender, receiver) = watch::channel(false);
        (Finish(sender), Self(Some(receiver)))
    }

    /// Waits for it; for ever, where it never comes. Dropping the future forgets the waiting.
    pub async fn reached(self) {
        if let Some(mut receiver) = self.0
            && receiver.wait_for(|over| *over).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// What callers are told then.
    pub fn error() -> Error {
        Error::new(ErrorKind::Overloaded, "the server is shutting down")
            .with_fault(Fault::Local)
            .with_retry_after(Some(COME_BACK))
    }
}

impl Finish {
    /// Now.
    pub fn now(&self) {
        // Nobody may be waiting.
        let _ = self.0.send(true);
    }
}
