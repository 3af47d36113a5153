//! What puts the words of all providers into the API's own: thoughts into `reasoning_content`, calls that came as
//! text into calls, and every call into one number, one id and one name.

use super::calls::CallFilter;
use super::repair::{Offered, TextCalls};
use super::thinking::ThinkingFilter;
use crate::error::Error;
use crate::step::{Ending, Step};
use crate::wire::openai::{Chunk, Reading, Usage};

/// The filters that every answer passes, in this order: a call is looked for in what is said, not in thoughts.
pub struct Filters {
    thinking: ThinkingFilter,
    text_calls: TextCalls,
    calls: CallFilter,
}

impl Filters {
    /// Filters for one answer, or one stream; `seed` makes minted ids its own, as `[a-zA-Z0-9]+`.
    pub fn new(inline_think: bool, offered: Option<Offered>, seed: &str) -> Self {
        Self {
            thinking: ThinkingFilter::new(inline_think),
            text_calls: TextCalls::new(offered, seed),
            calls: CallFilter::repairing(seed),
        }
    }

    /// Puts a chunk into the API's own words.
    pub fn normalise(&mut self, chunk: &mut Chunk) {
        self.thinking.normalise(chunk);
        self.text_calls.normalise(chunk);
        self.calls.normalise(chunk);
        let repaired = self.repaired();
        let own = chunk.choices.iter_mut().flatten().filter_map(|choice| choice.usage.as_mut());
        chunk.usage.iter_mut().chain(own).for_each(|usage| mark(usage, repaired));
    }

    /// What is still held back at the end, in order.
    pub fn rest(&mut self) -> Vec<Chunk> {
        let mut rest = Vec::new();
        if let Some(mut chunk) = self.thinking.rest() {
            self.text_calls.normalise(&mut chunk);
            rest.push(chunk);
        }
        rest.extend(self.text_calls.rest());
        rest.iter_mut().for_each(|chunk| self.calls.normalise(chunk));
        rest.extend(self.calls.rest());
        rest
    }

    /// A call that has arguments and no name, at the end of a stream.
    pub fn nameless(&self) -> Option<Error> {
        self.calls.nameless()
    }

    /// How many calls were repaired so far.
    pub fn repaired(&self) -> u32 {
        self.text_calls.repaired() + self.calls.repaired()
    }
}

/// Tells in the counts that calls were repaired.
fn mark(usage: &mut Usage, repaired: u32) {
    if repaired > 0 {
        let mut told = usage.iflow2api.unwrap_or_default();
        if told.billed_completion_tokens == 0 {
            told.billed_prompt_tokens = usage.prompt_tokens;
            told.billed_completion_tokens = usage.completion_tokens;
        }
        told.repaired_calls = repaired;
        usage.iflow2api = Some(told);
    }
}

impl Step for Filters {
    type In = Reading;
    type Out = Reading;

    fn push(&mut self, mut item: Reading, out: &mut Vec<Reading>) -> Result<(), Error> {
        let ends = match &mut item {
            Reading::Chunk(chunk) => {
                self.normalise(chunk);
                chunk.choices.iter().flatten().any(|choice| choice.finish_reason.is_some())
            }
            Reading::Done => {
                out.extend(self.rest().into_iter().map(Reading::Chunk));
                true
            }
        };
        match self.nameless().filter(|_| ends) {
            Some(error) => Err(error),
            None => {
                out.push(item);
                Ok(())
            }
        }
    }

    fn finish(&mut self, _ending: Ending<'_>, out: &mut Vec<Reading>) -> Option<Error> {
        out.extend(self.rest().into_iter().map(Reading::Chunk));
        None
    }
}
