//! The OpenAI face's answer: forwarded as it came, and changed only where a rule must (D01–D12).

use super::edits::{ChoiceEdits, Edits, is_foreign, mark};
use super::recalling::Ear;
use crate::error::Error;
use crate::policy::failure::{self as said, Judge, may_be_silent};
use crate::policy::filters::Filters;
use crate::policy::repair::Offered;
use crate::step::{Ending, Step};
use crate::translate::failure::openai_envelope;
use crate::translate::stop;
use crate::wire::json::{Members, Raw};
use crate::wire::openai::{Choice, Chunk, Content, Reading, ToolCallDelta, Usage};
use crate::wire::sse::Frame;
use bytes::Bytes;
use serde_json::json;

impl Asked {
    /// What is known where nothing is peculiar.
    pub fn plain(upstream: &str) -> Self {
        let judge = Judge::plain(upstream);
        Self {
            judge,
            renamed: None,
            wants_usage: false,
            seed: String::new(),
            inline_think: false,
            offered: None,
            ear: None,
        }
    }

    fn filters(&self) -> Filters {
        Filters::new(self.inline_think, self.offered.clone(), &self.seed)
    }

    /// Keeps what was thought before a whole answer.
    pub fn heard(mut self, chunk: &Chunk) {
        if let Some(ear) = &mut self.ear {
            ear.listener.hear(chunk);
            ear.ended();
        }
    }
}

/// What an answer has to know of its request.
pub struct Asked {
    /// Reads what the upstream says.
    pub judge: Judge,
    /// The model's name as the caller said it, where the upstream was asked for another (D12).
    pub renamed: Option<String>,
    /// Whether the caller wants the usage of a stream.
    pub wants_usage: bool,
    /// What makes minted call ids this answer's own.
    pub seed: String,
    /// Whether the model writes `<think>` into its text (B11).
    pub inline_think: bool,
    /// The tools that were offered, as calls of them may come as text.
    pub offered: Option<Offered>,
    /// Listens to what has to be remembered.
    pub ear: Option<Ear>,
}

/// Looks into every frame, and forwards it.
pub struct Relay {
    asked: Asked,
    filters: Filters,
    /// The first chunk, in whose form another can be written.
    template: Option<Bytes>,
    /// The last usage that was taken out of a chunk, with that chunk's other members.
    usage_chunk: Option<Members>,
    usage: Option<Usage>,
    state: State,
    spoke: bool,
    /// Whether the end that was given is one that needs no words.
    may_be_silent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No finish reason was seen.
    Open,
    /// A finish reason was seen.
    Finished,
    /// The last frame was sent.
    Over,
}

impl Relay {
    /// A relay for one stream.
    pub fn new(asked: Asked) -> Self {
        Self {
            filters: asked.filters(),
            asked,
            template: None,
            usage_chunk: None,
            usage: None,
            state: State::Open,
            spoke: false,
            may_be_silent: false,
        }
    }

    /// The counts that the upstream told last.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The answer has ended well: what it thought is kept.
    pub fn ended(&self) {
        self.asked.ear.iter().for_each(Ear::ended);
    }

