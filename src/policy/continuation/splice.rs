//! Streams of several rounds: one stream with one head, one finish and one sum of counts (F07).
//!
//! Frames of the first round pass as they are. From the frame that ends it on they are held for the
//! moment until it is known whether the answer goes on; frames of later rounds are put into the first
//! one's words.

use super::answer::Answer;
use super::joint::Joint;
use super::plan::{Plan, first_choice, is_cut, is_text};
use super::rewrite::{self, Rewrite};
use crate::error::Error;
use crate::policy::failure::{broken_off, may_be_silent};
use crate::policy::thinking::{self, ThinkingFilter};
use crate::wire::json::{Members, Raw};
use crate::wire::openai::{ChatRequest, Choice, Chunk, Content, Delta, Reading};
use crate::wire::sse::Frame;

/// A frame, and what it says.
pub type Item = (Frame, Reading);

/// What is to be done next.
pub enum Next {
    /// Read on.
    GoOn,
    /// Ask for the next round, and read that.
    Ask(Box<ChatRequest>, Why),
    /// Nothing more will come.
    Over,
    /// The stream has failed.
    Failed(Error),
}

/// Why another round is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The answer was cut.
    Cut,
    /// The stream broke off, for this reason.
    BrokeOff(String),
    /// Nothing was said.
    Silent,
}

/// Makes one stream of the rounds of an answer.
pub struct Splice {
    answer: Answer,
    state: State,
    /// The head of the first chunk.
    rewrite: Rewrite,
    round: Round,
    /// Reads thoughts out of the text, where the model writes them there.
    inline: Option<ThinkingFilter>,
    /// From the frame that ends the round on.
    held: Vec<Item>,
    /// What to end with where the next round does not come.
    fallback: Option<Fallback>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The round runs.
    Watching,
    /// The round has said its reason, and may not be the last.
    Holding,
    /// What comes is the end, whatever it is.
    Passing,
}

/// Which round runs.
enum Round {
    /// The first.
    First,
    /// The first once more, nothing of which was seen.
    Anew,
    /// One that goes on.
    Later(Joint),
}

enum Fallback {
    /// The answer was cut: its end as it would have been.
    Cut(Vec<Item>),
    /// It broke off, or ended without a word.
    Broken(Error),
    /// It ended without a word, in these frames.
    Silent(Vec<Item>),
}

/// What a chunk says, as far as the answer's fate depends on it.
struct Says {
    text: String,
    thoughts: String,
    /// Something that no round can be joined behind: a call, a refusal, content in parts, a second answer.
    more: bool,
    reason: Option<String>,
}

impl Splice {
    /// A stream of which nothing has come.
    pub fn new(plan: Plan) -> Self {
        let inline = plan.inline_think.then(|| ThinkingFilter::new(true));
        Self {
            answer: Answer::new(plan),
            state: State::Watching,
            rewrite: Rewrite::default(),
            round: Round::First,
            inline,
            held: Vec::new(),
            fallback: None,
        }
    }

    /// How often the answer went on, and how often it was rescued.
    pub fn told(&self) -> (u32, u32) {
        (self.answer.continuations, self.answer.rescues)
    }

    /// Takes one frame of the round that runs.
    pub fn push(&mut self, (frame, reading): Item, out: &mut Vec<Item>) -> Next {
        match (self.state, reading) {
            (State::Passing, reading) => {
                self.pass(frame, reading, out);
                Next::GoOn
            }
            (State::Holding, Reading::Done) => {
                self.held.push((frame, Reading::Done));
                self.decide(out)
            }
            (State::Holding, Reading::Chunk(chunk)) => {
                self.answer.count(chunk.told_usage());
                let held = self.rewritten(frame, chunk, String::new());
                self.held.extend(held);
                Next::GoOn
            }
            (State::Watching, Reading::Done) => self.done(frame, out),
            (State::Watching, Reading::Chunk(chunk)) => {
                self.watch(frame, chunk, out);
                Next::GoOn
            }
        }
    }

