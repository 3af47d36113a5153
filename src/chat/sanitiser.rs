//! A model's text without anything that a terminal would obey (S-9). Text that goes into a pipe is
//! left as it is by whoever writes it.

/// Takes escape sequences, control characters and bidirectional overrides out of a text, wherever
/// it is cut into pieces.
#[derive(Debug, Default)]
pub struct Sanitiser {
    state: State,
}

/// Where in an escape sequence the text was cut.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind ESC, and whatever stands between it and the sequence's last character.
    Escape,
    /// Behind ESC `[`.
    Control,
    /// In the text of an OSC, DCS, SOS, PM or APC.
    String,
}

impl Sanitiser {
    /// The harmless part of the next piece of a text. A sequence that is never ended takes no more
    /// with it than the rest of its line.
    pub fn clean(&mut self, piece: &str) -> String {
        piece.chars().filter(|&letter| self.passes(letter)).collect()
    }

    /// Whether a character may be shown, as far as what came before it says.
    fn passes(&mut self, letter: char) -> bool {
        let (state, shown) = match (self.state, letter) {
            (_, '\x1b') => (State::Escape, false),
            (_, '\u{9b}') => (State::Control, false),
            (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => (State::String, false),
            (State::Escape, '[') => (State::Control, false),
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => (State::String, false),
            (State::Escape, ' '..='/') => (State::Escape, false),
            (State::Control, ' '..='?') => (State::Control, false),
            (State::Escape | State::Control, '0'..='~') => (State::Text, false),
            (State::String, '\n' | '\x07' | '\u{9c}' | '\x18' | '\x1a') => (State::Text, letter == '\n'),
            (State::String, _) => (State::String, false),
            (State::Text | State::Escape | State::Control, _) => (State::Text, is_harmless(letter)),
        };
        self.state = state;
        shown
    }
}

fn is_harmless(letter: char) -> bool {
    let is_bidi = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    matches!(letter, '\n' | '\t') || !(letter.is_control() || is_bidi)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&str, &str)] = &[
        ("plain\ttext\n你好 👩‍👩‍👧", "plain\ttext\n你好 👩‍👩‍👧"),
        ("\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1Hhome", "red home"),
        ("\x1b]0;title\x07a\x1b]52;c;aGk=\x1b\\b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "ablink"),
        ("\x1bPdevice\x1b\\a\x1b_app\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
        ("\u{9b}31mred\u{9d}0;t\u{9c}x\u{90}q\u{9c}y\u{85}\u{84}", "redxy"),
        ("a\x1b(Bb\x1b#8c\x1bcd\x1b7e", "abcde"),
        ("a\r\x08\x07\x00\x7fb\r\n", "ab\n"),
        ("open \x1b]52;c;lost\nnext", "open \nnext"),
        ("end \x1b", "end "),
        ("end \x1b[12", "end "),
        ("\x1b\x1b[1mx\x1b[3\nline", "x\nline"),
        ("\x1b[1\u{4f60}好", "你好"),
        ("a\u{202e}b\u{2066}c\u{2069}d\u{200f}e\u{61c}f", "abcdef"),
    ];

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        for (text, expected) in CASES {
            assert_eq!(Sanitiser::default().clean(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_comes_out_the_same_wherever_it_is_cut() {
        for (text, expected) in CASES {
            let mut sanitiser = Sanitiser::default();
            let cleaned: String = text.chars().map(|letter| sanitiser.clean(&letter.to_string())).collect();
            assert_eq!(cleaned, *expected, "{text:?}");
        }
    }
}
