//! Code between fences: where its lines begin, where it ends, and how a line looks.

use super::highlight::{Highlighter, Languages};
use super::opening::{Container, Fence};

/// Code in the making.
#[derive(Debug)]
pub struct Code {
    fence: Fence,
    /// How many quotes it stands in.
    quotes: usize,
    highlighter: Highlighter,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Code, as it is shown.
    Code(String),
    /// The fence that ends it.
    Close(String),
    /// No part of it any more.
    Behind,
}

impl Code {
    /// The code behind a fence.
    pub fn begin(fence: Fence, language: Highlighter, containers: &[Container]) -> Self {
        Self { fence, quotes: quotes(containers), highlighter: language }
    }

    /// Takes the next line. In a list it may be indented less than it should: models forget that, and their fence
    /// still ends it.
    pub fn take(&mut self, line: &str, color: bool, languages: &mut Languages) -> Line {
        let Some((column, text)) = behind_quotes(line, self.quotes) else { return Line::Behind };
        let text = unindented(text, self.fence.indent.saturating_sub(column));
        let bare = text.trim();
        let marks = bare.trim_start_matches(self.fence.letter);
        if marks.is_empty() && bare.len() >= self.fence.length {
            return Line::Close(bare.to_owned());
        }
        let mut painted = String::new();
        if color {
            languages.paint(&mut self.highlighter, text, &mut painted);
        } else {
            painted.push_str(text);
        }
        Line::Code(painted)
    }
}

/// The language that a fence names.
pub fn language(line: &str) -> &str {
    let named = line.trim_start_matches(['`', '~']).trim_start();
    let is_behind = |letter: char| letter.is_whitespace() || matches!(letter, ',' | '{' | ':' | ';');
    named.split(is_behind).next().unwrap_or_default()
}

/// How many quotes there are among containers.
pub fn quotes(containers: &[Container]) -> usize {
    containers.iter().filter(|container| **container == Container::Quote).count()
}

/// The text behind so many marks of quotes, and its column.
pub fn behind_quotes(line: &str, quotes: usize) -> Option<(usize, &str)> {
    let mut rest = line;
    for _ in 0..quotes {
        let behind = rest.trim_start_matches(' ').strip_prefix('>')?;
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    Some((line.len() - rest.len(), rest))
}

/// A line without so many columns of blanks, as far as it has them.
fn unindented(line: &str, columns: usize) -> &str {
    let (mut rest, mut column) = (line, 0);
    while column < columns {
        column = match rest.chars().next() {
            Some(' ') => column + 1,
            Some('\t') => column + 4 - column % 4,
            _ => break,
        };
        rest = rest.get(1..).unwrap_or_default();
    }
    rest
}
