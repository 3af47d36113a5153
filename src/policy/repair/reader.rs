//! Finds calls in the visible text of one answer, however it is cut.
//!
//! Text that cannot be one passes at once. White space before the first call, where nothing else was
//! said, and between calls belongs to the templates and is dropped; a text that turns out to be no
//! call is passed on as it was.

use super::markdown::Markdown;
use super::marks::{Ahead, CLOSE, FUNCTION, OPEN, Progress, ahead, behind};
use super::offered::{Call, Offered};
use super::tagged::{Tagged, Verdict};
use super::whole::Whole;

/// How much text is held back. Chosen: the arguments of a large file, written at once.
const MAX_HELD_BYTES: usize = 1 << 20;
/// How much text is read in vain per answer, before what fails is no longer searched for another
/// call. Chosen: no answer in good faith comes near.
const MAX_VAIN_BYTES: usize = 8 << 20;

/// A part of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Call(Call),
}

/// How an answer's text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was all said, so that only a last tag may be missing.
    Said,
    /// It was cut, or nobody knows.
    Cut,
}

/// Reads one answer.
pub(super) struct Reader {
    offered: Offered,
    /// What was not passed on yet.
    held: String,
    /// How much of it was.
    at: usize,
    place: Place,
    markdown: Markdown,
    vain: usize,
}

enum Place {
    /// Nothing but white space was seen.
    Start,
    /// Behind a call; behind one without the tag before it, the tag behind it may stand alone.
    Gap {
        may_close: bool,
    },
    Text,
    /// Behind so much white space, which belongs to the call if it is one.
    Tagged {
        space: usize,
        tagged: Tagged,
    },
    Whole(Whole),
}

impl Reader {
    pub(super) fn new(offered: Offered) -> Self {
        Self {
            offered,
            held: String::new(),
            at: 0,
            place: Place::Start,
            markdown: Markdown::default(),
            vain: 0,
        }
    }

    /// How many bytes are held back.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes text; pushes what is certain to `out`.
    pub(super) fn push(&mut self, text: String, out: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        let is_plain = matches!(self.place, Place::Text) && self.held.is_empty();
        if is_plain && memchr::memchr(b'<', text.as_bytes()).is_none() {
            self.markdown.feed(&text);
            out.push(Piece::Text(text));
            return;
        }
        self.held.push_str(&text);
        self.run(None, out);
    }

    /// Ends the text: nothing is held back behind this.
    pub(super) fn finish(&mut self, end: End, out: &mut Vec<Piece>) {
        self.run(Some(end), out);
    }

    fn run(&mut self, end: Option<End>, out: &mut Vec<Piece>) {
        loop {
            let goes_on = match self.place {
                Place::Start | Place::Gap { .. } => self.gap(end, out),
                Place::Text => self.text(end, out),
                Place::Tagged { .. } => self.tagged(end, out),
                Place::Whole(_) => self.whole(end, out),
            };
            if !goes_on {
                break;
            }
        }
        if self.held.len() - self.at > MAX_HELD_BYTES {
            self.pass_all(out);
        }
        self.held.drain(..self.at);
        self.at = 0;
    }

    /// Passes so many bytes on as text.
    fn pass(&mut self, length: usize, out: &mut Vec<Piece>) {
        let text = behind(&self.held, self.at).get(..length).unwrap_or_default();
        if !text.is_empty() {
            out.push(Piece::Text(text.to_owned()));
        }
        self.at += length;
    }

    /// Passes on all that is there, and looks for nothing in it.
    fn pass_all(&mut self, out: &mut Vec<Piece>) {
        let length = self.held.len() - self.at;
        self.markdown.feed(behind(&self.held, self.at));
        self.place = Place::Text;
        self.pass(length, out);
    }

