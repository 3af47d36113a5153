//! Whole answers of several rounds: one body, as if it had come at once.

use super::answer::Answer;
use super::joint::Joint;
use super::plan::{Plan, first_choice, is_cut, is_text, visible};
use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::{ChatRequest, Chunk};
use bytes::Bytes;

/// The rounds of a whole answer.
pub struct Pages {
    answer: Answer,
    /// The first round's body.
    first: Members,
    /// The content as the caller will have it.
    content: String,
    /// The counts of the last round as the upstream wrote them.
    written: Option<Members>,
    reason: String,
    /// The calls that a later round made.
    calls: Option<Raw>,
    joint: Option<Joint>,
}

/// Whether a whole answer was cut, so that there may be a next page.
pub fn may_go_on(completion: &Chunk) -> bool {
    let choices = completion.choices.as_deref().unwrap_or_default();
    choices.iter().any(|choice| choice.finish_reason.as_deref().is_some_and(is_cut))
}

impl Pages {
    /// The first round; nothing where its answer is complete as it is.
    pub fn begin(plan: Plan, body: &Bytes) -> Option<Self> {
        let first = Members::parse(body).ok()?;
        let mut answer = Answer::new(plan);
        let page = Page::read(body)?;
        let content = page.text.clone();
        answer.say(&page.text);
        answer.count(page.chunk.usage);
        let (written, reason) = (page.written, page.reason);
        let pages = Self { answer, first, content, written, reason, calls: None, joint: None };
        (page.is_text && is_cut(&pages.reason)).then_some(pages)
    }

    /// The request of the next round, if there is to be one.
    pub fn next_round(&mut self) -> Option<ChatRequest> {
        if !is_cut(&self.reason) || self.calls.is_some() || !self.answer.goes_on() {
            return None;
        }
        let (request, joint) = self.answer.go_on(self.written.clone());
        self.joint = Some(joint);
        Some(request)
    }

    /// Takes the body of the round that was asked for.
    pub fn add(&mut self, body: &Bytes) {
        let (Some(mut joint), Some(page)) = (self.joint.take(), Page::read(body)) else { return };
        let text = visible(&page.text, self.answer.plan.inline_think);
        let new = joint.push(self.answer.without_prefix(text)) + &joint.finish();
        self.answer.say(&new);
        self.answer.count(page.chunk.usage);
        self.content.push_str(&new);
        self.written = page.written.or(self.written.take());
        let calls = page.calls;
        // A round that says nothing new would say nothing new again (F05).
        self.reason = if new.is_empty() && calls.is_none() { "length".to_owned() } else { page.reason };
        self.calls = calls;
    }

    /// Takes note that the round that was asked for did not come: the answer ends where it was (F08).
    pub fn give_up(&mut self) {
        self.joint = None;
        self.answer.give_up();
    }

    /// How many rounds came behind the first.
    pub fn continuations(&self) -> u32 {
        self.answer.continuations
    }

    /// The body.
    pub fn finish(mut self) -> Bytes {
        if let Some(mut choice) = first_choice(&self.first) {
            if let Some(message) = choice.get("message").and_then(Raw::members) {
                let mut message = message.with("content", Raw::of(&self.content));
                if let Some(calls) = self.calls.take() {
                    message.set("tool_calls", calls);
                }
                choice.set("message", message.to_raw());
            }
            choice.set("finish_reason", Raw::of(&self.reason));
            self.first.set("choices", json::array([&choice]));
        }
        if let Some(written) = &self.written {
            self.first.set("usage", self.answer.total(written).to_raw());
        }
        self.first.to_raw().bytes()
    }
}

/// One round.
struct Page {
    chunk: Chunk,
    text: String,
    /// Whether it is nothing but one text.
    is_text: bool,
    calls: Option<Raw>,
    reason: String,
    written: Option<Members>,
}

impl Page {
    fn read(body: &Bytes) -> Option<Self> {
        let chunk: Chunk = serde_json::from_slice(body).ok()?;
        let members = Members::parse(body).ok()?;
        let [choice] = chunk.choices.as_deref()? else { return None };
        let text = choice.delta.content.as_ref().and_then(|content| content.as_text()).map(str::to_owned);
        let is_text = text.is_some() && is_text(choice);
        Some(Self {
            text: text.unwrap_or_default(),
            is_text,
            calls: first_choice(&members)
                .and_then(|choice| choice.get("message").and_then(Raw::members))
                .and_then(|message| message.some("tool_calls").cloned())
                .filter(|calls| calls.items().is_some_and(|calls| !calls.is_empty())),
            reason: choice.finish_reason.clone().unwrap_or_default(),
            written: members.get("usage").and_then(Raw::members),
            chunk,
        })
    }
}
