//! The program before fakes of real providers, which are as strict as their documentation: loops of
//! tools with thoughts, on both faces, streamed and whole; wishes to think; errors; all of iFlow.

mod deepseek;
mod errors;
mod glm;
mod iflow;
mod iflow_failures;
mod kimi;
mod loops;
mod memory;
mod minimax;
mod qwen;
mod retired;
mod wishes;