    fn chunk(&mut self, mut chunk: Chunk, frame: Frame, out: &mut Vec<Frame>) -> Result<(), Error> {
        self.usage = chunk.told_usage().or(self.usage);
        let only_usage = chunk.usage.is_some() && chunk.choices.as_ref().is_none_or(Vec::is_empty);
        if only_usage {
            self.usage_chunk = None;
            if self.asked.wants_usage {
                let model = self.asked.renamed.as_deref();
                let edits = Edits { model, repaired: self.filters.repaired(), ..Edits::default() };
                out.push(edits.apply(frame));
            }
            return Ok(());
        }
        self.template.get_or_insert_with(|| frame.data.clone());
        let before = chunk.clone();
        self.filters.normalise(&mut chunk);
        let choices = ChoiceEdits::between(&before, &chunk);
        for choice in chunk.choices.iter().flatten() {
            if let Some(reason) = choice.finish_reason.as_deref().filter(|reason| !reason.is_empty()) {
                if stop::is_failure(reason) {
                    return Err(stop::failure(reason));
                }
                self.state = State::Finished;
                self.may_be_silent |= may_be_silent(reason);
            }
            self.spoke |= choice.speaks();
        }
        if let Some(ear) = &mut self.asked.ear {
            ear.listener.hear(&chunk);
        }
        let edits = Edits {
            model: self.asked.renamed.as_deref(),
            choices,
            reasons: chunk.choices.iter().flatten().any(|choice| is_foreign(choice.finish_reason.as_deref())),
            without_usage: chunk.usage.is_some(),
            as_chunk: memchr::memmem::find(&frame.data, b"\"message\":").is_some(),
            repaired: 0,
        };
        if edits.without_usage {
            self.usage_chunk = Members::parse(&frame.data).ok();
        }
        out.push(edits.apply(frame));
        Ok(())
    }

    /// Says what was held back, where no finish reason came to say it with.
    fn release(&mut self, out: &mut Vec<Frame>) {
        for rest in self.filters.rest() {
            let template = self.template.as_ref().and_then(|data| Members::parse(data).ok());
            let Some(mut members) = template else { return };
            let choices = rest.choices.iter().flatten().map(|choice| {
                let blank = json!({ "index": choice.index, "delta": {}, "finish_reason": null });
                (Raw::of(&blank), Choice { index: choice.index, ..Choice::default() })
            });
            let (blanks, before): (Vec<Raw>, Vec<Choice>) = choices.unzip();
            members.remove("usage");
            members.set("choices", Raw::of(&blanks));
            let before = Chunk { choices: Some(before), usage: None };
            let model = self.asked.renamed.as_deref();
            let edits = Edits { model, choices: ChoiceEdits::between(&before, &rest), ..Edits::default() };
            self.spoke |= rest.choices.iter().flatten().any(Choice::speaks);
            if let Some(ear) = &mut self.asked.ear {
                ear.listener.hear(&rest);
            }
            out.push(edits.apply(Frame::data(members.to_raw().bytes())));
        }
    }

    /// How many calls were repaired.
    pub fn repaired(&self) -> u32 {
        self.filters.repaired()
    }

    /// Says what still has to be said, and `[DONE]`.
    fn complete(&mut self, done: Option<Frame>, out: &mut Vec<Frame>) -> Result<(), Error> {
        self.release(out);
        if let Some(error) = self.filters.nameless() {
            return Err(error);
        }
        let counted = self.usage.is_some_and(|usage| usage.completion_tokens > 0);
        if !self.spoke && !counted && !self.may_be_silent {
            return Err(said::empty(self.asked.judge.upstream()));
        }
        if let (Some(mut chunk), true) = (self.usage_chunk.take(), self.asked.wants_usage) {
            chunk.set("choices", Raw::from_static("[]"));
            if self.filters.repaired() > 0 {
                mark(&mut chunk, self.filters.repaired());
            }
            out.push(Frame::data(chunk.to_raw().bytes()));
        }
        out.push(done.unwrap_or_else(|| Frame::data(Bytes::from_static(b"[DONE]"))));
        self.state = State::Over;
        Ok(())
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<Frame>) {
        if self.state != State::Over {
            self.release(out);
            out.push(Frame::json(None, &openai_envelope(error)));
            self.state = State::Over;
        }
    }
}

impl Step for Relay {
    type In = (Frame, Reading);
    type Out = Frame;

