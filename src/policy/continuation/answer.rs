//! What has come of an answer so far, over all its rounds, and whether it may go on.

use super::joint::Joint;
use super::plan::{Mode, Plan, visible};
use super::round;
use super::spend::Spend;
use crate::dialect::Prefix;
use crate::error::Error;
use crate::policy::retry;
use crate::wire::json::Members;
use crate::wire::openai::{ChatRequest, Usage};

/// How often a broken answer is continued.
const MOST_RESCUES: u32 = 2;
/// How long an answer may be and still go on. Chosen: far above any model's longest answer.
const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;
/// How many bytes of thought are a token, where nobody counted them. Chosen: rather too many tokens than
/// too few, since a bound depends on it.
const BYTES_PER_THOUGHT_TOKEN: usize = 4;

/// An answer in the making.
pub struct Answer {
    pub(super) plan: Plan,
    spend: Spend,
    /// The visible text that the caller has, as it came.
    text: String,
    /// Where in it the round that runs began.
    round_start: usize,
    /// What was thought, where the upstream wants it back.
    thoughts: String,
    thought_bytes: usize,
    /// Whether anything was said, thoughts included.
    spoke: bool,
    /// The counts of the round that runs.
    usage: Option<Usage>,
    pub(super) continuations: u32,
    pub(super) rescues: u32,
    asked_again: bool,
}

impl Answer {
    /// An answer of which nothing has come.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            spend: Spend::default(),
            text: String::new(),
            round_start: 0,
            thoughts: String::new(),
            thought_bytes: 0,
            spoke: false,
            usage: None,
            continuations: 0,
            rescues: 0,
            asked_again: false,
        }
    }

    /// Takes visible text.
    pub fn say(&mut self, text: &str) {
        self.spoke |= !text.is_empty();
        self.text.push_str(text);
    }

    /// Takes thoughts.
    pub fn think(&mut self, thoughts: &str) {
        self.spoke |= !thoughts.is_empty();
        self.thought_bytes += thoughts.len();
        if self.plan.prefix == Prefix::Deepseek {
            self.thoughts.push_str(thoughts);
        }
    }

    /// Takes counts; the last ones of a round hold.
    pub fn count(&mut self, usage: Option<Usage>) {
        if let Some(usage) = usage.filter(Usage::is_counted) {
            self.usage = Some(usage);
        }
    }

    /// Whether anything was said.
    pub fn has_spoken(&self) -> bool {
        self.spoke || self.usage.is_some_and(|usage| usage.completion_tokens > 0)
    }

    /// Whether the round that runs has said anything visible.
    pub fn round_said(&self) -> bool {
        self.text.len() > self.round_start
    }

    /// Whether more than one round has been asked for.
    pub fn is_joined(&self) -> bool {
        self.continuations + self.rescues > 0
    }

    /// Whether an answer that is cut now could go on, its counts aside, which may still come.
    pub fn could_go_on(&self) -> bool {
        self.plan.rules.mode != Mode::Off
            && self.continuations < self.plan.rules.rounds
            && self.round_said()
            && self.can_be_continued()
    }

    /// Whether an answer that was cut goes on (F01).
    pub fn goes_on(&self) -> bool {
        if !self.could_go_on() {
            return false;
        }
        let (prompt, used) = self.used();
        let below = match self.plan.rules.mode {
            Mode::Always => true,
            Mode::Auto => self.plan.left(used).is_none_or(|left| left > 0),
            Mode::Off => false,
        };
        below && !self.plan.is_full(prompt + used)
    }

    /// Whether an answer that broke off is continued, or asked for anew if nothing of it was seen.
    pub fn can_be_rescued(&self, error: &Error) -> bool {
        let begun = !self.spoke || self.can_be_continued();
        let left = || self.plan.left(self.used().1).is_none_or(|left| left > 0);
        self.plan.rules.rescue && self.rescues < MOST_RESCUES && retry::is_worth_it(error) && begun && left()
    }

    /// Whether an answer that ended without a word is asked for once more (B31).
    pub fn can_be_asked_again(&self) -> bool {
        self.plan.rules.again && !self.asked_again && !self.has_spoken() && !self.is_joined()
    }

    fn can_be_continued(&self) -> bool {
        !self.visible().trim().is_empty()
            && self.text.len() <= MAX_TEXT_BYTES
            && !self.plan.stop_may_span(&self.text)
    }

    /// A whole round without the answer that it was given to go on with: llama.cpp's server puts that first,
    /// though not in streams (seen in its answers, xllamacpp 2026).
    pub fn without_prefix<'a>(&self, round: &'a str) -> &'a str {
        let repeats = self.plan.prefix == Prefix::Trailing;
        round.strip_prefix(self.visible()).filter(|_| repeats).unwrap_or(round)
    }

    fn visible(&self) -> &str {
        visible(&self.text, self.plan.inline_think)
    }

    /// The tokens of the prompt, 0 where unknown, and those of the answer so far.
    fn used(&self) -> (u64, u64) {
        let spend = self.spent(None);
        (spend.prompt(), spend.completion())
    }

    /// All rounds as one, in the form in which `written` tells this one's counts.
    pub fn total(&self, written: &Members) -> Members {
        self.spent(None).total(written, self.continuations, self.rescues)
    }

    /// What was spent, with the round that runs, whose counts stand as `written`.
    fn spent(&self, written: Option<Members>) -> Spend {
        let mut spend = self.spend.clone();
        match self.usage {
            Some(usage) => spend.add(usage, written),
            None if !self.round_said() && self.thought_bytes == 0 => {}
            None => {
                let said = self.text.get(self.round_start..).unwrap_or_default();
                let thought = self.thought_bytes.div_ceil(BYTES_PER_THOUGHT_TOKEN);
                let thought = u64::try_from(thought).unwrap_or(u64::MAX);
                let said = if said.is_empty() { 0 } else { (self.plan.count)(said) };
                spend.add_estimate(said.saturating_add(thought));
            }
        }
        spend
    }

    /// Ends the round that runs, whose counts stood as `written`.
    fn close_round(&mut self, written: Option<Members>) {
        self.spend = self.spent(written);
        self.usage = None;
        self.thought_bytes = 0;
        self.round_start = self.text.len();
    }

    /// The next round behind a cut.
    pub fn go_on(&mut self, written: Option<Members>) -> (ChatRequest, Joint) {
        self.close_round(written);
        self.continuations += 1;
        self.next_round()
    }

    /// The next round behind a break.
    pub fn rescue(&mut self) -> (ChatRequest, Joint) {
        self.close_round(None);
        self.rescues += 1;
        self.next_round()
    }

    /// Lets the request go, which nobody will ask with again.
    pub fn forget_request(&mut self) {
        self.plan.request = ChatRequest::default();
    }

    /// Takes back that the round that runs was one more.
    pub fn give_up(&mut self) {
        self.continuations = self.continuations.saturating_sub(1);
    }

    /// The same once more.
    pub fn ask_again(&mut self) -> ChatRequest {
        self.asked_again = true;
        self.usage = None;
        self.plan.request.clone()
    }

    fn next_round(&self) -> (ChatRequest, Joint) {
        let plan = &self.plan;
        let left = plan.left(self.spend.completion()).filter(|_| plan.rules.mode != Mode::Always);
        let bound = left.map(|left| plan.max_output.map_or(left, |most| left.min(most)));
        let answer = self.visible();
        if answer.is_empty() {
            return (plan.request.clone(), Joint::new("", true));
        }
        let request = round::request(&plan.request, plan.prefix, answer, &self.thoughts, bound);
        (request, Joint::new(answer, plan.prefix != Prefix::None))
    }
}
