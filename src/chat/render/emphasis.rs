//! Bold, italic and struck text: which marks belong together, by CommonMark's algorithm. A mark beside an East Asian
//! character counts as one at the edge of a word, for these scripts put no blanks there: `**中文。**中文` is bold.

use super::flow::is_wide;
use super::spans::{self, Reading, Span};
use super::style::Style;

/// How many pieces are looked through for the end of what the first begins. Chosen: prose has fewer, and each mark is
/// compared with all before it.
const NODES_LIMIT: usize = 48;

/// A run of marks, or what stands between two of them.
struct Node {
    spans: Vec<Span>,
    mark: Option<Mark>,
    /// How what is left of the marks looks.
    style: Style,
}

#[derive(Clone, Copy)]
struct Mark {
    letter: char,
    length: usize,
    /// How many of them belong to nothing yet.
    left: usize,
    opens: bool,
    closes: bool,
}

/// Reads the emphasis that a text begins with; see [`spans::read`].
pub fn read(text: &str, before: char, last: bool, color: bool) -> Reading {
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let (mut at, mut before) = (0, before);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, node) = match next_node(rest, before, last, color) {
            Some(next) => next,
            None => return Reading::More,
        };
        before = rest.get(..length).and_then(|used| used.chars().next_back()).unwrap_or(before);
        at += length;
        let mark = node.mark;
        if nodes.len() >= NODES_LIMIT {
            break;
        }
        nodes.push(node);
        if let Some(mark) = mark {
            if nodes.len() == 1 && !mark.opens {
                return Reading::Text(mark.length);
            }
            if nodes.len() == 1 && !may_close(rest.get(length..).unwrap_or_default(), mark.letter) {
                return if last { Reading::Text(mark.length) } else { Reading::More };
            }
            pair(&mut nodes, &mut open);
            if nodes.first().and_then(|node| node.mark).is_some_and(|mark| mark.left == 0) {
                return Reading::Spans(at, shown(nodes, color));
            }
        }
    }
    match nodes.first().and_then(|node| node.mark) {
        Some(mark) if last || nodes.len() >= NODES_LIMIT => Reading::Text(mark.left.max(1)),
        _ => Reading::More,
    }
}

/// Whether some mark in a text could close another, at a quick look.
fn may_close(text: &str, letter: char) -> bool {
    text.match_indices(letter)
        .any(|(at, _)| !text.get(..at).unwrap_or_default().ends_with(|before: char| before.is_whitespace()))
}

/// The next node and its length, where it is known.
fn next_node(rest: &str, before: char, last: bool, color: bool) -> Option<(usize, Node)> {
    let text = |length: usize| {
        let text = rest.get(..length).unwrap_or(rest).to_owned();
        (length, Node { spans: vec![Span { text, style: Style::PLAIN }], mark: None, style: Style::PLAIN })
    };
    let letter = rest.chars().next()?;
    if matches!(letter, '*' | '_' | '~') {
        let length = spans::run(rest, letter);
        let next = rest.get(length..).and_then(|behind| behind.chars().next());
        if next.is_none() && !last {
            return None;
        }
        let mark = mark(letter, length, before, next.unwrap_or('\n'));
        return Some((length, Node { spans: Vec::new(), mark: Some(mark), style: Style::PLAIN }));
    }
    if !spans::is_special(letter) {
        return Some(text(rest.find(spans::is_special).unwrap_or(rest.len())));
    }
    match spans::read(rest, before, last, color) {
        Reading::More => None,
        Reading::Text(length) => Some(text(length)),
        Reading::Spans(length, spans) => Some((length, Node { spans, mark: None, style: Style::PLAIN })),
    }
}

fn mark(letter: char, length: usize, before: char, next: char) -> Mark {
    let is_edge = |beside: char| beside.is_whitespace() || is_punctuation(beside) || is_wide(beside);
    let left = !next.is_whitespace() && (!is_punctuation(next) || is_edge(before));
    let right = !before.is_whitespace() && (!is_punctuation(before) || is_edge(next));
    let (opens, closes) = match letter {
        '_' => (left && (!right || is_punctuation(before)), right && (!left || is_punctuation(next))),
        '~' => (left && length == 2, right && length == 2),
        // 2*3*4 is arithmetic.
        _ if before.is_ascii_digit() && next.is_ascii_digit() => (false, false),
        _ => (left, right),
    };
    Mark { letter, length, left: length, opens, closes }
}

