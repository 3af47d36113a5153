//! What is on the wire, losslessly: both APIs and the event-stream format as types. No rules.

pub mod json;
pub mod sse;
