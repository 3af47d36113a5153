//! The fakes of providers, each as strict as the provider documents itself to be. Sources: the pages
//! that each file names.

mod deepseek;
mod glm;
mod iflow;
mod kimi;
mod minimax;
mod qwen;

pub use deepseek::Deepseek;
pub use glm::Glm;
pub use iflow::{Iflow, Mode, signature};
pub use kimi::Kimi;
pub use minimax::Minimax;
pub use qwen::{Qwen, Throttled};
