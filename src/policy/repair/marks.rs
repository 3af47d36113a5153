//! What stands next in a text that is not all there yet.

/// The tag before a call, in Qwen's, Hermes' and GLM's words.
pub const OPEN: &str = "<tool_call>";
/// The tag behind it.
pub const CLOSE: &str = "</tool_call>";
/// What Qwen3-Coder begins a call with, with or without the tag before it.
pub const FUNCTION: &str = "<function=";
/// How much white space may stand between two marks. Chosen: templates write one line end.
const MAX_SPACE: usize = 256;
/// How long a name may be. Chosen: far beyond any tool's or parameter's.
const MAX_NAME_BYTES: usize = 256;

/// How far a form was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it is there.
    Done,
    /// It goes on, as far as can be seen.
    More,
    /// This is something else.
    Not,
}

/// Whether a mark stands next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// It does; so many bytes, with the white space before it.
    Is(usize),
    /// The text ends before that can be said.
    May,
    /// Something else does.
    No,
}

/// Whether `mark` stands next, white space before it aside.
pub fn ahead(text: &str, mark: &str) -> Ahead {
    let rest = text.trim_start();
    let space = text.len() - rest.len();
    if space > MAX_SPACE {
        Ahead::No
    } else if rest.starts_with(mark) {
        Ahead::Is(space + mark.len())
    } else if mark.starts_with(rest) {
        Ahead::May
    } else {
        Ahead::No
    }
}

/// Whether a text holds all that a name may take.
pub fn is_name_sized(text: &str) -> bool {
    text.len() >= MAX_NAME_BYTES
}

/// What stands behind a position; nothing where that is none.
pub fn behind(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// As much of a text as a name may take, with the mark behind it.
pub fn name_sized(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_NAME_BYTES)).unwrap_or_default()
}
