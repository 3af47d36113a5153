//! Where one round of an answer joins the next (F05): without a separator, and without what the model
//! said twice.

use memchr::memmem;

/// How many characters a round must repeat before that is taken for a repetition. Fewer occur by
/// chance: "and then the" is twelve.
const LEAST_OVERLAP_CHARS: usize = 12;
/// How much of the answer a round is compared with. Chosen: a model that begins anew does so at the
/// start of a paragraph or a code block, seldom farther back.
const TAIL_BYTES: usize = 16 * 1024;
/// How long the line that opens a code block may be.
const MAX_OPENER_BYTES: usize = 64;

/// Takes the text of one round; gives what of it is new.
#[derive(Debug)]
pub struct Joint {
    /// The end of the answer so far, while it is not known what the round repeats.
    tail: String,
    in_fence: bool,
    held: String,
    open: bool,
}

impl Joint {
    /// A joint behind `answer`; `exact` where the upstream goes on without repeating anything.
    pub fn new(answer: &str, exact: bool) -> Self {
        let open = exact || answer.is_empty();
        let tail = if open { "" } else { end_of(answer, TAIL_BYTES) };
        Self { tail: tail.to_owned(), in_fence: !open && ends_in_fence(answer), held: String::new(), open }
    }

    /// Takes text; returns what is known to be new by now.
    pub fn push(&mut self, text: &str) -> String {
        if self.open {
            return text.to_owned();
        }
        self.held.push_str(text);
        self.settle(false)
    }

    /// Ends the round: returns what was held back and is new.
    pub fn finish(&mut self) -> String {
        if self.open { String::new() } else { self.settle(true) }
    }

    fn settle(&mut self, ended: bool) -> String {
        let Some(new) = self.new_from(ended) else { return String::new() };
        self.open = true;
        self.tail = String::new();
        let mut held = std::mem::take(&mut self.held);
        held.split_off(new)
    }

    /// Where in the held text the new begins; nothing while more must come.
    fn new_from(&self, ended: bool) -> Option<usize> {
        let opener = if self.in_fence { Opener::of(&self.held, ended) } else { Opener::None };
        if matches!(opener, Opener::Unknown) {
            return None;
        }
        // The line may be part of what is repeated.
        let repeated = self.overlap(0, ended)?;
        match opener {
            Opener::Named(end) if repeated == 0 => self.overlap(end, ended),
            // The same line closes a code block; only what follows can tell.
            Opener::Bare(end) if repeated == 0 => {
                let behind = self.overlap(end, ended)?;
                Some(if behind > end { behind } else { 0 })
            }
            Opener::Named(_) | Opener::Bare(_) | Opener::None | Opener::Unknown => Some(repeated),
        }
    }

    /// The end of what the held text repeats from `start` on; nothing while that may be longer yet.
    fn overlap(&self, start: usize, ended: bool) -> Option<usize> {
        let round = self.held.get(start..).unwrap_or_default();
        let may_grow = || {
            let tail = self.tail.as_bytes();
            memmem::find_iter(tail, round.as_bytes()).any(|at| at + round.len() < tail.len())
        };
        if !ended && (round.is_empty() || may_grow()) {
            return None;
        }
        let ends = round.char_indices().map(|(at, c)| at + c.len_utf8()).skip(LEAST_OVERLAP_CHARS - 1);
        let repeated =
            ends.filter_map(|end| round.get(..end)).filter(|head| self.tail.ends_with(head)).last();
        Some(start + repeated.map_or(0, str::len))
    }
}

/// What a round begins with where the answer stopped inside a code block.
enum Opener {
    /// Text.
    None,
    /// It cannot be told yet.
    Unknown,
    /// A line that can only open a block; it ends here.
    Named(usize),
    /// A line that opens a block or closes it.
    Bare(usize),
}

