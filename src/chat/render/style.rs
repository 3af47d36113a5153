//! How text looks: bold and the like, and the escape sequences that say so. No other file writes an escape character.

/// Ways in which a piece of text stands out, all of which may hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style(u16);

/// Each way, and its SGR parameter. Only the terminal's own sixteen colours: they are legible on whatever ground their
/// owner chose. Bright black is not: some palettes use it for the ground.
const CODES: [(Style, &str); 11] = [
    (Style::BOLD, "1"),
    (Style::DIM, "2"),
    (Style::ITALIC, "3"),
    (Style::UNDERLINED, "4"),
    (Style::STRUCK, "9"),
    (Style::RED, "31"),
    (Style::GREEN, "32"),
    (Style::YELLOW, "33"),
    (Style::BLUE, "34"),
    (Style::MAGENTA, "35"),
    (Style::CYAN, "36"),
];

impl Style {
    /// As all other text.
    pub const PLAIN: Self = Self(0);
    /// Bold.
    pub const BOLD: Self = Self(1);
    /// Dim.
    pub const DIM: Self = Self(1 << 1);
    /// Italic.
    pub const ITALIC: Self = Self(1 << 2);
    /// Underlined.
    pub const UNDERLINED: Self = Self(1 << 3);
    /// Struck through.
    pub const STRUCK: Self = Self(1 << 4);
    /// Green.
    pub const GREEN: Self = Self(1 << 5);
    /// Yellow.
    pub const YELLOW: Self = Self(1 << 6);
    /// Blue.
    pub const BLUE: Self = Self(1 << 7);
    /// Magenta.
    pub const MAGENTA: Self = Self(1 << 8);
    /// Cyan.
    pub const CYAN: Self = Self(1 << 9);
    /// Red.
    pub const RED: Self = Self(1 << 10);

    /// Both styles at once.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This style where there is colour.
    pub fn or_plain(self, color: bool) -> Self {
        if color { self } else { Self::PLAIN }
    }

    /// What of it is seen where nothing is written.
    pub const fn on_blanks(self) -> Self {
        Self(self.0 & (Self::UNDERLINED.0 | Self::STRUCK.0))
    }

    const fn holds(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Writes text in this style, and ends the style: whoever kills the program between two pieces leaves the terminal
    /// as it was.
    pub fn paint(self, text: &str, out: &mut String) {
        if self == Self::PLAIN || text.is_empty() {
            return out.push_str(text);
        }
        let mut before = "\x1b[";
        for (style, code) in CODES {
            if self.holds(style) {
                out.push_str(before);
                out.push_str(code);
                before = ";";
            }
        }
        out.push('m');
        out.push_str(text);
        out.push_str("\x1b[0m");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_ends_where_its_text_ends() {
        let cases = [
            (Style::PLAIN, "x", "x"),
            (Style::BOLD, "", ""),
            (Style::BOLD, "x", "\x1b[1mx\x1b[0m"),
            (Style::CYAN.and(Style::BOLD), "x y", "\x1b[1;36mx y\x1b[0m"),
        ];
        for (style, text, expected) in cases {
            let mut out = String::new();
            style.paint(text, &mut out);
            assert_eq!(out, expected);
        }
    }
}
