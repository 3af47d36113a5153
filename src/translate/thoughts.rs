//! The thinking blocks of a history: which of them go back, and as which text (E01, E07).

use super::signature;
use crate::dialect::Replay;
use crate::wire::json::Members;

/// One block of thoughts.
pub struct Thought {
    text: String,
    /// Whether it is of an answer that we have given.
    ours: bool,
}

/// The thoughts of a block where the provider takes them, those of other vendors only where it takes all.
pub fn of_block(block: &Members, replay: Replay) -> Option<Thought> {
    let ours = block.text("signature").is_some_and(|text| signature::is_ours(&text));
    let wanted = match replay {
        Replay::Never => false,
        Replay::ToolTurns => ours,
        Replay::All => true,
    };
    let text = block.text("thinking").filter(|text| wanted && !text.is_empty())?;
    Some(Thought { text: text.into_owned(), ours })
}

/// Thoughts as one text. The blocks of one of our answers are the pieces of one text of the provider's, which it
/// wants back to the letter; between others stands a blank line.
pub fn joined(thoughts: &[Thought]) -> String {
    let mut text = String::new();
    let mut before = None;
    for thought in thoughts {
        if before.is_some_and(|ours: bool| !(ours && thought.ours)) {
            text.push_str("\n\n");
        }
        text.push_str(&thought.text);
        before = Some(thought.ours);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_our_own_answers_are_one_text() {
        let thought = |text: &str, ours| Thought { text: text.to_owned(), ours };
        for (thoughts, expected) in [
            (vec![thought("a", true), thought("b", true)], "ab"),
            (vec![thought("a", false), thought("b", false)], "a\n\nb"),
            (vec![thought("a", true), thought("b", false), thought("c", true)], "a\n\nb\n\nc"),
            (vec![], ""),
        ] {
            assert_eq!(joined(&thoughts), expected);
        }
    }
}
