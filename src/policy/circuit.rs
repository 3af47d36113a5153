//! When an upstream that keeps failing is left alone, and when one call may try it again. The clock is
//! the caller's: times are lengths since some fixed moment.

use crate::error::{Error, ErrorKind};
use std::time::Duration;

/// What a caller is told to wait where another call is trying the upstream just now.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// Of how many models it is remembered that they fail. Chosen: callers can make names up.
const MAX_MODELS: usize = 256;

/// What the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// After how many failures in a row an upstream is left alone; 0 for never.
    pub failures: u32,
    /// How long, before one call tries it; doubles with each failure of that.
    pub wait: Duration,
    /// How long at the most.
    pub longest_wait: Duration,
}

/// Whom a failure counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The upstream: it could not be reached, or did not answer in time.
    Upstream,
    /// The upstream with this model: 502, 503, 504, 529.
    Model,
    /// Nobody: a bad request often looks like a 500, and a 429 has its own clock.
    Nobody,
    /// Nobody, and the upstream lives: it has judged the request.
    Lives,
}

impl Blame {
    /// Whom this failure counts against.
    pub fn of(error: &Error) -> Self {
        match (error.kind(), error.status()) {
            (ErrorKind::Unreachable, _) | (ErrorKind::TimedOut, None) => Self::Upstream,
            (ErrorKind::TimedOut, Some(504)) | (ErrorKind::Overloaded, _) => Self::Model,
            (ErrorKind::BadAnswer, Some(502)) => Self::Model,
            (
                ErrorKind::InvalidRequest
                | ErrorKind::PromptTooLong
                | ErrorKind::LoginRequired
                | ErrorKind::Forbidden
                | ErrorKind::NotFound
                | ErrorKind::TooLarge,
                _,
            ) => Self::Lives,
            (
                ErrorKind::TimedOut
                | ErrorKind::BadAnswer
                | ErrorKind::RateLimited
                | ErrorKind::QuotaExhausted
                | ErrorKind::Usage
                | ErrorKind::NotConfigured
                | ErrorKind::AccessDenied
                | ErrorKind::Interrupted
                | ErrorKind::Internal,
                _,
            ) => Self::Nobody,
        }
    }
}

/// Whether calls may go somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They may.
    Closed,
    /// They may not until this time.
    Open {
        /// When one call may try.
        until: Duration,
    },
    /// One call is trying.
    Probing,
}

/// Counts failures in a row.
#[derive(Debug, Clone)]
struct Circuit {
    state: State,
    failures: u32,
    wait: Duration,
    /// The turn of the call that tries.
    turn: Option<u64>,
    /// What failed last.
    reason: String,
}

impl Circuit {
    fn new() -> Self {
        Self { state: State::Closed, failures: 0, wait: Duration::ZERO, turn: None, reason: String::new() }
    }

    /// How long a call has to wait now.
    fn wait(&self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open { until } => Some(until.saturating_sub(now)).filter(|wait| !wait.is_zero()),
            State::Probing => Some(PROBE_WAIT),
        }
    }

    /// Lets a call through that need not wait; its turn, where it is the one that tries.
    fn enter(&mut self, turn: u64) -> Option<u64> {
        if self.state == State::Closed {
            return None;
        }
        self.state = State::Probing;
        self.turn = Some(turn);
        self.turn
    }

    /// Whether a call with this turn is the one that tries now: others may have closed the circuit since.
    fn is_tried_by(&self, turn: Option<u64>) -> bool {
        self.state == State::Probing && turn.is_some() && turn == self.turn
    }

    /// Counts a failure; returns whether calls are kept away from now on.
    fn fail(&mut self, turn: Option<u64>, reason: String, rules: &Rules, now: Duration) -> bool {
        let wait = match self.state {
            State::Closed => rules.wait,
            State::Probing if self.is_tried_by(turn) => self.wait.saturating_mul(2),
            // Calls that were under way say nothing new.
            State::Open { .. } | State::Probing => return false,
        };
        self.failures = self.failures.saturating_add(1);
        self.reason = reason;
        let opens = self.state == State::Probing || (1..=self.failures).contains(&rules.failures);
        if opens {
            self.wait = wait.min(rules.longest_wait);
            self.state = State::Open { until: now.saturating_add(self.wait) };
        }
        opens
    }

    /// Forgets all failures; returns whether calls were kept away.
    fn succeed(&mut self) -> bool {
        let was_open = self.state != State::Closed;
        *self = Self::new();
        was_open
    }

    /// The call that tried has left without an answer: the next one may try.
    fn leave(&mut self, turn: Option<u64>, now: Duration) {
        if self.is_tried_by(turn) {
            self.state = State::Open { until: now };
        }
    }
}

/// A call that was let through.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    upstream_turn: Option<u64>,
    model_turn: Option<u64>,
}

/// What has changed for the calls that come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// They are kept away.
    Opened {
        /// From one model only.
        of_model: bool,
        /// After so many failures in a row.
        failures: u32,
        /// For so long.
        wait: Duration,
    },
    /// They are let through again.
    Closed,
}