fn is_punctuation(letter: char) -> bool {
    !letter.is_alphanumeric() && !letter.is_whitespace() && !is_wide(letter)
}

/// Lets the last node, a mark, close what it can, and open something where it cannot.
fn pair(nodes: &mut [Node], open: &mut Vec<usize>) {
    let closing = nodes.len() - 1;
    while let Some(closer) = nodes.get(closing).and_then(|node| node.mark).filter(|mark| mark.left > 0) {
        let fits = |&index: &usize| {
            nodes.get(index).and_then(|node| node.mark).is_some_and(|opener| belong(opener, closer))
        };
        let Some(position) = open.iter().rposition(fits).filter(|_| closer.closes) else {
            if closer.opens {
                open.push(closing);
            }
            return;
        };
        let Some(opening) = open.get(position).copied() else { return };
        let opener_left = nodes.get(opening).and_then(|node| node.mark).map_or(0, |mark| mark.left);
        let used = if opener_left >= 2 && closer.left >= 2 { 2 } else { 1 };
        let style = match (closer.letter, used) {
            ('~', _) => Style::STRUCK,
            (_, 2) => Style::BOLD,
            _ => Style::ITALIC,
        };
        for (index, node) in nodes.iter_mut().enumerate().skip(opening) {
            if index == opening || index == closing {
                node.mark = node.mark.map(|mark| Mark { left: mark.left - used, ..mark });
                continue;
            }
            node.style = node.style.and(style);
            node.spans.iter_mut().for_each(|span| span.style = span.style.and(style));
        }
        open.truncate(position + usize::from(opener_left > used));
    }
}

/// Whether two marks make a pair, with CommonMark's rule of three.
fn belong(opener: Mark, closer: Mark) -> bool {
    let is_three = (opener.closes || closer.opens)
        && (opener.length + closer.length).is_multiple_of(3)
        && !(opener.length.is_multiple_of(3) && closer.length.is_multiple_of(3));
    opener.letter == closer.letter && opener.left > 0 && !is_three
}

/// What is shown: without colour every mark as it was written, else those that belong to nothing.
fn shown(nodes: Vec<Node>, color: bool) -> Vec<Span> {
    let mut spans = Vec::new();
    for node in nodes {
        if let Some(mark) = node.mark {
            let count = if color { mark.left } else { mark.length };
            let text = mark.letter.to_string().repeat(count);
            spans.push(Span { text, style: node.style });
        }
        spans.extend(node.spans);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As HTML would say it, and where the emphasis ends.
    fn told(text: &str) -> String {
        match read(text, ' ', true, true) {
            Reading::More => "more".to_owned(),
            Reading::Text(length) => format!("{length}"),
            Reading::Spans(length, spans) => {
                let name = |style| match style {
                    Style::PLAIN => "-".to_owned(),
                    Style::BOLD => "b".to_owned(),
                    Style::ITALIC => "i".to_owned(),
                    Style::STRUCK => "s".to_owned(),
                    _ => "+".to_owned(),
                };
                let spans = spans.into_iter().filter(|span| !span.text.is_empty());
                let told: Vec<String> =
                    spans.map(|span| format!("{}:{}", name(span.style), span.text)).collect();
                format!("{length} {}", told.join("|"))
            }
        }
    }

    #[test]
    fn marks_belong_together_as_commonmark_says() {
        let cases = [
            ("*a* b", "3 i:a"),
            ("**a b** c", "7 b:a b"),
            ("***a*** b", "7 +:a"),
            ("**a *b* c**", "11 b:a |+:b|b: c"),
            ("~~a~~ b", "5 s:a"),
            ("~a~", "1"),
            ("_a_b_", "5 i:a|i:_|i:b"),
            ("** a**", "2"),
            ("**kwargs", "2"),
            ("**a* b", "1"),
            ("*a **b*", "1"),
            ("**中文。**中文", "13 b:中文。"),
            ("**“引”**中文", "13 b:“引”"),
            ("*a\\*b*", "6 i:a|i:*|i:b"),
            ("*a `*` b*", "9 i:a |+:*|i: b"),
        ];
        for (text, expected) in cases {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }
}
