//! Answers that go on by themselves (section 6 of the rules): one that was cut below the caller's
//! bound (F01–F10), a text whose stream broke off, an answer that said nothing (B31).
//!
//! Pure: what to send next, and what of it the caller sees. Sending is left to `gateway`.

mod answer;
mod joint;
mod pages;
mod plan;
mod rewrite;
mod round;
mod spend;
mod splice;

pub use joint::Joint;
pub use pages::{Pages, may_go_on};
pub use plan::{Asked, Mode, Plan, Rules};
pub use splice::{Next, Splice, Why};

/// How a model's text is counted in tokens.
pub type Count = Box<dyn Fn(&str) -> u64 + Send + Sync>;
