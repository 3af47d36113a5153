//! How a provider is treated: what the settings say of waiting, asking again and leaving alone.

use crate::policy::circuit;
use crate::policy::retry::Policy;
use std::time::Duration;

/// How long a provider may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// From the request to the first frame, or the first byte of a whole answer.
    pub first_byte: Duration,
    /// Between two reads of an answer.
    pub idle: Duration,
}

/// How a provider is treated.
#[derive(Debug, Clone)]
pub struct Manners {
    /// How long it may be silent.
    pub timeouts: Timeouts,
    /// Whether and when it is asked again.
    pub retry: Policy,
    /// When it is left alone.
    pub circuit: circuit::Rules,
    /// How many calls it gets at once; `None` for any number.
    pub max_concurrent: Option<usize>,
    /// How many calls may wait for their turn.
    pub max_queue: usize,
}
