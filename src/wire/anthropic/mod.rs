//! The Anthropic API's types.

mod request;

pub use request::MessagesRequest;