    /// The round's stream has ended.
    pub fn ended(&mut self, out: &mut Vec<Item>) -> Next {
        match self.state {
            State::Passing => Next::Over,
            State::Holding => match self.decide(out) {
                Next::GoOn => Next::Over,
                next => next,
            },
            State::Watching => self.broke(broken_off(), out),
        }
    }

    /// The round's stream has failed.
    pub fn broke(&mut self, error: Error, out: &mut Vec<Item>) -> Next {
        match self.state {
            State::Passing => Next::Failed(error),
            // The round had said all but its last word.
            State::Holding => self.ended(out),
            State::Watching if self.answer.can_be_rescued(&error) => {
                let (request, joint) = self.answer.rescue();
                let why = Why::BrokeOff(error.to_string());
                self.fallback.get_or_insert(Fallback::Broken(error));
                self.begin(joint);
                Next::Ask(Box::new(request), why)
            }
            State::Watching => self.refused(error, out),
        }
    }

    /// The round that was asked for did not come, or not to its end: ends with what stands for it (F08).
    pub fn refused(&mut self, error: Error, out: &mut Vec<Item>) -> Next {
        self.state = State::Passing;
        match self.fallback.take() {
            Some(Fallback::Cut(items)) => {
                if !self.answer.round_said() {
                    self.answer.give_up();
                }
                for (frame, reading) in items {
                    out.extend(self.rewrite.end(frame, reading, &self.answer));
                }
                Next::Over
            }
            Some(Fallback::Silent(items)) => {
                out.extend(items);
                Next::Over
            }
            Some(Fallback::Broken(error)) => Next::Failed(error),
            None => Next::Failed(error),
        }
    }

    fn begin(&mut self, joint: Joint) {
        self.round = if self.answer.has_spoken() { Round::Later(joint) } else { Round::Anew };
        self.inline = self.answer.plan.inline_think.then(|| ThinkingFilter::new(true));
        self.state = State::Watching;
    }

    /// A chunk of a round that runs.
    fn watch(&mut self, frame: Frame, chunk: Chunk, out: &mut Vec<Item>) {
        self.rewrite.note_head(&frame);
        self.answer.count(chunk.told_usage());
        let says = self.read(&chunk);
        let ends = says.reason.is_some() || says.more;
        let new = match &mut self.round {
            Round::First | Round::Anew => says.text,
            Round::Later(joint) => {
                joint.push(&says.text) + &if ends { joint.finish() } else { String::new() }
            }
        };
        if !matches!(self.round, Round::Later(_)) {
            self.answer.think(&says.thoughts);
        }
        self.answer.say(&new);
        if says.more {
            self.state = State::Passing;
        } else if let Some(reason) = &says.reason {
            let goes_on = is_cut(reason) && self.answer.could_go_on();
            let again = !may_be_silent(reason) && self.answer.can_be_asked_again();
            self.state = if goes_on || again { State::Holding } else { State::Passing };
        }
        let idle =
            matches!(self.round, Round::Later(_)) && says.reason.is_some() && !self.answer.round_said();
        let item = self.rewritten(frame, chunk, new);
        // A round that says nothing new would say nothing new again (F05).
        let item = item.map(|item| if idle && self.was_cut() { rewrite::cut(item) } else { item });
        if self.state == State::Passing {
            self.answer.forget_request();
        }
        if self.state == State::Holding { self.held.extend(item) } else { out.extend(item) }
    }

    fn was_cut(&self) -> bool {
        matches!(self.fallback, Some(Fallback::Cut(_)))
    }

    /// `[DONE]` without a reason before it.
    fn done(&mut self, frame: Frame, out: &mut Vec<Item>) -> Next {
        if let Round::Later(joint) = &mut self.round {
            let rest = joint.finish();
            self.answer.say(&rest);
            out.extend(self.rewrite.text(rest));
        }
        if self.answer.can_be_asked_again() {
            self.held.push((frame, Reading::Done));
            return self.decide(out);
        }
        self.state = State::Passing;
        out.push((frame, Reading::Done));
        Next::GoOn
    }

