//! Questions on a terminal. An interrupt ends each, and leaves the terminal as it was.

use crate::cli::signals::Signals;
use crate::error::{Error, ErrorKind, Result};
use dialoguer::Select;
use dialoguer::console::{Term, truncate_str};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use std::io::{self, Write as _};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// How many of many answers are on the screen at once.
const ROWS: usize = 12;

/// What stands before an answer in a list, and a column that stays free, so that no line wraps.
const MARGIN: usize = 3;

/// Lets somebody choose one of these; `None` where they would rather not.
///
/// # Errors
/// `Interrupted`, and `Usage` where the terminal cannot be read.
pub async fn choose(
    signals: &mut Signals,
    question: &'static str,
    items: Vec<String>,
    color: bool,
) -> Result<Option<usize>> {
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return blocking(signals, move || number(question, &items)).await;
    }
    // Between two keys it would have the terminal echo what is typed then.
    let modes = Modes::now();
    modes.silence();
    let chosen = blocking(signals, move || {
        let terminal = Term::stderr();
        // A line that wraps is two, of which only one would be taken away again.
        let width = usize::from(terminal.size().1).saturating_sub(MARGIN);
        let items = items.iter().map(|item| truncate_str(item, width, "…"));
        Select::with_theme(&*theme(color))
            .with_prompt(question)
            .items(items)
            .default(0)
            .max_length(ROWS)
            .interact_on_opt(&terminal)
    });
    let chosen = chosen.await;
    modes.restore();
    if chosen.is_err() {
        // The list has hidden it.
        let _ = Term::stderr().show_cursor();
    }
    chosen
}

/// The same on a terminal that knows only lines.
fn number(question: &str, items: &[String]) -> dialoguer::Result<Option<usize>> {
    let terminal = Term::stderr();
    for (index, item) in items.iter().enumerate() {
        terminal.write_line(&format!("{:3}  {item}", index + 1))?;
    }
    loop {
        terminal.write_str(&format!("{question} (1 to {}): ", items.len()))?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            terminal.write_line("")?;
            return Ok(None);
        }
        match line.trim() {
            "" | "q" => return Ok(None),
            text => {
                let chosen = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                if let Some(index) = chosen.filter(|index| *index < items.len()) {
                    return Ok(Some(index));
                }
            }
        }
    }
}

/// Asks for something that is not shown while it is typed.
///
/// # Errors
/// As [`choose`].
pub async fn secret(signals: &mut Signals, question: &str) -> Result<String> {
    let prompt = format!("{question} (not shown): ");
    // `dialoguer::Password` takes its prompt away again, as far as that has not wrapped.
    let asked = move || {
        let terminal = Term::stderr();
        terminal.write_str(&prompt)?;
        Ok(terminal.read_secure_line()?)
    };
    blocking(signals, asked).await
}

/// A line that stays open while something is awaited, so that an interrupt is shown on it. Dropping it ends it.
pub struct Line;

impl Line {
    /// Writes this, and no line end.
    pub fn open(text: &str) -> Self {
        // In one piece: what is typed between two would stand between them.
        let _ = io::stderr().write_all(format!("{text} ").as_bytes());
        Self
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = writeln!(io::stderr());
    }
}

/// A question whose answer may come from elsewhere meanwhile.
pub struct Prompt {
    question: &'static str,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Prompt {
    /// Asks nothing yet.
    pub fn new(question: &'static str) -> Self {
        Self { question, lines: lines() }
    }

    /// Asks, and gives the line that somebody typed or pasted; `None` where there will be no more.
    pub async fn ask(&mut self) -> Option<String> {
        let open = Line::open(self.question);
        let line = self.lines.recv().await?;
        // Whoever gave it has ended the line.
        std::mem::forget(open);
        Some(line)
    }
}

/// The lines that somebody types or pastes, for as long as the receiver lives and the terminal is there.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            if line.is_err() || sender.send(line.unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn theme(color: bool) -> Box<dyn Theme> {
    if color { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) }
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
        let _ = writeln!(io::stderr());
        Error::new(ErrorKind::Interrupted, "interrupted")
    };
    tokio::select! {
        answer = receiver => match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(dialoguer::Error::IO(error))) if error.kind() == io::ErrorKind::Interrupted => Err(interrupted()),
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
        Self(rustix::termios::tcgetattr(io::stdin()).ok())
    }

    /// Has keys come one by one, and not shown.
    #[cfg(unix)]
    fn silence(&self) {
        use rustix::termios::{LocalModes, OptionalActions, tcsetattr};
        if let Some(mut modes) = self.0.clone() {
            modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        }
    }

    #[cfg(unix)]
    fn restore(&self) {
        if let Some(modes) = &self.0 {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, modes);
        }
    }

    #[cfg(not(unix))]
    fn now() -> Self {
        Self()
    }

    #[cfg(not(unix))]
    fn silence(&self) {}

    #[cfg(not(unix))]
    fn restore(&self) {}
}
