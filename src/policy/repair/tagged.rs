//! A call between tags: which form it has, and where it ends.

use super::marks::{Ahead, CLOSE, FUNCTION, OPEN, Progress, ahead, behind, name_sized};
use super::object;
use super::offered::{Call, Offered};
use super::pairs::{GLM, Pairs, QWEN};
use crate::wire::scan::Scanner;

/// A text that begins like a call, read as it comes.
#[derive(Debug)]
pub(super) struct Tagged {
    is_wrapped: bool,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Behind `<tool_call>`.
    Opened,
    /// Within the name behind `<function=`, from this position on.
    Named(usize),
    Object {
        start: usize,
        at: usize,
        scanner: Scanner,
    },
    Pairs {
        name: String,
        is_glm: bool,
        pairs: Pairs,
    },
    /// The call is whole; before its last tag.
    Closing {
        call: Call,
        at: usize,
    },
}

/// What a text turned out to be.
#[derive(Debug)]
pub(super) enum Verdict {
    /// That cannot be said yet.
    More,
    /// No call of a tool that was offered.
    Not,
    /// A call, with its length in bytes.
    Call(Call, usize),
}

impl Tagged {
    /// The mark that a call can begin with, where the text begins with one.
    pub(super) fn mark(text: &str) -> Option<&'static str> {
        [OPEN, FUNCTION].into_iter().find(|mark| text.starts_with(mark))
    }

    /// Whether the text may become such a mark.
    pub(super) fn may_be_mark(text: &str) -> bool {
        [OPEN, FUNCTION].into_iter().any(|mark| mark.starts_with(text))
    }

    /// Reads what begins with this mark.
    pub(super) fn new(mark: &str) -> Self {
        let is_wrapped = mark == OPEN;
        Self { is_wrapped, place: if is_wrapped { Place::Opened } else { Place::Named(mark.len()) } }
    }

    /// Whether the tag before the call is missing.
    pub(super) fn is_bare(&self) -> bool {
        !self.is_wrapped
    }

    /// About how much of the text was read.
    pub(super) fn reach(&self) -> usize {
        match &self.place {
            Place::Opened => OPEN.len(),
            Place::Named(at) | Place::Object { at, .. } | Place::Closing { at, .. } => *at,
            Place::Pairs { pairs, .. } => pairs.at(),
        }
    }

    /// Reads on in the text, which is the one of before with more behind it.
    pub(super) fn advance(&mut self, text: &str, offered: &Offered) -> Verdict {
        loop {
            let verdict = match &mut self.place {
                Place::Opened => self.opened(text, offered),
                Place::Named(start) => {
                    let start = *start;
                    self.named(text, start, '>', offered)
                }
                Place::Object { .. } => self.object(text, offered),
                Place::Pairs { .. } => self.pairs(text, offered),
                Place::Closing { .. } => return self.closing(text),
            };
            if let Some(verdict) = verdict {
                return verdict;
            }
        }
    }

    /// The call where the answer ends here: only a last tag may be missing.
    pub(super) fn finish(&mut self, text: &str, offered: &Offered) -> Option<Call> {
        match &mut self.place {
            Place::Closing { call, .. } => Some(call.clone()),
            Place::Pairs { name, pairs, .. } => {
                if pairs.finish(text) {
                    offered.call_of_texts(name, pairs.found())
                } else {
                    None
                }
            }
            Place::Opened | Place::Named(_) | Place::Object { .. } => None,
        }
    }

    fn opened(&mut self, text: &str, offered: &Offered) -> Option<Verdict> {
        let rest = behind(text, OPEN.len());
        match (ahead(rest, "{"), ahead(rest, FUNCTION)) {
            (Ahead::Is(length), _) => {
                let start = OPEN.len() + length - 1;
                self.place = Place::Object { start, at: start, scanner: Scanner::default() };
                None
            }
            (_, Ahead::Is(length)) => {
                self.place = Place::Named(OPEN.len() + length);
                None
            }
            (_, Ahead::May) => Some(Verdict::More),
            _ if rest.trim_start().starts_with('<') => Some(Verdict::Not),
            _ => {
                let start = text.len() - rest.trim_start().len();
                self.named(text, start, '<', offered)
            }
        }
    }

    /// Reads a name up to its end; only one that is offered leads on.
    fn named(&mut self, text: &str, start: usize, end: char, offered: &Offered) -> Option<Verdict> {
        let is_glm = end == '<';
        let rest = name_sized(behind(text, start));
        let Some(length) = rest.find(|c: char| c == end || (is_glm && c.is_whitespace())) else {
            return Some(if offered.may_be(rest) { Verdict::More } else { Verdict::Not });
        };
        let name = rest.get(..length).unwrap_or_default();
        if !offered.has(name) {
            return Some(Verdict::Not);
        }
        let pairs = match is_glm {
            true => Pairs::new(&GLM, start + length),
            false => Pairs::new(&QWEN, start + length + 1),
        };
        self.place = Place::Pairs { name: name.to_owned(), is_glm, pairs };
        None
    }

    /// Reads an object up to its last bracket. A `<` outside of its strings says that it is none.
    fn object(&mut self, text: &str, offered: &Offered) -> Option<Verdict> {
        let Place::Object { start, at, scanner } = &mut self.place else { return None };
        loop {
            let rest = behind(text, *at);
            let step = memchr::memchr(b'<', rest.as_bytes()).map_or(rest.len(), |next| next.max(1));
            let piece = rest.get(..step).unwrap_or_default();
            if piece.is_empty() {
                return Some(Verdict::More);
            }
            if piece.starts_with('<') && !scanner.is_in_string() {
                return Some(Verdict::Not);
            }
            if let Some(end) = scanner.feed(piece) {
                let end = *at + end;
                let Some(call) = object::tagged(text.get(*start..end)?, offered) else {
                    return Some(Verdict::Not);
                };
                self.place = Place::Closing { call, at: end };
                return None;
            }
            *at += piece.len();
        }
    }

    fn pairs(&mut self, text: &str, offered: &Offered) -> Option<Verdict> {
        let Place::Pairs { name, is_glm, pairs } = &mut self.place else { return None };
        match pairs.advance(text) {
            Progress::More => return Some(Verdict::More),
            Progress::Not => return Some(Verdict::Not),
            Progress::Done => {}
        }
        let at = pairs.at();
        let Some(call) = offered.call_of_texts(name, pairs.found()) else { return Some(Verdict::Not) };
        if *is_glm || !self.is_wrapped {
            return Some(Verdict::Call(call, at));
        }
        self.place = Place::Closing { call, at };
        None
    }

    /// Where the last tag is missing, the next call shows as well that this one has ended.
    fn closing(&self, text: &str) -> Verdict {
        let Place::Closing { call, at } = &self.place else { return Verdict::Not };
        let rest = behind(text, *at);
        if let Ahead::Is(length) = ahead(rest, CLOSE) {
            return Verdict::Call(call.clone(), at + length);
        }
        let next = [ahead(rest, OPEN), ahead(rest, FUNCTION)];
        if next.iter().any(|next| matches!(next, Ahead::Is(_))) {
            return Verdict::Call(call.clone(), *at);
        }
        let may = ahead(rest, CLOSE) == Ahead::May || next.contains(&Ahead::May);
        if may { Verdict::More } else { Verdict::Not }
    }
}
