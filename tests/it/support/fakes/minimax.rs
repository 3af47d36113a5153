//! MiniMax M2: <https://platform.minimax.io/docs/guides/text-m2-function-call>. With `reasoning_split`
//! its thoughts come in `reasoning_details`, without it in its text between `<think>` and `</think>`;
//! the whole message must stay in the history either way. That is not refused there, so it is a fault
//! here.

use crate::support::fake::{Asked, Provider, Refusal, messages};
use crate::support::story::{Place, Story};
use crate::support::upstream::Exchange;
use serde_json::Value;

pub struct Minimax {
    story: Story,
    knows_split: bool,
}

impl Minimax {
    pub fn new(story: &Story) -> Self {
        Self { story: story.clone(), knows_split: true }
    }

    /// One that does not know `reasoning_split`, as where its model is served by others.
    pub fn without_split(story: &Story) -> Self {
        Self { story: story.clone(), knows_split: false }
    }

    fn check_history(&self, body: &Value) -> Result<(), Refusal> {
        for message in messages(body).iter().filter(|message| message["role"] == "assistant") {
            let Some(line) = self.story.recall(message) else { continue };
            let details = detailed(message);
            let details = details.as_deref();
            let is_whole = if self.knows_split {
                details == Some(line.thought.as_str())
            } else {
                let inline = inlined(message).or(details);
                inline.is_some_and(|text| text.trim() == line.thought.trim())
            };
            // An answer that called nothing may have been forgotten by its client.
            let has_thought = [details, inlined(message)].into_iter().flatten().any(|text| !text.is_empty());
            if !is_whole && (line.call.is_some() || has_thought) {
                return Err(Refusal::fault(format!("{message} lacks the thought {:?}", line.thought)));
            }
        }
        Ok(())
    }
}

/// The thought in `reasoning_details`, where they have the form that was given.
fn detailed(message: &Value) -> Option<String> {
    let details = message["reasoning_details"].as_array()?;
    let text = |detail: &Value| {
        let is_text = detail["type"] == "reasoning.text";
        detail["text"].as_str().filter(|_| is_text).map(str::to_owned)
    };
    details.iter().map(text).collect()
}

fn inlined(message: &Value) -> Option<&str> {
    let (thought, _) = message["content"].as_str()?.strip_prefix("<think>")?.split_once("</think>")?;
    Some(thought)
}

impl Provider for Minimax {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if let Some(list) = asked.models(&["MiniMax-M2.7"]) {
            return Ok(list);
        }
        let body = asked.chat()?;
        if !body["max_tokens"].is_null() {
            return Err(Refusal::fault("`max_tokens` is not its name for the longest answer"));
        }
        self.check_history(&body)?;
        let splits = self.knows_split && body["reasoning_split"] == true;
        let place = if splits { Place::Details } else { Place::Inline };
        let line = self.story.next(&body, true, |_, _, number| format!("call_function_{number}_1"));
        if body["stream"] != true {
            return Ok(Story::tell(&line, place, &body));
        }
        let mut chunks = line.chunks(place, &body);
        for chunk in &mut chunks {
            // Its later chunks have a role, too, an empty one.
            if let Some(delta) = chunk.pointer_mut("/choices/0/delta").and_then(Value::as_object_mut) {
                delta.entry("role").or_insert("".into());
            }
        }
        let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        Ok(Exchange::stream(events + "data: [DONE]\n\n"))
    }
}
