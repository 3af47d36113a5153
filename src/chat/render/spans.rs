//! Code, links, images, escapes and formulas within a line of prose: where one begins, is it whole, and what is shown
//! of it?

use super::emphasis;
use super::style::Style;

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// What the beginning of a text is.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// Not to be known before more of it comes.
    More,
    /// So many bytes of text that means itself.
    Text(usize),
    /// So many bytes, and what is shown instead of them.
    Spans(usize, Vec<Span>),
}

/// Whether something other than plain text may begin with a character.
pub fn is_special(letter: char) -> bool {
    matches!(letter, '*' | '_' | '~' | '`' | '[' | '!' | '\\' | '$')
}

/// Reads what a text begins with.
///
/// `before` is the character that stands before it; `last` says that nothing more comes, and then the answer is not
/// `More`. Without `color` the marks that would be lost stay: `**` is all that then says bold.
pub fn read(text: &str, before: char, last: bool, color: bool) -> Reading {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return Reading::More };
    match first {
        '*' | '_' | '~' => emphasis::read(text, before, last, color),
        '`' => code(text, last, color),
        '\\' => escape(text, letters.next(), last),
        '[' => link(text, last, color).unwrap_or(Reading::Text(1)),
        '!' => match letters.next() {
            Some('[') => image(text, last, color),
            None if !last => Reading::More,
            _ => Reading::Text(1),
        },
        '$' => formula(text, before, last),
        _ => Reading::Text(first.len_utf8()),
    }
}

/// Reads all of a text that is whole.
pub fn read_all(text: &str, color: bool) -> Vec<Span> {
    let (mut spans, mut rest, mut before) = (Vec::new(), text, '\n');
    while !rest.is_empty() {
        let plain = rest.find(is_special).unwrap_or(rest.len());
        let (used, read) = match plain {
            0 => match read(rest, before, true, color) {
                Reading::Spans(used, read) => (used, read),
                Reading::Text(used) => (used, vec![plain_span(rest, used)]),
                Reading::More => (rest.len(), vec![plain_span(rest, rest.len())]),
            },
            _ => (plain, vec![plain_span(rest, plain)]),
        };
        spans.extend(read);
        let (done, next) = rest.split_at(used);
        before = done.chars().next_back().unwrap_or(before);
        rest = next;
    }
    spans
}

fn plain_span(text: &str, length: usize) -> Span {
    Span { text: text.get(..length).unwrap_or(text).to_owned(), style: Style::PLAIN }
}

/// The length of the run of one character that a text begins with.
pub fn run(text: &str, letter: char) -> usize {
    text.len() - text.trim_start_matches(letter).len()
}

/// What a text is that is not closed yet: to be waited for, or text.
fn unclosed(last: bool, length: usize) -> Reading {
    if last { Reading::Text(length) } else { Reading::More }
}

fn code(text: &str, last: bool, color: bool) -> Reading {
    let ticks = run(text, '`');
    let mut at = ticks;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('`')) {
        at += found;
        let closing = run(text.get(at..).unwrap_or_default(), '`');
        let end = at + closing;
        if end == text.len() && !last {
            return Reading::More;
        }
        if closing == ticks {
            let inner = text.get(ticks..at).unwrap_or_default().replace('\n', " ");
            let shown = if color { unpadded(&inner) } else { text.get(..end).unwrap_or_default() };
            return Reading::Spans(end, vec![Span { text: shown.to_owned(), style: Style::CYAN }]);
        }
        at = end;
    }
    unclosed(last, ticks)
}

/// One blank on either side only sets backticks off.
fn unpadded(code: &str) -> &str {
    match code.strip_prefix(' ').and_then(|rest| rest.strip_suffix(' ')) {
        Some(inner) if !inner.trim().is_empty() => inner,
        _ => code,
    }
}

fn escape(text: &str, next: Option<char>, last: bool) -> Reading {
    match next {
        None => unclosed(last, 1),
        // `\(…\)` and `\[…\]` are formulas with most models, and only then escapes.
        Some(open @ ('(' | '[')) => {
            let close = if open == '(' { "\\)" } else { "\\]" };
            match text.find(close) {
                Some(at) => Reading::Text(at + close.len()),
                None if last => Reading::Spans(2, vec![Span { text: open.to_string(), style: Style::PLAIN }]),
                None => Reading::More,
            }
        }
        Some(letter) if letter.is_ascii_punctuation() || letter == '\n' => {
            Reading::Spans(2, vec![Span { text: letter.to_string(), style: Style::PLAIN }])
        }
        Some(_) => Reading::Text(1),
    }
}

