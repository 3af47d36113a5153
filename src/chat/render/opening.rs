//! How a line begins: which quotes and lists go on in it, which it opens, and what it is apart from them. A line is read
//! character by character, and told as soon as it is certain.

/// What a line stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Container {
    /// A quote.
    Quote,
    /// An item of a list: where its mark begins, where its text does, and the mark as it is written.
    Item {
        /// The column of the mark.
        mark_column: usize,
        /// The column of the text.
        text_column: usize,
        /// `-`, `*`, `+`, `1.` or the like.
        mark: String,
    },
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Nothing.
    Blank,
    /// A rule across the page.
    Rule,
    /// A heading, and its level.
    Heading(usize),
    /// The fence before code.
    Fence(Fence),
    /// What may be a row of a table.
    Row,
    /// The beginning of a formula that has lines of its own, and what ends it.
    Formula(&'static str),
    /// Code that is only indented.
    Indented,
    /// Prose.
    Paragraph,
}

/// The fence before code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// A backtick or a tilde.
    pub letter: char,
    /// How many of them; as many end the code.
    pub length: usize,
    /// The columns before it, which its lines have as well.
    pub indent: usize,
}

/// How a line begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// How many of the containers that were open go on.
    pub kept: usize,
    /// Those that open.
    pub entered: Vec<Container>,
    /// What stands in them.
    pub block: Block,
    /// Where in the line that begins, in bytes.
    pub rest: usize,
}

/// What can be said of the beginning of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Nothing before the next character.
    More,
    /// Nothing before the line is whole.
    Line,
    /// Everything.
    Opening(Opening),
}

/// What was there before the line.
#[derive(Debug, Clone, Copy)]
pub struct Around<'around> {
    /// The containers that are open.
    pub containers: &'around [Container],
    /// Whether a paragraph is open in the innermost of them.
    pub in_paragraph: bool,
}

/// Reads the beginning of a line. Of one that is `whole` everything is told.
pub fn read(line: &str, around: Around<'_>, whole: bool) -> Told {
    let mut reader = Reader { line, at: 0, column: 0, base: 0, whole };
    let kept = match reader.keep(around.containers) {
        Some(kept) => kept,
        None => return Told::More,
    };
    let mut entered = Vec::new();
    loop {
        let Some(step) = reader.step(around, kept, &entered) else { return Told::More };
        match step {
            Step::Enter(container) => entered.push(container),
            Step::WholeLine => return Told::Line,
            Step::Block(block) => {
                let is_lazy = block == Block::Paragraph && around.in_paragraph && entered.is_empty();
                let kept = if is_lazy { around.containers.len() } else { kept };
                reader.settle(&mut entered);
                return Told::Opening(Opening { kept, entered, block, rest: reader.at });
            }
        }
    }
}

enum Step {
    Enter(Container),
    WholeLine,
    Block(Block),
}

