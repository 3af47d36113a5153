//! Arguments that come as a JSON string which holds the object: held until it is known, and unwrapped.
//!
//! Seen from vLLM's parser for Hermes (vllm-project/vllm#54964), and behind other gateways.

use super::object::unwrapped;

/// How much is held back. Chosen: as for calls in text.
const MAX_HELD_BYTES: usize = 1 << 20;

/// The arguments of one call, as far as this is not known.
#[derive(Debug, Default)]
pub enum Encoded {
    /// Nothing but white space was seen.
    #[default]
    Start,
    /// A string that has not ended.
    Holding { text: String, at: usize, is_escaped: bool },
    /// They are an object, or were unwrapped, or are none of ours.
    Over { was_string: bool },
}

impl Encoded {
    /// Takes a piece; returns what may be passed on, if anything.
    pub fn take(&mut self, piece: String) -> Option<String> {
        match self {
            Self::Over { was_string: false } => return Some(piece),
            Self::Over { was_string: true } => return Some(again(piece)),
            Self::Start => match piece.trim_start().chars().next() {
                None => return Some(piece),
                Some('"') => *self = Self::Holding { text: piece, at: 0, is_escaped: false },
                Some(_) => {
                    *self = Self::Over { was_string: false };
                    return Some(piece);
                }
            },
            // Said again from its start: no string has a quote and more behind it.
            Self::Holding { text, at, is_escaped: false }
                if piece.len() > text.len() && piece.starts_with(text.as_str()) =>
            {
                (*text, *at) = (piece, 0);
            }
            Self::Holding { text, .. } => text.push_str(&piece),
        }
        self.look()
    }

    /// What is held when no more comes, as it was.
    pub fn rest(&mut self) -> Option<String> {
        match std::mem::replace(self, Self::Over { was_string: false }) {
            Self::Holding { text, .. } => Some(text),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Whether a string was unwrapped.
    pub fn was_string(&self) -> bool {
        matches!(self, Self::Over { was_string: true })
    }

    /// Reads on in what is held; unwraps it where the string has ended.
    fn look(&mut self) -> Option<String> {
        let Self::Holding { text, at, is_escaped } = self else { return None };
        let start = text.len() - text.trim_start().len();
        let mut has_ended = false;
        for (position, byte) in text.bytes().enumerate().skip((start + 1).max(*at)) {
            match byte {
                _ if *is_escaped => *is_escaped = false,
                b'\\' => *is_escaped = true,
                b'"' => {
                    has_ended = true;
                    *at = position + 1;
                    break;
                }
                _ => {}
            }
        }
        if !has_ended {
            *at = text.len();
            if text.len() <= MAX_HELD_BYTES {
                return None;
            }
            return self.rest();
        }
        let object = unwrapped(text).map(|raw| raw.as_str().to_owned());
        match object {
            Some(object) => {
                *self = Self::Over { was_string: true };
                Some(object)
            }
            None => self.rest(),
        }
    }
}

/// A later piece of arguments that were unwrapped: they may be said once more.
fn again(piece: String) -> String {
    let is_string = piece.trim_start().starts_with('"');
    match unwrapped(&piece).filter(|_| is_string) {
        Some(object) => object.as_str().to_owned(),
        None => piece,
    }
}
