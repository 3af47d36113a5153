//! iflow2api: one program that lends OpenAI-compatible model services to OpenAI and Anthropic clients.
//!
//! `ARCHITECTURE.md` is the long form of this map. A module may use those below it and none above:
//!
//! * [`cli`]: arguments, dispatch, exit status
//! * [`server`], [`chat`]: the two ways in, over HTTP and from a keyboard
//! * [`gateway`]: one call from end to end
//! * [`upstream`]: the provider's sockets; [`auth`]: keys and logins, and their refresh; [`demo`]: an upstream that needs no account
//! * [`translate`], [`policy`]: the pure rules, for the two APIs and for the provider's habits
//! * [`config`], [`wire`], [`dialect`], [`step`], [`secret`], [`private`], [`error`]: what all of them stand on

pub mod auth;
pub mod chat;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dialect;
pub mod error;
pub mod gateway;
pub mod near;
pub mod policy;
pub mod private;
pub mod secret;
pub mod server;
pub mod step;
pub mod translate;
pub mod upstream;
pub mod wire;
pub mod wish;
