//! Frames of later rounds in the words of the first: one id, one model, one role, counts of all (F07, F09).

use super::answer::Answer;
use super::plan::first_choice;
use super::splice::Item;
use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::{Chunk, Reading};
use crate::wire::sse::Frame;

/// What a chunk says of the answer as a whole.
const OF_THE_HEAD: [&str; 4] = ["id", "created", "model", "system_fingerprint"];
/// Where providers put thoughts.
const THOUGHTS: [&str; 4] = ["reasoning_content", "reasoning", "reasoning_details", "thinking"];

/// The head of the first chunk.
#[derive(Default)]
pub struct Rewrite {
    head: Option<Members>,
    has_role: bool,
}

impl Rewrite {
    /// Keeps the head of the first chunk.
    pub fn note_head(&mut self, frame: &Frame) {
        if self.head.is_some() {
            return;
        }
        let Ok(mut members) = Members::parse(&frame.data) else { return };
        let delta = first_choice(&members).and_then(|choice| choice.get("delta")?.members());
        self.has_role = delta.is_some_and(|delta| delta.some("role").is_some());
        members.retain(|key| key == "object" || OF_THE_HEAD.contains(&key));
        self.head = Some(members);
    }

    /// A frame of a round that goes on, of which `text` is new; nothing where nothing else is left of it.
    pub fn later(&self, frame: Frame, text: String, answer: &Answer) -> Option<Item> {
        self.edit(frame, answer, |delta| {
            THOUGHTS.iter().for_each(|key| drop(delta.remove(key)));
            delta.remove("role");
            if text.is_empty() {
                delta.remove("content");
            } else {
                delta.set("content", Raw::of(&text));
            }
        })
    }

    /// A frame of a round that begins anew.
    pub fn anew(&self, frame: Frame, answer: &Answer) -> Option<Item> {
        self.edit(frame, answer, |delta| {
            if self.has_role {
                delta.remove("role");
            }
        })
    }

    /// A frame that ends the answer, its counts brought up to date.
    pub fn end(&self, frame: Frame, reading: Reading, answer: &Answer) -> Option<Item> {
        match reading {
            Reading::Done => Some((frame, reading)),
            Reading::Chunk(_) => self.edit(frame, answer, |_| {}),
        }
    }

    /// Visible text as a frame of its own.
    pub fn text(&self, text: String) -> Option<Item> {
        if text.is_empty() {
            return None;
        }
        let delta = Members::new().with("content", Raw::of(&text));
        let choice = Members::new()
            .with("index", Raw::from_static("0"))
            .with("delta", delta.to_raw())
            .with("finish_reason", Raw::NULL);
        read(self.head.clone().unwrap_or_default().with("choices", json::array([&choice])))
    }

    fn edit(&self, frame: Frame, answer: &Answer, change: impl FnOnce(&mut Members)) -> Option<Item> {
        let mut members = Members::parse(&frame.data).ok()?;
        if let Some(head) = &self.head {
            for key in OF_THE_HEAD {
                match head.get(key) {
                    Some(raw) => members.set(key, raw.clone()),
                    None => drop(members.remove(key)),
                }
            }
        }
        let mut written = members.get("usage").and_then(Raw::members);
        let mut choices = members.get("choices").and_then(Raw::objects).unwrap_or_default();
        let mut says = choices.len() > 1;
        if let Some(choice) = choices.first_mut() {
            written = choice.remove("usage").and_then(|usage| usage.members()).or(written);
            let mut delta = choice.get("delta").and_then(Raw::members).unwrap_or_default();
            change(&mut delta);
            says |= choice.some("finish_reason").is_some() || delta.iter().any(|(_, value)| !value.is_null());
            choice.set("delta", delta.to_raw());
            members.set("choices", json::array(&choices));
        }
        let told = match written {
            Some(written) if answer.is_joined() => Some(answer.total(&written)),
            written => written,
        };
        if !says && (told.is_none() || !choices.is_empty()) {
            return None;
        }
        if let Some(told) = told {
            members.set("usage", told.to_raw());
        }
        read(members)
    }
}

/// The same frame, which says that the answer was cut.
pub fn cut((frame, reading): Item) -> Item {
    let cut = with_choice(&frame, |choice| choice.set("finish_reason", Raw::from_static("\"length\"")));
    cut.and_then(read).unwrap_or((frame, reading))
}

/// A frame that ends a round: what it says, and that it ends.
pub fn split((frame, reading): Item) -> (Option<Item>, Item) {
    let delta = || first_choice(&Members::parse(&frame.data).ok()?)?.get("delta")?.members();
    let says = |delta: Members| ["content"].iter().chain(&THOUGHTS).any(|&key| delta.some(key).is_some());
    if !delta().is_some_and(says) {
        return (None, (frame, reading));
    }
    let spoken = with_choice(&frame, |choice| {
        choice.set("finish_reason", Raw::NULL);
        choice.remove("usage");
    });
    let spoken = spoken.and_then(|mut members| {
        members.remove("usage");
        read(members)
    });
    let end = with_choice(&frame, |choice| choice.set("delta", Raw::from_static("{}")));
    (spoken, end.and_then(read).unwrap_or((frame, reading)))
}

fn with_choice(frame: &Frame, change: impl FnOnce(&mut Members)) -> Option<Members> {
    let mut members = Members::parse(&frame.data).ok()?;
    let mut choices = members.get("choices").and_then(Raw::objects)?;
    change(choices.first_mut()?);
    members.set("choices", json::array(&choices));
    Some(members)
}

fn read(members: Members) -> Option<Item> {
    let data = members.to_raw().bytes();
    let chunk = serde_json::from_slice::<Chunk>(&data).ok()?;
    Some((Frame::data(data), Reading::Chunk(chunk)))
}
