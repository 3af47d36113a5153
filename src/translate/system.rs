//! The system prompt: one message, as one string (A01–A03).

use crate::error::{Error, Result};
use crate::wire::json::{Kind, Raw};

/// What marks the line that changes with every request of Claude Code.
const BILLING: &str = "x-anthropic-billing-header:";

/// The texts of `system`, without the billing line.
///
/// # Errors
/// `InvalidRequest` with the path where it is neither a string nor an array of text blocks.
pub fn texts(system: Option<&Raw>) -> Result<Vec<String>> {
    let Some(system) = system else { return Ok(Vec::new()) };
    let mut texts = Vec::new();
    match system.kind() {
        Kind::String => texts.push(system.text().unwrap_or_default().into_owned()),
        Kind::Array => {
            for (index, block) in system.items().unwrap_or_default().iter().enumerate() {
                let text =
                    block.members().and_then(|block| block.text("text").map(std::borrow::Cow::into_owned));
                let path = || format!("system[{index}].text");
                texts.push(text.ok_or_else(|| Error::invalid(path(), "expected a block with a text"))?);
            }
        }
        found => {
            let message = format!("expected a string or an array of text blocks, found {}", found.name());
            return Err(Error::invalid("system", message));
        }
    }
    let kept = texts.iter().map(|text| without_billing(text)).filter(|text| !text.trim().is_empty());
    Ok(kept.map(str::to_owned).collect())
}

/// A text without its first line where that is the billing line (A03).
pub fn without_billing(text: &str) -> &str {
    if !text.trim_start().starts_with(BILLING) {
        return text;
    }
    text.trim_start().split_once('\n').map_or("", |(_, rest)| rest)
}
