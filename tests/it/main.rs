//! One binary for all integration tests, because each costs a link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod assemble;
#[cfg(unix)]
mod auth;
#[cfg(target_os = "linux")]
mod auth_terminal;
mod chat;
#[cfg(unix)]
mod chat_kept;
mod chat_scripts;
mod cli;
mod config;
mod context;
mod continuation;
mod demo;
mod departure;
mod faults;
mod generated;
mod golden;
mod layers;
mod mirror;
mod program;
mod providers;
#[cfg(target_os = "linux")]
mod pty;
mod repair;
mod server;
mod support;
mod terminal;
mod tokens;
mod wire;
mod wire_client;
