//! The spawned program against the fake upstream, both faces: what joins the layers, seen from both
//! ends of the wire.

mod admission;
mod anthropic;
mod broken_streams;
mod context;
mod continuing;
mod failures;
mod fallback;
mod fallback_streams;
mod fidelity;
mod fitting;
mod keys;
mod leaving;
mod lists;
mod log;
mod models;
mod native;
mod native_failures;
mod own_answers;
mod patience;
mod presets_data;
mod reasoning;
mod repairs;
mod repairs_text;
mod rescue;
mod resting;
mod retrying;
mod routing;
mod start;
mod terms;
mod validation;
mod vision;

use crate::support::program::{Setup, setup};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::json;

/// A whole answer of an upstream.
pub const WHOLE: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"glm-4.7","choices":[{"index":0,"message":{"role":"assistant","content":"Hello!"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}"#;

/// A streamed answer of an upstream, with usage.
pub const STREAM: &str = concat!(
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"glm-4.7","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"glm-4.7","choices":[{"index":0,"delta":{"content":"lo!"},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"glm-4.7","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"glm-4.7","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}"#,
    "\n\n",
    "data: [DONE]\n\n",
);

/// A chunk with these choices.
pub fn chunk(choices: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{choices}]}}\n\n"
    )
}

/// A chunk whose only choice has this delta.
pub fn delta(delta: &str) -> String {
    chunk(&format!("{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}"))
}

/// A chunk whose only choice ends.
pub fn finish(reason: &str) -> String {
    chunk(&format!("{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}"))
}

/// The event that ends a stream.
pub const DONE: &str = "data: [DONE]\n\n";

/// The least request of the OpenAI face.
pub const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
/// The same, streamed.
pub const CHAT_STREAM: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
/// The least request of the Anthropic face.
pub const MESSAGES: &str = r#"{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}"#;
/// The same, streamed.
pub const MESSAGES_STREAM: &str =
    r#"{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}],"stream":true}"#;

/// The four ways to ask, and whether each wants a stream.
pub const WAYS: [(&str, &str, bool); 4] = [
    ("/v1/chat/completions", CHAT, false),
    ("/v1/chat/completions", CHAT_STREAM, true),
    ("/v1/messages", MESSAGES, false),
    ("/v1/messages", MESSAGES_STREAM, true),
];

/// The two ways to ask for a stream.
pub const STREAMED: [(&str, &str); 2] =
    [("/v1/chat/completions", CHAT_STREAM), ("/v1/messages", MESSAGES_STREAM)];

/// A good answer, streamed or whole.
pub fn good(stream: bool) -> Exchange {
    if stream { Exchange::stream(STREAM) } else { Exchange::answer(200, WHOLE) }
}

/// A chunk that says this text.
fn says(text: &str) -> String {
    delta(&json!({ "content": text }).to_string())
}

/// The program before this upstream, whose table in the file has these lines beside its address.
pub fn with_table(upstream: &Upstream, lines: &str) -> Setup {
    let table = format!("[upstream.fake]\npreset = \"openai\"\nbase_url = \"UPSTREAM\"\n{lines}\n");
    setup(&["serve", "--port", "0"]).config(&table, upstream)
}
