//! The conversation so far, in the words of both sides. Thoughts are not kept: no provider needs
//! them back where there are no tools.

use serde_json::{Value, json};

/// The conversation so far; user and assistant take turns.
#[derive(Debug, Default)]
pub struct History {
    exchanges: Vec<(String, String)>,
    asked: Option<String>,
}

impl History {
    /// The user's turn.
    pub fn ask(&mut self, prompt: impl Into<String>) {
        self.asked = Some(prompt.into());
    }

    /// The model's turn, or as much of it as came. A prompt to which nothing came is forgotten.
    pub fn answer(&mut self, text: &str) {
        if let Some(prompt) = self.asked.take().filter(|_| !text.trim().is_empty()) {
            self.exchanges.push((prompt, text.to_owned()));
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The messages of a request.
    pub fn messages(&self) -> Vec<Value> {
        let exchanges = self.exchanges.iter();
        let said =
            exchanges.flat_map(|(prompt, answer)| [message("user", prompt), message("assistant", answer)]);
        said.chain(self.asked.iter().map(|prompt| message("user", prompt))).collect()
    }
}

fn message(role: &str, text: &str) -> Value {
    json!({ "role": role, "content": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_without_an_answer_is_forgotten() {
        let mut history = History::default();
        history.ask("one");
        history.answer("first");
        history.ask("two");
        history.answer("");
        history.ask("three");
        let texts = |history: &History| -> Vec<String> {
            history.messages().iter().map(|message| message["content"].to_string()).collect()
        };
        assert_eq!(texts(&history), ["\"one\"", "\"first\"", "\"three\""]);
        history.clear();
        assert!(history.messages().is_empty());
    }
}
