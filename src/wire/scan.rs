//! Looks into text that comes in pieces, without keeping it: where a JSON value ends, and where a
//! mark may be beginning.

/// Follows one JSON object or array through the pieces it comes in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
    complete: bool,
}

impl Scanner {
    /// Whether the value's last bracket was seen.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the next character belongs to a string.
    pub fn is_in_string(&self) -> bool {
        self.in_string
    }

    /// Takes a piece. Where the value ends in it, returns the position behind its last bracket.
    pub fn feed(&mut self, piece: &str) -> Option<usize> {
        if self.complete {
            return None;
        }
        for (at, byte) in piece.bytes().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.complete = true;
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Whether a JSON text is nested deeper than `limit`. Strings, most of any body, are skipped quickly.
pub fn is_deeper_than(text: &[u8], limit: usize) -> bool {
    let mut depth = 0usize;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'"' => rest = behind_string(rest),
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// What stands behind the quote that ends a string.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let is_end = rest.get(at) == Some(&b'"');
        rest = rest.get(at + if is_end { 1 } else { 2 }..).unwrap_or_default();
        if is_end {
            return rest;
        }
    }
    &[]
}

/// How many bytes at the end of `text` may be the start of `mark`.
pub fn partial_suffix(text: &str, mark: &str) -> usize {
    let longest = mark.len().saturating_sub(1).min(text.len());
    let fits = |length: &usize| text.as_bytes().ends_with(mark.as_bytes().get(..*length).unwrap_or_default());
    (1..=longest).rev().find(fits).unwrap_or(0)
}
