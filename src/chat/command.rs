//! What can be said to the program in a conversation, rather than to the model.

/// The commands, and what each does.
pub const HELP: &str = "\
/model [NAME]              the model that is asked
/system [TEXT | none]      the system prompt
/thinking [show|hide|off]  what becomes of the model's thoughts
/retry                     ask the last prompt once more
/edit                      change the last prompt in your editor, and ask that
/save FILE                 write the conversation to a file, as Markdown
/copy                      put the last answer on the clipboard, where the terminal lets us
/tokens                    what the conversation has cost
/clear                     start a new conversation
/exit                      leave, as Ctrl-D does
/help                      this list
Ctrl-C stops an answer; once more leaves.";

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Leave.
    Exit,
    /// Start anew.
    Clear,
    /// Show what can be said.
    Help,
    /// Show the model, or ask another.
    Model(Option<String>),
    /// Show the system prompt, or give another; `none` takes it away.
    System(Option<String>),
    /// Show what becomes of thoughts, or change it.
    Thinking(Option<String>),
    /// Ask the last prompt once more.
    Retry,
    /// Ask the last prompt changed.
    Edit,
    /// Write the conversation to a file.
    Save(Option<String>),
    /// Put the last answer on the clipboard.
    Copy,
    /// Show what it has cost.
    Tokens,
}

impl Command {
    /// Reads a line that may be a command; `Err` with its word where it looks like one and is none.
    pub fn read(line: &str) -> Option<Result<Self, String>> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = Some(rest.trim()).filter(|rest| !rest.is_empty()).map(str::to_owned);
        let name = word.strip_prefix('/')?;
        let command = match (name, rest) {
            ("exit" | "quit", None) => Self::Exit,
            ("clear", None) => Self::Clear,
            ("help" | "?", None) => Self::Help,
            ("model", rest) => Self::Model(rest),
            ("system", rest) => Self::System(rest),
            ("thinking", rest) => Self::Thinking(rest),
            ("retry", None) => Self::Retry,
            ("edit", None) => Self::Edit,
            ("save", rest) => Self::Save(rest),
            ("copy", None) => Self::Copy,
            ("tokens", None) => Self::Tokens,
            // A path, or a question about one, is no command.
            (name, None) if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic()) => {
                return Some(Err(word.to_owned()));
            }
            _ => return None,
        };
        Some(Ok(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_a_prompt() {
        let some = |text: &str| Some(text.to_owned());
        for (line, expected) in [
            (" /exit ", Some(Ok(Command::Exit))),
            ("/clear", Some(Ok(Command::Clear))),
            ("/model", Some(Ok(Command::Model(None)))),
            ("/model  glm-4.7(high)", Some(Ok(Command::Model(some("glm-4.7(high)"))))),
            ("/system Be  brief.", Some(Ok(Command::System(some("Be  brief."))))),
            ("/save a b.md", Some(Ok(Command::Save(some("a b.md"))))),
            ("/hepl", Some(Err("/hepl".to_owned()))),
            ("/etc/passwd holds what?", None),
            ("/usr is what?", None),
            ("/retry that with care", None),
            ("/", None),
            ("hello /exit", None),
        ] {
            assert_eq!(Command::read(line), expected, "{line:?}");
        }
        for line in HELP.lines().filter(|line| line.starts_with('/')) {
            let word = line.split_whitespace().next().unwrap();
            assert!(matches!(Command::read(word), Some(Ok(_))), "{word}");
        }
    }
}