/// `$…$` and `$$…$$` are kept as they are, whatever stands in them; a price or a variable of a shell is no formula.
fn formula(text: &str, before: char, last: bool) -> Reading {
    let signs = run(text, '$');
    let rest = text.get(signs..).unwrap_or_default();
    if signs == 2 {
        let end = rest.find("$$").map(|at| signs + at + 2);
        return end.map_or_else(|| unclosed(last, signs), Reading::Text);
    }
    let mut ahead = rest.chars();
    let (Some(first), second) = (ahead.next(), ahead.next()) else { return unclosed(last, signs) };
    let is_name = first.is_ascii_uppercase() && second.is_some_and(|next| next.is_ascii_uppercase());
    if signs > 2 || before.is_alphanumeric() || first.is_whitespace() || first.is_ascii_digit() || is_name {
        return Reading::Text(signs);
    }
    let line = rest.split('\n').next().unwrap_or_default();
    for (at, _) in line.match_indices('$') {
        let inner = line.get(..at).unwrap_or_default();
        let next = line.get(at + 1..).and_then(|after| after.chars().next());
        if inner.ends_with(char::is_whitespace) || next.is_some_and(|next| next.is_alphanumeric()) {
            continue;
        }
        return Reading::Text(signs + at + 1);
    }
    unclosed(last || line.len() < rest.len(), signs)
}

fn image(text: &str, last: bool, color: bool) -> Reading {
    let inner = text.get(1..).unwrap_or_default();
    match bracketed(inner, last) {
        Bracketed::More => Reading::More,
        Bracketed::No => Reading::Text(1),
        Bracketed::Link { label, address, length } => {
            let shown = if label.trim().is_empty() { address } else { label };
            Reading::Spans(length + 1, read_all(shown, color))
        }
    }
}

fn link(text: &str, last: bool, color: bool) -> Option<Reading> {
    let (label, address, length) = match bracketed(text, last) {
        Bracketed::More => return Some(Reading::More),
        Bracketed::No => return None,
        Bracketed::Link { label, address, length } => (label, address, length),
    };
    let mut spans = read_all(label, color);
    let said: String = spans.iter().map(|span| span.text.as_str()).collect();
    for span in &mut spans {
        span.style = span.style.and(Style::UNDERLINED);
    }
    if !says_address(&said, address) {
        let between = if said.is_empty() { "" } else { " " };
        spans.push(Span { text: format!("{between}({address})"), style: Style::DIM });
    }
    Some(Reading::Spans(length, spans))
}

fn says_address(said: &str, address: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim_end_matches('/');
        let schemes = ["https://", "http://", "mailto:"];
        let cut = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        cut.to_owned()
    };
    address.is_empty() || bare(said) == bare(address)
}

enum Bracketed<'text> {
    More,
    No,
    Link { label: &'text str, address: &'text str, length: usize },
}

/// Reads `[label](address "title")`.
fn bracketed(text: &str, last: bool) -> Bracketed<'_> {
    let missing = if last { Bracketed::No } else { Bracketed::More };
    if !text.contains(']') {
        return missing;
    }
    let Some(end) = balanced(text, '[', ']') else { return missing };
    let label = text.get(1..end).unwrap_or_default();
    let behind = text.get(end + 1..).unwrap_or_default();
    match behind.chars().next() {
        Some('(') => {}
        None => return missing,
        Some(_) => return Bracketed::No,
    }
    let Some(close) = balanced(behind, '(', ')') else { return missing };
    let inner = behind.get(1..close).unwrap_or_default().trim();
    let (address, title) = match inner.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some(parts) => parts,
        None => inner.split_once(char::is_whitespace).unwrap_or((inner, "")),
    };
    if !title.trim().is_empty() && !title.trim().starts_with(['"', '\'', '(']) {
        return Bracketed::No;
    }
    Bracketed::Link { label, address, length: end + 1 + close + 1 }
}

/// Where the bracket closes that a text begins with; escaped ones do not count, nor those in code.
fn balanced(text: &str, open: char, close: char) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        match letter {
            '\\' => at += rest.chars().nth(1).map_or(0, char::len_utf8),
            '`' if open == '[' => match code(rest, true, true) {
                Reading::Spans(length, _) => at += length - 1,
                _ => at += run(rest, '`') - 1,
            },
            _ if letter == open => depth += 1,
            _ if letter == close => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += letter.len_utf8();
    }
    None
}
