//! How thoughts are read from an answer: every dialect becomes `reasoning_content`, and content in
//! parts becomes text (B09, B11, B32). How a model is asked to think is left to `policy::request`.

use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::{Choice, Chunk, Content, Delta};
use crate::wire::scan::partial_suffix;

/// Turns whatever dialect a provider thinks in into `reasoning_content`.
#[derive(Debug, Default)]
pub struct ThinkingFilter {
    inline_think: bool,
    /// The texts of answers, by their numbers.
    inline: Vec<(u32, Inline)>,
}

impl ThinkingFilter {
    /// A filter; `inline_think` where the model writes `<think>` into its text.
    pub fn new(inline_think: bool) -> Self {
        Self { inline_think, inline: Vec::new() }
    }

    /// The text of an answer; none where no tags are looked for.
    fn inline(&mut self, index: u32) -> Option<&mut Inline> {
        if !self.inline_think {
            return None;
        }
        let at = self.inline.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
            self.inline.push((index, Inline::default()));
            self.inline.len() - 1
        });
        self.inline.get_mut(at).map(|(_, inline)| inline)
    }

    fn read(&mut self, index: u32, delta: &mut Delta) {
        let mut thoughts = thoughts_of(delta);
        if let Some(Content::Other(parts)) = &delta.content {
            let read = Parts::read(parts);
            thoughts.push_str(&read.thoughts);
            if !read.refusal.is_empty() {
                delta.refusal.get_or_insert_default().push_str(&read.refusal);
            }
            delta.content = Some(Content::Text(read.text));
        }
        if let (Some(inline), Some(Content::Text(text))) = (self.inline(index), &mut delta.content) {
            *text = inline.push(text, &mut thoughts);
        }
        delta.reasoning_content = (!thoughts.is_empty()).then_some(Content::Text(thoughts));
    }
}

impl ThinkingFilter {
    /// Puts the thoughts of one chunk into `reasoning_content`.
    pub fn normalise(&mut self, chunk: &mut Chunk) {
        for choice in chunk.choices.iter_mut().flatten() {
            let ends = choice.finish_reason.is_some();
            self.read(choice.index, &mut choice.delta);
            if let Some(inline) = self.inline(choice.index).filter(|_| ends) {
                inline.release(&mut choice.delta);
            }
        }
    }

    /// What was held back, as a chunk of its own.
    pub fn rest(&mut self) -> Option<Chunk> {
        let held = self.inline.iter_mut().filter_map(|(index, inline)| {
            let mut delta = Delta::default();
            inline.release(&mut delta);
            let held = delta.content.is_some() || delta.reasoning_content.is_some();
            held.then(|| Choice { index: *index, delta, ..Choice::default() })
        });
        let choices: Vec<Choice> = held.collect();
        (!choices.is_empty()).then_some(Chunk { choices: Some(choices), usage: None })
    }
}

fn append(content: &mut Option<Content>, text: &str) {
    if text.is_empty() {
        return;
    }
    match content {
        Some(Content::Text(old)) => old.push_str(text),
        Some(Content::Other(_)) | None => *content = Some(Content::Text(text.to_owned())),
    }
}

/// Takes all thoughts out of a delta, each said once: providers repeat them in two fields.
pub(super) fn thoughts_of(delta: &mut Delta) -> String {
    let plain = delta.reasoning_content.take().map(|content| match content {
        Content::Text(text) => text,
        Content::Other(raw) => thoughts_in(&raw),
    });
    // The parts stay: they go back to the provider as they came.
    let others = [delta.reasoning.take(), delta.thinking.take(), delta.reasoning_details.clone()];
    let others = others.into_iter().flatten().map(|raw| thoughts_in(&raw));
    plain.into_iter().chain(others).find(|text| !text.is_empty()).unwrap_or_default()
}

