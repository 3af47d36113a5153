//! Calls whose name holds their arguments: a server's parser for GLM that took all up to the end for
//! the name (zai-org/GLM-5#84).

use super::marks::{CLOSE, OPEN};
use super::offered::Offered;
use super::tagged::{Tagged, Verdict};
use crate::wire::openai::{Content, ToolCallDelta};

const SIGN: &str = "<arg_key>";

/// The calls of one answer whose names were read.
#[derive(Debug, Default)]
pub(super) struct Named {
    numbers: Vec<Option<u32>>,
}

impl Named {
    /// Gives a call the name and the arguments that its name holds; returns whether it did.
    pub(super) fn mend(&mut self, call: &mut ToolCallDelta, offered: &Offered) -> bool {
        let arguments = call.function.arguments.as_ref();
        if !arguments.is_none_or(is_empty) {
            return false;
        }
        let Some(name) = call.function.name.as_deref().filter(|name| name.contains(SIGN)) else {
            return false;
        };
        let close = if name.contains(CLOSE) { "" } else { CLOSE };
        let text = format!("{OPEN}{name}{close}");
        match Tagged::new(OPEN).advance(&text, offered) {
            Verdict::Call(read, length) if length == text.trim_end().len() => {
                self.numbers.push(call.index);
                call.function.name = Some(read.name);
                call.function.arguments = Some(Content::Text(read.arguments));
                true
            }
            _ => false,
        }
    }

    /// Takes the empty arguments away that follow such a call; returns whether there were any.
    pub(super) fn hush(&self, call: &mut ToolCallDelta) -> bool {
        let follows = call.function.name.is_none() && self.numbers.contains(&call.index);
        let hushed = follows && call.function.arguments.as_ref().is_some_and(is_empty);
        if hushed {
            call.function.arguments = None;
        }
        hushed
    }
}

fn is_empty(arguments: &Content) -> bool {
    match arguments {
        Content::Text(text) => matches!(text.trim(), "" | "{}"),
        Content::Other(raw) => raw.is_null() || raw.compact().as_str() == "{}",
    }
}
