//! The heart: a stream of completions as a stream of message events, a state machine.
//!
//! Whatever the upstream does, the events follow one grammar: `message_start (block_start
//! block_delta* block_stop)* (message_delta message_stop | error)`, or `error` alone; indices count
//! from 0; a `ping` may stand anywhere. Providers' habits are behind us here: `policy::calls` and
//! `policy::thinking` have put the chunks into the API's own form.

use super::blocks::{Blocks, Call};
use super::cut::{Cut, Cutter};
use super::failure::{anthropic_failure, broken_off};
use super::names::{Ids, Names};
use super::stop::{self, Said};
use super::tally::Tally;
use super::tokens::Vocabulary;
use crate::error::{Error, ErrorKind};
use crate::step::{Ending, Step};
use crate::wire::anthropic::{Event, Message, MessageDelta, StopDetails, Usage};
use crate::wire::json::Raw;
use crate::wire::openai::{self, Chunk, Content, Reading, ToolCallDelta};

/// What an answer repeats of its request, and how it is to be read.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    /// The message's id, `msg_…`.
    pub id: String,
    /// The model's name, as the caller said it.
    pub model: String,
    /// Our estimate of the prompt's tokens.
    pub input_tokens: u64,
    /// Whether thoughts are shown (B07).
    pub thinking: bool,
    /// Whether they are shown by their signature only (E08).
    pub thoughts_omitted: bool,
    /// The caller's stop sequences, sent upstream.
    pub stops: Vec<String>,
    /// Those that are matched here, since the upstream takes no more (A31).
    pub local_stops: Vec<String>,
    /// The start of the answer that the caller wrote itself (A38).
    pub prefix: Option<String>,
    /// Whether only the first call is let through (A29).
    pub single_call: bool,
    /// Tool names that had to be shortened (A25).
    pub names: Names,
    /// Call ids that stand in the history (A19).
    pub ids: Ids,
    /// Whose tokens are counted where the upstream counts none (B25).
    pub vocabulary: Vocabulary,
    /// The profile's name, which signatures bear (E07).
    pub profile: String,
}

/// Makes message events of chunks.
pub struct MessageStream {
    echo: Echo,
    state: State,
    blocks: Blocks,
    text: Cutter,
    /// The calls that were started, and so take part in the numbering.
    calls: u32,
    tally: Tally,
    thought: bool,
    finish: Option<String>,
    stop_sequence: Option<String>,
    refusal: String,
    usage: Option<openai::Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Started,
    Over,
}

impl MessageStream {
    /// A stream of which nothing has come yet.
    pub fn new(echo: Echo) -> Self {
        let text = Cutter::new(echo.prefix.clone(), echo.local_stops.clone());
        let tally = Tally::new(echo.vocabulary);
        Self {
            echo,
            state: State::Fresh,
            blocks: Blocks::new(),
            text,
            calls: 0,
            tally,
            thought: false,
            finish: None,
            stop_sequence: None,
            refusal: String::new(),
            usage: None,
        }
    }

    /// Begins the message, if that was not done (B02, B03, B05).
    pub fn start(&mut self, out: &mut Vec<Event>) {
        if self.state != State::Fresh {
            return;
        }
        self.state = State::Started;
        let message = Message {
            id: self.echo.id.clone(),
            kind: "message".to_owned(),
            role: "assistant".to_owned(),
            model: self.echo.model.clone(),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            stop_details: None,
            usage: Usage { input_tokens: self.echo.input_tokens.max(1), ..Usage::default() },
        };
        out.push(Event::MessageStart { message });
        out.push(Event::Ping);
    }

    /// The whole of a message that says nothing, because no token was asked for (A30).
    pub fn end_at_once(&mut self, out: &mut Vec<Event>) {
        self.start(out);
        let delta =
            MessageDelta { stop_reason: "max_tokens".to_owned(), stop_sequence: None, stop_details: None };
        out.push(Event::MessageDelta { delta, usage: self.usage() });
        out.push(Event::MessageStop);
        self.state = State::Over;
    }