struct Reader<'line> {
    line: &'line str,
    at: usize,
    column: usize,
    /// The column from which indentation counts.
    base: usize,
    whole: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, count: usize) {
        for letter in self.line.get(self.at..).unwrap_or_default().chars().take(count) {
            self.at += letter.len_utf8();
            self.column = if letter == '\t' { (self.column / 4 + 1) * 4 } else { self.column + 1 };
        }
    }

    fn skip_blanks(&mut self) {
        self.skip(self.rest().chars().take_while(|&letter| is_blank(letter)).count());
    }

    /// How many of the containers go on, where that is known.
    fn keep(&mut self, containers: &[Container]) -> Option<usize> {
        for (index, container) in containers.iter().enumerate() {
            self.skip_blanks();
            let Some(letter) = self.peek() else {
                // A blank line ends no item, but every quote.
                let is_quote = |container: &Container| *container == Container::Quote;
                let items =
                    containers.iter().skip(index).take_while(|container| !is_quote(container)).count();
                return self.whole.then_some(index + items);
            };
            match container {
                Container::Quote if letter == '>' && self.column < self.base + 4 => self.quote()?,
                // Models indent by two where their mark has three columns.
                Container::Item { mark_column, text_column, .. } if self.column >= mark_column + 2 => {
                    self.base = (*text_column).min(self.column);
                }
                _ => return Some(index),
            }
        }
        Some(containers.len())
    }

    /// Goes behind the mark of a quote.
    fn quote(&mut self) -> Option<()> {
        self.skip(1);
        self.base = self.column;
        match self.peek() {
            None if !self.whole => None,
            Some(' ') => {
                self.skip(1);
                self.base = self.column;
                Some(())
            }
            _ => Some(()),
        }
    }

    /// The text of the last item begins here, or one column behind the mark.
    fn settle(&self, entered: &mut [Container]) {
        if let Some(Container::Item { mark_column, text_column, mark }) = entered.last_mut() {
            let behind = *mark_column + mark.len();
            let is_near = self.peek().is_some() && self.base == self.column;
            *text_column = if is_near { self.column } else { behind + 1 };
        }
    }

    fn step(&mut self, around: Around<'_>, kept: usize, entered: &[Container]) -> Option<Step> {
        let was_in_paragraph = around.in_paragraph && entered.is_empty();
        let in_same = was_in_paragraph && kept == around.containers.len();
        let start = (self.at, self.column);
        self.skip_blanks();
        let Some(letter) = self.peek() else { return self.whole.then_some(Step::Block(Block::Blank)) };
        if matches!(entered.last(), Some(Container::Item { .. })) {
            // Up to four blanks set the text off; with more, it is code.
            self.base = if self.column - start.1 <= 4 { self.column } else { start.1 + 1 };
        }
        if self.column >= self.base + 4 {
            let in_item =
                around.containers.iter().take(kept).any(|one| matches!(one, Container::Item { .. }));
            if was_in_paragraph && !in_item {
                return Some(Step::Block(Block::Paragraph));
            }
            if !was_in_paragraph {
                (self.at, self.column) = start;
                while self.column < self.base + 4 {
                    self.skip(1);
                }
                return Some(Step::Block(Block::Indented));
            }
        }
        match letter {
            '>' => self.quote().map(|()| Step::Enter(Container::Quote)),
            '-' | '*' | '+' => self.bullet(letter, in_same),
            '_' => self.rule(letter),
            '0'..='9' => {
                let needs_one = was_in_paragraph
                    && !around.containers.iter().any(|one| matches!(one, Container::Item { .. }));
                self.number(in_same, needs_one)
            }
            '#' => self.heading(),
            '`' | '~' => self.fence(letter),
            '|' if self.whole => Some(Step::Block(Block::Row)),
            '|' => Some(Step::WholeLine),
            '$' | '\\' => self.formula(letter),
            _ => Some(Step::Block(Block::Paragraph)),
        }
    }

    fn bullet(&mut self, letter: char, in_paragraph: bool) -> Option<Step> {
        if letter != '+'
            && let rule @ Step::Block(Block::Rule) = self.rule(letter)?
        {
            return Some(rule);
        }
        self.item(letter.to_string(), in_paragraph)
    }

    /// An item, if its mark is followed by a blank; an empty one does not interrupt a paragraph.
    fn item(&mut self, mark: String, in_paragraph: bool) -> Option<Step> {
        let rest = self.rest().get(mark.len()..).unwrap_or_default();
        match rest.chars().next() {
            None if !self.whole => return None,
            Some(letter) if !is_blank(letter) => return Some(Step::Block(Block::Paragraph)),
            _ => {}
        }
        if rest.trim_start_matches(is_blank).is_empty() {
            if !self.whole {
                return None;
            }
            if in_paragraph {
                return Some(Step::Block(Block::Paragraph));
            }
        }
        let mark_column = self.column;
        self.skip(mark.chars().count());
        self.base = self.column;
        Some(Step::Enter(Container::Item { mark_column, text_column: self.column + 1, mark }))
    }

    fn number(&mut self, in_paragraph: bool, needs_one: bool) -> Option<Step> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        if digits > 9 {
            return Some(Step::Block(Block::Paragraph));
        }
        let Some(behind) = rest.get(digits..).and_then(|behind| behind.chars().next()) else {
            return self.whole.then_some(Step::Block(Block::Paragraph));
        };
        let number = rest.get(..digits).unwrap_or_default();
        if !matches!(behind, '.' | ')') || (needs_one && number != "1") {
            return Some(Step::Block(Block::Paragraph));
        }
        self.item(format!("{number}{behind}"), in_paragraph)
    }

    /// A rule, or a paragraph.
    fn rule(&self, letter: char) -> Option<Step> {
        let rest = self.rest();
        if !rest.chars().all(|other| other == letter || is_blank(other)) {
            return Some(Step::Block(Block::Paragraph));
        }
        let is_rule = rest.chars().filter(|&other| other == letter).count() >= 3;
        self.whole.then_some(Step::Block(if is_rule { Block::Rule } else { Block::Paragraph }))
    }

    fn heading(&mut self) -> Option<Step> {
        let level = self.rest().len() - self.rest().trim_start_matches('#').len();
        let behind = self.rest().get(level..).and_then(|rest| rest.chars().next());
        if level > 6 || behind.is_some_and(|letter| !is_blank(letter)) {
            return Some(Step::Block(Block::Paragraph));
        }
        if behind.is_none() && !self.whole {
            return None;
        }
        self.skip(level);
        self.skip_blanks();
        (self.peek().is_some() || self.whole).then_some(Step::Block(Block::Heading(level)))
    }

    /// A fence, or prose that begins with code or struck text.
    fn fence(&self, letter: char) -> Option<Step> {
        let length = self.rest().len() - self.rest().trim_start_matches(letter).len();
        let behind = self.rest().get(length..).unwrap_or_default();
        if behind.is_empty() && !self.whole {
            return None;
        }
        if length < 3 || (letter == '`' && behind.contains('`')) {
            return Some(Step::Block(Block::Paragraph));
        }
        if !self.whole {
            return Some(Step::WholeLine);
        }
        Some(Step::Block(Block::Fence(Fence { letter, length, indent: self.column })))
    }

    /// A formula that stands on lines of its own; one that ends in its line is part of a paragraph.
    fn formula(&self, letter: char) -> Option<Step> {
        let (open, close) = if letter == '$' { ("$$", "$$") } else { ("\\[", "\\]") };
        let rest = self.rest();
        if !self.whole && rest.len() < open.len() {
            return None;
        }
        match rest.strip_prefix(open) {
            Some(_) if !self.whole => Some(Step::WholeLine),
            Some(behind) if !behind.contains(close) => Some(Step::Block(Block::Formula(close))),
            _ => Some(Step::Block(Block::Paragraph)),
        }
    }
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t')
}
