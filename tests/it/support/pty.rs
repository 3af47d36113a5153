//! The program on a terminal of its own: a real pseudo-terminal that the program has as its
//! controlling one, before an emulator that knows what stands on the screen.
//!
//! A task takes in what the program writes, so that it is never kept waiting by a test that does not
//! look. What a terminal answers by itself, such as where its cursor is, is not answered.

use super::PATIENCE;
use super::program::Setup;
use pty_process::{OwnedWritePty, Size};
use rustix::termios::{InputModes, LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How often the mode of a terminal is looked at, of whose change nobody is told.
const LOOK: Duration = Duration::from_millis(5);

/// A key that is no letter.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Enter,
    CtrlC,
    CtrlD,
    Up,
    Down,
    Escape,
    Backspace,
    Tab,
}

impl Key {
    /// What a terminal sends for it.
    fn bytes(self) -> &'static str {
        match self {
            Self::Enter => "\r",
            Self::CtrlC => "\x03",
            Self::CtrlD => "\x04",
            Self::Up => "\x1b[A",
            Self::Down => "\x1b[B",
            Self::Escape => "\x1b",
            Self::Backspace => "\x7f",
            Self::Tab => "\t",
        }
    }
}

/// How the program has set the terminal to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Lines that are shown as they are typed: as it was found, and is to be left.
    Lines,
    /// Lines that are not shown.
    Secret,
    /// Keys, one by one.
    Keys,
}

/// What the program has written so far.
struct Written {
    emulator: vt100::Parser,
    raw: Vec<u8>,
    piped: Vec<u8>,
    /// How many of its outputs have not ended.
    open: usize,
}

/// A program on a terminal; dropping it kills it.
pub struct Terminal {
    child: Child,
    keyboard: OwnedWritePty,
    /// The same once more, to ask for its mode.
    device: OwnedFd,
    written: watch::Sender<Written>,
    readers: Vec<JoinHandle<()>>,
    _home: Arc<TempDir>,
}

impl Setup {
    /// Starts the program on a terminal of so many columns and rows.
    pub fn on_terminal(self, columns: u16, rows: u16) -> Terminal {
        Terminal::start(self, columns, rows, false)
    }

    /// The same, but for stdout, which is a pipe.
    pub fn on_terminal_with_stdout_piped(self, columns: u16, rows: u16) -> Terminal {
        Terminal::start(self, columns, rows, true)
    }
}

impl Terminal {
    fn start(mut setup: Setup, columns: u16, rows: u16, pipe_stdout: bool) -> Self {
        let mut environment = setup.command.as_std().get_envs();
        if !environment.any(|(name, value)| name == "TERM" && value.is_some()) {
            setup.command.env("TERM", "xterm-256color");
        }
        let (terminal, inner_end) = pty_process::open().unwrap();
        terminal.resize(Size::new(rows, columns)).unwrap();
        let device = terminal.as_fd().try_clone_to_owned().unwrap();
        let mut modes = tcgetattr(&device).unwrap();
        // As every terminal of today has it, so that Backspace takes a letter and not a byte.
        modes.input_modes |= InputModes::IUTF8;
        tcsetattr(&device, OptionalActions::Now, &modes).unwrap();

        let mut command = pty_process::Command::from(setup.command);
        if pipe_stdout {
            command = command.stdout(Stdio::piped());
        }
        let mut child = command.spawn(inner_end).unwrap();
        let stdout = child.stdout.take();
        let (rows, columns) = cells(columns, rows);
        let written = watch::Sender::new(Written {
            emulator: vt100::Parser::new(rows, columns, 0),
            raw: Vec::new(),
            piped: Vec::new(),
            open: 1 + usize::from(stdout.is_some()),
        });
        let (screen, keyboard) = terminal.into_split();
        let mut readers = vec![tokio::spawn(take_in(screen, written.clone(), |written, bytes| {
            written.emulator.process(bytes);
            written.raw.extend(bytes);
        }))];
        readers.extend(stdout.map(|stdout| {
            tokio::spawn(take_in(stdout, written.clone(), |written, bytes| written.piped.extend(bytes)))
        }));
        Self { child, keyboard, device, written, readers, _home: setup.home }
    }

    /// Types a text.
    pub async fn send(&mut self, text: &str) {
        let sent = timeout(PATIENCE, self.keyboard.write_all(text.as_bytes())).await;
        sent.unwrap_or_else(|_| panic!("nobody reads {text:?}; {}", self.shown())).unwrap();
    }

    /// Presses a key.
    pub async fn send_key(&mut self, key: Key) {
        self.send(key.bytes()).await;
    }

    /// Pastes a text as terminals do: in brackets where the program has asked for them, so wait for
    /// its prompt before, and with the line ends that the Enter key has.
    pub async fn paste(&mut self, text: &str) {
        let text = text.replace('\n', "\r");
        let in_brackets = self.state().bracketed_paste();
        self.send(&if in_brackets { format!("\x1b[200~{text}\x1b[201~") } else { text }).await;
    }