    /// The counts as they stand: the upstream's, or our own where it told none (B25).
    pub fn usage(&self) -> Usage {
        match &self.usage {
            Some(usage) if usage.is_counted() => stop::usage(usage),
            _ => Usage {
                input_tokens: self.echo.input_tokens.max(1),
                output_tokens: self.tally.total(),
                ..Usage::default()
            },
        }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<Event>) -> Result<(), Error> {
        let choices = chunk.choices.unwrap_or_default();
        let only_usage = choices.is_empty() && chunk.usage.is_some();
        let choice = choices.into_iter().find(|choice| choice.index == 0);
        let usage = chunk.usage.or_else(|| choice.as_ref().and_then(|choice| choice.usage));
        if let Some(usage) = usage.filter(openai::Usage::is_counted) {
            self.usage = Some(usage);
        }
        let Some(choice) = choice else {
            self.start(out);
            if only_usage && self.finish.is_some() {
                return self.complete(out);
            }
            return Ok(());
        };
        if let Some(reason) = choice.finish_reason.as_deref().filter(|reason| stop::is_failure(reason)) {
            return Err(stop::failure(reason));
        }
        self.start(out);
        self.delta(choice.delta, out)?;
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            let named = [choice.stop_reason, choice.matched_stop].into_iter().flatten();
            self.note_stop(named);
            self.finish.get_or_insert(reason);
        }
        Ok(())
    }

    /// One chunk's news, in the order in which they are told: thoughts, text, tools (B08).
    fn delta(&mut self, delta: openai::Delta, out: &mut Vec<Event>) -> Result<(), Error> {
        if let Some(Content::Text(thoughts)) = delta.reasoning_content {
            self.thoughts(thoughts, out);
        }
        if let Some(Content::Text(text)) = delta.content {
            self.visible(&text, out);
        }
        if let Some(refusal) = delta.refusal {
            // Shown as text too: few clients look at `stop_details`.
            self.visible(&refusal, out);
            self.refusal.push_str(&refusal);
        }
        if let Some(function) = delta.function_call {
            self.fragment(ToolCallDelta { index: Some(0), id: None, function }, out);
        }
        for fragment in delta.tool_calls {
            self.fragment(fragment, out);
        }
        Ok(())
    }

    fn thoughts(&mut self, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        self.thought = true;
        self.tally.add(&text);
        if self.echo.thinking {
            self.blocks.thoughts(text, !self.echo.thoughts_omitted, &self.echo.profile, out);
        }
    }

    fn visible(&mut self, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() || self.stop_sequence.is_some() {
            return;
        }
        self.tally.add(text);
        let Cut { text, matched } = self.text.push(text);
        if !text.is_empty() {
            self.blocks.text(text, out);
        }
        self.stop_sequence = matched;
    }

    /// A fragment of a call: its beginning where it bears a name, else more of its arguments (B17).
    fn fragment(&mut self, fragment: ToolCallDelta, out: &mut Vec<Event>) {
        let piece = fragment.function.arguments.map(Content::into_text).unwrap_or_default();
        self.tally.add(&piece);
        let number = fragment.index;
        let is_new = number.is_none_or(|number| number >= self.calls);
        let Some(name) = fragment.function.name.filter(|_| is_new) else {
            return self.blocks.arguments(number, piece, out);
        };
        self.calls =
            number.map_or(self.calls, |number| number.saturating_add(1)).max(self.calls.saturating_add(1));
        if self.echo.single_call && self.calls > 1 {
            return;
        }
        self.release_text(out);
        let id = self.echo.ids.downstream(fragment.id.as_deref(), &self.echo.id);
        let name = self.echo.names.original(&name).to_owned();
        self.blocks.call(Call { number, id, name, arguments: piece }, out);
    }

    /// Says the text that was held back because it might have been cut.
    fn release_text(&mut self, out: &mut Vec<Event>) {
        let held = self.text.finish();
        if !held.is_empty() {
            self.blocks.text(held, out);
        }
    }

    /// Takes the stop sequence that the upstream names (B21).
    fn note_stop(&mut self, named: impl Iterator<Item = Raw>) {
        let named = named.filter_map(|raw| raw.text().map(std::borrow::Cow::into_owned));
        let known = named.into_iter().find(|text| self.echo.stops.contains(text));
        if self.stop_sequence.is_none() {
            self.stop_sequence = known;
        }
    }

    /// Ends the message as it deserves.
    fn complete(&mut self, out: &mut Vec<Event>) -> Result<(), Error> {
        if self.state == State::Over {
            return Ok(());
        }
        self.release_text(out);
        self.blocks.flush_calls(out);
        let said = Said { tools: self.calls > 0 };
        let mut reason = stop::stop_reason(self.finish.as_deref(), said)?;
        if !self.refusal.is_empty() {
            reason = "refusal";
        }
        if self.blocks.is_empty() && matches!(reason, "end_turn" | "tool_use") {
            let counted = self.usage.is_some_and(|usage| usage.completion_tokens > 0);
            if !self.thought && !counted && self.stop_sequence.is_none() {
                return Err(Error::new(ErrorKind::BadAnswer, "empty response from upstream"));
            }
        }
        if reason != "max_tokens" && reason != "refusal" && !self.has_visible() {
            self.blocks.empty_text(out);
        }
        self.blocks.close(out);
        let details = (reason == "refusal").then(|| StopDetails {
            kind: "refusal".to_owned(),
            category: None,
            explanation: Some(std::mem::take(&mut self.refusal)).filter(|text| !text.is_empty()),
        });
        let stop_sequence = self.stop_sequence.take().filter(|_| reason == "end_turn");
        let reason = if stop_sequence.is_some() { "stop_sequence" } else { reason };
        let delta = MessageDelta { stop_reason: reason.to_owned(), stop_sequence, stop_details: details };
        out.push(Event::MessageDelta { delta, usage: self.usage() });
        out.push(Event::MessageStop);
        self.state = State::Over;
        Ok(())
    }

    /// Whether a text or a tool was shown; thoughts do not count (B31).
    fn has_visible(&self) -> bool {
        self.calls > 0 || self.text.said_anything()
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<Event>) {
        if self.state == State::Over {
            return;
        }
        self.blocks.close(out);
        out.push(Event::Error { error: anthropic_failure(error) });
        self.state = State::Over;
    }
}

impl Step for MessageStream {
    type In = Reading;
    type Out = Event;

    fn push(&mut self, item: Reading, out: &mut Vec<Event>) -> Result<(), Error> {
        if self.state == State::Over {
            return Ok(());
        }
        match item {
            Reading::Chunk(chunk) => self.chunk(chunk, out)?,
            Reading::Done => return self.complete(out),
        }
        // What was matched here ends the answer; the upstream does not know of it.
        if self.stop_sequence.is_some() && self.finish.is_none() {
            return self.complete(out);
        }
        Ok(())
    }

    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Event>) -> Option<Error> {
        let failed = match ending {
            // All was said that a caller waits for (B23).
            Ending::Failed(error) if self.finish.is_some() && error.is_break() => self.complete(out),
            Ending::Failed(error) => {
                self.fail(error, out);
                return None;
            }
            Ending::Complete if self.finish.is_some() => self.complete(out),
            Ending::Complete => Err(broken_off()),
        };
        let error = failed.err()?;
        self.fail(&error, out);
        Some(error)
    }

    fn is_over(&self) -> bool {
        self.state == State::Over
    }
}
