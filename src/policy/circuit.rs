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
}

impl Circuit {
    fn new() -> Self {
        Self { state: State::Closed, failures: 0, wait: Duration::ZERO }
    }

    /// How long a call has to wait now.
    fn wait(&self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open { until } => Some(until.saturating_sub(now)).filter(|wait| !wait.is_zero()),
            State::Probing => Some(PROBE_WAIT),
        }
    }

    /// Lets a call through that need not wait; whether it is the one that tries.
    fn enter(&mut self) -> bool {
        let probes = self.state != State::Closed;
        if probes {
            self.state = State::Probing;
        }
        probes
    }

    /// Counts a failure; returns whether calls are kept away from now on.
    fn fail(&mut self, probed: bool, rules: &Rules, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => rules.failures > 0 && self.failures >= rules.failures,
            // Calls that were under way say nothing new.
            State::Open { .. } | State::Probing => probed,
        };
        if opens {
            self.wait = if probed { self.wait * 2 } else { rules.wait }.min(rules.longest_wait);
            self.state = State::Open { until: now + self.wait };
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
    fn leave(&mut self, probed: bool, now: Duration) {
        if probed && self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }
}

/// A call that was let through.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    upstream_probe: bool,
    model_probe: bool,
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
    models: Vec<(String, Circuit)>,
    reason: String,
}

impl Circuits {
    /// With nothing tried yet.
    pub fn new(rules: Rules) -> Self {
        Self { rules, upstream: Circuit::new(), models: Vec::new(), reason: String::new() }
    }

    /// Lets a call to a model through, or says why not.
    ///
    /// # Errors
    /// Where calls are kept away.
    pub fn enter(&mut self, model: &str, now: Duration) -> Result<Pass, Kept> {
        let of_model = self.models.iter_mut().find(|(name, _)| name == model).map(|(_, circuit)| circuit);
        for circuit in [Some(&self.upstream), of_model.as_deref()].into_iter().flatten() {
            if let Some(wait) = circuit.wait(now) {
                return Err(Kept { wait, failures: circuit.failures, reason: self.reason.clone() });
            }
        }
        let model_probe = of_model.is_some_and(Circuit::enter);
        Ok(Pass { upstream_probe: self.upstream.enter(), model_probe })
    }

    /// Takes how a call ended that was let through; its error, if it failed.
    pub fn end(&mut self, pass: Pass, model: &str, error: Option<&Error>, now: Duration) -> Option<Change> {
        let blame = error.map(Blame::of);
        if let (Some(Blame::Upstream | Blame::Model), Some(error)) = (blame, error) {
            self.reason = error.to_string();
        }
        match blame {
            Some(Blame::Upstream) => {
                self.model_left(model, pass, now);
                let opened = self.upstream.fail(pass.upstream_probe, &self.rules, now);
                let (failures, wait) = (self.upstream.failures, self.upstream.wait);
                opened.then_some(Change::Opened { of_model: false, failures, wait })
            }
            Some(Blame::Model) => {
                self.upstream.succeed();
                let rules = self.rules;
                let circuit = self.of_model(model);
                let opened = circuit.fail(pass.model_probe, &rules, now);
                let (failures, wait) = (circuit.failures, circuit.wait);
                opened.then_some(Change::Opened { of_model: true, failures, wait })
            }
            // Neither a failure nor a success, but the one that tried has been answered.
            Some(Blame::Nobody) => {
                let upstream = pass.upstream_probe && self.upstream.succeed();
                let model = pass.model_probe && self.forget(model);
                (upstream || model).then_some(Change::Closed)
            }
            Some(Blame::Lives) => {
                let upstream = self.upstream.succeed();
                let model = pass.model_probe && self.forget(model);
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
        self.upstream.leave(pass.upstream_probe, now);
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
            circuit.leave(pass.model_probe, now);
        }
    }

    fn forget(&mut self, model: &str) -> bool {
        let Some(at) = self.models.iter().position(|(name, _)| name == model) else { return false };
        self.models.swap_remove(at).1.succeed()
    }

    fn of_model(&mut self, model: &str) -> &mut Circuit {
        let at = self.models.iter().position(|(name, _)| name == model).unwrap_or_else(|| {
            if self.models.len() >= MAX_MODELS {
                self.models.remove(0);
            }
            self.models.push((model.to_owned(), Circuit::new()));
            self.models.len() - 1
        });
        let Some((_, circuit)) = self.models.get_mut(at) else { unreachable!("it was found or pushed") };
        circuit
    }
}

#[cfg(test)]
#[path = "circuit_tests.rs"]
mod tests;
