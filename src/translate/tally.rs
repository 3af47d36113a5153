//! Counts the tokens of an answer as it passes, without keeping the answer (B25).

use super::tokens::{self, Vocabulary};

/// How much text is counted at once. Chosen: large enough that the cuts between pieces do not show.
const PIECE_BYTES: usize = 4096;

/// A running count.
#[derive(Debug)]
pub struct Tally {
    vocabulary: Vocabulary,
    counted: u64,
    pending: String,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(vocabulary: Vocabulary) -> Self {
        Self { vocabulary, counted: 0, pending: String::new() }
    }

    /// Adds text.
    pub fn add(&mut self, text: &str) {
        self.pending.push_str(text);
        if self.pending.len() >= PIECE_BYTES {
            self.counted += tokens::count(self.vocabulary, &self.pending);
            self.pending.clear();
        }
    }

    /// The tokens of all text so far.
    pub fn total(&self) -> u64 {
        match self.pending.as_str() {
            "" => self.counted,
            rest => self.counted + tokens::count(self.vocabulary, rest),
        }
    }
}