    /// The round has ended, and its counts are known.
    fn decide(&mut self, out: &mut Vec<Item>) -> Next {
        let held = std::mem::take(&mut self.held);
        if self.answer.can_be_asked_again() {
            self.fallback = Some(Fallback::Silent(held));
            let request = self.answer.ask_again();
            self.round = Round::Anew;
            self.state = State::Watching;
            return Next::Ask(Box::new(request), Why::Silent);
        }
        if self.answer.goes_on() {
            let written = held.iter().rev().find_map(|(frame, _)| written_usage(frame));
            let (spoken, end): (Vec<_>, Vec<_>) = held.into_iter().map(rewrite::split).unzip();
            out.extend(spoken.into_iter().flatten());
            self.fallback = Some(Fallback::Cut(end));
            let (request, joint) = self.answer.go_on(written);
            self.begin(joint);
            return Next::Ask(Box::new(request), Why::Cut);
        }
        self.state = State::Passing;
        out.extend(held);
        Next::GoOn
    }

    /// A frame that nothing is decided by any more.
    fn pass(&mut self, frame: Frame, reading: Reading, out: &mut Vec<Item>) {
        match reading {
            Reading::Chunk(chunk) if !matches!(self.round, Round::First) => {
                self.answer.count(chunk.told_usage());
                let text = self.read(&chunk).text;
                out.extend(self.rewritten(frame, chunk, text));
            }
            reading => out.push((frame, reading)),
        }
    }

    /// A chunk in the words of the first round; nothing where nothing of it is left.
    fn rewritten(&mut self, frame: Frame, chunk: Chunk, text: String) -> Option<Item> {
        match self.round {
            Round::First => Some((frame, Reading::Chunk(chunk))),
            Round::Anew => self.rewrite.anew(frame, &self.answer),
            Round::Later(_) => self.rewrite.later(frame, text, &self.answer),
        }
    }

    fn read(&mut self, chunk: &Chunk) -> Says {
        let choices = chunk.choices.as_deref().unwrap_or_default();
        let Some(first) = choices.first() else {
            return Says { text: String::new(), thoughts: String::new(), more: false, reason: None };
        };
        let more = choices.len() > 1 || first.index != 0 || !is_text(first);
        let reason = first.finish_reason.clone().filter(|reason| !reason.is_empty());
        let (text, thoughts) = match &mut self.inline {
            Some(filter) => filtered(filter, chunk),
            None => (text_of(&first.delta.content), thoughts_of(first)),
        };
        Says { text, thoughts, more, reason }
    }
}

fn text_of(content: &Option<Content>) -> String {
    content.as_ref().and_then(Content::as_text).unwrap_or_default().to_owned()
}

/// The thoughts of a chunk, in whatever words.
fn thoughts_of(choice: &Choice) -> String {
    let Delta { reasoning_content, reasoning, reasoning_details, thinking, .. } = choice.delta.clone();
    let mut thoughts =
        Delta { reasoning_content, reasoning, reasoning_details, thinking, ..Delta::default() };
    thinking::thoughts_of(&mut thoughts)
}

/// Text and thoughts of a chunk in which the model may think in its text.
fn filtered(filter: &mut ThinkingFilter, chunk: &Chunk) -> (String, String) {
    let mut chunk = chunk.clone();
    filter.normalise(&mut chunk);
    let mut said = (String::new(), String::new());
    for choice in chunk.choices.iter().flatten() {
        said.0.push_str(&text_of(&choice.delta.content));
        said.1.push_str(&text_of(&choice.delta.reasoning_content));
    }
    said
}

/// A frame's counts as the upstream wrote them.
fn written_usage(frame: &Frame) -> Option<Members> {
    let members = Members::parse(&frame.data).ok()?;
    let inner = || first_choice(&members)?.get("usage").and_then(Raw::members);
    members.get("usage").and_then(Raw::members).or_else(inner)
}
