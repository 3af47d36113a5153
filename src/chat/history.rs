//! The conversation so far, in the words of both sides. Thoughts are not kept: no provider needs
//! them back where there are no tools.

use serde_json::{Value, json};

/// A prompt and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The prompt: a text, or blocks of content.
    pub prompt: Value,
    /// The answer, or as much of it as came.
    pub answer: String,
    /// The model that was asked, as it was named.
    pub model: String,
}

impl Exchange {
    /// What a person reads of the prompt.
    pub fn prompt_text(&self) -> String {
        let member = |block: &Value, name| block.get(name).and_then(Value::as_str).map(str::to_owned);
        let part = |block: &Value| match member(block, "type").as_deref() {
            Some("text") => member(block, "text").unwrap_or_default(),
            other => format!("({})", other.unwrap_or("?")),
        };
        match &self.prompt {
            Value::Array(blocks) => blocks.iter().map(part).collect::<Vec<_>>().join("\n\n"),
            text => text.as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// The conversation so far; user and assistant take turns.
#[derive(Debug, Default)]
pub struct History {
    exchanges: Vec<Exchange>,
    asked: Option<Value>,
}

impl History {
    /// One that goes on.
    pub fn of(exchanges: Vec<Exchange>) -> Self {
        Self { exchanges, asked: None }
    }

    /// The user's turn.
    pub fn ask(&mut self, prompt: impl Into<Value>) {
        self.asked = Some(prompt.into());
    }

    /// The model's turn, or as much of it as came. A prompt to which nothing came is forgotten.
    pub fn answer(&mut self, text: &str, model: &str) -> Option<&Exchange> {
        let prompt = self.asked.take().filter(|_| !text.trim().is_empty())?;
        self.exchanges.push(Exchange { prompt, answer: text.to_owned(), model: model.to_owned() });
        self.exchanges.last()
    }

    /// Takes the last exchange back, and gives its prompt.
    pub fn take_back(&mut self) -> Option<Value> {
        self.exchanges.pop().map(|exchange| exchange.prompt)
    }

    /// What was said last.
    pub fn last(&self) -> Option<&Exchange> {
        self.exchanges.last()
    }

    /// All that was said.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The messages of a request.
    pub fn messages(&self) -> Vec<Value> {
        let said = self.exchanges.iter().flat_map(|exchange| {
            [message("user", &exchange.prompt), message("assistant", &exchange.answer.as_str().into())]
        });
        said.chain(self.asked.iter().map(|prompt| message("user", prompt))).collect()
    }
}

fn message(role: &str, content: &Value) -> Value {
    json!({ "role": role, "content": content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_without_an_answer_is_forgotten() {
        let mut history = History::default();
        history.ask("one");
        history.answer("first", "m");
        history.ask("two");
        assert_eq!(history.answer("", "m"), None);
        history.ask("three");
        let texts = |history: &History| -> Vec<String> {
            history.messages().iter().map(|message| message["content"].to_string()).collect()
        };
        assert_eq!(texts(&history), ["\"one\"", "\"first\"", "\"three\""]);
        history.clear();
        assert!(history.messages().is_empty());
    }
}