impl Opener {
    fn of(round: &str, ended: bool) -> Self {
        let text = round.trim_start();
        let Some((_, run, rest)) = fence(text) else {
            let may_be = text.len() < 3 && ["```", "~~~"].iter().any(|mark| mark.starts_with(text));
            return if may_be && !ended { Self::Unknown } else { Self::None };
        };
        let Some(line) = rest.find('\n') else {
            let short = text.len() < MAX_OPENER_BYTES;
            return if short && !ended { Self::Unknown } else { Self::None };
        };
        let end = round.len() - text.len() + run + line + 1;
        let info = rest.get(..line).unwrap_or_default().trim();
        match info {
            "" => Self::Bare(end),
            _ if info.contains('`') => Self::None,
            _ => Self::Named(end),
        }
    }
}

/// The mark that a line begins a code block with: its character, its length, and the rest of the text.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    let run = line.len() - rest.len();
    (run >= 3).then_some((mark, run, rest))
}

/// Whether a text stops inside a code block (CommonMark 4.5). A last line without an end may close one,
/// but opens none yet.
fn ends_in_fence(text: &str) -> bool {
    let mut open: Option<(char, usize)> = None;
    for line in text.split_inclusive('\n') {
        let Some((mark, run, info)) = fence(line.trim_start_matches(' ')) else { continue };
        open = match open {
            None if !line.ends_with('\n') || (mark == '`' && info.contains('`')) => None,
            None => Some((mark, run)),
            Some(begun) if begun.0 == mark && run >= begun.1 && info.trim().is_empty() => None,
            Some(begun) => Some(begun),
        };
    }
    open.is_some()
}

/// The last `limit` bytes of a text, from a whole character on.
fn end_of(text: &str, limit: usize) -> &str {
    let mut start = text.len().saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is new in a round, in pieces of every size.
    fn new(answer: &str, round: &str) -> String {
        let whole = {
            let mut joint = Joint::new(answer, false);
            joint.push(round) + &joint.finish()
        };
        let mut joint = Joint::new(answer, false);
        let mut said: String = round.chars().map(|c| joint.push(&c.to_string())).collect();
        said.push_str(&joint.finish());
        assert_eq!(said, whole, "cut into characters");
        said
    }

    #[test]
    fn what_the_model_said_twice_is_said_once() {
        let answer = "Once upon a time there was a fox who lived in the";
        assert_eq!(new(answer, " woods."), " woods.");
        assert_eq!(new(answer, "who lived in the woods."), " woods.");
        assert_eq!(new(answer, answer), "");
        assert_eq!(new(answer, &format!("{answer} woods.")), " woods.");
        assert_eq!(new(answer, "in the woods."), "in the woods.", "too short to tell");
        assert_eq!(new(answer, ""), "");
        assert_eq!(new(answer, "there was a fox"), "there was a fox", "not the tail");
        let chinese = "从前有一只狐狸，它住在大森林的深处，每天";
        assert_eq!(new(chinese, "它住在大森林的深处，每天都很开心。"), "都很开心。");
    }

    #[test]
    fn a_code_block_is_not_opened_twice() {
        let answer = "So:\n```python\ndef f(x):\n    return x +";
        assert_eq!(new(answer, " 1\n```\n"), " 1\n```\n");
        assert_eq!(new(answer, "```python\n 1\n```\n"), " 1\n```\n");
        assert_eq!(new(answer, "\n```py\n    return x + 1\n```"), " 1\n```");
        assert_eq!(new(answer, "```\ndef f(x):\n    return x + 1\n```"), " 1\n```");
        assert_eq!(new("a\n```\ncode\n", "```\nThat was it."), "```\nThat was it.", "it closes the block");
        assert_eq!(new("a\n```\ncode\n```\n", "```rust\nfn f"), "```rust\nfn f", "it opens the next");
        assert_eq!(new(answer, "``"), "``");
        assert_eq!(new("a\n```\nf()\n```", "\n\n```b\ng()"), "\n\n```b\ng()", "the block was closed");
    }

    #[test]
    fn new_text_is_held_back_only_while_it_may_be_old() {
        let mut joint = Joint::new("the quick brown fox", false);
        assert_eq!(joint.push(" jumps"), " jumps");
        let mut joint = Joint::new("the quick brown fox", false);
        assert_eq!(joint.push("quick bro"), "");
        assert_eq!(joint.push("ther"), "quick brother");
        let mut joint = Joint::new("the quick brown fox", true);
        assert_eq!(joint.push("the quick brown fox"), "the quick brown fox", "an exact one");
    }
}
