//! What a message has cost, in the upstream's own counts.

use crate::wire::anthropic::Usage;
use crate::wire::json::{Members, Raw};

/// The counts of a message, which several events tell in part.
#[derive(Debug, Default)]
pub(super) struct Counts(Usage);

impl Counts {
    /// Takes the `usage` of an event or a message. The later count replaces the earlier one, but some
    /// count nothing at one of the two places, and zeros are as good as nothing (B25).
    pub(super) fn read(&mut self, holder: &Members) {
        let Some(told) = holder.get("usage").and_then(Raw::members) else { return };
        let usage = &mut self.0;
        for (key, count) in [
            ("input_tokens", &mut usage.input_tokens),
            ("output_tokens", &mut usage.output_tokens),
            ("cache_creation_input_tokens", &mut usage.cache_creation_input_tokens),
            ("cache_read_input_tokens", &mut usage.cache_read_input_tokens),
        ] {
            if let Some(new) = told.get(key).and_then(Raw::u64).filter(|new| *new > 0) {
                *count = new;
            }
        }
    }

    /// The counts, if anything was counted.
    pub(super) fn told(&self) -> Option<Usage> {
        (self.0 != Usage::default()).then_some(self.0)
    }
}
