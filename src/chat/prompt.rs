//! Reading a turn: from arguments and stdin for a single one, line by line in a conversation.

use super::command::Command;
use crate::error::{Error, ErrorKind, Result};
use std::io::{Read as _, Write as _};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

/// How much of stdin is taken for a prompt. Chosen: above any model's window.
const STDIN_LIMIT_BYTES: u64 = 32 * 1024 * 1024;

/// The word that names stdin's place among the arguments.
const STDIN_WORD: &str = "-";

/// Whether the arguments say themselves that stdin is to be read.
pub fn names_stdin(words: &[String]) -> bool {
    words.iter().any(|word| word == STDIN_WORD)
}

/// Makes one prompt: the words joined, a blank line, and what stdin held; `-` puts stdin elsewhere.
/// `None` where nothing was said.
///
/// # Errors
/// `Usage` where stdin is named twice.
pub fn join(words: &[String], stdin: Option<&str>) -> Result<Option<String>> {
    let mut parts = words.split(|word| word == STDIN_WORD).map(|words| words.join(" "));
    let before = parts.next().unwrap_or_default();
    let after = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return Err(Error::new(ErrorKind::Usage, "`-` stands for stdin and can be given only once"));
    }
    // A file's last line end is the file's, not the prompt's.
    let stdin = stdin.unwrap_or_default().trim_end_matches(['\r', '\n']).to_owned();
    let said: Vec<String> =
        [before, stdin, after].into_iter().filter(|part| !part.trim().is_empty()).collect();
    Ok((!said.is_empty()).then(|| said.join("\n\n")))
}

/// Reads all of stdin.
///
/// # Errors
/// `Usage` where it cannot be read or is no text, `TooLarge` where it is beyond all measure.
pub fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    let mut stdin = std::io::stdin().lock().take(STDIN_LIMIT_BYTES.saturating_add(1));
    let read = stdin.read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(read).is_ok_and(|read| read > STDIN_LIMIT_BYTES) {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("stdin holds more than {STDIN_LIMIT_BYTES} bytes"),
        ));
    }
    String::from_utf8(bytes)
        .map_err(|error| Error::new(ErrorKind::Usage, "stdin is not UTF-8 text").with_source(error))
}

/// What the user did at the prompt of a conversation.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Said something.
    Said(String),
    /// Pressed the key alone.
    Nothing,
    /// Wants something of the program; also to leave, by the end of the input.
    Command(Command),
    /// A command that is none.
    Unknown(String),
}

impl Turn {
    fn read(line: &str) -> Self {
        match (line.trim(), Command::read(line)) {
            ("", _) => Self::Nothing,
            (_, Some(Ok(command))) => Self::Command(command),
            (_, Some(Err(word))) => Self::Unknown(word),
            (said, None) => Self::Said(said.to_owned()),
        }
    }
}

/// The prompt of a conversation.
pub struct Prompt {
    lines: Lines<BufReader<Stdin>>,
}

impl Default for Prompt {
    fn default() -> Self {
        Self { lines: BufReader::new(tokio::io::stdin()).lines() }
    }
}

impl Prompt {
    /// Reads a turn. A future that is dropped loses nothing of what was typed.
    ///
    /// # Errors
    /// `Usage` where stdin cannot be read.
    pub async fn read(&mut self) -> Result<Turn> {
        // Without a stderr there is nobody to ask.
        let _ = std::io::stderr().write_all(b"> ");
        let line = self.lines.next_line().await.map_err(unreadable)?;
        if line.is_none() {
            let _ = std::io::stderr().write_all(b"\n");
        }
        Ok(line.map_or(Turn::Command(Command::Exit), |line| Turn::read(&line)))
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Usage, "stdin cannot be read").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_stdin_are_joined_in_the_order_that_is_asked_for() {
        let cases: &[(&[&str], Option<&str>, Option<&str>)] = &[
            (&[], None, None),
            (&[], Some("\n"), None),
            (&["", " "], None, None),
            (&["sum", "up"], None, Some("sum up")),
            (&[], Some("a\nb\n"), Some("a\nb")),
            (&["sum up"], Some("a\r\n"), Some("sum up\n\na")),
            (&["sum up"], Some(""), Some("sum up")),
            (&["-", "sum", "up"], Some("a"), Some("a\n\nsum up")),
            (&["read", "-", "in", "French"], Some("a"), Some("read\n\na\n\nin French")),
            (&["-"], Some("a"), Some("a")),
        ];
        for (words, stdin, expected) in cases {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(join(&words, *stdin).unwrap().as_deref(), *expected, "{words:?} {stdin:?}");
        }
        let twice = ["-".to_owned(), "-".to_owned()];
        assert_eq!(join(&twice, Some("a")).unwrap_err().kind(), ErrorKind::Usage);
    }
}
