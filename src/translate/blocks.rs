//! The blocks of a message: one open at a time, numbered from 0 without a gap, each closed before
//! the next begins (B06), and calls that came at once told one after the other (B15).

use super::signature::Signer;
use crate::wire::anthropic::{Block, BlockDelta, Event};
use crate::wire::json::Raw;
use crate::wire::scan::Scanner;
use std::collections::VecDeque;

/// The blocks of one message.
pub struct Blocks {
    open: Open,
    next_index: u32,
    waiting: VecDeque<Call>,
}

/// The one block that is open.
enum Open {
    Nothing,
    Text,
    Thinking(Signer),
    Tool { number: Option<u32>, arguments: Scanner },
}

/// A call that was announced.
pub struct Call {
    /// Its number in the answer.
    pub number: Option<u32>,
    /// Its id, as the caller sees it.
    pub id: String,
    /// The tool's name, as the caller knows it.
    pub name: String,
    /// The arguments that came by now.
    pub arguments: String,
}

impl Blocks {
    /// No block yet.
    pub fn new() -> Self {
        Self { open: Open::Nothing, next_index: 0, waiting: VecDeque::new() }
    }

    /// Whether there was no block at all.
    pub fn is_empty(&self) -> bool {
        self.next_index == 0 && matches!(self.open, Open::Nothing)
    }

    /// Says text.
    pub fn text(&mut self, text: String, out: &mut Vec<Event>) {
        if !matches!(self.open, Open::Text) {
            self.empty_text(out);
        }
        self.grow(BlockDelta::TextDelta { text }, out);
    }

    /// Begins a text block, which may stay empty (B31).
    pub fn empty_text(&mut self, out: &mut Vec<Event>) {
        self.flush_calls(out);
        self.begin(Block::Text { text: String::new() }, Open::Text, out);
    }

    /// Says thoughts, signed in the name of `profile`; without `shown` only their signature is told
    /// (E08).
    pub fn thoughts(&mut self, text: String, shown: bool, profile: &str, out: &mut Vec<Event>) {
        if !matches!(self.open, Open::Thinking(_)) {
            self.flush_calls(out);
            let block = Block::Thinking { thinking: String::new(), signature: String::new() };
            self.begin(block, Open::Thinking(Signer::new(profile)), out);
        }
        if let Open::Thinking(signer) = &mut self.open {
            signer.add(&text);
        }
        if shown {
            self.grow(BlockDelta::ThinkingDelta { thinking: text }, out);
        }
    }

    /// Begins a call, at once or when those before it are over.
    pub fn call(&mut self, call: Call, out: &mut Vec<Event>) {
        self.waiting.push_back(call);
        self.turn(out);
    }

    /// More arguments of a call; those for a call that was closed are too late.
    pub fn arguments(&mut self, number: Option<u32>, piece: String, out: &mut Vec<Event>) {
        if let Some(call) = self.waiting.iter_mut().find(|call| call.number == number) {
            call.arguments.push_str(&piece);
        } else if matches!(&self.open, Open::Tool { number: open, .. } if *open == number) {
            self.grow_arguments(piece, out);
        }
        self.turn(out);
    }

    /// Opens the next waiting call, if the open one is over.
    fn turn(&mut self, out: &mut Vec<Event>) {
        while !self.waiting.is_empty() {
            if matches!(&self.open, Open::Tool { arguments, .. } if !arguments.is_complete()) {
                return;
            }
            self.open_next_call(out);
        }
    }

    /// Opens and fills all waiting calls: nothing more will come for them.
    pub fn flush_calls(&mut self, out: &mut Vec<Event>) {
        while !self.waiting.is_empty() {
            self.open_next_call(out);
        }
    }

    fn open_next_call(&mut self, out: &mut Vec<Event>) {
        let Some(Call { number, id, name, arguments }) = self.waiting.pop_front() else { return };
        let block = Block::ToolUse { id, name, input: Raw::from_static("{}") };
        self.begin(block, Open::Tool { number, arguments: Scanner::default() }, out);
        self.grow_arguments(arguments, out);
    }

    fn grow_arguments(&mut self, piece: String, out: &mut Vec<Event>) {
        if piece.is_empty() {
            return;
        }
        if let Open::Tool { arguments, .. } = &mut self.open {
            arguments.feed(&piece);
        }
        self.grow(BlockDelta::InputJsonDelta { partial_json: piece }, out);
    }

    fn begin(&mut self, content_block: Block, open: Open, out: &mut Vec<Event>) {
        self.close(out);
        out.push(Event::ContentBlockStart { index: self.next_index, content_block });
        self.open = open;
    }

    fn grow(&mut self, delta: BlockDelta, out: &mut Vec<Event>) {
        out.push(Event::ContentBlockDelta { index: self.next_index, delta });
    }

    /// Closes the open block, if there is one.
    pub fn close(&mut self, out: &mut Vec<Event>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Thinking(signer) => {
                self.grow(BlockDelta::SignatureDelta { signature: signer.signature() }, out);
            }
            Open::Text | Open::Tool { .. } => {}
        }
        out.push(Event::ContentBlockStop { index: self.next_index });
        self.next_index += 1;
    }
}
