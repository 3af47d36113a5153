//! What stands before the text of quotes and lists: bars, bullets and numbers on its first line, bars and blanks on the
//! others.

use super::Look;
use super::flow::Prefix;
use super::opening::Container;
use super::style::Style;
use unicode_width::UnicodeWidthStr as _;

/// The prefix of a first line and that of those below it, where all but so many containers begin with the first.
pub fn of(containers: &[Container], open: usize, look: Look) -> (Prefix, Prefix) {
    let parts: Vec<(Prefix, Prefix)> =
        containers.iter().enumerate().map(|(index, one)| part(one, index >= open, look)).collect();
    // Text keeps half of the screen: the outermost give way.
    let limit = look.width.map_or(usize::MAX, |width| width / 2);
    let mut width: usize = parts.iter().map(|(first, _)| first.width).sum();
    let (mut first, mut rest) = (Prefix::default(), Prefix::default());
    for (on_first, on_rest) in parts {
        if width > limit {
            width -= on_first.width;
            continue;
        }
        add(&mut first, &on_first);
        add(&mut rest, &on_rest);
    }
    (first, rest)
}

fn add(prefix: &mut Prefix, part: &Prefix) {
    prefix.text.push_str(&part.text);
    prefix.width += part.width;
}

fn part(container: &Container, begins: bool, look: Look) -> (Prefix, Prefix) {
    match container {
        Container::Quote => {
            let mut text = String::new();
            Style::DIM.or_plain(look.color).paint(if look.unicode { "│" } else { ">" }, &mut text);
            text.push(' ');
            let bar = Prefix { text, width: 2 };
            (bar.clone(), bar)
        }
        Container::Item { mark, .. } => {
            let is_bullet = look.unicode && matches!(mark.as_str(), "-" | "*" | "+");
            let text = format!("{} ", if is_bullet { "•" } else { mark });
            let width = text.width();
            let blanks = Prefix { text: " ".repeat(width), width };
            (if begins { Prefix { text, width } } else { blanks.clone() }, blanks)
        }
    }
}
