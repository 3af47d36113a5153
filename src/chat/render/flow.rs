//! Text into lines of a terminal: words, or the characters of scripts that have none between blanks, wrapped to a width.
//! A line that is begun is only ever added to.

use super::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How long a cluster may become, in bytes: the longest family of emoji has 41. What piles up more marks is cut.
const CLUSTER_LIMIT_BYTES: usize = 64;

/// What no line begins with where it need not: closing marks, and the small kana of Japanese.
const CLOSING: &str =
    "!),.:;?]}%’”…、。〉》」』】〕〗！），．：；？］｝％～ー々・ぁぃぅぇぉっゃゅょァィゥェォッャュョ";
/// What no line ends with where it need not.
const OPENING: &str = "([{‘“〈《「『【〔〖（［｛$￥";

/// What stands before the text of a line: bars, bullets, indentation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix {
    /// As it is written, with its style.
    pub text: String,
    /// In columns.
    pub width: usize,
}

/// Lines in the making.
#[derive(Debug, Default)]
pub struct Flow {
    width: Option<usize>,
    /// Before the line that is, or will be, written.
    prefix: Prefix,
    /// Before those that follow it.
    rest: Prefix,
    /// Whether the prefix is written.
    begun: bool,
    /// Where the next character goes. Nothing but the prefix stands before it where the two are as wide.
    column: usize,
    blanks: usize,
    blank_style: Style,
    word: String,
    clusters: Vec<Cluster>,
    word_width: usize,
    /// The cluster that a combining character would still join.
    last: String,
    last_style: Style,
}

/// Where in the word a cluster ends, and how it looks.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    end: usize,
    width: usize,
    style: Style,
}

impl Flow {
    /// Lines of at most so many columns, or without a limit.
    pub fn new(width: Option<usize>) -> Self {
        Self { width, ..Self::default() }
    }

    /// What stands before the next line, and before those that follow it. Every line before is ended.
    pub fn begin(&mut self, first: Prefix, rest: Prefix) {
        self.prefix = first;
        self.rest = rest;
    }

    /// Whether nothing is written on the line yet, and nothing waits.
    pub fn is_at_start(&self) -> bool {
        !self.begun && self.word.is_empty() && self.last.is_empty()
    }

    /// The columns that text has on the next lines.
    pub fn room(&self) -> Option<usize> {
        self.width.map(|width| width.saturating_sub(self.rest.width).max(1))
    }

    /// Takes the next character. Words are written when they are over.
    pub fn put(&mut self, letter: char, style: Style, out: &mut String) {
        match letter {
            '\n' => self.end_line(out),
            ' ' | '\t' => {
                self.end_word(out);
                self.blanks += 1;
                self.blank_style = style.on_blanks();
            }
            _ if self.joins(letter) => self.last.push(letter),
            _ => {
                self.end_cluster(out);
                self.last.push(letter);
                if may_part(self.word.chars().next_back(), &self.last) {
                    self.place(out);
                }
                self.last_style = style;
            }
        }
    }

    /// Writes the word that waits.
    pub fn end_word(&mut self, out: &mut String) {
        self.end_cluster(out);
        self.place(out);
    }

    /// Ends the line; one of which nothing is written has its prefix at least.
    pub fn end_line(&mut self, out: &mut String) {
        self.end_word(out);
        if !self.begun {
            out.push_str(self.prefix.text.trim_end_matches(' '));
        }
        self.next_line(out);
    }

    /// Writes a line as it is, however long: the terminal wraps it, and a copy of it is whole.
    pub fn verbatim(&mut self, painted: &str, out: &mut String) {
        if painted.is_empty() {
            return self.end_line(out);
        }
        self.begin_line(out);
        out.push_str(painted);
        self.next_line(out);
    }

    fn joins(&mut self, letter: char) -> bool {
        if letter.is_ascii() || self.last.is_empty() || self.last.len() >= CLUSTER_LIMIT_BYTES {
            return false;
        }
        let before = self.last.len();
        self.last.push(letter);
        let first = self.last.graphemes(true).next().map_or(0, str::len);
        self.last.truncate(before);
        first > before
    }

    fn end_cluster(&mut self, out: &mut String) {
        if self.last.is_empty() {
            return;
        }
        if may_part(self.word.chars().next_back(), &self.last) {
            self.place(out);
        }
        self.word.push_str(&self.last);
        let width = self.last.width();
        self.clusters.push(Cluster { end: self.word.len(), width, style: self.last_style });
        self.word_width += width;
        self.last.clear();
        self.spill(out);
    }

