//! Thoughts that no client sends back: what is remembered, for whom, and what stands in where nothing is.

use super::loops::{assert_returned, converse, wish};
use crate::support::caller::{Caller, Face, Thoughts};
use crate::support::fake::{calling, messages};
use crate::support::fakes::{Deepseek, Kimi};
use crate::support::program::with_preset;
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// The thoughts beside the calls in the history of the last request.
fn last_thoughts(upstream: &Upstream) -> Vec<Value> {
    let body = upstream.requests().last().unwrap().json();
    calling(messages(&body)).map(|(_, message)| message["reasoning_content"].clone()).collect()
}

#[tokio::test]
async fn thoughts_that_nobody_asked_for_are_not_shown_and_go_back() {
    for streamed in [true, false] {
        let story = Story::default();
        let upstream = Upstream::strict(Deepseek::new(&story)).await;
        let program = with_preset("deepseek", "", &upstream).start().await;
        let mut caller =
            Caller::new(program.address, "deepseek-v4-pro", Face::Anthropic, Thoughts::Kept, streamed);
        for heard in converse(&mut caller).await {
            assert_eq!(heard.thought, "");
        }
        assert_returned(&upstream, &story);
        assert_eq!(last_thoughts(&upstream).len(), 4);
    }
}

#[tokio::test]
async fn thoughts_that_are_asked_for_without_their_text_go_back_with_it() {
    let story = Story::default();
    let upstream = Upstream::strict(Deepseek::new(&story)).await;
    let program = with_preset("deepseek", "", &upstream).start().await;
    let omitted = json!({"thinking": {"type": "enabled", "budget_tokens": 4096, "display": "omitted"}});
    let caller = Caller::new(program.address, "deepseek-v4-pro", Face::Anthropic, Thoughts::Kept, true);
    for heard in converse(&mut caller.with(omitted)).await {
        assert_eq!(heard.thought, "");
    }
    assert_returned(&upstream, &story);
}

#[tokio::test]
async fn conversations_whose_calls_have_the_same_ids_keep_their_own_thoughts() {
    let story = Story::default();
    let upstream = Upstream::strict(Kimi::new(&story)).await;
    let program = with_preset("moonshot", "", &upstream).start().await;
    let caller = |face, session: &str| {
        let caller = Caller::new(program.address, "kimi-k2.6", face, Thoughts::Dropped, true);
        let user = json!({"user_id": session});
        let session = if face == Face::OpenAi { json!({"user": session}) } else { json!({"metadata": user}) };
        caller.with(wish(face)).with(session)
    };
    let mut callers = [
        caller(Face::OpenAi, "user_a_account__session_1"),
        caller(Face::OpenAi, "user_a_account__session_2"),
        caller(Face::Anthropic, "user_a_account__session_3"),
        caller(Face::Anthropic, "user_a_account__session_4"),
    ];
    for (number, caller) in callers.iter_mut().enumerate() {
        caller.say(&format!("How is it in city {number}?")).await;
    }
    for result in ["21 °C", "a hat"] {
        for caller in &mut callers {
            caller.answer_calls(result).await;
        }
    }
    assert_returned(&upstream, &story);
}

#[tokio::test]
async fn what_another_program_heard_is_made_up_for() {
    for (preset, model, placeholder) in
        [("deepseek", "deepseek-v4-pro", json!("")), ("moonshot", "kimi-k2.6", json!("."))]
    {
        for face in [Face::OpenAi, Face::Anthropic] {
            let story = Story::default();
            let upstream = match preset {
                "deepseek" => Upstream::strict(Deepseek::new(&story)).await,
                _ => Upstream::strict(Kimi::new(&story)).await,
            };
            let first = with_preset(preset, "", &upstream).start().await;
            let mut caller =
                Caller::new(first.address, model, face, Thoughts::Dropped, true).with(wish(face));
            caller.say("How is it in Paris?").await;
            let second = with_preset(preset, "", &upstream).start().await;
            caller.address = second.address;
            caller.answer_calls("21 °C").await;
            assert_eq!(last_thoughts(&upstream), std::slice::from_ref(&placeholder), "{preset}, {face:?}");
        }
    }
}

#[tokio::test]
async fn thoughts_that_are_refused_are_forgotten_and_the_call_is_made_once_more_without() {
    for face in [Face::OpenAi, Face::Anthropic] {
        let story = Story::default();
        let upstream = Upstream::provider(Deepseek::that_refuses_thoughts_once(&story)).await;
        let program = with_preset("deepseek", "", &upstream).start().await;
        let mut caller = Caller::new(program.address, "deepseek-v4-pro", face, Thoughts::Dropped, true);
        caller = caller.with(wish(face));
        caller.say("How is it in Paris?").await;
        caller.answer_calls("21 °C").await;
        assert_eq!(last_thoughts(&upstream), [json!("")], "{face:?}");
        let calls = upstream.requests().into_iter().filter(|request| request.head.line.starts_with("POST"));
        assert_eq!(calls.count(), 3, "{face:?}: one is made twice");
        caller.answer_calls("a hat").await;
        let second = story.lines()[1].thought.clone();
        assert_eq!(last_thoughts(&upstream), [json!(""), json!(second)], "{face:?}");
    }
}
