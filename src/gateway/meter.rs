//! What one call was: filled in on its way by whoever learns it, read once at its end.

use super::route::Route;
use crate::error::Error;
use crate::policy::recall::Conversation;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is known of a call so far.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The model the caller asked for.
    pub model: String,
    /// The upstream that answers.
    pub upstream: String,
    /// The model's name there.
    pub sent: String,
    /// From the call's start to the upstream's first frame, or the whole answer.
    pub first_byte: Option<Duration>,
    /// Prompt tokens, those read from a cache included.
    pub tokens_in: Option<u64>,
    /// Completion tokens, reasoning included.
    pub tokens_out: Option<u64>,
    /// How long the call waited for a place at the upstream, where calls have to.
    pub queued: Option<Duration>,
    /// How often the upstream was asked again.
    pub retries: u32,
    /// The first choice, as `upstream/model`, where another has answered.
    pub first: Option<String>,
    /// How often another upstream was asked.
    pub fallbacks: u32,
    /// How many tool calls were repaired.
    pub repairs: u32,
    /// The conversation that the call goes on with.
    pub conversation: Option<Conversation>,
    /// How often an answer that was cut went on.
    pub continuations: u32,
    /// How often a text that broke off was taken up.
    pub rescues: u32,
    /// How many messages were left out or shortened, and how many tokens that saved.
    pub trimmed: Option<(usize, u64)>,
    /// The kind of a failure.
    pub failure: Option<String>,
    /// What failed, and why, cause by cause.
    pub error: Option<String>,
    /// Whether a stream said its last word, so that who leaves now misses nothing.
    pub said_all: bool,
}

impl Record {
    /// Notes where the call goes.
    pub(super) fn goes_to(&mut self, route: &Route) {
        route.upstream.name().clone_into(&mut self.upstream);
        self.sent.clone_from(&route.model);
    }
}

/// The shared record of one call. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Meter {
    started: Instant,
    record: Arc<Mutex<Record>>,
}

impl Meter {
    /// A call that starts now.
    pub fn start() -> Self {
        Self { started: Instant::now(), record: Arc::default() }
    }

    /// The time since the call's start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes what was learnt.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that the first of the upstream's answer is here; later calls change nothing.
    pub fn first_byte(&self) {
        let elapsed = self.elapsed();
        self.note(|record| {
            record.first_byte.get_or_insert(elapsed);
        });
    }

    /// Notes that the upstream is asked again.
    pub fn retried(&self) {
        self.note(|record| record.retries += 1);
    }

    /// Notes a failure; the first one counts.
    pub fn failed(&self, error: &Error) {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        self.note(|record| {
            record.failure.get_or_insert_with(|| format!("{:?}", error.kind()));
            record.error.get_or_insert(chain);
        });
    }

    /// Notes that a stream said its last word, and the failure that this was, if it was one.
    pub fn said_all(&self, failed: Option<&Error>) {
        self.note(|record| record.said_all = true);
        if let Some(error) = failed {
            self.failed(error);
        }
    }

    /// Whether a stream said its last word.
    pub fn has_said_all(&self) -> bool {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).said_all
    }

    /// What is known by now.
    pub fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