    fn push(&mut self, (frame, reading): Self::In, out: &mut Vec<Frame>) -> Result<(), Error> {
        match reading {
            _ if self.state == State::Over => Ok(()),
            Reading::Done => self.complete(Some(frame), out),
            Reading::Chunk(chunk) => self.chunk(chunk, frame, out),
        }
    }

    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Frame>) -> Option<Error> {
        let failed = match ending {
            // All was said that a caller waits for (D06).
            Ending::Failed(error) if self.state == State::Finished && error.is_break() => {
                self.complete(None, out)
            }
            Ending::Failed(error) => {
                self.fail(error, out);
                return None;
            }
            Ending::Complete if self.state == State::Finished => self.complete(None, out),
            Ending::Complete => Err(said::broken_off()),
        };
        let error = failed.err()?;
        self.fail(&error, out);
        Some(error)
    }

    fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

/// A whole completion that was looked through.
pub struct Whole {
    /// Its body, changed where a rule must.
    pub body: Bytes,
    /// The counts that the upstream told, if it told any.
    pub usage: Option<Usage>,
    /// What it says, for counts of our own.
    pub chunk: Chunk,
    /// How many calls were repaired.
    pub repaired: u32,
}

/// Looks through a whole completion, and changes what a rule must.
///
/// # Errors
/// The error that the body says, or `BadAnswer` where it holds no answer.
pub fn whole(asked: &Asked, body: Bytes) -> Result<Whole, Error> {
    let mut chunk = asked.judge.read_whole(&body)?;
    let choices = chunk.choices.as_deref().unwrap_or_default();
    let counted = chunk.usage.filter(Usage::is_counted);
    if let Some(reason) =
        choices.iter().filter_map(|choice| choice.finish_reason.as_deref()).find(|r| stop::is_failure(r))
    {
        return Err(stop::failure(reason));
    }
    let reasons = choices.iter().any(|choice| is_foreign(choice.finish_reason.as_deref()));
    let broken = choices.iter().flat_map(|choice| &choice.delta.tool_calls).any(is_broken);
    let before = chunk.clone();
    let mut filters = asked.filters();
    filters.normalise(&mut chunk);
    filters.rest().into_iter().for_each(|rest| absorb(&mut chunk, rest));
    if let Some(error) = filters.nameless() {
        return Err(error);
    }
    let mut choices = ChoiceEdits::between(&before, &chunk);
    let repaired = filters.repaired();
    if !broken && repaired == 0 {
        // Whole calls have no numbers; only what clients insist on is added.
        choices.iter_mut().for_each(|edits| edits.calls = None);
        if choices.iter().all(ChoiceEdits::is_nothing) {
            choices.clear();
        }
    }
    let edits = Edits { model: asked.renamed.as_deref(), choices, reasons, repaired, ..Edits::default() };
    let body = edits.apply(Frame::data(body)).data;
    Ok(Whole { body, usage: counted, chunk, repaired })
}

/// Adds what was held back at the end of a whole answer to the answer.
fn absorb(chunk: &mut Chunk, rest: Chunk) {
    for late in rest.choices.into_iter().flatten() {
        let choice = chunk.choices.iter_mut().flatten().find(|choice| choice.index == late.index);
        let Some(said) = choice.map(|choice| &mut choice.delta) else { continue };
        match (&mut said.content, late.delta.content) {
            (Some(Content::Text(text)), Some(Content::Text(more))) => text.push_str(&more),
            (content, Some(more)) => *content = Some(more),
            (_, None) => {}
        }
        said.tool_calls.extend(late.delta.tool_calls);
    }
}

/// Puts counts of our own into a completion that came without, and says that they are (D09).
pub fn with_estimate(body: Bytes, usage: Usage) -> Bytes {
    match Members::parse(&body) {
        Ok(members) => members.with("usage", estimated_usage(usage)).to_raw().bytes(),
        Err(_) => body,
    }
}

/// Whether a whole call lacks what clients insist on.
fn is_broken(call: &ToolCallDelta) -> bool {
    let id = call.id.as_deref().unwrap_or_default();
    id.is_empty() || !matches!(call.function.arguments, Some(Content::Text(_)))
}

fn estimated_usage(usage: Usage) -> Raw {
    Raw::of(&serde_json::json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "estimated": true,
    }))
}
