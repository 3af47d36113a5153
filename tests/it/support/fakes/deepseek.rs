//! DeepSeek V4: <https://api-docs.deepseek.com/guides/thinking_mode>. It thinks unless told not to, and
//! wants every thought of a conversation with tools back; an empty one is taken, a missing one is not
//! (T4).

use crate::support::fake::{Asked, Provider, Refusal, calling, is_forced, messages};
use crate::support::story::{Place, Story};
use crate::support::upstream::Exchange;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most that `max_tokens` may be.
pub const MAX_OUTPUT: u64 = 384_000;

const MISSING: &str = "The `reasoning_content` in the thinking mode must be passed back to the API.";

#[derive(Default)]
pub struct Deepseek {
    story: Story,
    refuses_thoughts: AtomicBool,
}

impl Deepseek {
    pub fn new(story: &Story) -> Self {
        Self { story: story.clone(), refuses_thoughts: AtomicBool::new(false) }
    }

    /// One that once takes none of the thoughts it is given, as a provider whose thoughts have changed.
    pub fn that_refuses_thoughts_once(story: &Story) -> Self {
        Self { story: story.clone(), refuses_thoughts: AtomicBool::new(true) }
    }
}

impl Provider for Deepseek {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if let Some(list) = asked.models(&["deepseek-flash", "deepseek-v4-pro"]) {
            return Ok(list);
        }
        let body = asked.chat()?;
        let thinks = body["thinking"]["type"] != "disabled";
        check_parameters(&body, thinks)?;
        if thinks {
            check_history(messages(&body))?;
        }
        let is_thought =
            |message: &Value| message["reasoning_content"].as_str().is_some_and(|text| !text.is_empty());
        if messages(&body).iter().any(is_thought) && self.refuses_thoughts.swap(false, Ordering::SeqCst) {
            return Err(Refusal::invalid(MISSING));
        }
        let line = self.story.next(&body, thinks, |_, _, number| format!("call_00_{number}"));
        if body["stream"] != true {
            // Blank lines keep the connection alive until a whole answer is there.
            return Ok(Exchange::answer(200, format!("\n\n\n{}", line.completion(Place::Content, &body))));
        }
        let mut stream = ": keep-alive\n\n".to_owned();
        for chunk in line.chunks(Place::Content, &body) {
            stream += &format!("data: {chunk}\n\n: keep-alive\n\n");
        }
        Ok(Exchange::stream(stream + "data: [DONE]\n\n"))
    }
}

fn check_parameters(body: &Value, thinks: bool) -> Result<(), Refusal> {
    if messages(body).iter().any(|message| message["role"] == "developer") {
        return Err(Refusal::invalid(
            "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant \
             `developer`, expected one of `system`, `user`, `assistant`, `tool`",
        ));
    }
    if thinks && is_forced(body) {
        return Err(Refusal::invalid("Thinking mode does not support this tool_choice"));
    }
    let effort = &body["reasoning_effort"];
    if !effort.is_null() && !["low", "high", "max"].iter().any(|known| effort == known) {
        return Err(Refusal::invalid(&format!("reasoning_effort: unknown variant {effort}")));
    }
    if body["max_tokens"].as_u64().is_some_and(|tokens| tokens > MAX_OUTPUT) {
        let range = format!("Invalid max_tokens value, the valid range of max_tokens is [1, {MAX_OUTPUT}]");
        return Err(Refusal::invalid(&range));
    }
    Ok(())
}

/// With tools the thoughts must be in all later requests.
fn check_history(messages: &[Value]) -> Result<(), Refusal> {
    if calling(messages).next().is_none() {
        return Ok(());
    }
    let mut answers = messages.iter().filter(|message| message["role"] == "assistant");
    if answers.any(|message| !message["reasoning_content"].is_string()) {
        return Err(Refusal::invalid(MISSING));
    }
    Ok(())
}
