//! Prose as it comes: text at once, and what may be markup as soon as it is known to be, or not to be.

use super::flow::Flow;
use super::spans::{self, Reading};
use super::style::Style;

/// How much is held back for a mark that may still be closed. Chosen: a long sentence in bold, or a long address.
const HELD_LIMIT_BYTES: usize = 600;
/// How often it is looked at whether it is closed: text full of closing marks that close nothing must not cost more
/// than other text.
const LOOKS_LIMIT: usize = 16;

/// The text of one paragraph, heading or cell.
#[derive(Debug)]
pub struct Inline {
    color: bool,
    style: Style,
    held: String,
    looks: usize,
    before: char,
}

impl Inline {
    /// Text of which everything is in a style.
    pub fn new(color: bool, style: Style) -> Self {
        Self {
            color,
            style: if color { style } else { Style::PLAIN },
            held: String::new(),
            looks: 0,
            before: '\n',
        }
    }

    /// Takes the next character.
    pub fn put(&mut self, letter: char, flow: &mut Flow, out: &mut String) {
        if self.held.is_empty() && !spans::is_special(letter) {
            return self.show(letter, Style::PLAIN, flow, out);
        }
        self.held.push(letter);
        if !self.may_be_decided() {
            return;
        }
        let spent = self.held.len() >= HELD_LIMIT_BYTES || self.looks >= LOOKS_LIMIT;
        self.looks += 1;
        if self.decide(spent, flow, out) {
            while !self.held.is_empty() && self.decide(false, flow, out) {}
            self.looks = 0;
        }
    }

    /// Shows what was held: nothing more comes.
    pub fn end(&mut self, flow: &mut Flow, out: &mut String) {
        while !self.held.is_empty() {
            self.decide(true, flow, out);
        }
        self.before = '\n';
        self.looks = 0;
    }

    /// Whether the last character may have closed what is held, or the one before it, of which it shows what it is.
    fn may_be_decided(&self) -> bool {
        let Some(first) = self.held.chars().next() else { return false };
        let closes = |letter| match first {
            '[' | '!' | '\\' => matches!(letter, ']' | ')'),
            _ => letter == first,
        };
        self.held.len() < 8
            || self.held.len() >= HELD_LIMIT_BYTES
            || (first == '$' && self.held.ends_with('\n'))
            || self.held.chars().rev().take(2).any(closes)
    }

    /// Shows what the held text begins with, and the plain text behind it, where that is known.
    fn decide(&mut self, last: bool, flow: &mut Flow, out: &mut String) -> bool {
        let held = std::mem::take(&mut self.held);
        let (used, spans) = match spans::read(&held, self.before, last, self.color) {
            Reading::More if !last => {
                self.held = held;
                return false;
            }
            Reading::More => (held.len(), Vec::new()),
            Reading::Text(used) => (used, Vec::new()),
            Reading::Spans(used, spans) => (used, spans),
        };
        let (read, rest) = held.split_at(used);
        if spans.is_empty() {
            read.chars().for_each(|letter| self.show(letter, Style::PLAIN, flow, out));
        }
        for span in spans {
            let style = if self.color { span.style } else { Style::PLAIN };
            span.text.chars().for_each(|letter| self.show(letter, style, flow, out));
        }
        self.before = read.chars().next_back().unwrap_or(self.before);
        let (plain, rest) = rest.split_at(rest.find(spans::is_special).unwrap_or(rest.len()));
        plain.chars().for_each(|letter| self.show(letter, Style::PLAIN, flow, out));
        self.held.push_str(rest);
        true
    }

    fn show(&mut self, letter: char, style: Style, flow: &mut Flow, out: &mut String) {
        self.before = letter;
        flow.put(letter, self.style.and(style), out);
    }
}
