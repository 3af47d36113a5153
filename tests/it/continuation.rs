//! Answers of several rounds against an oracle: whatever is cut, broken off, repeated or split, the caller
//! has every character once (F05), one finish, and the sum of what was spent (F09).
//!
//! A round repeats nothing of the answer, or at least twelve characters of its end: more cannot be known.

use bytes::Bytes;
use iflow2api::dialect::{GO_ON, Prefix};
use iflow2api::policy::continuation::{Asked, Mode, Next, Pages, Plan, Rules, Splice};
use iflow2api::policy::failure::{Judge, broken_off};
use iflow2api::policy::profile::Profile;
use iflow2api::wire::openai::{ChatRequest, Reading};
use iflow2api::wire::sse::Frame;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use serde_json::{Value, json};

const MODES: [Prefix; 5] = [Prefix::None, Prefix::Deepseek, Prefix::Partial, Prefix::Vllm, Prefix::Trailing];
const LEAST: usize = 12;

/// How one round ends, and what it repeats.
#[derive(Debug, Clone)]
struct Round {
    /// How many characters of the answer are new in it.
    new: usize,
    /// How many of the last ones it repeats first; below twelve, none.
    repeats: usize,
    /// How its text is split.
    pieces: Vec<usize>,
    broken: bool,
    /// Whether it opens the code block again in which the answer stopped.
    reopens: bool,
}

fn round() -> impl Strategy<Value = Round> {
    let pieces = prop::collection::vec(1..9usize, 1..5);
    let repeats = prop_oneof![3 => Just(0), 2 => LEAST..40, 1 => 40..400usize];
    (1..60usize, repeats, pieces, prop::bool::weighted(0.25), any::<bool>())
        .prop_map(|(new, repeats, pieces, broken, reopens)| Round { new, repeats, pieces, broken, reopens })
}

/// Text in which no twelve characters stand twice but by chance, with code blocks in it.
fn text() -> impl Strategy<Value = Vec<char>> {
    let word = prop_oneof![
        6 => "[a-zé]{2,9} ",
        2 => "[一-龥]{1,6}[，。]?",
        1 => Just("🦊👩‍🚀 ".to_owned()),
        1 => Just("\n\n".to_owned()),
        1 => ("[a-z]{0,4}", "[a-z(){};= ]{4,40}").prop_map(|(language, code)| format!("\n```{language}\n{code}\n```\n")),
    ];
    prop::collection::vec(word, 4..60).prop_map(|words| format!("So: {}", words.concat()).chars().collect())
}

fn request() -> ChatRequest {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Tell me."}]});
    ChatRequest::parse(&Bytes::from(body.to_string())).unwrap()
}

fn plan(prefix: Prefix, rounds: u32) -> Plan {
    let mut profile = Profile::default();
    profile.dialect.prefix = prefix;
    let rules = Rules { mode: Mode::Auto, rounds, rescue: true, again: true };
    let count = Box::new(|text: &str| text.chars().count() as u64);
    Plan::of(&request(), &profile, Asked::default(), rules, count).unwrap()
}

/// The answer so far, as the request of a round tells it; checked against the mode it is asked in.
fn told(request: &ChatRequest, prefix: Prefix) -> String {
    let mut messages = request.messages().to_vec();
    if prefix == Prefix::None && messages.len() > 1 {
        let last = messages.pop().unwrap();
        assert!(last.is("role", "user") && last.is("content", GO_ON));
    }
    assert!(messages[0].is("content", "Tell me."), "the original messages come first");
    assert!(messages.len() <= 2, "one assistant message");
    messages.get(1).map(|said| said.text("content").unwrap().into_owned()).unwrap_or_default()
}

/// What the upstream says in a round behind `said` characters of the answer.
fn spoken(answer: &[char], said: usize, round: &Round, prefix: Prefix, last: bool) -> Option<String> {
    let end = if last { answer.len() } else { (said + round.new).min(answer.len()) };
    let repeats = if prefix != Prefix::None || round.repeats < LEAST || round.repeats > said {
        0
    } else {
        round.repeats
    };
    let text: String = answer[said - repeats..end].iter().collect();
    let before: String = answer[..said].iter().collect();
    // What looks like a longer or another repetition than the one that was made is beyond knowing.
    let looks = |text: &str| {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).skip(LEAST - 1);
        ends.filter(|&end| before.ends_with(&text[..end])).last().map_or(0, |end| text[..end].chars().count())
    };
    let in_block = before.matches("```").count() % 2 == 1;
    let opened = before.rsplit_once("```").is_some_and(|(_, code)| code.contains('\n'));
    let reopens =
        prefix == Prefix::None && round.reopens && in_block && opened && before.ends_with(|c: char| c != '`');
    let behind_fence = text.trim_start().strip_prefix("```").and_then(|rest| rest.split_once('\n'));
    if in_block && (before.ends_with('`') || behind_fence.is_some_and(|(_, rest)| looks(rest) > 0)) {
        return None;
    }
    (prefix != Prefix::None || looks(&text) == repeats)
        .then(|| if reopens { format!("```python\n{text}") } else { text })
}

