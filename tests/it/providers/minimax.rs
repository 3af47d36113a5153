//! MiniMax: the whole message stays in the history, its details or its tags with it.

use super::loops::{Case, assert_refused, converse, direct, runs, thoughts_go_back};
use crate::support::caller::{Face, Thoughts};
use crate::support::fakes::Minimax;
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

const DETAILS: Case =
    Case { preset: "minimax", model: "MiniMax-M2.7", trims_thoughts: false, returns_thoughts: false };
const TAGS: Case = Case { trims_thoughts: true, ..DETAILS };

async fn with_details(story: &Story) -> Upstream {
    Upstream::strict(Minimax::new(story)).await
}

async fn with_tags(story: &Story) -> Upstream {
    Upstream::strict(Minimax::without_split(story)).await
}

#[tokio::test]
async fn the_fake_takes_what_is_documented_and_refuses_the_rest() {
    let story = Story::default();
    let upstream = Upstream::provider(Minimax::new(&story)).await;
    let mut caller = direct(&upstream, json!({"model": "MiniMax-M2.7", "reasoning_split": true}));
    caller.members.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(converse(&mut caller).await.len(), 6);
    let details = &caller.body()["messages"][1]["reasoning_details"];
    assert_eq!(
        *details,
        json!([{"type": "reasoning.text", "id": "reasoning-text-1", "format": "MiniMax-response-v1", "index": 0,
            "text": story.lines()[0].thought}])
    );

    let shortened = json!([{"type": "reasoning.text", "text": "Thought 2"}]);
    let table = [
        ("/messages/1/reasoning_details", Value::Null, "lacks the thought"),
        ("/messages/3/reasoning_details", shortened, "lacks the thought"),
        ("/max_tokens", json!(100), "is not its name"),
    ];
    assert_refused(&upstream, &caller.body(), &table).await;
    assert_eq!(upstream.forgive().len(), 3);
}

#[tokio::test]
async fn the_fake_without_details_has_tags_and_wants_them_back() {
    let upstream = Upstream::provider(Minimax::without_split(&Story::default())).await;
    let mut caller = direct(&upstream, json!({"model": "MiniMax-M2.7", "reasoning_split": true}));
    caller.members.as_object_mut().unwrap().remove("max_tokens");
    let heard = converse(&mut caller).await;
    assert!(heard.iter().all(|heard| heard.text.starts_with("<think>\nThought ")), "{heard:?}");
    let table = [("/messages/1/content", json!("I look, 1."), "lacks the thought")];
    assert_refused(&upstream, &caller.body(), &table).await;
    assert_eq!(upstream.forgive().len(), 1);
}

thoughts_go_back!(DETAILS, with_details);

#[tokio::test]
async fn thoughts_between_tags_are_told_as_thoughts_and_go_back() {
    for face in [Face::Anthropic, Face::OpenAi] {
        for thoughts in [Thoughts::Kept, Thoughts::Dropped] {
            runs(&TAGS, face, thoughts, with_tags).await;
        }
    }
}
