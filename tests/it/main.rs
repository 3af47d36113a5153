//! The one integration binary: each file of tests is a module of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod demo;
mod tokens;
