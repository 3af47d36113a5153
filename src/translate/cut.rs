//! Cuts visible text where it must begin or end: behind the caller's own prefix (A38), before a
//! stop sequence that the upstream does not know (A31). Works across the borders of deltas.

use crate::wire::scan::partial_suffix;

/// What may be said of a text that came.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// The text that may be said.
    pub text: String,
    /// The stop sequence before which it ends.
    pub matched: Option<String>,
}

/// Cuts one answer's text.
#[derive(Debug, Default)]
pub struct Cutter {
    /// The prefix, as long as the text may still turn out to repeat it.
    prefix: Option<String>,
    stops: Vec<String>,
    held: String,
    said: bool,
}

impl Cutter {
    /// A cutter for one answer.
    pub fn new(prefix: Option<String>, stops: Vec<String>) -> Self {
        Self { prefix: prefix.filter(|prefix| !prefix.is_empty()), stops, held: String::new(), said: false }
    }

    /// Whether any text was let through.
    pub fn said_anything(&self) -> bool {
        self.said
    }

    /// Takes text; returns what of all text so far can be said by now.
    pub fn push(&mut self, text: &str) -> Cut {
        self.held.push_str(text);
        if let Some(prefix) = &self.prefix {
            if prefix.starts_with(&self.held) {
                return self.cut(0, None);
            }
            if let Some(rest) = self.held.strip_prefix(prefix.as_str()) {
                self.held = rest.to_owned();
            }
            self.prefix = None;
        }
        let found = self.stops.iter().filter_map(|stop| Some((self.held.find(stop.as_str())?, stop))).min();
        if let Some((at, stop)) = found {
            let stop = stop.clone();
            return self.cut(at, Some(stop));
        }
        let unsafe_tail = self.stops.iter().map(|stop| partial_suffix(&self.held, stop)).max().unwrap_or(0);
        self.cut(self.held.len() - unsafe_tail, None)
    }

    /// Ends the text: what was held back is said after all.
    pub fn finish(&mut self) -> String {
        let repeated = self.prefix.take().is_some_and(|prefix| prefix == self.held);
        let length = if repeated { 0 } else { self.held.len() };
        let text = self.cut(length, None).text;
        self.held.clear();
        text
    }

    fn cut(&mut self, length: usize, matched: Option<String>) -> Cut {
        let text: String = self.held.drain(..length).collect();
        self.said |= !text.is_empty();
        if matched.is_some() {
            self.held.clear();
        }
        Cut { text, matched }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(prefix: Option<&str>, stops: &[&str], pieces: &[&str]) -> (String, Option<String>) {
        let stops = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut cutter = Cutter::new(prefix.map(str::to_owned), stops);
        let mut said = String::new();
        for piece in pieces {
            let cut = cutter.push(piece);
            said.push_str(&cut.text);
            if cut.matched.is_some() {
                return (said, cut.matched);
            }
        }
        said.push_str(&cutter.finish());
        (said, None)
    }

    #[test]
    fn a_stop_sequence_is_cut_wherever_the_text_is() {
        let text = "one two END three";
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(
                run(None, &["STOP", "END"], &[head, tail]),
                ("one two ".to_owned(), Some("END".to_owned()))
            );
        }
        assert_eq!(run(None, &["END"], &["an EN"]), ("an EN".to_owned(), None));
        assert_eq!(run(None, &["。终"], &["好。", "好"]), ("好。好".to_owned(), None));
    }

    #[test]
    fn a_repeated_prefix_is_not_said() {
        assert_eq!(run(Some("{\"a\":"), &[], &["{\"", "a\":", "1}"]).0, "1}");
        assert_eq!(run(Some("{\"a\":"), &[], &["1}"]).0, "1}");
        assert_eq!(run(Some("{\"a\":"), &[], &["{\"", "b\":1}"]).0, "{\"b\":1}");
        assert_eq!(run(Some("{\"a\":"), &[], &["{\"a"]).0, "{\"a");
    }
}
