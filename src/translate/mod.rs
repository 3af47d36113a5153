//! Between the two APIs; pure.
//!
//! | Anthropic messages | OpenAI chat completions | where |
//! | --- | --- | --- |
//! | `system`, `role: system` among the messages | one `system` message | `system`, `history` |
//! | `text`, `image`, `document`, `search_result` blocks | string or parts | `content` |
//! | `thinking` blocks | `reasoning_content` | `history`, `thoughts`, `stream`, `signature` |
//! | `tool_use`, `tool_result` blocks | `tool_calls`, `role: tool` messages | `history`, `results`, `names` |
//! | `tools`, `tool_choice` | `tools`, `tool_choice`, `parallel_tool_calls` | `tools` |
//! | `thinking`, `output_config` | a wish, `response_format` | `request` |
//! | events | chunks | `stream`, `cut` |
//! | `stop_reason`, `usage` | `finish_reason`, `usage` | `stop`, `tally`, `tokens` |
//! | a message | a completion | `response` |
//! | the error envelope | the error envelope | `failure` |
//! | all of it, for an upstream that speaks this API | | `native` |

mod arguments;
mod blocks;
pub mod check;
mod content;
mod cut;
pub mod failure;
mod history;
pub mod loss;
pub mod names;
pub mod native;
pub mod request;
pub mod response;
mod results;
mod schema;
mod signature;
pub mod stop;
pub mod stream;
mod system;
mod tally;
mod thoughts;
pub mod tokens;
pub mod tools;

pub use request::messages_to_chat;
pub use response::completion_to_message;
pub use stream::{Echo, MessageStream};
