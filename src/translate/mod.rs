//! Between the two APIs; pure.

pub mod failure;