    /// White space, before the text or behind a call.
    fn gap(&mut self, end: Option<End>, out: &mut Vec<Piece>) -> bool {
        let text = behind(&self.held, self.at);
        let trimmed = text.trim_start();
        let space = text.len() - trimmed.len();
        let is_start = matches!(self.place, Place::Start);
        if trimmed.is_empty() {
            match end {
                Some(_) if is_start => self.pass(space, out),
                Some(_) => self.at += space,
                None => {}
            }
            return false;
        }
        if is_start && Whole::may_begin(trimmed) {
            self.place = Place::Whole(Whole::default());
            return true;
        }
        if matches!(self.place, Place::Gap { may_close: true }) {
            match ahead(trimmed, CLOSE) {
                Ahead::Is(length) => {
                    self.at += space + length;
                    self.place = Place::Gap { may_close: false };
                    return true;
                }
                Ahead::May if end.is_none() => return false,
                Ahead::May | Ahead::No => {}
            }
        }
        if end.is_none() && Tagged::may_be_mark(trimmed) {
            return false;
        }
        self.place = match Tagged::mark(trimmed) {
            Some(mark) => Place::Tagged { space, tagged: Tagged::new(mark) },
            None => Place::Text,
        };
        true
    }

    /// Text, up to what may begin a call.
    fn text(&mut self, end: Option<End>, out: &mut Vec<Piece>) -> bool {
        let text = behind(&self.held, self.at);
        let mut from = 0;
        while let Some(next) = memchr::memchr(b'<', behind(text, from).as_bytes()) {
            let next = from + next;
            self.markdown.feed(text.get(from..next).unwrap_or_default());
            let tail = behind(text, next);
            if !self.markdown.is_code() {
                if let Some(mark) = Tagged::mark(tail) {
                    self.place = Place::Tagged { space: 0, tagged: Tagged::new(mark) };
                    self.pass(next, out);
                    return true;
                }
                if end.is_none() && Tagged::may_be_mark(tail) {
                    self.pass(next, out);
                    return false;
                }
            }
            self.markdown.feed("<");
            from = next + 1;
        }
        self.markdown.feed(behind(text, from));
        let length = text.len();
        self.pass(length, out);
        false
    }

    /// What begins like a call.
    fn tagged(&mut self, end: Option<End>, out: &mut Vec<Piece>) -> bool {
        let Place::Tagged { space, tagged } = &mut self.place else { return false };
        let text = behind(&self.held, self.at + *space);
        let (call, length) = match tagged.advance(text, &self.offered) {
            Verdict::More if end.is_none() => return false,
            Verdict::More => {
                let call = tagged.finish(text, &self.offered);
                (call.filter(|_| end == Some(End::Said)), text.len())
            }
            Verdict::Not => (None, 0),
            Verdict::Call(call, length) => (Some(call), length),
        };
        match call.filter(|_| length <= MAX_HELD_BYTES) {
            Some(call) => {
                let may_close = tagged.is_bare();
                out.push(Piece::Call(call));
                self.at += *space + length;
                self.place = Place::Gap { may_close };
                true
            }
            None => self.reject(out),
        }
    }

    /// Passes on the mark of what is no call; behind it, another may begin.
    fn reject(&mut self, out: &mut Vec<Piece>) -> bool {
        let Place::Tagged { space, tagged } = &self.place else { return false };
        self.vain += tagged.reach();
        if self.vain > MAX_VAIN_BYTES {
            self.pass_all(out);
            return false;
        }
        let length = space + if tagged.is_bare() { FUNCTION.len() } else { OPEN.len() };
        self.markdown.feed(behind(&self.held, self.at).get(..length).unwrap_or_default());
        self.place = Place::Text;
        self.pass(length, out);
        true
    }

    /// What is a call as a whole, if nothing else follows.
    fn whole(&mut self, end: Option<End>, out: &mut Vec<Piece>) -> bool {
        let Place::Whole(whole) = &mut self.place else { return false };
        let text = behind(&self.held, self.at);
        let progress = whole.advance(text, &self.offered);
        if progress == Progress::More && end.is_none() {
            return false;
        }
        let calls = match (progress, end) {
            (Progress::More | Progress::Done, Some(End::Said)) => whole.finish(text, &self.offered),
            _ => None,
        };
        match calls {
            Some(calls) => {
                self.at = self.held.len();
                self.place = Place::Gap { may_close: false };
                out.extend(calls.into_iter().map(Piece::Call));
            }
            None => self.place = Place::Text,
        }
        true
    }
}
