//! The OpenAI API's types.

mod request;

pub use request::ChatRequest;
