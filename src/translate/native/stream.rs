//! The events of an upstream that speaks the caller's API, forwarded as they came.

use super::usage::Counts;
use super::{failure_in, not_understood, renamed};
use crate::error::{Error, Result};
use crate::step::{Ending, Step};
use crate::translate::failure::{anthropic_failure, broken_off};
use crate::wire::anthropic::{Event, Usage};
use crate::wire::json::{Members, Raw};
use crate::wire::sse::Frame;

/// Looks into every event, and forwards it.
///
/// Changed are the model's name in the first event, and events without a name of their own (B04). An
/// error ends the stream in our words (B28), and so does an end that nobody announced (B27).
pub struct Native<J> {
    upstream: String,
    /// The model's name as the caller said it, where the upstream was asked for another (D12).
    model: Option<String>,
    judge: J,
    state: State,
    /// The blocks that have begun and not ended.
    open: Vec<u32>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The message has not begun.
    Fresh,
    Started,
    /// Why the message ends was said.
    Finished,
    /// The last event was sent.
    Over,
}

/// The events that a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    MessageStart,
    BlockStart,
    BlockDelta,
    BlockStop,
    MessageDelta,
    MessageStop,
    Error,
    /// A ping, or what nobody told us of.
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "message_start" => Self::MessageStart,
            "content_block_start" => Self::BlockStart,
            "content_block_delta" => Self::BlockDelta,
            "content_block_stop" => Self::BlockStop,
            "message_delta" => Self::MessageDelta,
            "message_stop" => Self::MessageStop,
            "error" => Self::Error,
            _ => Self::Other,
        }
    }
}

impl<J: Fn(&[u8]) -> Option<Error>> Native<J> {
    /// A stream of this upstream's of which nothing has come yet. `model` is the caller's name for the
    /// model, where it is another than the upstream's; `judge` reads a JSON text as the error it says.
    pub fn new(upstream: impl Into<String>, model: Option<String>, judge: J) -> Self {
        let upstream = upstream.into();
        Self { upstream, model, judge, state: State::Fresh, open: Vec::new(), counts: Counts::default() }
    }

    /// The counts that the upstream has told, if it has told any.
    pub fn usage(&self) -> Option<Usage> {
        self.counts.told()
    }

    /// Takes an event that the API knows.
    fn event(&mut self, kind: Kind, members: &Members, frame: Frame, out: &mut Vec<Frame>) -> Result<()> {
        if self.state == State::Fresh && kind != Kind::MessageStart {
            return Err(not_understood(&self.upstream));
        }
        let index = || members.get("index").and_then(Raw::u64).and_then(|index| u32::try_from(index).ok());
        match kind {
            Kind::MessageStart => return self.begin(members, frame, out),
            Kind::BlockStart => self.open.extend(index()),
            Kind::BlockStop => self.open.retain(|open| Some(*open) != index()),
            Kind::MessageDelta => {
                self.counts.read(members);
                let delta = members.get("delta").and_then(Raw::members);
                if delta.is_some_and(|delta| delta.some("stop_reason").is_some()) {
                    self.state = State::Finished;
                }
            }
            Kind::MessageStop => self.state = State::Over,
            Kind::BlockDelta | Kind::Error | Kind::Other => {}
        }
        out.push(frame);
        Ok(())
    }

    fn begin(&mut self, members: &Members, frame: Frame, out: &mut Vec<Frame>) -> Result<()> {
        let Some(message) = members.get("message").and_then(Raw::members) else {
            return Err(not_understood(&self.upstream));
        };
        self.state = State::Started;
        self.counts.read(&message);
        out.push(match &self.model {
            Some(model) => Frame::named(frame.event, renamed(&frame.data, &message, model)),
            None => frame,
        });
        Ok(())
    }

    fn complete(&mut self, out: &mut Vec<Frame>) -> Option<Error> {
        out.push(Event::MessageStop.to_frame());
        self.state = State::Over;
        None
    }

    /// Says the error, behind the ends of the blocks that it interrupts.
    fn fail(&mut self, error: &Error, out: &mut Vec<Frame>) {
        let stops = self.open.drain(..).map(|index| Event::ContentBlockStop { index }.to_frame());
        out.extend(stops);
        out.push(Event::Error { error: anthropic_failure(error) }.to_frame());
        self.state = State::Over;
    }
}

impl<J: Fn(&[u8]) -> Option<Error>> Step for Native<J> {
    type In = Frame;
    type Out = Frame;

    fn push(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<()> {
        if self.state == State::Over || frame.is_done() {
            return Ok(());
        }
        let members = Members::parse(&frame.data).ok();
        let said = members.as_ref().and_then(|members| members.text("type"));
        let named = frame.event.as_deref().filter(|name| !name.is_empty());
        let kind = Kind::of(said.as_deref().or(named).unwrap_or_default());
        if kind == Kind::Error || named == Some("error") {
            return Err(failure_in(&self.upstream, &frame.data, &self.judge));
        }
        // Errors without their envelope come without a name, or under one of the provider's own.
        let error = if kind == Kind::Other { (self.judge)(&frame.data) } else { None };
        if let Some(error) = error {
            return Err(error);
        }
        let frame = match (named, said) {
            (Some(_), _) => frame,
            // A whole message is no event.
            (None, Some(name)) if name != "message" => with_name(frame, &name),
            (None, _) => return Err(not_understood(&self.upstream)),
        };
        match &members {
            _ if kind == Kind::Other => out.push(frame),
            Some(members) => return self.event(kind, members, frame, out),
            None => return Err(not_understood(&self.upstream)),
        }
        Ok(())
    }

    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Frame>) -> Option<Error> {
        let is_finished = self.state == State::Finished;
        match ending {
            _ if self.state == State::Over => None,
            // All was said that a caller waits for (B23).
            Ending::Complete if is_finished => self.complete(out),
            Ending::Failed(error) if is_finished && error.is_break() => self.complete(out),
            Ending::Failed(error) => {
                self.fail(error, out);
                None
            }
            Ending::Complete => {
                let error = broken_off();
                self.fail(&error, out);
                Some(error)
            }
        }
    }

    fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

/// An event under a name; clients go by it, and some upstreams leave it out.
fn with_name(frame: Frame, name: &str) -> Frame {
    if name.chars().any(char::is_control) {
        return frame;
    }
    Frame::named(Some(name.to_owned()), frame.data)
}
