//! Between the two APIs; pure.

pub mod tokens;
