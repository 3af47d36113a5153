//! The answer to stdout; thoughts, notices and the spinner to stderr.

use super::answer::Piece;
use super::render::{self, Renderer};
use super::sanitiser::Sanitiser;
use crate::error::{Error, ErrorKind, Result};
use indicatif::ProgressBar;
use std::io::{self, Write as _};
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, Stdout};

/// How fast the spinner turns; a matter of taste.
const SPIN: Duration = Duration::from_millis(100);

/// What is shown, and how.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether the answer is shown as it comes.
    pub text: bool,
    /// Whether thoughts are.
    pub thoughts: bool,
    /// Whether stdout is a terminal.
    pub stdout_terminal: bool,
    /// Whether stderr is one.
    pub stderr_terminal: bool,
    /// Whether stderr may be coloured.
    pub color: bool,
    /// Whether something may move on stderr.
    pub spinner: bool,
    /// Whether each answer is followed by what it has cost.
    pub usage: bool,
    /// How Markdown is rendered, where it is.
    pub markdown: Option<Markdown>,
}

/// How Markdown is rendered.
#[derive(Debug, Clone, Copy)]
pub struct Markdown {
    /// Whether there may be colours on stdout.
    pub color: bool,
    /// Whether lines are drawn, or said in ASCII.
    pub unicode: bool,
    /// Tells the columns of the screen, where there is one.
    pub width: fn() -> Option<usize>,
}

impl Markdown {
    fn look(self) -> render::Look {
        render::Look { width: (self.width)(), color: self.color, unicode: self.unicode }
    }
}

/// Where a chat is shown.
pub struct Screen {
    look: Look,
    stdout: Stdout,
    text: Sanitiser,
    thoughts: Sanitiser,
    renderer: Option<(render::Look, Renderer)>,
    spinner: Option<ProgressBar>,
    /// Line ends that were not written yet: an answer ends with one, however many it has.
    held: usize,
    last: Last,
}

/// What was shown last in this turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// Thoughts, and whether their line is ended.
    Thoughts {
        line_ended: bool,
    },
    Text,
}

impl Screen {
    /// A screen of which nothing was used yet.
    pub fn new(look: Look) -> Self {
        Self {
            look,
            stdout: tokio::io::stdout(),
            text: Sanitiser::default(),
            thoughts: Sanitiser::default(),
            renderer: None,
            spinner: None,
            held: 0,
            last: Last::Nothing,
        }
    }

    /// Shows that something is going on.
    pub fn wait(&mut self) {
        // What was loaded for the last answer stays, unless the screen has changed.
        if let Some(look) = self.look.markdown.map(Markdown::look)
            && self.renderer.as_ref().is_none_or(|(before, _)| *before != look)
        {
            self.renderer = Some((look, Renderer::new(look)));
        }
        if self.look.spinner {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(SPIN);
            self.spinner = Some(spinner);
        }
    }

    /// Shows what is new, and returns when it is written.
    ///
    /// # Errors
    /// `Internal` where stdout cannot be written.
    pub async fn show(&mut self, piece: Piece) -> Result<()> {
        match piece {
            Piece::Text(text) if self.look.text => self.say(text).await,
            Piece::Thought(thoughts) if self.look.thoughts => {
                self.think(thoughts);
                Ok(())
            }
            Piece::Text(_) | Piece::Thought(_) => Ok(()),
        }
    }

    async fn say(&mut self, text: String) -> Result<()> {
        let text = if self.look.stdout_terminal { self.text.clean(&text) } else { text };
        if let Some((_, renderer)) = &mut self.renderer {
            let shown = renderer.push(&text);
            return self.rendered(&shown).await;
        }
        let body = text.trim_end_matches('\n');
        let ends = text.len() - body.len();
        if body.is_empty() {
            self.held += ends;
            return Ok(());
        }
        self.stop_spinner();
        self.end_thoughts(self.look.stdout_terminal);
        self.last = Last::Text;
        let before = "\n".repeat(std::mem::replace(&mut self.held, ends));
        self.write(&format!("{before}{body}")).await
    }

