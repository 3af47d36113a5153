//! Kimi: its ids are its own, and no call may lack its thought.

use super::loops::{Case, assert_refused, converse, direct, runs, thoughts_go_back};
use crate::support::caller::{Caller, Face, Thoughts};
use crate::support::fakes::Kimi;
use crate::support::program::with_preset;
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

const CASE: Case =
    Case { preset: "moonshot", model: "kimi-k2.6", trims_thoughts: false, returns_thoughts: true };

async fn fake(story: &Story) -> Upstream {
    Upstream::strict(Kimi::new(story)).await
}

#[tokio::test]
async fn the_fake_takes_what_is_documented_and_refuses_the_rest() {
    let story = Story::default();
    let upstream = Upstream::provider(Kimi::new(&story)).await;
    let mut caller = direct(&upstream, json!({"model": "kimi-k2.6"}));
    caller.members.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(converse(&mut caller).await.len(), 6);
    let ids = story.lines().into_iter().filter_map(|line| line.call).map(|call| call.id);
    assert_eq!(
        ids.collect::<Vec<_>>(),
        ["functions.weather:0", "functions.clothes:1", "functions.weather:0", "functions.clothes:1"]
    );

    let good = caller.body();
    let mut renamed = good["messages"].clone();
    renamed[1]["tool_calls"][0]["id"] = json!("functions_weather_0");
    renamed[2]["tool_call_id"] = json!("functions_weather_0");
    let missing =
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 7";
    let table = [
        ("/messages/7/reasoning_content", Value::Null, missing),
        ("/messages/2/tool_call_id", json!("functions_weather_0"), "tool_call_id not found"),
        ("/messages", renamed, "tool_call_id not found"),
        ("/temperature", json!(0.6), "only 1 is allowed"),
        ("/max_tokens", json!(100), "use max_completion_tokens"),
        ("/tool_choice", json!("required"), "incompatible with thinking enabled"),
    ];
    assert_refused(&upstream, &good, &table).await;
}

thoughts_go_back!(CASE, fake);

#[tokio::test]
async fn a_temperature_it_does_not_take_is_left_out() {
    for face in [Face::OpenAi, Face::Anthropic] {
        let upstream = fake(&Story::default()).await;
        let program = with_preset("moonshot", "", &upstream).start().await;
        let caller = Caller::new(program.address, CASE.model, face, Thoughts::Dropped, true);
        caller.with(json!({"temperature": 0.2})).say("hi").await;
    }
}