    /// Writes the lines of a word that is longer than a line.
    fn spill(&mut self, out: &mut String) {
        while self.room().is_some_and(|room| self.word_width > room) && self.clusters.len() > 1 {
            if self.begun && self.column > self.prefix.width {
                self.next_line(out);
            }
            let room = self.width.unwrap_or(usize::MAX).saturating_sub(self.prefix.width);
            let mut used = 0;
            let fits = self.clusters.iter().take_while(|cluster| {
                used += cluster.width;
                used <= room
            });
            let count = fits.count().clamp(1, self.clusters.len() - 1);
            self.blanks = 0;
            self.write(count, out);
        }
    }

    fn place(&mut self, out: &mut String) {
        if self.clusters.is_empty() {
            return;
        }
        let end = self.column + self.blanks + self.word_width;
        if self.begun && self.column > self.prefix.width && self.width.is_some_and(|width| end > width) {
            self.next_line(out);
        }
        if !self.begun {
            self.blanks = 0;
        }
        self.write(self.clusters.len(), out);
    }

    /// Writes the blanks and so many clusters of the word.
    fn write(&mut self, count: usize, out: &mut String) {
        self.begin_line(out);
        self.blank_style.paint(&" ".repeat(self.blanks), out);
        self.column += std::mem::take(&mut self.blanks);
        let (mut run, mut at) = (Style::PLAIN, 0);
        let mut end = 0;
        for cluster in self.clusters.drain(..count) {
            if cluster.style != run {
                run.paint(self.word.get(at..end).unwrap_or_default(), out);
                (run, at) = (cluster.style, end);
            }
            end = cluster.end;
            self.column += cluster.width;
            self.word_width -= cluster.width;
        }
        run.paint(self.word.get(at..end).unwrap_or_default(), out);
        self.word.drain(..end);
        for cluster in &mut self.clusters {
            cluster.end -= end;
        }
    }

    fn begin_line(&mut self, out: &mut String) {
        if !self.begun {
            out.push_str(&self.prefix.text);
            self.column = self.prefix.width;
            self.begun = true;
        }
    }

    fn next_line(&mut self, out: &mut String) {
        out.push('\n');
        self.begun = false;
        self.column = 0;
        self.blanks = 0;
        self.prefix.clone_from(&self.rest);
    }
}

/// Whether a line may end between what stands before and a cluster, without a blank there: beside any wide character,
/// but closing marks stay with what they close, and opening ones with what they open.
fn may_part(before: Option<char>, cluster: &str) -> bool {
    let (Some(before), Some(letter)) = (before, cluster.chars().next()) else { return false };
    (is_wide(before) || is_wide(letter) || cluster.width() > 1) && !closes(letter) && !opens(before)
}

/// Whether a character takes two columns, as those of East Asian scripts do.
pub fn is_wide(letter: char) -> bool {
    letter.width() == Some(2)
}

fn closes(letter: char) -> bool {
    CLOSING.contains(letter)
}

fn opens(letter: char) -> bool {
    OPENING.contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> String {
        let (mut flow, mut out) = (Flow::new(Some(width)), String::new());
        text.chars().for_each(|letter| flow.put(letter, Style::PLAIN, &mut out));
        flow.end_word(&mut out);
        out
    }

    #[test]
    fn lines_end_at_blanks_or_beside_wide_characters() {
        let cases = [
            ("one two three", 7, "one two\nthree"),
            ("one  two", 20, "one  two"),
            ("abcdefghij klm", 4, "abcd\nefgh\nij\nklm"),
            ("x abcdefghij", 4, "x\nabcd\nefgh\nij"),
            ("今天天气很好", 5, "今天\n天气\n很好"),
            ("今天。天气", 4, "今\n天。\n天气"),
            ("说话「今天」吧", 6, "说话\n「今\n天」吧"),
            ("use中文here", 5, "use中\n文\nhere"),
            ("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 5, "👩‍👩‍👧👩‍👩‍👧\n👩‍👩‍👧"),
            ("e\u{301}e\u{301} e\u{301}", 2, "e\u{301}e\u{301}\ne\u{301}"),
            ("  lead", 10, "lead"),
        ];
        for (text, width, expected) in cases {
            assert_eq!(wrapped(text, width), expected, "{text:?} {width}");
        }
    }

    #[test]
    fn a_word_is_written_when_it_is_over() {
        let (mut flow, mut out) = (Flow::new(Some(20)), String::new());
        for (letter, expected) in [('a', ""), ('b', ""), (' ', "ab"), ('c', "ab"), ('\n', "ab c\n")] {
            flow.put(letter, Style::PLAIN, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_mark_joins_its_letter_whatever_the_style() {
        let (mut flow, mut out) = (Flow::new(None), String::new());
        flow.put('e', Style::BOLD, &mut out);
        flow.put('\u{301}', Style::PLAIN, &mut out);
        flow.put('x', Style::PLAIN, &mut out);
        flow.end_line(&mut out);
        assert_eq!(out, "\x1b[1me\u{301}\x1b[0mx\n");
    }
}
