//! Requests that do not fit a model's window, in each provider's words (C04).

use crate::error::{Error, ErrorKind};

/// Whether a refusal says that the request does not fit the model's window.
pub fn is_one(text: &str, code: &str) -> bool {
    let lower = text.to_lowercase();
    const CODES: [&str; 2] = ["context_length_exceeded", "exceed_context_size_error"];
    const WORDS: [&str; 8] = [
        "maximum context length",
        "context_length_exceeded",
        "context size",
        "context window",
        "range of input length",
        "prompt is too long",
        "exceeds the model's maximum",
        "exceed context limit",
    ];
    CODES.contains(&code) || WORDS.iter().any(|word| lower.contains(word))
}

/// The overflow in the words that Anthropic clients know (C04); `told` are the tokens of the prompt and
/// of the window, where the refusal has them as numbers of their own.
pub fn error(text: &str, told: Option<(u64, u64)>) -> Error {
    let numbers = numbers_of(text);
    if let Some(long) = LongAnswer::read(text, &numbers).filter(|long| long.input < long.window) {
        return long.error();
    }
    let message = match (told, numbers.as_slice()) {
        (Some((prompt, window)), _) => too_long(prompt, window),
        (_, &[window, requested, ..]) if requested > window => too_long(requested, window),
        (_, &[requested, window, ..]) if requested > window => too_long(requested, window),
        _ if text.is_empty() => "prompt is too long".to_owned(),
        _ => format!("prompt is too long: {text}"),
    };
    Error::new(ErrorKind::PromptTooLong, message)
}

/// A request that would fit with a shorter answer.
struct LongAnswer {
    input: u64,
    output: u64,
    window: u64,
}

impl LongAnswer {
    fn read(text: &str, numbers: &[u64]) -> Option<Self> {
        let lower = text.to_lowercase();
        match *numbers {
            // "maximum context length is N tokens. However, you requested M tokens (I in the messages,
            // O in the completion)"
            [window, _, input, output, ..] if lower.contains("completion") && lower.contains("requested") => {
                Some(Self { input, output, window })
            }
            // vLLM: "`max_tokens` is too large: O. This model's maximum context length is N tokens and your
            // request has I input tokens"
            [output, window, input, ..] if lower.contains("is too large") => {
                Some(Self { input, output, window })
            }
            // Anthropic: "input length and `max_tokens` exceed context limit: I + O > N"
            [input, output, window, ..] if lower.contains("exceed context limit") => {
                Some(Self { input, output, window })
            }
            _ => None,
        }
    }

    fn error(&self) -> Error {
        let Self { input, output, window } = self;
        let message = format!(
            "input length and `max_tokens` exceed context limit: {input} + {output} > {window}, \
             decrease input length or `max_tokens` and try again"
        );
        Error::new(ErrorKind::PromptTooLong, message).with_room(window - input)
    }
}

fn too_long(prompt: u64, window: u64) -> String {
    format!("prompt is too long: {prompt} tokens > {window} maximum")
}

/// The whole numbers of at least three digits in a text, thousands separated or not.
fn numbers_of(text: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut digits = String::new();
    for c in text.chars().chain(std::iter::once(' ')) {
        match c {
            '0'..='9' => digits.push(c),
            ',' | '_' if !digits.is_empty() => {}
            _ => {
                if digits.len() >= 3 {
                    numbers.extend(digits.parse::<u64>());
                }
                digits.clear();
            }
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::failure::Judge;
    use super::*;

    #[test]
    fn overflows_are_told_in_the_words_that_clients_know() {
        for (body, expected, room) in [
            (
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}"#,
                "prompt is too long: 5000 tokens > 4096 maximum",
                None,
            ),
            (
                r#"{"error":{"message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39000 in the messages, 1000 in the completion)."}}"#,
                "prompt is too long: 40000 tokens > 32768 maximum",
                None,
            ),
            (
                r#"{"error":{"message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (8000 in the messages, 32000 in the completion)."}}"#,
                "input length and `max_tokens` exceed context limit: 8000 + 32000 > 32768, decrease input length or `max_tokens` and try again",
                Some(24768),
            ),
            (
                r#"{"object":"error","message":"'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your request has 8000 input tokens (32000 > 32768 - 8000).","code":400}"#,
                "input length and `max_tokens` exceed context limit: 8000 + 32000 > 32768, decrease input length or `max_tokens` and try again",
                Some(24768),
            ),
            (
                r#"{"error":{"message":"input length and `max_tokens` exceed context limit: 8,000 + 32,000 > 32,768"}}"#,
                "input length and `max_tokens` exceed context limit: 8000 + 32000 > 32768, decrease input length or `max_tokens` and try again",
                Some(24768),
            ),
        ] {
            let error = Judge::plain("zai").of_status(400, None, body.as_bytes());
            assert_eq!((error.kind(), error.message()), (ErrorKind::PromptTooLong, expected));
            assert_eq!(error.room(), room, "{body}");
        }
    }
}
