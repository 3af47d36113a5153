//! Qwen at Alibaba's DashScope: <https://help.aliyun.com/zh/model-studio/deep-thinking>. Here it is a
//! model that answers nothing but streams, and thinks where it is told to; its errors are flat objects,
//! which may stand in a stream of status 200.

use crate::support::fake::{Asked, Provider, Refusal, is_forced};
use crate::support::story::{Place, Story};
use crate::support::upstream::Exchange;
use serde_json::{Value, json};

/// Where in its answer it says that it is asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttled {
    Never,
    /// In the first event.
    AtOnce,
    /// After some text.
    Later,
}

pub struct Qwen {
    story: Story,
    throttled: Throttled,
}

impl Qwen {
    pub fn new(story: &Story) -> Self {
        Self::throttled(story, Throttled::Never)
    }

    pub fn throttled(story: &Story, throttled: Throttled) -> Self {
        Self { story: story.clone(), throttled }
    }
}

fn flat(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message, "request_id": "8f2c6e0a-1b7d-9a55-b0a3-3c1f0e5d7c21"})
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, &flat("InvalidParameter", message), message)
}

impl Provider for Qwen {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if let Some(list) = asked.models(&["qwen3.7-max"]) {
            return Ok(list);
        }
        let body = asked.chat()?;
        if body["stream"] != true {
            return Err(invalid("parameter.enable_thinking must be set to false for non-streaming calls"));
        }
        let thinks = body["enable_thinking"] == true;
        if thinks && is_forced(&body) {
            return Err(invalid(
                "The tool_choice parameter does not support being set to required or object in thinking mode",
            ));
        }
        let budget = &body["thinking_budget"];
        if !budget.is_null() && budget.as_u64().is_none_or(|budget| budget == 0 || budget > 81_920) {
            return Err(invalid("parameter.thinking_budget must be in the range [1, 81920]"));
        }
        let line = self.story.next(&body, thinks, |_, _, number| format!("call_{number}"));
        let chunks = line.chunks(Place::Content, &body).into_iter();
        let throttled = flat("Throttling.RateQuota", "Requests rate limit exceeded, please try again later.");
        let events: Vec<Value> = match self.throttled {
            Throttled::Never => return Ok(Story::tell(&line, Place::Content, &body)),
            Throttled::AtOnce => vec![throttled],
            Throttled::Later => chunks.take(3).chain([throttled]).collect(),
        };
        Ok(Exchange::stream(events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>()))
    }
}
