//! Questions on a terminal. An interrupt ends each, and leaves the terminal as it was.

use crate::cli::signals::Signals;
use crate::error::{Error, ErrorKind, Result};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Password, Select};
use std::io::Write as _;
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// How many of many answers are on the screen at once.
const ROWS: usize = 12;

/// Lets somebody choose one of these; `None` where they would rather not.
///
/// # Errors
/// `Interrupted`, and `Usage` where the terminal cannot be read.
pub async fn choose(signals: &mut Signals, question: &str, items: Vec<String>) -> Result<Option<usize>> {
    let question = question.to_owned();
    blocking(signals, move || {
        let theme = theme();
        Select::with_theme(&*theme)
            .with_prompt(question)
            .items(&items)
            .default(0)
            .max_length(ROWS)
            .interact_opt()
    })
    .await
}

/// Asks for something that is not shown while it is typed.
///
/// # Errors
/// As [`choose`].
pub async fn secret(signals: &mut Signals, question: &str) -> Result<String> {
    let question = question.to_owned();
    blocking(signals, move || {
        let theme = theme();
        Password::with_theme(&*theme).with_prompt(question).allow_empty_password(true).interact()
    })
    .await
}

/// The lines that somebody types or pastes, for as long as the receiver lives and the terminal is there.
pub fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || sender.send(line.unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn theme() -> Box<dyn Theme> {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain { Box::new(SimpleTheme) } else { Box::new(ColorfulTheme::default()) }
}

/// Asks in a thread of its own: a terminal cannot be waited for otherwise.
async fn blocking<T: Send + 'static>(
    signals: &mut Signals,
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T> {
    let modes = Modes::now();
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let _ = sender.send(question());
    });
    let interrupted = || {
        modes.restore();
        // The question may have hidden the cursor.
        let _ = std::io::stderr().write_all(b"\x1b[?25h\n");
        Error::new(ErrorKind::Interrupted, "interrupted")
    };
    tokio::select! {
        answer = receiver => match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(dialoguer::Error::IO(error))) if error.kind() == std::io::ErrorKind::Interrupted => Err(interrupted()),
            Ok(Err(error)) => {
                Err(Error::new(ErrorKind::Usage, "the terminal cannot be asked").with_source(error))
            }
            Err(_) => Err(Error::new(ErrorKind::Internal, "a question has ended without an answer")),
        },
        _ = signals.next() => Err(interrupted()),
    }
}

/// How the terminal treats what is typed.
struct Modes(#[cfg(unix)] Option<rustix::termios::Termios>);

impl Modes {
    #[cfg(unix)]
    fn now() -> Self {
        Self(rustix::termios::tcgetattr(std::io::stdin()).ok())
    }

    #[cfg(unix)]
    fn restore(&self) {
        if let Some(modes) = &self.0 {
            let _ =
                rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, modes);
        }
    }

    #[cfg(not(unix))]
    fn now() -> Self {
        Self()
    }

    #[cfg(not(unix))]
    fn restore(&self) {}
}
