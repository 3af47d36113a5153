//! GLM at Z.AI: thoughts between its calls, which come back as they were.

use super::loops::{Case, assert_refused, converse, direct, runs, thoughts_go_back};
use crate::support::caller::{Face, Thoughts};
use crate::support::fakes::Glm;
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

const CASE: Case = Case { preset: "zai", model: "glm-4.7", trims_thoughts: false, returns_thoughts: true };

async fn fake(story: &Story) -> Upstream {
    Upstream::strict(Glm::new(story)).await
}

#[tokio::test]
async fn the_fake_takes_what_is_documented_and_refuses_the_rest() {
    let upstream = Upstream::provider(Glm::new(&Story::default())).await;
    let mut caller = direct(&upstream, json!({"model": "glm-4.7", "tool_stream": true}));
    assert_eq!(converse(&mut caller).await.len(), 6);
    assert_eq!(upstream.forgive(), Vec::<String>::new());

    let good = caller.body();
    let parameter = "Invalid API parameter";
    let table = [
        ("/messages/1/reasoning_content", Value::Null, "a thought comes back as"),
        ("/messages/3/reasoning_content", json!("Thought 2"), "a thought comes back as"),
        ("/messages/5/reasoning_content", json!("Thought 3"), "a thought comes back as"),
        ("/tool_stream", Value::Null, "lacks `tool_stream`"),
        ("/messages/0/role", json!("developer"), "1214"),
        ("/max_tokens", json!(131_073), parameter),
        ("/thinking", json!({"type": "adaptive"}), parameter),
        ("/tool_choice", json!("required"), parameter),
    ];
    assert_refused(&upstream, &good, &table).await;
    assert_eq!(upstream.forgive().len(), 4, "what is no refusal there is a fault");

    let mut newer = json!({"model": "glm-5.3", "messages": [{"role": "user", "content": "hi"}]});
    newer["reasoning_effort"] = json!("max");
    let table = [
        ("/thinking", json!({"type": "disabled"}), parameter),
        ("/reasoning_effort", json!("medium"), parameter),
    ];
    assert_refused(&upstream, &newer, &table).await;
}

thoughts_go_back!(CASE, fake);
