//! Conversations of two questions, with two calls each, before a provider that takes nothing but what it
//! documents.

use crate::support::caller::{Caller, Face, Heard, Thoughts};
use crate::support::client::{Answer, connect};
use crate::support::fake::{Asked, Provider, Refusal, calling, messages};
use crate::support::program::{KEY, with_preset};
use crate::support::story::{Line, Place, Story};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

/// A provider under test.
pub struct Case {
    pub preset: &'static str,
    pub model: &'static str,
    /// Whether what stands around its thoughts is not their own.
    pub trims_thoughts: bool,
    /// Whether its thoughts go back in `reasoning_content`.
    pub returns_thoughts: bool,
}

/// What a caller says to have the model think.
pub fn wish(face: Face) -> Value {
    match face {
        Face::OpenAi => json!({"reasoning_effort": "medium"}),
        Face::Anthropic => json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}),
    }
}

/// What a caller should hear of an answer.
pub fn heard(line: &Line, face: Face) -> Heard {
    let call = line.call.as_ref();
    let calls = call.map(|call| (call.name.clone(), serde_json::from_str(&call.arguments).unwrap()));
    let reason = match (face, line.finish()) {
        (Face::Anthropic, "stop") => "end_turn",
        (Face::Anthropic, _) => "tool_use",
        (Face::OpenAi, finish) => finish,
    };
    Heard {
        thought: line.thought.clone(),
        text: line.text.clone(),
        calls: calls.into_iter().collect(),
        reason: reason.to_owned(),
    }
}

/// Asks two questions, and answers all calls.
pub async fn converse(caller: &mut Caller) -> Vec<Heard> {
    let mut all = Vec::new();
    for question in ["How is it in Paris?", "And tomorrow?"] {
        all.push(caller.say(question).await);
        all.push(caller.answer_calls("21 °C").await);
        all.push(caller.answer_calls("a hat").await);
    }
    all
}

/// A conversation of this sort, streamed and whole, each before a program of its own.
pub async fn runs(case: &Case, face: Face, thoughts: Thoughts, fake: impl AsyncFn(&Story) -> Upstream) {
    for streamed in [true, false] {
        let story = Story::default();
        let upstream = fake(&story).await;
        let program = with_preset(case.preset, "", &upstream).start().await;
        let caller = Caller::new(program.address, case.model, face, thoughts, streamed);
        let mut heard_all = converse(&mut caller.with(wish(face))).await;
        let mut lines = story.lines();
        assert_eq!(lines.len(), 6, "one call upstream for each of the caller");
        assert!(lines.iter().all(|line| !line.thought.is_empty()), "it thinks: {lines:?}");
        if case.trims_thoughts {
            lines.iter_mut().for_each(|line| line.thought = line.thought.trim().to_owned());
            heard_all.iter_mut().for_each(|heard| heard.thought = heard.thought.trim().to_owned());
        }
        let expected: Vec<Heard> = lines.iter().map(|line| heard(line, face)).collect();
        assert_eq!(heard_all, expected, "{face:?}, {thoughts:?}, streamed: {streamed}");
        if case.returns_thoughts {
            assert_returned(&upstream, &story);
        }
    }
}

/// Each call upstream had the thoughts of all calls before it, to the byte.
pub fn assert_returned(upstream: &Upstream, story: &Story) {
    for request in upstream.requests() {
        let body = if request.body.is_empty() { Value::Null } else { request.json() };
        for (_, message) in calling(messages(&body)) {
            let line = story.recall(message).expect("a line of its own");
            assert_eq!(message["reasoning_content"], line.thought, "{message}");
        }
    }
}

/// A caller of the fake itself, with our key, whose requests have these members.
pub fn direct(upstream: &Upstream, members: Value) -> Caller {
    let mut caller = Caller::new(upstream.address(), "", Face::OpenAi, Thoughts::Kept, true).with(members);
    caller.headers = format!("authorization: Bearer {KEY}\r\n");
    caller
}

/// What the fake itself says to a body: status, and the whole of it.
pub async fn ask(upstream: &Upstream, headers: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n{headers}\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Answer::of(connect(upstream.address(), (head + &body).as_bytes()).await).await;
    (answer.status, answer.text().await)
}

/// Each of these changes of a body that the fake takes is refused, and why.
pub async fn assert_refused(upstream: &Upstream, good: &Value, table: &[(&str, Value, &str)]) {
    assert_eq!(ask(upstream, "", good).await.0, 200, "{good}");
    for (pointer, value, reason) in table {
        let mut body = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let object = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.to_owned(), value.clone())),
        }
        let (status, said) = ask(upstream, "", &body).await;
        assert!((400..600).contains(&status), "{pointer}: {status} {said}");
        assert!(said.contains(reason), "{pointer}: {status} {said}");
    }
}

/// A provider without a rule of its own.
struct Plain(Story);

impl Provider for Plain {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        let body = asked.chat()?;
        let line = self.0.next(&body, true, |_, _, number| format!("call_{number}"));
        Ok(Story::tell(&line, Place::Content, &body))
    }
}

#[tokio::test]
async fn every_sort_of_caller_hears_what_a_provider_without_rules_says() {
    let case = Case { preset: "openai", model: "m", trims_thoughts: false, returns_thoughts: false };
    for face in [Face::Anthropic, Face::OpenAi] {
        for thoughts in [Thoughts::Kept, Thoughts::Dropped] {
            runs(&case, face, thoughts, async |story| Upstream::strict(Plain(story.clone())).await).await;
        }
    }
}

/// Runs a provider's conversations on both faces, for callers that keep thoughts and for those that drop them.
macro_rules! thoughts_go_back {
    ($case:expr, $fake:expr) => {
        #[tokio::test]
        async fn thoughts_that_an_anthropic_client_keeps_go_back() {
            runs(&$case, Face::Anthropic, Thoughts::Kept, $fake).await;
        }

        #[tokio::test]
        async fn thoughts_that_an_anthropic_client_drops_are_recalled() {
            runs(&$case, Face::Anthropic, Thoughts::Dropped, $fake).await;
        }

        #[tokio::test]
        async fn thoughts_that_an_openai_client_keeps_go_back() {
            runs(&$case, Face::OpenAi, Thoughts::Kept, $fake).await;
        }

        #[tokio::test]
        async fn thoughts_that_an_openai_client_drops_are_recalled() {
            runs(&$case, Face::OpenAi, Thoughts::Dropped, $fake).await;
        }
    };
}
pub(super) use thoughts_go_back;
