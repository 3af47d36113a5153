//! What a server says in its own words, made fit for a terminal and a log.

/// How many characters of a server's words are shown.
const WORDS: usize = 300;

/// A server's own words, as far as they can be shown: printable, on one line, not endless.
pub fn said(text: &str) -> String {
    let shown = text.chars().map(|c| if is_printable(c) { c } else { ' ' });
    let mut shown = shown.take(WORDS).collect::<String>();
    if text.chars().nth(WORDS).is_some() {
        // Half a token would not be known for what it is.
        shown.truncate(shown.trim_end_matches(|c: char| c.is_ascii_graphic()).len());
    }
    shown.trim().to_owned()
}

/// Whether a character does nothing but look like itself.
pub fn is_printable(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || turns)
}
