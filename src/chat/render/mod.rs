//! Markdown for a terminal while it comes: what is shown is never taken back, so no cursor ever moves but on. It knows
//! neither the terminal nor the model; text comes in, lines and their colours go out.

mod code;
mod emphasis;
mod flow;
mod highlight;
mod inline;
mod opening;
mod prefix;
mod spans;
mod style;
mod table;

#[cfg(test)]
mod properties_tests;
#[cfg(test)]
mod render_tests;

use code::Code;
use flow::Flow;
use highlight::Languages;
use inline::Inline;
use opening::{Around, Block, Container, Opening, Told};
use style::Style;
use table::{Drawing, Table, Taken};

/// How long it may take to say what a line is. Chosen: no mark of a block is as long, and blanks before one are few.
const HEAD_LIMIT_BYTES: usize = 256;
/// Narrower terminals wrap for themselves.
const NARROWEST: usize = 20;
/// A rule need not be longer. Chosen.
const RULE: usize = 60;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its columns, where they are known. With fewer than twenty no line is wrapped.
    pub width: Option<usize>,
    /// Whether there may be colours, bold and the like. Without them the marks that say so are shown.
    pub color: bool,
    /// Whether bars and bullets are drawn, or said in ASCII.
    pub unicode: bool,
}

/// One answer after the other.
#[derive(Debug)]
pub struct Renderer {
    look: Look,
    flow: Flow,
    languages: Languages,
    containers: Vec<Container>,
    leaf: Leaf,
    at: At,
    /// What came of a line that is not shown before more of it came.
    line: String,
    /// Whether a blank line waits for something that follows it.
    blank: bool,
    begun: bool,
}

/// The block that lines are added to.
#[derive(Debug)]
enum Leaf {
    None,
    Prose(Inline),
    Code(Code),
    Formula(&'static str),
    Table(Table),
}

/// Where in a line the text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Where it is not said yet what the line is.
    Head,
    /// In prose that may go on in the next line.
    Paragraph,
    /// In prose that ends with its line.
    Heading,
    /// In a line that is shown when it is whole, and which then says what it is.
    Line,
    /// In a line of code that is only indented.
    Indented,
}

impl Renderer {
    /// A renderer for one terminal. It is worth keeping for the next answer: what it loaded stays.
    pub fn new(look: Look) -> Self {
        let look = Look { width: look.width.filter(|&width| width >= NARROWEST), ..look };
        Self {
            look,
            flow: Flow::new(look.width),
            languages: Languages::default(),
            containers: Vec::new(),
            leaf: Leaf::None,
            at: At::Head,
            line: String::new(),
            blank: false,
            begun: false,
        }
    }

