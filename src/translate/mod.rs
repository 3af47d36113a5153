//! Between the two APIs; pure.

pub mod cut;
pub mod failure;
pub mod names;
pub mod signature;
pub mod stop;
pub mod stream;
pub mod tally;
pub mod tokens;