/// The frames of a round.
fn frames(text: &str, pieces: &[usize], id: usize, reason: Option<&str>) -> Vec<Value> {
    let chunk = |delta: Value, reason: Option<&str>| {
        json!({"id": format!("r{id}"), "object": "chat.completion.chunk", "created": id, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let mut frames = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    let mut rest: &str = text;
    for size in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let end = rest.char_indices().nth(*size).map_or(rest.len(), |(at, _)| at);
        frames.push(chunk(json!({"content": rest[..end]}), None));
        rest = &rest[end..];
    }
    if let Some(reason) = reason {
        frames.push(chunk(json!({}), Some(reason)));
        let completion = text.chars().count();
        frames.push(json!({"id": format!("r{id}"), "choices": [], "usage": {
            "prompt_tokens": 10 * id, "completion_tokens": completion, "total_tokens": 10 * id + completion}}));
    }
    frames
}

/// Pushes a round through; what is to be done next.
fn push(splice: &mut Splice, frames: &[Value], done: bool, out: &mut Vec<(Frame, Reading)>) -> Next {
    let texts = frames.iter().map(Value::to_string).chain(done.then(|| "[DONE]".to_owned()));
    for text in texts {
        let frame = Frame::data(text);
        let reading = Judge::plain("fake").read_frame(&frame.data).unwrap();
        match splice.push((frame, reading), out) {
            Next::GoOn => {}
            next => return next,
        }
    }
    if done { splice.ended(out) } else { splice.broke(broken_off(), out) }
}

fn check_stream(answer: &[char], rounds: &[Round], prefix: Prefix) -> Result<(), TestCaseError> {
    let whole: String = answer.iter().collect();
    let mut splice = Splice::new(plan(prefix, u32::try_from(rounds.len()).unwrap()));
    let (mut out, mut spent, mut broken) = (Vec::new(), 0, 0);
    let mut asked = request();
    for (at, round) in rounds.iter().enumerate() {
        let said = told(&asked, prefix);
        prop_assert!(whole.starts_with(&said), "asked with {said:?}");
        let last = at + 1 == rounds.len();
        let Some(text) = spoken(answer, said.chars().count(), round, prefix, last) else {
            return Err(TestCaseError::reject("ambiguous"));
        };
        let breaks = round.broken && !last && broken < 2;
        broken += usize::from(breaks);
        let reason = if breaks { None } else { Some(if last { "stop" } else { "length" }) };
        spent += text.chars().count();
        let frames = frames(&text, &round.pieces, at + 1, reason);
        match push(&mut splice, &frames, !breaks, &mut out) {
            Next::Ask(request, _) => asked = *request,
            Next::Over => break,
            Next::GoOn => prop_assert!(false, "a round has ended"),
            Next::Failed(error) => prop_assert!(false, "{error}"),
        }
    }
    let events: Vec<Value> = out
        .iter()
        .filter(|(frame, _)| !frame.is_done())
        .map(|(frame, _)| serde_json::from_slice(&frame.data).unwrap())
        .collect();
    let of = |path: &str| -> Vec<&Value> {
        events.iter().filter_map(|event| event.pointer(path)).filter(|value| !value.is_null()).collect()
    };
    let said: String = of("/choices/0/delta/content").iter().map(|text| text.as_str().unwrap()).collect();
    // Where the last round had nothing left to say, the answer stays cut (F05).
    let reasons = of("/choices/0/finish_reason");
    prop_assert_eq!(&said, &whole);
    prop_assert_eq!(reasons.len(), 1);
    prop_assert_eq!(of("/choices/0/delta/role").len(), 1);
    prop_assert!(events.iter().all(|event| event["id"] == "r1"), "one id");
    prop_assert_eq!(out.iter().filter(|(frame, _)| frame.is_done()).count(), 1);
    if broken == 0 {
        let usage = of("/usage").pop().unwrap().clone();
        prop_assert_eq!(usage["prompt_tokens"].as_u64(), Some(10));
        prop_assert_eq!(usage["completion_tokens"].as_u64(), Some(spent as u64));
    }
    Ok(())
}

fn check_whole(answer: &[char], rounds: &[Round], prefix: Prefix) -> Result<(), TestCaseError> {
    let page = |text: &str, id: usize, reason: &str| {
        Bytes::from(
            json!({"id": format!("r{id}"), "choices": [{"index": 0, "finish_reason": reason,
                "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 10 * id, "completion_tokens": text.chars().count()}})
            .to_string(),
        )
    };
    let ambiguous = || TestCaseError::reject("ambiguous");
    let first = spoken(answer, 0, &rounds[0], prefix, false).ok_or_else(ambiguous)?;
    let Some(mut pages) = Pages::begin(plan(prefix, 99), &page(&first, 1, "length")) else {
        return Err(TestCaseError::fail("a cut answer goes on"));
    };
    let later = rounds.iter().cycle().skip(1).take(rounds.len());
    for (at, round) in (1..).zip(later) {
        let last = at == rounds.len();
        let Some(request) = pages.next_round() else { break };
        let said = told(&request, prefix).chars().count();
        let text = spoken(answer, said, round, prefix, last).ok_or_else(ambiguous)?;
        pages.add(&page(&text, at + 1, if last { "stop" } else { "length" }));
    }
    let body: Value = serde_json::from_slice(&pages.finish()).unwrap();
    let whole: String = answer.iter().collect();
    prop_assert_eq!(body["choices"][0]["message"]["content"].as_str(), Some(whole.as_str()));
    prop_assert_eq!(body["id"].as_str(), Some("r1"));
    prop_assert_eq!(body["usage"]["prompt_tokens"].as_u64(), Some(10));
    Ok(())
}

proptest! {
    #![proptest_config(Config {
        cases: 3_000,
        max_global_rejects: 20_000,
        max_shrink_iters: 500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    })]

    #[test]
    fn no_character_is_lost_doubled_or_invented_in_a_stream(
        answer in text(),
        rounds in prop::collection::vec(round(), 1..6),
        mode in 0..MODES.len(),
    ) {
        check_stream(&answer, &rounds, MODES[mode])?;
    }

    #[test]
    fn no_character_is_lost_doubled_or_invented_in_a_whole_answer(
        answer in text(),
        rounds in prop::collection::vec(round(), 1..6),
        mode in 0..MODES.len(),
    ) {
        check_whole(&answer, &rounds, MODES[mode])?;
    }
}
