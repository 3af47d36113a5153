//! Whether a text can still become JSON, read as it comes.

/// Follows one JSON value. It takes more than the grammar allows (any escape, any scalar, a comma
/// before a bracket): it is there to tell what can never be meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grammar {
    place: Place,
    /// One bit for each bracket that is open, the innermost lowest: set for an object.
    open: u128,
    depth: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Value,
    /// A key, or the bracket that closes an object.
    Key,
    Colon,
    /// A comma, or a closing bracket.
    Comma,
    /// Within a number or a word.
    Scalar,
    String {
        is_key: bool,
        escaped: bool,
    },
    End,
    Broken,
}

impl Grammar {
    /// Whether nothing that still comes can make it JSON.
    pub fn is_broken(&self) -> bool {
        self.place == Place::Broken
    }

    /// Whether the value is whole.
    pub fn is_over(&self) -> bool {
        self.place == Place::End
    }

    /// The same with a piece behind it.
    #[must_use]
    pub fn with(mut self, piece: &str) -> Self {
        for byte in piece.bytes() {
            self.place = self.take(byte);
        }
        self
    }

    fn take(&mut self, byte: u8) -> Place {
        match self.place {
            Place::String { is_key, escaped: true } => Place::String { is_key, escaped: false },
            Place::String { is_key, .. } => match byte {
                b'\\' => Place::String { is_key, escaped: true },
                b'"' if is_key => Place::Colon,
                b'"' => self.behind_value(),
                _ => self.place,
            },
            Place::Broken => Place::Broken,
            Place::Scalar if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-') => {
                Place::Scalar
            }
            Place::Scalar => {
                self.place = self.behind_value();
                self.take(byte)
            }
            place if byte.is_ascii_whitespace() => place,
            Place::Value => self.value(byte),
            Place::Key => match byte {
                b'"' => Place::String { is_key: true, escaped: false },
                b'}' => self.close(true),
                _ => Place::Broken,
            },
            Place::Colon if byte == b':' => Place::Value,
            Place::Comma => match byte {
                b',' if self.is_object() => Place::Key,
                b',' => Place::Value,
                b'}' => self.close(true),
                b']' => self.close(false),
                _ => Place::Broken,
            },
            Place::Colon | Place::End => Place::Broken,
        }
    }

    fn value(&mut self, byte: u8) -> Place {
        match byte {
            b'"' => Place::String { is_key: false, escaped: false },
            b'{' => self.enter(true, Place::Key),
            b'[' => self.enter(false, Place::Value),
            b']' => self.close(false),
            _ if byte.is_ascii_alphanumeric() || byte == b'-' => Place::Scalar,
            _ => Place::Broken,
        }
    }

    fn is_object(&self) -> bool {
        self.open & 1 == 1
    }

    fn enter(&mut self, is_object: bool, next: Place) -> Place {
        if self.depth == u128::BITS {
            return Place::Broken;
        }
        self.depth += 1;
        self.open = self.open << 1 | u128::from(is_object);
        next
    }

    fn close(&mut self, is_object: bool) -> Place {
        if self.depth == 0 || self.is_object() != is_object {
            return Place::Broken;
        }
        self.depth -= 1;
        self.open >>= 1;
        self.behind_value()
    }

    fn behind_value(&self) -> Place {
        if self.depth == 0 { Place::End } else { Place::Comma }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_where_nothing_can_make_it_json() {
        for (text, expected) in [
            ("", false),
            (r#"{"a":[1,-2.5e3,"x\"y",null,{"b":{}}],"c":tr"#, false),
            (r#"{"a":{"a":1}}"#, false),
            (r#"{"a":{"a":1}"#, false),
            (r#"{"a":1,}"#, false),
            ("{{", true),
            (r#"{"{"a"#, true),
            (r#"{"a":"x{"a"#, true),
            (r#"{"a":1}{"#, true),
            (r#"{"a":1]"#, true),
            (r#"{"a" 1"#, true),
            ("pattern is", true),
        ] {
            assert_eq!(Grammar::default().with(text).is_broken(), expected, "{text}");
        }
    }
}
