//! What is on the wire, losslessly: both APIs and the event-stream format as types. No rules.

pub mod anthropic;
pub mod body;
pub mod json;
pub mod openai;
pub mod scan;
pub mod sse;
