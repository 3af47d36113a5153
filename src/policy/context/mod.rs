//! A history that does not fit the model's window is made to fit (section 7 of the rules): old tool
//! results first, then old images, then whole groups, oldest first. What was kept stays as it was
//! written, and the cut stays where it was until the window is full again, so that requests that follow
//! begin alike (G05).
//!
//! Pure: which tokens a message has is the caller's to say.

mod cut;
mod shape;

pub use cut::Cut;
use cut::apply;

use crate::wire::json::Members;
use crate::wire::openai::ChatRequest;
use shape::Shape;

/// When history is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Where a request would not fit the model's window.
    Auto,
    /// All but the last turns, on every request.
    Window,
    /// Never.
    Off,
}

impl Mode {
    /// The mode of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "window" => Some(Self::Window),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// How many tokens of an answer a request must leave room for, where it asks for as many.
const LEAST_ANSWER: u64 = 4096;
/// What part of a window an answer is left at the most, where the window is small.
const ANSWER_SHARE: u64 = 4;
/// What part of the window is kept free, since our count is not the provider's. Chosen: estimates are
/// raised by 5 % already.
const MARGIN_SHARE: u64 = 64;
/// To how many percent of the window a history is cut, so that the next requests fit too (G05).
const TARGET_PERCENT: u64 = 60;

/// How much of a window there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    window: u64,
    /// The answer that the caller bounded, in tokens.
    asked: Option<u64>,
}

impl Room {
    /// A window of so many tokens, for a request that bounds its answer so.
    pub fn new(window: u64, asked: Option<u64>) -> Self {
        Self { window, asked }
    }

    /// How many tokens the prompt may have at the most.
    pub fn for_prompt(self) -> u64 {
        let least = LEAST_ANSWER.min(self.window / ANSWER_SHARE);
        let least = self.asked.map_or(least, |asked| asked.min(least));
        self.usable().saturating_sub(least)
    }

    /// To how many tokens a prompt is cut that has more.
    pub fn target(self) -> u64 {
        self.for_prompt().min(self.window / 100 * TARGET_PERCENT)
    }

    /// The bound of the answer behind a prompt of so many tokens, where the caller's leaves no room (G01).
    pub fn bound(self, prompt: u64) -> Option<u64> {
        let left = self.usable().saturating_sub(prompt);
        self.asked.filter(|asked| *asked > left).map(|_| left.max(1))
    }

    fn usable(self) -> u64 {
        self.window - self.window / MARGIN_SHARE
    }
}

/// The tokens of a history.
pub struct Costs<'a> {
    /// Those of what is never left out: tools, and the frame around all.
    pub fixed: u64,
    /// Those of a message.
    pub message: &'a dyn Fn(&Members) -> u64,
}

impl Costs<'_> {
    /// Those of a whole prompt.
    pub fn prompt(&self, request: &ChatRequest) -> u64 {
        self.fixed + request.messages().iter().map(self.message).sum::<u64>()
    }
}

/// What was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// How many messages were left out or shortened.
    pub messages: usize,
    /// How many tokens that saved.
    pub tokens: u64,
}

/// A history that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fitted {
    /// What was left out for it.
    pub trimmed: Trimmed,
    /// The tokens of the prompt that is left.
    pub prompt: u64,
}

/// A history that cannot be made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// Its tokens, after all that may be left out was.
    pub tokens: u64,
}

/// Makes a history fit, if it does not; `cut` is where it was cut before, and is where it is cut now.
///
/// # Errors
/// Where what must be kept does not fit (G06). The request is left as it was then.
pub fn fit(
    request: &mut ChatRequest,
    room: Room,
    keep_turns: usize,
    cut: &mut Cut,
    costs: &Costs<'_>,
) -> Result<Fitted, TooLong> {
    let shape = Shape::of(request.messages());
    let before: Vec<u64> = request.messages().iter().map(costs.message).collect();
    let whole = costs.fixed + before.iter().sum::<u64>();
    if whole <= room.for_prompt() {
        return Ok(Fitted { trimmed: Trimmed::default(), prompt: whole });
    }
    let chosen = cut::choose(request.messages(), &shape, &before, room, keep_turns, *cut, costs)?;
    *cut = chosen;
    let messages = apply(request, &shape, chosen);
    let prompt = costs.prompt(request);
    Ok(Fitted { trimmed: Trimmed { messages, tokens: whole.saturating_sub(prompt) }, prompt })
}

/// Keeps the last turns, and what stands before all of them.
pub fn slide(request: &mut ChatRequest, keep_turns: usize, costs: &Costs<'_>) -> Trimmed {
    let shape = Shape::of(request.messages());
    let dropped = shape.turn_from_end(keep_turns);
    if shape.task.is_none_or(|task| dropped <= task + 1) {
        return Trimmed::default();
    }
    let before = costs.prompt(request);
    let messages = apply(request, &shape, Cut { dropped, ..Cut::default() });
    Trimmed { messages, tokens: before.saturating_sub(costs.prompt(request)) }
}
