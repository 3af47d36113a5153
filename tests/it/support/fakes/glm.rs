//! GLM at Z.AI: <https://docs.z.ai/guides/capabilities/thinking-mode>. It thinks between its calls, and
//! wants these thoughts back unmodified; without `tool_stream` the arguments of its calls come after
//! minutes of silence. Neither is refused there, so both are faults here.

use crate::support::fake::{Asked, Provider, Refusal, is_forced, messages, tools};
use crate::support::story::{Place, Story};
use crate::support::upstream::Exchange;
use serde_json::{Value, json};

const MAX_OUTPUT: u64 = 131_072;

pub struct Glm(Story);

impl Glm {
    pub fn new(story: &Story) -> Self {
        Self(story.clone())
    }

    fn check_history(&self, body: &Value) -> Result<(), Refusal> {
        for message in messages(body).iter().filter(|message| message["role"] == "assistant") {
            let Some(line) = self.0.recall(message) else { continue };
            let returned = message["reasoning_content"].as_str().unwrap_or_default();
            let must_return = line.call.is_some();
            if returned != line.thought && (must_return || !returned.is_empty()) {
                let reason = format!("a thought comes back as {returned:?}, not as {:?}", line.thought);
                return Err(Refusal::fault(reason));
            }
        }
        Ok(())
    }
}

fn invalid(code: &str, message: &str) -> Refusal {
    Refusal::new(400, &json!({"error": {"code": code, "message": message}}), message)
}

impl Provider for Glm {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if let Some(list) = asked.models(&["glm-4.7", "glm-5.3"]) {
            return Ok(list);
        }
        let body = asked.chat()?;
        check_parameters(&body)?;
        if body["stream"] == true && !tools(&body).is_empty() && body["tool_stream"] != true {
            return Err(Refusal::fault("a stream with tools lacks `tool_stream`"));
        }
        self.check_history(&body)?;
        let thinks = always_thinks(&body) || body["thinking"]["type"] != "disabled";
        let line = self.0.next(&body, thinks, |_, _, number| format!("call_-78{number}"));
        Ok(Story::tell(&line, Place::Content, &body))
    }
}

fn always_thinks(body: &Value) -> bool {
    body["model"].as_str().is_some_and(|model| model.starts_with("glm-5.3"))
}

fn check_parameters(body: &Value) -> Result<(), Refusal> {
    if messages(body).iter().any(|message| message["role"] == "developer") {
        return Err(invalid("1214", "messages[0].role is invalid"));
    }
    let of_old = ["enabled", "disabled"];
    let kinds = if always_thinks(body) { &of_old[..1] } else { &of_old };
    let kind = &body["thinking"]["type"];
    let effort = &body["reasoning_effort"];
    let knows_kind = kind.is_null() || kinds.iter().any(|known| kind == known);
    let knows_effort = !always_thinks(body)
        || effort.is_null()
        || ["low", "high", "max"].iter().any(|known| effort == known);
    let fits = body["max_tokens"].as_u64().is_none_or(|tokens| tokens <= MAX_OUTPUT);
    if !knows_kind || !knows_effort || !fits || is_forced(body) {
        return Err(invalid("1210", "Invalid API parameter, please check the documentation."));
    }
    Ok(())
}
