//! Whether a place in Markdown is code, so that what stands there is shown and not meant.
//!
//! As much of CommonMark as that needs: fences of backticks, also in lists and quotes, and spans of
//! backticks, which end with their paragraph at the latest.

/// Follows a text through the pieces it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Markdown {
    code: Code,
    /// The backticks just before this place.
    ticks: usize,
    /// Whether nothing but white space stands in this line so far.
    is_blank: bool,
    /// Whether nothing stands in this line so far that a fence may not have before it.
    is_margin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    None,
    Span(usize),
    /// In the line that opens a fence of so many backticks.
    Opening(usize),
    Fence(usize),
    /// Behind enough backticks; nothing but white space may follow in this line.
    Closing(usize),
}

impl Default for Markdown {
    fn default() -> Self {
        Self { code: Code::None, ticks: 0, is_blank: true, is_margin: true }
    }
}

impl Markdown {
    /// Whether what follows is code.
    pub fn is_code(&self) -> bool {
        let mut settled = *self;
        settled.settle();
        settled.code != Code::None
    }

    /// Takes a piece of text.
    pub fn feed(&mut self, piece: &str) {
        let mut rest = piece.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            if self.is_quiet()
                && let skipped = memchr::memchr2(b'`', b'\n', rest).unwrap_or(rest.len())
                && skipped > 0
            {
                rest = rest.get(skipped..).unwrap_or_default();
                continue;
            }
            rest = tail;
            self.take(byte);
        }
    }

    /// Whether nothing but a backtick or the line's end can change anything.
    fn is_quiet(&self) -> bool {
        self.ticks == 0 && !self.is_margin && !self.is_blank && !matches!(self.code, Code::Closing(_))
    }

    fn take(&mut self, byte: u8) {
        if byte == b'`' {
            self.ticks += 1;
            return;
        }
        self.settle();
        match byte {
            b'\n' => {
                self.code = match self.code {
                    Code::Closing(_) => Code::None,
                    Code::Span(_) if self.is_blank => Code::None,
                    Code::Opening(length) => Code::Fence(length),
                    code => code,
                };
                self.is_blank = true;
                self.is_margin = true;
            }
            b' ' | b'\t' | b'\r' => {}
            _ => {
                self.is_blank = false;
                self.is_margin &= matches!(byte, b'>' | b'-' | b'*' | b'+' | b'0'..=b'9' | b'.' | b')');
                if let Code::Closing(length) = self.code {
                    self.code = Code::Fence(length);
                }
            }
        }
    }

    /// Reads the backticks before this place, if there are any, as what they are.
    fn settle(&mut self) {
        let run = std::mem::take(&mut self.ticks);
        if run == 0 {
            return;
        }
        self.code = match self.code {
            Code::None if run >= 3 && self.is_margin => Code::Opening(run),
            Code::None => Code::Span(run),
            // A fence's first line has no backtick, so this was a span, which may end here.
            Code::Opening(length) | Code::Span(length) if length == run => Code::None,
            Code::Opening(length) => Code::Span(length),
            Code::Fence(length) if run >= length && self.is_margin => Code::Closing(length),
            Code::Closing(length) => Code::Fence(length),
            code => code,
        };
        self.is_blank = false;
        self.is_margin = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_known_however_the_text_is_cut() {
        for (text, expected) in [
            ("plain ", false),
            ("a `", true),
            ("a `b` ", false),
            ("a ``b` ", true),
            ("a `b\nc ", true),
            ("a `b\n\nc ", false),
            ("```xml\n", true),
            ("text\n```\ncode\n", true),
            ("```\ncode\n```\n", false),
            ("```\ncode\n``` \n", false),
            ("```\ncode\n```", true),
            ("````\n```\n", true),
            ("```markdown\n```xml\n", true),
            ("```a``` ", false),
            ("- ```\n  ", true),
            ("> 1. ```\n> ", true),
            ("x ```", true),
        ] {
            for cut in (0..=text.len()).filter(|&cut| text.is_char_boundary(cut)) {
                let mut markdown = Markdown::default();
                markdown.feed(&text[..cut]);
                markdown.feed(&text[cut..]);
                assert_eq!(markdown.is_code(), expected, "{text:?} cut at {cut}");
            }
        }
    }
}
