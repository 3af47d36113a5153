//! The OpenAI API's types.

mod chunk;
mod request;
mod usage;

pub use chunk::{Choice, Chunk, Content, Delta, FunctionDelta, Reading, ToolCallDelta};
pub use request::ChatRequest;
pub use usage::{CompletionDetails, PromptDetails, Rounds, Usage};
