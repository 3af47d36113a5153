//! DeepSeek: no later request may lack a thought.

use super::loops::{Case, ask, assert_refused, converse, direct, runs, thoughts_go_back};
use crate::support::caller::{Caller, Face, Thoughts};
use crate::support::fakes::Deepseek;
use crate::support::program::with_preset;
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

const CASE: Case =
    Case { preset: "deepseek", model: "deepseek-v4-pro", trims_thoughts: false, returns_thoughts: true };

async fn fake(story: &Story) -> Upstream {
    Upstream::strict(Deepseek::new(story)).await
}

#[tokio::test]
async fn the_fake_takes_what_is_documented_and_refuses_the_rest() {
    let upstream = fake(&Story::default()).await;
    let mut caller = direct(&upstream, json!({"model": "deepseek-v4-pro", "reasoning_effort": "high"}));
    assert_eq!(converse(&mut caller).await.len(), 6);
    drop(upstream);

    let upstream = Upstream::provider(Deepseek::new(&Story::default())).await;
    let missing = "The `reasoning_content` in the thinking mode must be passed back to the API.";
    let mut good = caller.body();
    good["stream"] = json!(false);
    let table = [
        ("/messages/1/reasoning_content", Value::Null, missing),
        ("/messages/5/reasoning_content", Value::Null, missing),
        ("/messages/0/role", json!("developer"), "unknown variant `developer`"),
        ("/messages/2/tool_call_id", json!("other"), "tool_call_id not found"),
        ("/tool_choice", json!("required"), "Thinking mode does not support this tool_choice"),
        ("/reasoning_effort", json!("medium"), "unknown variant"),
        ("/max_tokens", json!(384_001), "the valid range of max_tokens is [1, 384000]"),
    ];
    assert_refused(&upstream, &good, &table).await;
    good["messages"][1]["reasoning_content"] = json!("");
    assert_eq!(ask(&upstream, "", &good).await.0, 200, "an empty one is taken");
    good["thinking"] = json!({"type": "disabled"});
    for at in [1, 3, 5] {
        good["messages"][at].as_object_mut().unwrap().remove("reasoning_content");
    }
    assert_eq!(ask(&upstream, "", &good).await.0, 200, "without thinking nothing is missed");
}

thoughts_go_back!(CASE, fake);

#[tokio::test]
async fn a_forced_choice_turns_thinking_off_where_nobody_asked_for_it() {
    for (face, choice) in [(Face::Anthropic, json!({"type": "any"})), (Face::OpenAi, json!("required"))] {
        let story = Story::default();
        let upstream = fake(&story).await;
        let program = with_preset("deepseek", "", &upstream).start().await;
        let caller = Caller::new(program.address, CASE.model, face, Thoughts::Dropped, true);
        let heard = caller.with(json!({"tool_choice": choice})).say("Look.").await;
        assert_eq!((heard.thought.as_str(), heard.calls.len()), ("", 1), "{face:?}");
        let sent = last_call(&upstream);
        assert_eq!(
            (&sent["tool_choice"], &sent["thinking"]),
            (&json!("required"), &json!({"type": "disabled"}))
        );
    }
}

#[tokio::test]
async fn a_forced_choice_gives_way_to_thinking_that_was_asked_for_and_the_answer_says_so() {
    let story = Story::default();
    let upstream = fake(&story).await;
    let program = with_preset("deepseek", "", &upstream).start().await;
    let mut caller = Caller::new(program.address, CASE.model, Face::Anthropic, Thoughts::Kept, true);
    caller = caller.with(super::loops::wish(Face::Anthropic)).with(json!({"tool_choice": {"type": "any"}}));
    assert_eq!(caller.say("Look.").await.thought, story.lines()[0].thought);
    assert_eq!(last_call(&upstream)["tool_choice"], "auto");
    let answer = caller.send().await;
    let warning = answer.header("x-iflow2api-warning").unwrap_or_default();
    assert!(warning.contains("tool_choice"), "{:?}", answer.head);
}

#[tokio::test]
async fn what_it_cannot_say_is_lowered_and_its_roles_are_its_own() {
    let upstream = fake(&Story::default()).await;
    let program = with_preset("deepseek", "", &upstream).start().await;
    let mut answer = program
        .chat(
            json!({"model": CASE.model, "max_tokens": 500_000, "reasoning_effort": "medium",
                "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}]})
            .to_string(),
        )
        .await;
    let text = answer.text().await;
    assert_eq!(answer.status, 200, "{text}");
    let sent = last_call(&upstream);
    assert_eq!((&sent["max_tokens"], &sent["messages"][0]["role"]), (&json!(384_000), &json!("system")));
    assert_eq!((&sent["reasoning_effort"], &sent["thinking"]), (&json!("high"), &json!({"type": "enabled"})));
}

/// The body of the last chat completion that was asked for.
fn last_call(upstream: &Upstream) -> Value {
    upstream.requests().iter().rev().find(|request| !request.body.is_empty()).unwrap().json()
}
