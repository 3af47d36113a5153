//! The text of `demo-long`: numbered lines, cut and taken up again at any word.

use super::plan::has_word;
use super::request::{role, text_of};
use serde_json::Value;

/// How many words one answer has at most, whatever the caller allows: 50 lines.
pub(super) const WORDS_PER_ANSWER: usize = 400;

/// How many lines the whole text has; with eight words each, 2000 words.
const LINES: usize = 250;

/// What of the text is still to come: all of it, or what follows on the answer so far.
pub(super) fn rest(messages: &[Value]) -> String {
    let so_far = answer_so_far(messages);
    let Some((number, line)) = last_numbered_line(&so_far) else {
        return lines_from(1);
    };
    let expected = line_text(number);
    // A line that was cut goes on in its middle; any other counts as said.
    match expected.strip_prefix(line) {
        Some("") | None if number < LINES => format!("\n{}", lines_from(number + 1)),
        Some("") | None => String::new(),
        Some(remainder) if number < LINES => format!("{remainder}\n{}", lines_from(number + 1)),
        Some(remainder) => remainder.to_owned(),
    }
}

/// The text of the assistant messages that end the conversation, with or without a user between
/// and behind them who asks to continue.
fn answer_so_far(messages: &[Value]) -> String {
    let mut parts: Vec<String> = messages
        .iter()
        .rev()
        .take_while(|message| match role(message) {
            "assistant" => true,
            "user" => asks_to_continue(&text_of(message)),
            _ => false,
        })
        .filter(|message| role(message) == "assistant")
        .map(text_of)
        .collect();
    parts.reverse();
    parts.concat()
}

fn asks_to_continue(text: &str) -> bool {
    ["continue", "resume", "proceed"].iter().any(|word| has_word(text, word))
        || text.to_lowercase().contains("go on")
        || ["继续", "接着"].iter().any(|word| text.contains(word))
}

/// The last line that starts with a number of ours, and that number.
fn last_numbered_line(text: &str) -> Option<(usize, &str)> {
    text.lines().rev().find_map(|line| {
        let digits = line.split(|letter: char| !letter.is_ascii_digit()).next()?;
        let number: usize = digits.parse().ok()?;
        let is_ours = (1..=LINES).contains(&number);
        let cut_in_number = digits.len() == line.len();
        (is_ours && (cut_in_number || line.get(digits.len()..)?.starts_with('.'))).then_some((number, line))
    })
}

fn line_text(number: usize) -> String {
    format!("{number}. Line {number} of {LINES} from the demo.")
}

fn lines_from(first: usize) -> String {
    (first..=LINES).map(line_text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(role: &str, text: &str) -> Value {
        json!({"role": role, "content": text})
    }

    #[test]
    fn the_text_has_two_thousand_words() {
        assert_eq!(super::super::words::count(&lines_from(1)), 2000);
    }

    #[test]
    fn the_text_goes_on_exactly_where_it_was_cut() {
        let all = lines_from(1);
        let words = super::super::words::words(&all);
        for cut in [1, 2, 3, 7, 8, 9, 16, 400, 401, 1996, 1999, 2000] {
            let head = words[..cut].concat();
            let question = said("user", "Write a long text");
            let answer = said("assistant", &head);
            let prefilled = rest(&[question.clone(), answer.clone()]);
            let go_on = said("user", "Continue exactly where you stopped. Do not repeat or comment.");
            let asked = rest(&[question, answer, go_on]);
            assert_eq!(format!("{head}{prefilled}"), all, "cut after {cut} words");
            assert_eq!(asked, prefilled);
        }
    }

    #[test]
    fn parts_of_several_rounds_are_read_as_one_answer() {
        let messages = [
            said("user", "Write"),
            said("assistant", "1. Line 1 of 250"),
            said("user", "please go on"),
            said("assistant", " from the"),
            said("user", "继续"),
        ];
        assert!(rest(&messages).starts_with(" demo.\n2. Line 2 of"));
    }

    #[test]
    fn another_question_starts_again() {
        let messages = [said("assistant", "1. Line 1 of 250 from the demo."), said("user", "Something else")];
        assert!(rest(&messages).starts_with("1. Line 1 of"));
    }
}
