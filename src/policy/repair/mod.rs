//! Tool calls that arrive as text, or whose arguments are broken: repaired while they stream (B18).
//!
//! GLM and Qwen write calls into the content where their server does not know them for calls. Such a
//! text becomes a call only where the request offers the tool and the arguments fit its schema; what
//! does not is passed on as it was, so that it is seen. Which call a fragment belongs to is left to
//! [`calls`](super::calls).

mod encoded;
mod escapes;
mod grammar;
mod markdown;
mod marks;
mod named;
mod native;
mod object;
mod offered;
mod pairs;
mod reader;
mod schema;
mod tagged;
mod whole;

pub use native::Arguments;
pub use offered::Offered;

use crate::wire::openai::{Choice, Chunk, Content, Delta, FunctionDelta, ToolCallDelta};
use named::Named;
use offered::Call;
use reader::{End, Piece, Reader};
use std::collections::VecDeque;

/// Makes calls of the calls in an answer's text.
///
/// In a chunk, content stands before calls. What an answer says behind a call is therefore held
/// until its next chunk; only where there is none does it come before the calls of the same chunk.
pub struct TextCalls {
    offered: Option<Offered>,
    answers: Vec<Answer>,
    mint: Mint,
}

/// Counts calls, and gives ids to those that were made: the same answer always gets the same ones.
struct Mint {
    seed: String,
    /// The calls that were made.
    count: u32,
    /// The calls that were there, but unreadable.
    repaired: u32,
}

/// One answer as far as it was read.
struct Answer {
    index: u32,
    reader: Reader,
    /// What was read and not said yet.
    waiting: VecDeque<Piece>,
    named: Named,
    has_calls: bool,
}

impl TextCalls {
    /// A filter for one stream, or one whole completion; it lets everything pass where no tool is
    /// offered. `seed` makes minted ids its own, as `[a-zA-Z0-9]+`.
    pub fn new(offered: Option<Offered>, seed: impl Into<String>) -> Self {
        Self { offered, answers: Vec::new(), mint: Mint { seed: seed.into(), count: 0, repaired: 0 } }
    }

    /// Looks through one chunk; returns whether it changed anything in it. A chunk that says why the
    /// answer ended holds nothing back.
    pub fn normalise(&mut self, chunk: &mut Chunk) -> bool {
        let Some(offered) = &self.offered else { return false };
        let mut changed = false;
        for choice in chunk.choices.iter_mut().flatten() {
            let answer = find_answer(&mut self.answers, choice.index, offered);
            changed |= answer.take(choice, &mut self.mint);
            changed |= answer.mend(choice, offered, &mut self.mint);
        }
        changed
    }

    /// What is still held back at the end, as a chunk of its own. Since nobody said why the answer
    /// ended, a call that is not closed stays text.
    pub fn rest(&mut self) -> Option<Chunk> {
        let mint = &mut self.mint;
        let choices = self.answers.iter_mut().filter_map(|answer| answer.rest(mint));
        let choices: Vec<Choice> = choices.collect();
        (!choices.is_empty()).then_some(Chunk { choices: Some(choices), usage: None })
    }

    /// How many calls were made out of text so far; names that held one count too.
    pub fn repaired(&self) -> u32 {
        self.mint.count + self.mint.repaired
    }
}

fn find_answer<'a>(answers: &'a mut Vec<Answer>, index: u32, offered: &Offered) -> &'a mut Answer {
    let at = answers.iter().position(|answer| answer.index == index).unwrap_or_else(|| {
        let reader = Reader::new(offered.clone());
        let (waiting, named) = (VecDeque::new(), Named::default());
        answers.push(Answer { index, reader, waiting, named, has_calls: false });
        answers.len() - 1
    });
    let Some(answer) = answers.get_mut(at) else { unreachable!("the position was just found or made") };
    answer
}

impl Answer {
    /// Looks through one chunk's part of this answer.
    fn take(&mut self, choice: &mut Choice, mint: &mut Mint) -> bool {
        let delta = &mut choice.delta;
        if matches!(delta.content, Some(Content::Other(_))) {
            return false;
        }
        let ends = choice.finish_reason.as_deref().filter(|reason| !reason.is_empty());
        let is_last = ends.is_some() || !delta.tool_calls.is_empty();
        let text = match &mut delta.content {
            Some(Content::Text(text)) => std::mem::take(text),
            _ => String::new(),
        };
        let before = (self.held(), mint.count);
        let length = text.len();
        let mut read = Vec::new();
        self.reader.push(text, &mut read);
        match ends {
            Some("stop" | "tool_calls" | "function_call") => self.reader.finish(End::Said, &mut read),
            // A call of the other kind follows, so the text is over for now.
            _ if is_last => self.reader.finish(End::Cut, &mut read),
            _ => {}
        }
        self.waiting.extend(read);
        self.say(delta, is_last, mint);
        let after = (self.held(), mint.count);
        let said = delta.content.as_ref().and_then(Content::as_text).map_or(0, str::len);
        let mut changed = before != after || length != said || (length > 0 && before.0 > 0);
        if self.has_calls && ends == Some("stop") {
            choice.finish_reason = Some("tool_calls".to_owned());
            changed = true;
        }
        changed
    }

    /// Looks at the names of calls that were none of ours.
    fn mend(&mut self, choice: &mut Choice, offered: &Offered, mint: &mut Mint) -> bool {
        let mut changed = false;
        for call in &mut choice.delta.tool_calls {
            let mended = self.named.mend(call, offered);
            mint.repaired += u32::from(mended);
            changed |= mended || self.named.hush(call);
        }
        changed
    }

    /// How many bytes and pieces were taken and not said.
    fn held(&self) -> usize {
        self.reader.held() + self.waiting.len()
    }

    /// Puts into a delta what goes into one: text, and then calls; all, where it is the last.
    fn say(&mut self, delta: &mut Delta, is_last: bool, mint: &mut Mint) {
        let mut text = String::new();
        let mut calls = Vec::new();
        while let Some(piece) = self.waiting.pop_front() {
            match piece {
                Piece::Text(more) if calls.is_empty() || is_last => {
                    // The first piece is the string that came, as a rule.
                    if text.is_empty() { text = more } else { text.push_str(&more) }
                }
                Piece::Text(_) => {
                    self.waiting.push_front(piece);
                    break;
                }
                Piece::Call(call) => calls.push(mint.call(call)),
            }
        }
        match &mut delta.content {
            Some(Content::Text(content)) => *content = text,
            _ if text.is_empty() => {}
            content => *content = Some(Content::Text(text)),
        }
        self.has_calls |= !calls.is_empty();
        delta.tool_calls.splice(..0, calls);
    }

    fn rest(&mut self, mint: &mut Mint) -> Option<Choice> {
        let mut read = Vec::new();
        self.reader.finish(End::Cut, &mut read);
        self.waiting.extend(read);
        if self.waiting.is_empty() {
            return None;
        }
        let mut choice = Choice { index: self.index, ..Choice::default() };
        self.say(&mut choice.delta, true, mint);
        Some(choice)
    }
}

impl Mint {
    fn call(&mut self, call: Call) -> ToolCallDelta {
        self.count += 1;
        let id = Some(format!("call_{}t{:02}", self.seed, self.count));
        let arguments = Some(Content::Text(call.arguments));
        ToolCallDelta { index: None, id, function: FunctionDelta { name: Some(call.name), arguments } }
    }
}
