//! iFlow as it was until 2026-04-17, from public clients of it (`upstreams.md` 1.2 names them): signed
//! requests, one call at a time, streams of `data:` without a space, without usage and without `[DONE]`,
//! errors at status 200.

use crate::support::fake::{Asked, Provider, Refusal};
use crate::support::program::KEY;
use crate::support::story::{Line, Place, Story};
use crate::support::upstream::{Exchange, Step, begin, send};
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far a timestamp may be from now: a guess that no machine under test is slower than.
const CLOCK_MILLISECONDS: u128 = 5 * 60 * 1000;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it should.
    Well,
    /// With an error at status 200: its code and its words.
    Envelope(&'static str, &'static str),
    /// With the same as the first event of a stream.
    FirstEvent(&'static str, &'static str),
    /// With the same after some text.
    LateEvent(&'static str, &'static str),
    /// With a stream that ends in `network_error`.
    NetworkError,
    /// With a whole completion in an envelope, though a stream was asked for.
    Wrapped,
    /// With a stream that waits in its middle.
    Slowly,
    /// Not at all any more: 404 for everything.
    Gone,
}

pub struct Iflow {
    story: Story,
    mode: Mode,
}

impl Iflow {
    pub fn new(story: &Story) -> Self {
        Self::answering(Mode::Well, story)
    }

    pub fn answering(mode: Mode, story: &Story) -> Self {
        Self { story: story.clone(), mode }
    }
}

/// The signature of a request, in hexadecimal digits.
pub fn signature(key: &str, user_agent: &str, session: &str, timestamp: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let message = format!("{user_agent}:{session}:{timestamp}");
    HEXLOWER.encode(hmac::sign(&key, message.as_bytes()).as_ref())
}

impl Provider for Iflow {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if self.mode == Mode::Gone || asked.line == "GET /v1/models" {
            let path = asked.line.split(' ').nth(1).unwrap_or_default();
            let body = json!({"timestamp": "2026-04-18T00:00:00.000+00:00", "status": 404, "error": "Not Found",
                "path": path});
            // There never was a list, so that asking for it is no breach.
            return Ok(Exchange::answer(404, body.to_string()));
        }
        let body = asked.chat()?;
        check_signature(asked)?;
        check_parameters(&body)?;
        if asked.others > 0 {
            return Err(Refusal::fault("a second call at a time"));
        }
        let thinks = body["chat_template_kwargs"]["enable_thinking"] == true;
        let line = self.story.next(&body, thinks, |_, _, number| format!("call_{number}"));
        Ok(self.mode.say(&line, &body))
    }
}

impl Mode {
    fn say(self, line: &Line, body: &Value) -> Exchange {
        let event = |event: &Value| format!("data:{event}\n\n");
        let chunks: Vec<String> =
            line.chunks(Place::Content, &without_usage(body)).iter().map(event).collect();
        let error = |code: &str, words: &str| json!({"status": code, "msg": words, "body": null});
        match self {
            Self::Well | Self::Gone => Exchange::stream(chunks.concat()),
            Self::Envelope(code, words) => Exchange::answer(200, error(code, words).to_string()),
            Self::FirstEvent(code, words) => Exchange::stream(event(&error(code, words))),
            Self::LateEvent(code, words) => {
                Exchange::stream([chunks[..3].concat(), event(&error(code, words))].concat())
            }
            Self::NetworkError => {
                let end = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "network_error"}]});
                Exchange::stream([chunks[..3].concat(), event(&end)].concat())
            }
            Self::Wrapped => {
                let mut whole = line.completion(Place::Content, body);
                whole.as_object_mut().unwrap().remove("usage");
                Exchange::answer(200, json!({"success": true, "data": whole}).to_string())
            }
            Self::Slowly => {
                let (head, rest) = chunks.split_at(3);
                Exchange::steps([begin(head.concat()), Step::Pause, send(rest.concat()), Step::Close])
            }
        }
    }
}

/// It had no usage for who asked for it, either.
fn without_usage(body: &Value) -> Value {
    json!({"model": body["model"]})
}

fn check_signature(asked: &Asked) -> Result<(), Refusal> {
    let header = |name: &str| asked.request.head.get(name).unwrap_or_default();
    let [user_agent, session] = ["user-agent", "session-id"].map(header);
    let [timestamp, given] = ["x-iflow-timestamp", "x-iflow-signature"].map(header);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let is_now = timestamp.parse().is_ok_and(|sent: u128| sent.abs_diff(now) < CLOCK_MILLISECONDS);
    let fault = if !user_agent.starts_with("iflow2api/") {
        "a name that is not ours"
    } else if !session.strip_prefix("session-").is_some_and(is_uuid) {
        "no session"
    } else if !is_now {
        "a timestamp of another time"
    } else if given != signature(KEY, user_agent, session, timestamp) {
        "a wrong signature"
    } else {
        return Ok(());
    };
    Err(Refusal::new(406, &json!({"status": 406, "error": "Not Acceptable"}), fault))
}

fn is_uuid(text: &str) -> bool {
    let is_hexadecimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| is_hexadecimal(part))
}

fn check_parameters(body: &Value) -> Result<(), Refusal> {
    if body["stream"] != true {
        // Who leaves it would hold the only place until its end.
        return Err(Refusal::fault("a whole answer is asked for"));
    }
    if body["tools"].as_array().is_some_and(Vec::is_empty) {
        return Err(Refusal::fault("an empty list of tools"));
    }
    Ok(())
}
