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
    doubtful: Option<Doubtful>,
}

/// A piece that repeats what was told, or goes on alike.
#[derive(Debug)]
struct Doubtful {
    piece: String,
    /// How many of its bytes were told before.
    told: usize,
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

    /// Takes a piece, and how much of it repeats all that was told before, if it does; returns what
    /// is new in it.
    ///
    /// Such a piece may also go on: `{"a":` and `{"a":1}}`. It repeats where JSON cannot go on like
    /// that, or where another piece of this call has repeated (hermes-agent#35592). Where either
    /// can be meant, it waits for what follows.
    pub fn news_of(&mut self, mut piece: String, told: Option<usize>) -> String {
        if piece.is_empty() {
            return piece;
        }
        if let Some(doubtful) = self.doubtful.take() {
            let repeats = piece.starts_with(&doubtful.piece);
            if repeats && self.with(&[&doubtful.piece, &piece]).is_broken() {
                self.is_cumulative = true;
                return piece.split_off(doubtful.told);
            }
            return doubtful.piece + &piece;
        }
        let Some(told) = told.filter(|&told| told > 0 && !self.grammar.is_broken()) else { return piece };
        if self.is_cumulative || self.with(&[&piece]).is_broken() {
            self.is_cumulative = true;
            return piece.split_off(told);
        }
        if Grammar::default().with(&piece).is_broken() {
            return piece;
        }
        self.doubtful = Some(Doubtful { piece, told });
        String::new()
    }

    /// What waits when no more comes: it repeats where it alone is whole.
    pub fn still_doubtful(&mut self) -> Option<String> {
        let Doubtful { mut piece, told } = self.doubtful.take()?;
        let repeats = !self.with(&[&piece]).is_over() && Grammar::default().with(&piece).is_over();
        if repeats {
            self.is_cumulative = true;
            return Some(piece.split_off(told));
        }
        Some(piece)
    }

    /// What came so far, with these pieces behind it.
    fn with(&self, pieces: &[&str]) -> Grammar {
        pieces.iter().fold(self.grammar, |grammar, piece| grammar.with(piece))
    }

    /// Takes note of a piece that is passed on.
    pub fn read(&mut self, piece: &str) {
        self.grammar = self.grammar.with(piece);
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
