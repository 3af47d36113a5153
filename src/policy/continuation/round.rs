//! The request of the next round: the original one, and one assistant message with all of the answer
//! so far, put as the upstream goes on best (F04, F06).

use crate::dialect::{GO_ON, Prefix};
use crate::wire::json::{Members, Raw};
use crate::wire::openai::ChatRequest;

/// The request for what comes after `answer`, which was thought out as `thoughts`; `bound` is the most
/// tokens that the round may have, nothing where that stays as it is.
pub fn request(
    original: &ChatRequest,
    prefix: Prefix,
    answer: &str,
    thoughts: &str,
    bound: Option<u64>,
) -> ChatRequest {
    let mut request = original.clone();
    let mut said =
        Members::new().with("role", Raw::from_static("\"assistant\"")).with("content", Raw::of(answer));
    match prefix {
        Prefix::Deepseek => {
            if !thoughts.is_empty() {
                said.set("reasoning_content", Raw::of(thoughts));
            }
            said.set("prefix", Raw::from_static("true"));
        }
        Prefix::Partial => said.set("partial", Raw::from_static("true")),
        Prefix::Vllm => {
            request.set("continue_final_message", Raw::from_static("true"));
            request.set("add_generation_prompt", Raw::from_static("false"));
        }
        Prefix::Trailing | Prefix::None => {}
    }
    let messages = request.messages_mut();
    messages.push(said);
    if prefix == Prefix::None {
        messages
            .push(Members::new().with("role", Raw::from_static("\"user\"")).with("content", Raw::of(GO_ON)));
    }
    if let Some(bound) = bound {
        let field = if request.has("max_completion_tokens") { "max_completion_tokens" } else { "max_tokens" };
        request.set(field, Raw::of(&bound));
    }
    think_less(&mut request, prefix);
    request
}

/// The thinking was done; what asks for it in this request asks for none where that can be said.
fn think_less(request: &mut ChatRequest, prefix: Prefix) {
    // DeepSeek goes on in the same mode, with its thoughts beside it.
    if prefix == Prefix::Deepseek {
        return;
    }
    if request.get("thinking").and_then(Raw::members).is_some() {
        request.set("thinking", Raw::from_static(r#"{"type":"disabled"}"#));
    }
    if request.get("enable_thinking").is_some() {
        request.set("enable_thinking", Raw::from_static("false"));
    }
    // llama.cpp refuses a started answer with thinking on, vLLM's templates would begin with it.
    let kwargs = request.get("chat_template_kwargs").and_then(Raw::members);
    if kwargs.is_some() || matches!(prefix, Prefix::Trailing | Prefix::Vllm) {
        let kwargs = kwargs.unwrap_or_default().with("enable_thinking", Raw::from_static("false"));
        request.set("chat_template_kwargs", kwargs.to_raw());
    }
    if request.get("reasoning_effort").is_some_and(|effort| effort.text().as_deref() != Some("none")) {
        request.set("reasoning_effort", Raw::from_static("\"low\""));
    }
}
