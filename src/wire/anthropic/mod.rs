//! The Anthropic API's types.

mod event;
mod request;

pub use event::{Block, BlockDelta, Event, Failure, Message, MessageDelta, StopDetails, Usage};
pub use request::MessagesRequest;
