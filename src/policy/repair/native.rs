//! The arguments of one call, repaired while they pass; what is right with them is left as it is.

use super::encoded::Encoded;
use super::escapes::Escapes;
use super::grammar::Grammar;

/// Follows the arguments of one call through its pieces.
#[derive(Debug, Default)]
pub struct Arguments {
    encoded: Encoded,
    grammar: Grammar,
    escapes: Escapes,
    /// Whether every piece repeats all that came before it.
    is_cumulative: bool,
}

impl Arguments {
    /// Takes a piece as it came; returns it, or the object that a string held, or nothing while that
    /// is not known.
    pub fn unwrap(&mut self, piece: String) -> Option<String> {
        self.encoded.take(piece)
    }

    /// What is held when no more comes, as it was.
    pub fn still_wrapped(&mut self) -> Option<String> {
        self.encoded.rest()
    }

    /// Takes a piece that begins with all `told` bytes so far; returns what is new in it.
    ///
    /// Such a piece may also go on: `{"a":` and `{"a":1}}`. It repeats where JSON can not go on like
    /// that, or another piece of this call has (hermes-agent#35592).
    pub fn news_of(&mut self, mut piece: String, told: usize) -> String {
        let mut longer = self.grammar;
        longer.feed(&piece);
        if told == 0 || self.grammar.is_broken() || !(self.is_cumulative || longer.is_broken()) {
            return piece;
        }
        self.is_cumulative = true;
        piece.split_off(told)
    }

    /// Takes note of a piece that is passed on.
    pub fn read(&mut self, piece: &str) {
        self.grammar.feed(piece);
    }

    /// A piece with its escapes made legal.
    pub fn legal(&mut self, piece: String) -> String {
        self.escapes.push(piece)
    }

    /// What is left when no more comes.
    pub fn rest(&mut self) -> String {
        self.escapes.rest()
    }

    /// Whether anything had to be repaired.
    pub fn is_repaired(&self) -> bool {
        self.is_cumulative || self.encoded.was_string() || self.escapes.changed()
    }
}