    /// Writes what was rendered.
    async fn rendered(&mut self, shown: &str) -> Result<()> {
        if shown.is_empty() {
            return Ok(());
        }
        self.stop_spinner();
        self.end_thoughts(self.look.stdout_terminal);
        self.last = Last::Text;
        self.write(shown).await
    }

    fn think(&mut self, thoughts: String) {
        let thoughts = if self.look.stderr_terminal { self.thoughts.clean(&thoughts) } else { thoughts };
        if thoughts.is_empty() {
            return;
        }
        self.stop_spinner();
        if self.last == Last::Text && self.look.stdout_terminal {
            tell("\n");
        }
        let (dim, reset) = if self.look.color { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        // Each piece for itself: a program that is killed must not leave the terminal dim.
        tell(&format!("{dim}{thoughts}{reset}"));
        self.last = Last::Thoughts { line_ended: thoughts.ends_with('\n') };
    }

    /// Ends the line of thoughts, and leaves a blank one where the answer follows on the same screen.
    fn end_thoughts(&self, same_screen: bool) {
        let Last::Thoughts { line_ended } = self.last else { return };
        tell(if line_ended { "" } else { "\n" });
        tell(if same_screen { "\n" } else { "" });
    }

    /// Ends an answer, whole or not, with one line end. What was never begun is not ended.
    ///
    /// # Errors
    /// `Internal` where stdout cannot be written.
    pub async fn end(&mut self) -> Result<()> {
        self.stop_spinner();
        if let Some((_, renderer)) = &mut self.renderer {
            let rest = renderer.finish();
            self.rendered(&rest).await?;
        }
        self.end_thoughts(false);
        let begun = self.last == Last::Text || self.held > 0;
        self.last = Last::Nothing;
        self.held = 0;
        self.text = Sanitiser::default();
        self.thoughts = Sanitiser::default();
        // What is rendered ends with a line end of its own.
        if begun && self.renderer.is_none() { self.write("\n").await } else { Ok(()) }
    }

    /// Writes a line of data.
    ///
    /// # Errors
    /// `Internal` where stdout cannot be written.
    pub async fn data(&mut self, line: &str) -> Result<()> {
        self.write(&format!("{line}\n")).await
    }

    /// Says what an answer has cost, where that is wanted, whether or not stderr is a terminal.
    pub fn show_usage(&self, line: impl FnOnce() -> String) {
        if self.look.usage {
            tell(&format!("{}\n", line()));
        }
    }

    /// Whether thoughts are shown from now on.
    pub fn show_thoughts(&mut self, shown: bool) {
        self.look.thoughts = shown;
    }

    /// Asks the terminal to put this, in base64, on its clipboard; `false` where there is none.
    pub fn to_clipboard(&self, encoded: &str) -> bool {
        if self.look.stderr_terminal {
            tell(&format!("\x1b]52;c;{encoded}\x07"));
        }
        self.look.stderr_terminal
    }

    /// Says something to a person, if there is one.
    pub fn notice(&self, text: &str) {
        if self.look.stderr_terminal {
            // Names of models are others' words too.
            tell(&format!("{}\n", Sanitiser::default().clean(text)));
        }
    }

    fn stop_spinner(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    async fn write(&mut self, text: &str) -> Result<()> {
        let written = async {
            self.stdout.write_all(text.as_bytes()).await?;
            self.stdout.flush().await
        };
        written.await.map_err(unwritable)
    }
}

fn unwritable(error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, "stdout cannot be written").with_source(error)
}

/// Writes to stderr; without one there is nobody to tell.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Waits until the reader of stdout has left, where the system tells: so that a call ends at once,
/// and not with the next piece of its answer.
#[cfg(unix)]
pub async fn reader_left() -> Error {
    use std::os::fd::AsFd as _;
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;
    // Files cannot be watched, and have no reader that leaves. Unchecked, because a check would make
    // stdout non-blocking, also for whoever shares it with us.
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    if let Ok(stdout) = stdout
        && stdout.ready(Interest::ERROR).await.is_ok_and(|ready| ready.is_error())
    {
        return unwritable(io::ErrorKind::BrokenPipe.into());
    }
    std::future::pending().await
}

/// Waits for ever: only writing tells here that the reader of stdout has left.
#[cfg(not(unix))]
pub async fn reader_left() -> Error {
    std::future::pending().await
}