    /// Takes more text, and returns what is certain by now. Nothing of it is in a style when it ends.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for letter in text.chars().filter(|&letter| matches!(letter, '\n' | '\t') || !letter.is_control()) {
            self.take(letter, &mut out);
        }
        out
    }

    /// Returns what is left when nothing more comes; the cursor then stands at the beginning of a line. What is pushed
    /// next is another answer.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        if self.at != At::Head || !self.line.is_empty() {
            self.take('\n', &mut out);
        }
        self.close(&mut out);
        let languages = std::mem::take(&mut self.languages).anew();
        *self = Self { languages, ..Self::new(self.look) };
        out
    }

    fn take(&mut self, letter: char, out: &mut String) {
        match (self.at, letter) {
            (At::Head, '\n') => self.head(true, out),
            (At::Head, _) => {
                self.line.push(letter);
                self.head(false, out);
            }
            (At::Line, '\n') => self.whole_line(out),
            (At::Indented, '\n') => {
                let line = std::mem::take(&mut self.line);
                self.verbatim(&line, Style::CYAN, out);
                self.at = At::Head;
            }
            (At::Line | At::Indented, _) => self.line.push(letter),
            (At::Paragraph | At::Heading, _) => {
                if let Leaf::Prose(inline) = &mut self.leaf {
                    inline.put(letter, &mut self.flow, out);
                }
                if letter == '\n' {
                    if self.at == At::Heading {
                        self.close(out);
                    }
                    self.at = At::Head;
                }
            }
        }
    }

    /// Says what a line is, if its beginning does.
    fn head(&mut self, whole: bool, out: &mut String) {
        if matches!(self.leaf, Leaf::Code(_) | Leaf::Formula(_)) {
            if whole {
                self.whole_line(out)
            } else {
                self.at = At::Line
            }
            return;
        }
        let around =
            Around { containers: &self.containers, in_paragraph: matches!(self.leaf, Leaf::Prose(_)) };
        match opening::read(&self.line, around, whole) {
            Told::Opening(opening) => self.open(opening, out),
            Told::Line => self.at = At::Line,
            Told::More if self.line.len() < HEAD_LIMIT_BYTES => {}
            Told::More => {
                let kept = if around.in_paragraph { self.containers.len() } else { 0 };
                self.open(Opening { kept, entered: Vec::new(), block: Block::Paragraph, rest: 0 }, out);
            }
        }
    }

    fn open(&mut self, opening: Opening, out: &mut String) {
        let rest = self.line.get(opening.rest..).unwrap_or_default().to_owned();
        self.line.clear();
        self.at = At::Head;
        let goes_on = opening.entered.is_empty() && opening.kept == self.containers.len();
        match (&mut self.leaf, &opening.block) {
            (Leaf::Prose(_), Block::Paragraph) if goes_on => {
                self.at = At::Paragraph;
                return rest.chars().for_each(|letter| self.take(letter, out));
            }
            (Leaf::Table(_), Block::Row) if goes_on => return self.row(rest, out),
            _ => {}
        }
        self.close(out);
        self.enter(opening.kept, opening.entered, &opening.block, out);
        match opening.block {
            Block::Blank => {}
            Block::Rule => {
                let line = if self.look.unicode { "─" } else { "-" };
                let length = self.flow.room().unwrap_or(NARROWEST).min(RULE);
                self.verbatim(&line.repeat(length), Style::DIM, out);
            }
            Block::Heading(level) => {
                self.prose(Style::BOLD, At::Heading);
                let marks = format!("{} {rest}", "#".repeat(level));
                marks.chars().for_each(|letter| self.take(letter, out));
            }
            Block::Fence(fence) => {
                self.verbatim(&rest, Style::DIM, out);
                let language = if self.look.color { code::language(&rest) } else { "" };
                let highlighter = self.languages.begin(language);
                self.leaf = Leaf::Code(Code::begin(fence, highlighter, &self.containers));
            }
            Block::Row => self.leaf = Leaf::Table(Table::begin(rest)),
            Block::Formula(close) => {
                self.verbatim(&rest, Style::PLAIN, out);
                self.leaf = Leaf::Formula(close);
            }
            Block::Indented => {
                self.at = At::Indented;
                self.line = rest;
            }
            Block::Paragraph => {
                self.prose(Style::PLAIN, At::Paragraph);
                rest.chars().for_each(|letter| self.take(letter, out));
            }
        }
    }

    /// Leaves and enters containers; a blank line that waited comes between.
    fn enter(&mut self, kept: usize, entered: Vec<Container>, block: &Block, out: &mut String) {
        self.containers.truncate(kept);
        if *block == Block::Blank && entered.is_empty() {
            self.blank = true;
            return;
        }
        if self.blank && self.begun {
            let (_, bars) = prefix::of(&self.containers, kept, self.look);
            self.flow.begin(bars.clone(), bars);
            self.flow.end_line(out);
        }
        self.blank = false;
        self.begun = true;
        self.containers.extend(entered);
        let (first, rest) = prefix::of(&self.containers, kept, self.look);
        let is_empty_item = matches!(self.containers.last(), Some(Container::Item { .. }));
        self.flow.begin(first, rest);
        if *block == Block::Blank && is_empty_item {
            self.flow.end_line(out);
        }
    }

    fn prose(&mut self, style: Style, at: At) {
        self.leaf = Leaf::Prose(Inline::new(self.look.color, style));
        self.at = at;
    }

    /// Ends the block that is open.
    fn close(&mut self, out: &mut String) {
        match std::mem::replace(&mut self.leaf, Leaf::None) {
            Leaf::None | Leaf::Code(_) | Leaf::Formula(_) => {}
            Leaf::Prose(mut inline) => {
                inline.end(&mut self.flow, out);
                self.end_line(out);
            }
            Leaf::Table(table) => match table.end(self.drawing()) {
                Ok(lines) => lines.iter().for_each(|line| self.flow.verbatim(line, out)),
                Err(rows) => rows.iter().for_each(|row| self.text(row, out)),
            },
        }
    }

    fn end_line(&mut self, out: &mut String) {
        if !self.flow.is_at_start() {
            self.flow.end_line(out);
        }
    }

    /// Shows a line as prose.
    fn text(&mut self, line: &str, out: &mut String) {
        let mut inline = Inline::new(self.look.color, Style::PLAIN);
        line.chars().for_each(|letter| inline.put(letter, &mut self.flow, out));
        inline.end(&mut self.flow, out);
        self.end_line(out);
    }

    fn verbatim(&mut self, line: &str, style: Style, out: &mut String) {
        let mut painted = String::new();
        style.or_plain(self.look.color).paint(line, &mut painted);
        self.flow.verbatim(&painted, out);
    }

    fn row(&mut self, line: String, out: &mut String) {
        let drawing = self.drawing();
        let Leaf::Table(table) = &mut self.leaf else { return };
        match table.take(&line, drawing) {
            Taken::Held => {}
            Taken::Lines(lines) => lines.iter().for_each(|line| self.flow.verbatim(line, out)),
            Taken::NoTable => {
                self.close(out);
                self.leaf = Leaf::Table(Table::begin(line));
            }
        }
    }

    fn drawing(&self) -> Drawing {
        Drawing { room: self.flow.room(), color: self.look.color, unicode: self.look.unicode }
    }

    /// Takes a line that is whole.
    fn whole_line(&mut self, out: &mut String) {
        self.at = At::Head;
        match &mut self.leaf {
            Leaf::Code(code) => match code.take(&self.line, self.look.color, &mut self.languages) {
                code::Line::Code(painted) => {
                    self.line.clear();
                    self.flow.verbatim(&painted, out);
                }
                code::Line::Close(fence) => {
                    self.line.clear();
                    self.leaf = Leaf::None;
                    self.verbatim(&fence, Style::DIM, out);
                }
                code::Line::Behind => {
                    self.leaf = Leaf::None;
                    self.head(true, out);
                }
            },
            Leaf::Formula(close) => {
                let close = *close;
                match code::behind_quotes(&self.line, code::quotes(&self.containers)) {
                    Some((_, line)) if !line.trim().is_empty() => {
                        let line = line.trim_end().to_owned();
                        self.line.clear();
                        self.leaf = if line.contains(close) { Leaf::None } else { Leaf::Formula(close) };
                        self.verbatim(&line, Style::PLAIN, out);
                    }
                    _ => {
                        self.leaf = Leaf::None;
                        self.head(true, out);
                    }
                }
            }
            Leaf::None | Leaf::Prose(_) | Leaf::Table(_) => self.head(true, out),
        }
    }
}
