//! Finish and stop reasons, and usage, from one API to the other (B20, B21, B24).

use crate::error::{Error, ErrorKind};
use crate::wire::{anthropic, openai};

/// What the answer consists of, as far as its stop reason depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Whether a tool was called.
    pub tools: bool,
}

/// Table T2: the stop reason for a finish reason, if any was given.
///
/// # Errors
/// Where the reason is a failure rather than an end (C03).
pub fn stop_reason(finish: Option<&str>, said: Said) -> Result<&'static str, Error> {
    Ok(match finish {
        Some("length" | "max_tokens") => "max_tokens",
        Some("content_filter" | "sensitive") => "refusal",
        Some("model_context_window_exceeded") => "model_context_window_exceeded",
        Some(reason) if is_failure(reason) => return Err(failure(reason)),
        // Providers end tool turns with `stop` too, and say `tool_calls` where no call was.
        _ if said.tools => "tool_use",
        _ => "end_turn",
    })
}

/// Whether a finish reason says that the answer failed.
pub fn is_failure(reason: &str) -> bool {
    matches!(reason, "insufficient_system_resource" | "network_error" | "aborted" | "error")
}

/// The error that a failing finish reason means.
pub fn failure(reason: &str) -> Error {
    let kind = match reason {
        "insufficient_system_resource" => ErrorKind::Overloaded,
        _ => ErrorKind::BadAnswer,
    };
    Error::new(kind, format!("upstream ended the answer with `{reason}`"))
}

/// The counts of one API in the words of the other: input is what no cache held.
pub fn usage(usage: &openai::Usage) -> anthropic::Usage {
    let cached = usage.cached();
    anthropic::Usage {
        input_tokens: usage.prompt_tokens.saturating_sub(cached),
        output_tokens: usage.completion_tokens,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: cached,
        iflow2api: usage.iflow2api,
    }
}