    /// Waits for a text in what `screen` gives: it may have stood there before, and no blank ends a row.
    pub async fn wait_for(&self, text: &str) {
        self.wait(&format!("{text:?}"), |written| text_of(written).contains(text)).await;
    }

    /// Waits until the screen is this and nothing else.
    pub async fn shows(&self, screen: &str) {
        self.wait(&format!("this screen:\n{screen}\n"), |written| text_of(written) == screen).await;
    }

    async fn wait(&self, wanted: &str, holds: impl Fn(&Written) -> bool) {
        let mut written = self.written.subscribe();
        let settled = written.wait_for(|written| holds(written) || written.open == 0);
        let why = match timeout(PATIENCE, settled).await.map(|written| written.is_ok_and(|now| holds(&now))) {
            Ok(true) => return,
            Ok(false) => "the program has ended",
            Err(_) => "there was time enough",
        };
        panic!("{why} without {wanted}; {}", self.shown());
    }

    /// Waits until the program has set the terminal to read so. What is typed before is echoed by
    /// the terminal itself, beside what the program will show.
    pub async fn wait_for_mode(&mut self, mode: Mode) {
        let reached = timeout(PATIENCE, async {
            while self.mode() != mode && self.alive() {
                sleep(LOOK).await;
            }
        });
        let _ = reached.await;
        assert_eq!(self.mode(), mode, "{}", self.shown());
    }

    /// How the terminal is set to read; also when the program has ended.
    pub fn mode(&self) -> Mode {
        let modes = tcgetattr(&self.device).unwrap().local_modes;
        match (modes.contains(LocalModes::ICANON), modes.contains(LocalModes::ECHO)) {
            (true, true) => Mode::Lines,
            (true, false) => Mode::Secret,
            (false, _) => Mode::Keys,
        }
    }

    /// What stands on the screen, without blanks at the ends of rows and empty rows at its own.
    pub fn screen(&self) -> String {
        text_of(&self.written.borrow())
    }

    /// All that is known of the screen: its cells with their colours, its title, its modes.
    pub fn state(&self) -> vt100::Screen {
        self.written.borrow().emulator.screen().clone()
    }

    /// Where the cursor is: column and row, from 0.
    pub fn cursor(&self) -> (u16, u16) {
        let (row, column) = self.state().cursor_position();
        (column, row)
    }

    /// All bytes that were written to the terminal, what it echoed included.
    pub fn raw(&self) -> Vec<u8> {
        self.written.borrow().raw.clone()
    }

    /// What was written to stdout, where that is a pipe.
    pub fn piped(&self) -> String {
        String::from_utf8(self.written.borrow().piped.clone()).unwrap()
    }

    /// Changes the size of the terminal, of which the program is told.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.keyboard.resize(Size::new(rows, columns)).unwrap();
        let (rows, columns) = cells(columns, rows);
        self.written.send_modify(|written| written.emulator.set_size(rows, columns));
    }

    /// Whether the program runs.
    pub fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the program's end and the last of what it wrote, and returns the exit status, or
    /// the number of the signal that ended it below zero.
    pub async fn end(&mut self) -> i32 {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it does not end; {}", self.shown())).unwrap();
        self.wait("an end of its output", |written| written.open == 0).await;
        status.code().unwrap_or_else(|| -status.signal().unwrap())
    }

    /// The screen for the message of a test that fails.
    fn shown(&self) -> String {
        let (column, row) = self.cursor();
        format!("the cursor is at {column}, {row}, and the screen is:\n{}\n", self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

/// Rows and columns, as the emulator wants them.
fn cells(columns: u16, rows: u16) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap())
}

fn text_of(written: &Written) -> String {
    let screen = written.emulator.screen();
    let rows = screen.rows(0, screen.size().1.get());
    let rows: Vec<String> = rows.map(|row| row.trim_end_matches(' ').to_owned()).collect();
    rows.join("\n").trim_end_matches('\n').to_owned()
}

/// Takes in an output to its end, which a terminal tells by an error.
async fn take_in(
    mut output: impl AsyncRead + Unpin,
    written: watch::Sender<Written>,
    put: fn(&mut Written, &[u8]),
) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = output.read(&mut bytes).await {
        written.send_modify(|written| put(written, &bytes[..read]));
    }
    written.send_modify(|written| written.open -= 1);
}

#[tokio::test]
async fn a_paste_stands_in_brackets_where_they_were_asked_for() {
    let mut setup = super::program::setup(&[]);
    setup.command = tokio::process::Command::new("sh");
    let script = r"printf '\033[?2004h> '; stty -icanon -echo -icrnl; head -c 15 | od -An -c; stty sane";
    setup.command.arg("-c").arg(script).kill_on_drop(true);
    let mut terminal = setup.on_terminal(80, 4);
    terminal.wait_for(">").await;
    terminal.wait_for_mode(Mode::Keys).await;
    terminal.paste("a\nb").await;
    assert_eq!((terminal.end().await, terminal.mode()), (0, Mode::Lines));
    assert_eq!(terminal.screen(), r">  033   [   2   0   0   ~   a  \r   b 033   [   2   0   1   ~");
}