/// The thoughts in a string, an object, or an array of these.
pub(super) fn thoughts_in(raw: &Raw) -> String {
    match raw.kind() {
        Kind::String => raw.text().unwrap_or_default().into_owned(),
        Kind::Array => raw.items().unwrap_or_default().iter().map(thoughts_in).collect(),
        Kind::Object => {
            let members = raw.members().unwrap_or_default();
            let keys = ["text", "summary", "thinking", "content", "reasoning"];
            keys.iter().find_map(|key| members.some(key)).map(thoughts_in).unwrap_or_default()
        }
        Kind::Null | Kind::Bool | Kind::Number => String::new(),
    }
}

/// Content that is an array of parts, sorted by what they are.
#[derive(Default)]
struct Parts {
    text: String,
    thoughts: String,
    refusal: String,
}

impl Parts {
    fn read(raw: &Raw) -> Self {
        let mut read = Self::default();
        for part in raw.items().unwrap_or_default() {
            match part.members() {
                Some(part) => read.take(&part),
                None => read.text.push_str(&part.text().unwrap_or_default()),
            }
        }
        read
    }

    fn take(&mut self, part: &Members) {
        match part.text("type").as_deref() {
            Some("reasoning" | "thinking" | "reasoning_text" | "summary_text") => {
                self.thoughts.push_str(&thoughts_in(&part.to_raw()));
            }
            Some("refusal") => self.refusal.push_str(&part.text("refusal").unwrap_or_default()),
            _ => self.text.push_str(&part.text("text").unwrap_or_default()),
        }
    }
}

/// Reads `<think>…</think>` at the very start of a text, however it is cut (B11).
#[derive(Debug, Default)]
struct Inline {
    state: State,
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space was seen, or the start of a tag.
    #[default]
    Start,
    Thinking,
    /// Behind the tag: white space before the text is dropped.
    Gap,
    Text,
}

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

impl Inline {
    /// Takes text; appends thoughts to `thoughts` and returns what is visible.
    fn push(&mut self, text: &str, thoughts: &mut String) -> String {
        if self.state == State::Text {
            return text.to_owned();
        }
        self.held.push_str(text);
        loop {
            match self.state {
                State::Start => {
                    let trimmed = self.held.trim_start();
                    if let Some(rest) = trimmed.strip_prefix(OPEN) {
                        self.held = rest.to_owned();
                        self.state = State::Thinking;
                    } else if let Some(rest) = trimmed.strip_prefix(CLOSE) {
                        self.held = rest.to_owned();
                        self.state = State::Gap;
                    } else if OPEN.starts_with(trimmed) || CLOSE.starts_with(trimmed) {
                        return String::new();
                    } else {
                        self.state = State::Text;
                        return std::mem::take(&mut self.held);
                    }
                }
                State::Thinking => {
                    let Some(end) = self.held.find(CLOSE) else {
                        let safe = self.held.len() - partial_suffix(&self.held, CLOSE);
                        thoughts.extend(self.held.drain(..safe));
                        return String::new();
                    };
                    thoughts.extend(self.held.drain(..end));
                    self.held.drain(..CLOSE.len());
                    self.state = State::Gap;
                }
                State::Gap => {
                    let visible = self.held.trim_start().to_owned();
                    self.held.clear();
                    if !visible.is_empty() {
                        self.state = State::Text;
                    }
                    return visible;
                }
                State::Text => return std::mem::take(&mut self.held),
            }
        }
    }

    /// Appends what was held back to a delta.
    fn release(&mut self, delta: &mut Delta) {
        let (text, thoughts) = self.finish();
        append(&mut delta.content, &text);
        append(&mut delta.reasoning_content, &thoughts);
    }

    /// Ends the text: what is held back is thought where the tag was never closed, and text else.
    fn finish(&mut self) -> (String, String) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Thinking => (String::new(), held),
            State::Start | State::Text => (held, String::new()),
            State::Gap => (String::new(), String::new()),
        }
    }
}