/// Why a call is kept away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// From one model only.
    pub of_model: bool,
    /// For how long.
    pub wait: Duration,
    /// After how many failures in a row.
    pub failures: u32,
    /// What failed last.
    pub reason: String,
}

/// The circuits of one upstream: its own, and those of its models.
#[derive(Debug)]
pub struct Circuits {
    rules: Rules,
    upstream: Circuit,
    /// Those that failed last are at the end.
    models: Vec<(String, Circuit)>,
    /// How many calls were let through.
    turns: u64,
}

impl Circuits {
    /// With nothing tried yet.
    pub fn new(rules: Rules) -> Self {
        Self { rules, upstream: Circuit::new(), models: Vec::new(), turns: 0 }
    }

    /// Lets a call to a model through, or says why not.
    ///
    /// # Errors
    /// Where calls are kept away.
    pub fn enter(&mut self, model: &str, now: Duration) -> Result<Pass, Kept> {
        let of_model = self.models.iter_mut().find(|(name, _)| name == model).map(|(_, circuit)| circuit);
        let asked = [(false, Some(&self.upstream)), (true, of_model.as_deref())];
        for (of_model, circuit) in asked {
            if let Some((circuit, wait)) = circuit.and_then(|circuit| Some((circuit, circuit.wait(now)?))) {
                let reason = circuit.reason.clone();
                return Err(Kept { of_model, wait, failures: circuit.failures, reason });
            }
        }
        self.turns += 1;
        let model_turn = of_model.and_then(|circuit| circuit.enter(self.turns));
        Ok(Pass { upstream_turn: self.upstream.enter(self.turns), model_turn })
    }

    /// Takes how a call ended that was let through; its error, if it failed.
    pub fn end(&mut self, pass: Pass, model: &str, error: Option<&Error>, now: Duration) -> Option<Change> {
        let reason = || error.map(Error::to_string).unwrap_or_default();
        match error.map(Blame::of) {
            Some(Blame::Upstream) => {
                self.model_left(model, pass, now);
                let opened = self.upstream.fail(pass.upstream_turn, reason(), &self.rules, now);
                let (failures, wait) = (self.upstream.failures, self.upstream.wait);
                opened.then_some(Change::Opened { of_model: false, failures, wait })
            }
            Some(Blame::Model) => {
                let closed = self.upstream.succeed();
                let rules = self.rules;
                let circuit = self.of_model(model);
                let opened = circuit.fail(pass.model_turn, reason(), &rules, now);
                let (failures, wait) = (circuit.failures, circuit.wait);
                let opened = opened.then_some(Change::Opened { of_model: true, failures, wait });
                opened.or(closed.then_some(Change::Closed))
            }
            // Neither a failure of the model nor its success, but the one that tried has been answered.
            Some(blame @ (Blame::Nobody | Blame::Lives)) => {
                let answered = blame == Blame::Lives || pass.upstream_turn.is_some();
                let upstream = answered && self.upstream.succeed();
                let model = pass.model_turn.is_some() && self.forget(model);
                (upstream || model).then_some(Change::Closed)
            }
            None => {
                let upstream = self.upstream.succeed();
                (self.forget(model) || upstream).then_some(Change::Closed)
            }
        }
    }

    /// A call that was let through has left without an answer.
    pub fn leave(&mut self, pass: Pass, model: &str, now: Duration) {
        self.upstream.leave(pass.upstream_turn, now);
        self.model_left(model, pass, now);
    }

    /// How long a call to a model would have to wait now.
    pub fn wait(&self, model: &str, now: Duration) -> Option<Duration> {
        let of_model = self.models.iter().find(|(name, _)| name == model);
        self.upstream.wait(now).or_else(|| of_model?.1.wait(now))
    }

    /// The upstream's own state, and those of the models to which calls may not go.
    pub fn states(&self) -> (State, Vec<(&str, State)>) {
        let models = self.models.iter().map(|(name, circuit)| (name.as_str(), circuit.state));
        (self.upstream.state, models.filter(|(_, state)| *state != State::Closed).collect())
    }

    fn model_left(&mut self, model: &str, pass: Pass, now: Duration) {
        if let Some((_, circuit)) = self.models.iter_mut().find(|(name, _)| name == model) {
            circuit.leave(pass.model_turn, now);
        }
    }

    fn forget(&mut self, model: &str) -> bool {
        let Some(at) = self.models.iter().position(|(name, _)| name == model) else { return false };
        self.models.remove(at).1.succeed()
    }

    /// Makes room by forgetting what has not failed for longest, and calls may go to; else the oldest.
    fn of_model(&mut self, model: &str) -> &mut Circuit {
        let known = self.models.iter().position(|(name, _)| name == model).map(|at| self.models.remove(at));
        if known.is_none() && self.models.len() >= MAX_MODELS {
            let idle = self.models.iter().position(|(_, circuit)| circuit.state == State::Closed);
            self.models.remove(idle.unwrap_or(0));
        }
        self.models.push(known.unwrap_or_else(|| (model.to_owned(), Circuit::new())));
        let Some((_, circuit)) = self.models.last_mut() else { unreachable!("it was pushed") };
        circuit
    }
}

#[cfg(test)]
#[path = "circuit_tests.rs"]
mod tests;
