//! Escapes that JSON does not know, and control characters, inside strings: made legal as they pass.
//!
//! Models write Windows paths and regular expressions without doubling the backslash, and lines as
//! they are (litellm#25321; `tests/fixtures/repair`). A backslash that begins no escape is doubled, so that the
//! value holds what the model wrote; text outside of strings is left alone.

/// Follows one JSON text through the pieces it comes in.
#[derive(Debug, Default)]
pub struct Escapes {
    place: Place,
    /// The begin of `uXXXX` that a piece ended in; its backslash was passed on.
    held: String,
    changed: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing but white space was seen.
    #[default]
    Start,
    /// This is no object and no array, so it is not ours to read.
    Foreign,
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
    /// Behind `\u`, with so many digits.
    Unicode(u8),
}

/// A piece while it is changed: what was written anew, and from where on it is as it was.
struct Draft<'a> {
    piece: &'a str,
    text: String,
    done: usize,
}

impl Draft<'_> {
    /// Puts `insert` in the place of the bytes from `from` to `to`.
    fn edit(&mut self, from: usize, to: usize, insert: &str) {
        self.text.push_str(self.piece.get(self.done..from).unwrap_or_default());
        self.text.push_str(insert);
        self.done = to;
    }
}

impl Escapes {
    /// Takes a piece and returns it as it may be passed on: the same string where nothing is wrong
    /// with it. Only the begin of a `\u` escape that is cut waits for the next piece.
    pub fn push(&mut self, piece: String) -> String {
        let prior = std::mem::take(&mut self.held);
        let mut draft = Draft { piece: &piece, text: prior.clone(), done: 0 };
        let mut mark = 0;
        for (at, byte) in piece.bytes().enumerate() {
            if self.place == Place::Foreign {
                break;
            }
            if let Place::Unicode(digits) = self.place {
                if byte.is_ascii_hexdigit() {
                    self.place = if digits == 3 { Place::Inside } else { Place::Unicode(digits + 1) };
                    continue;
                }
                self.double(&mut draft, mark, &prior);
            }
            if self.place == Place::Escaped && byte == b'u' {
                (self.place, mark) = (Place::Unicode(0), at);
            } else {
                self.take(at, byte, &mut draft);
            }
        }
        if let Place::Unicode(_) = self.place {
            // What came before a cut escape has begun in this piece, or in the one before it.
            let begun_before = mark == 0 && !prior.is_empty();
            if begun_before {
                self.held = prior + &piece;
                return String::new();
            }
            self.held.push_str(piece.get(mark..).unwrap_or_default());
            draft.edit(mark, piece.len(), "");
        }
        if draft.done == 0 && draft.text.is_empty() {
            return piece;
        }
        draft.edit(piece.len(), piece.len(), "");
        draft.text
    }

    /// What a piece ended in, when no more comes.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Whether anything was changed so far.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// Doubles the backslash of a `\u` that no four digits follow, and goes on inside the string.
    fn double(&mut self, draft: &mut Draft<'_>, mark: usize, prior: &str) {
        self.place = Place::Inside;
        self.changed = true;
        if mark == 0 && !prior.is_empty() {
            draft.text.insert(0, '\\');
        } else {
            draft.edit(mark, mark, "\\");
        }
    }

    fn take(&mut self, at: usize, byte: u8, draft: &mut Draft<'_>) {
        self.place = match (self.place, byte) {
            (Place::Start, b' ' | b'\t' | b'\r' | b'\n') => Place::Start,
            (Place::Start, b'{' | b'[') => Place::Outside,
            (Place::Start, _) => Place::Foreign,
            (Place::Outside, b'"') => Place::Inside,
            (Place::Outside, _) => Place::Outside,
            (Place::Escaped, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Place::Inside,
            (Place::Escaped, _) => {
                self.changed = true;
                draft.edit(at, at, "\\");
                self.control(at, byte, draft)
            }
            (Place::Inside, b'"') => Place::Outside,
            (Place::Inside, b'\\') => Place::Escaped,
            (Place::Inside, 0..0x20) => self.control(at, byte, draft),
            (place, _) => place,
        };
    }

    /// Writes a control character as the escape it should have been.
    fn control(&mut self, at: usize, byte: u8, draft: &mut Draft<'_>) -> Place {
        let escape = match byte {
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            0..0x20 => format!("\\u{byte:04x}"),
            _ => return Place::Inside,
        };
        self.changed = true;
        draft.edit(at, at + 1, &escape);
        Place::Inside
    }
}

/// A whole text, whatever it is, with its escapes made legal.
pub fn repaired(text: &str) -> String {
    let mut escapes = Escapes { place: Place::Outside, ..Escapes::default() };
    let mut repaired = escapes.push(text.to_owned());
    repaired.push_str(&escapes.rest());
    repaired
}
