//! Content that is a call as a whole: one JSON object, an array of them, or either in one fence.
//!
//! Llama's way, which Qwen falls back to (QwenLM/qwen-code#8207). It is held back only while it can
//! still be one, which an answer in JSON that means itself stops being at its first key, as a rule.

use super::marks::{Ahead, Progress, ahead, behind};
use super::object;
use super::offered::{Call, Offered};
use crate::wire::scan::Scanner;

const FENCE: &str = "```";
/// The keys that a call can begin with.
const FIRST_KEYS: [&str; 5] = ["\"name\"", "\"arguments\"", "\"parameters\"", "\"id\"", "\"type\""];

/// A content that may be one, read as it comes.
#[derive(Debug, Default)]
pub(super) struct Whole {
    place: Place,
    is_fenced: bool,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    /// From this position on, before the first key.
    Key(usize),
    Value {
        start: usize,
        at: usize,
        scanner: Scanner,
    },
    Tail {
        start: usize,
        end: usize,
    },
}

impl Whole {
    /// Whether a content may begin like this, or become such a content.
    pub(super) fn may_begin(text: &str) -> bool {
        text.starts_with(['{', '[']) || text.starts_with(FENCE) || FENCE.starts_with(text)
    }

    /// Reads on in the text, which is the one of before with more behind it.
    pub(super) fn advance(&mut self, text: &str, offered: &Offered) -> Progress {
        loop {
            let progress = match &mut self.place {
                Place::Head => self.head(text),
                Place::Key(start) => {
                    let start = *start;
                    match likely(behind(text, start), offered) {
                        Progress::Done => {
                            self.place = Place::Value { start, at: start, scanner: Scanner::default() };
                            None
                        }
                        progress => Some(progress),
                    }
                }
                Place::Value { start, at, scanner } => match scanner.feed(behind(text, *at)) {
                    Some(end) => {
                        self.place = Place::Tail { start: *start, end: *at + end };
                        None
                    }
                    None => {
                        *at = text.len();
                        Some(Progress::More)
                    }
                },
                Place::Tail { end, .. } => Some(tail(behind(text, *end), self.is_fenced)),
            };
            if let Some(progress) = progress {
                return progress;
            }
        }
    }

    /// The calls where the answer ends here; only the fence may still be open.
    pub(super) fn finish(&self, text: &str, offered: &Offered) -> Option<Vec<Call>> {
        let Place::Tail { start, end } = self.place else { return None };
        object::whole(text.get(start..end)?, offered)
    }

    fn head(&mut self, text: &str) -> Option<Progress> {
        let trimmed = text.trim_start();
        let mut start = text.len() - trimmed.len();
        if let Some(info) = trimmed.strip_prefix(FENCE) {
            let Some((info, _)) = info.split_once('\n') else {
                return Some(if "json".starts_with(info.trim_end()) {
                    Progress::More
                } else {
                    Progress::Not
                });
            };
            if !matches!(info.trim_end(), "" | "json") {
                return Some(Progress::Not);
            }
            start += FENCE.len() + info.len() + 1;
            self.is_fenced = true;
        } else if trimmed.is_empty() || FENCE.starts_with(trimmed) {
            return Some(Progress::More);
        }
        self.place = Place::Key(start);
        None
    }
}

/// Whether an object, or the first one of an array, begins like a call of a tool that is offered.
fn likely(text: &str, offered: &Offered) -> Progress {
    let mut rest = text;
    if let Ahead::Is(length) = ahead(rest, "[") {
        rest = behind(rest, length);
    }
    match ahead(rest, "{") {
        Ahead::Is(length) => rest = behind(rest, length),
        Ahead::May => return Progress::More,
        Ahead::No => return Progress::Not,
    }
    let keys = FIRST_KEYS.map(|key| ahead(rest, key));
    match keys {
        [Ahead::Is(length), ..] => rest = behind(rest, length),
        _ if keys.iter().any(|key| matches!(key, Ahead::Is(_))) => return Progress::Done,
        _ if keys.contains(&Ahead::May) => return Progress::More,
        _ => return Progress::Not,
    }
    for mark in [":", "\""] {
        match ahead(rest, mark) {
            Ahead::Is(length) => rest = behind(rest, length),
            Ahead::May => return Progress::More,
            Ahead::No => return Progress::Not,
        }
    }
    match rest.split_once('"') {
        Some((name, _)) if offered.has(name) => Progress::Done,
        None if offered.may_be(rest) => Progress::More,
        _ => Progress::Not,
    }
}

/// Nothing may follow the value, but for the fence it stands in.
fn tail(text: &str, is_fenced: bool) -> Progress {
    let rest = text.trim_start();
    let rest = match rest.strip_prefix(FENCE) {
        Some(rest) if is_fenced => rest.trim_start(),
        None if is_fenced && FENCE.starts_with(rest) => "",
        _ => rest,
    };
    if rest.is_empty() { Progress::More } else { Progress::Not }
}
