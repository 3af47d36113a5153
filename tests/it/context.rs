//! Histories that do not fit: whatever they are made of, what is left is one that an upstream takes, the
//! task and the last turn are in it, and the cut stays where it was (G01–G06).

use bytes::Bytes;
use iflow2api::policy::context::{Costs, Cut, Room, TooLong, Trimmed, fit, slide};
use iflow2api::wire::json::{Members, Raw};
use iflow2api::wire::openai::ChatRequest;
use proptest::prelude::*;
use serde_json::{Value, json};

/// One turn, in numbers: how long the user's text is, whether it shows an image, and its answers, each with
/// its length and the lengths of the results of the tools it called.
type Turn = (u16, bool, Vec<(u8, Vec<u16>)>);

fn turns(most: usize) -> impl Strategy<Value = Vec<Turn>> {
    let results = prop::collection::vec(0..400u16, 0..3);
    let answers = prop::collection::vec((0..100u8, results), 0..4);
    prop::collection::vec((0..200u16, any::<bool>(), answers), 1..most)
}

fn messages(turns: &[Turn], system: bool, number: &mut usize) -> Vec<Value> {
    let mut messages = Vec::new();
    if system {
        messages.push(json!({"role": "system", "content": "Be  brief.", "unknown": 1.0}));
    }
    let mut text = |length: usize| {
        *number += 1;
        format!("{number:05}{}", "x".repeat(length))
    };
    for (length, image, answers) in turns {
        // A user speaks again when the last answer was text.
        let closes = messages.last().is_some_and(|last: &Value| last["role"] == "tool");
        if closes {
            messages.push(json!({"role": "assistant", "content": text(3), "reasoning_content": "Hm."}));
        }
        let said = text(usize::from(*length));
        let picture = json!({"type": "image_url", "image_url": {"url": "https://example.com/i.png"}});
        messages.push(match image {
            true => json!({"role": "user", "content": [{"type": "text", "text": said}, picture]}),
            false => json!({"role": "user", "content": said}),
        });
        for (length, results) in answers {
            let mut answer = json!({"role": "assistant", "content": text(usize::from(*length)), "reasoning_content": "Hm."});
            let ids: Vec<String> = results.iter().map(|_| text(0)).collect();
            if !ids.is_empty() {
                let call = |id: &String| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
                answer["tool_calls"] = ids.iter().map(call).collect();
            }
            messages.push(answer);
            for (id, length) in ids.iter().zip(results) {
                messages
                    .push(json!({"role": "tool", "tool_call_id": id, "content": text(usize::from(*length))}));
            }
        }
    }
    messages
}

fn request(messages: &[Value]) -> ChatRequest {
    let body = json!({"model": "m", "tools": [{"type": "function", "function": {"name": "f"}}], "messages": messages});
    ChatRequest::parse(&Bytes::from(body.to_string())).unwrap()
}

/// A token for every four bytes, and a hundred for an image.
fn cost(message: &Members) -> u64 {
    let text = message.to_raw();
    text.as_bytes().len() as u64 / 4 + 100 * text.as_str().matches("image_url\":{").count() as u64
}

const COSTS: Costs<'static> = Costs { fixed: 20, message: &cost };

fn total(request: &ChatRequest) -> u64 {
    COSTS.fixed + request.messages().iter().map(cost).sum::<u64>()
}

fn is(message: &Members, role: &str) -> bool {
    message.is("role", role)
}

/// The number that each message was given, which survives what is done to it.
fn number(message: &Members) -> String {
    let text = message.to_raw();
    let text = text.as_str();
    let at = text
        .find("\"tool_call_id\":\"")
        .map(|at| at + 16)
        .or_else(|| text.as_bytes().windows(5).position(|five| five.iter().all(u8::is_ascii_digit)));
    at.map(|at| text[at..at + 5].to_owned()).unwrap_or_default()
}

/// The last thing that the user said, and all behind it.
fn last_turn(messages: &[Members]) -> Vec<String> {
    let at = messages.iter().rposition(|message| is(message, "user")).unwrap();
    messages[at..].iter().map(number).collect()
}

fn check(before: &ChatRequest, after: &ChatRequest, trimmed: Trimmed) -> Result<(), TestCaseError> {
    let (was, now) = (before.messages(), after.messages());
    prop_assert_eq!(before.get("tools").map(Raw::as_str), after.get("tools").map(Raw::as_str));
    if trimmed.messages == 0 {
        prop_assert_eq!(before.to_bytes(), after.to_bytes());
        return Ok(());
    }
    prop_assert!(total(after) < total(before) + 40, "never longer, but for the note");
    let systems = |messages: &[Members]| -> Vec<String> {
        messages.iter().filter(|m| is(m, "system")).map(|m| m.to_raw().as_str().to_owned()).collect()
    };
    prop_assert_eq!(systems(was), systems(now));
    let users = |messages: &[Members]| messages.iter().position(|message| is(message, "user")).unwrap();
    prop_assert_eq!(number(&was[users(was)]), number(&now[users(now)]), "the task stays");
    prop_assert!(now[..users(now)].iter().all(|message| is(message, "system")), "a user comes first");
    prop_assert_eq!(last_turn(was), last_turn(now));
    // Order: what is left is a part of what was, in its order.
    let mut rest = was.iter().map(number);
    for message in now.iter().filter(|message| !message.to_raw().as_str().contains("left out here")) {
        prop_assert!(rest.any(|known| known == number(message)), "in order: {:?}", message);
    }
    // Calls and their results live and die together, and what was thought stays beside them.
    let mut open: Vec<String> = Vec::new();
    for message in now {
        if is(message, "tool") {
            let id = message.text("tool_call_id").unwrap().into_owned();
            let at = open.iter().position(|known| *known == id);
            prop_assert!(at.is_some(), "an orphan: {:?}", message);
            open.remove(at.unwrap());
            continue;
        }
        prop_assert!(open.is_empty(), "a call without its result");
        if let Some(calls) = message.get("tool_calls").and_then(Raw::objects) {
            open = calls.iter().map(|call| call.text("id").unwrap().into_owned()).collect();
            prop_assert!(message.get("reasoning_content").is_some());
        }
    }
    prop_assert!(open.is_empty());
    let notes = now.iter().filter(|message| message.to_raw().as_str().contains("left out here")).count();
    prop_assert!(notes <= 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_history_that_was_cut_is_one_that_an_upstream_takes(
        turns in turns(9),
        more in turns(3),
        system in any::<bool>(),
        window in 200..4_000u64,
        keep in 1..12usize,
        slides in any::<bool>(),
    ) {
        let mut counter = 0;
        let mut list = messages(&turns, system, &mut counter);
        let before = request(&list);
        let mut after = before.clone();
        if slides {
            let trimmed = slide(&mut after, keep, &COSTS);
            check(&before, &after, trimmed)?;
            let said = |messages: &[Members]| messages.iter().filter(|message| is(message, "user")).count();
            let most = if said(before.messages()) > keep { keep + 1 } else { keep };
            prop_assert!(said(after.messages()) <= most.max(1));
            return Ok(());
        }
        let room = Room::new(window, None);
        let mut cut = Cut::default();
        let trimmed = match fit(&mut after, room, keep, &mut cut, &COSTS) {
            Ok(fitted) => {
                prop_assert_eq!(fitted.prompt, total(&after), "what is left is counted");
                fitted.trimmed
            }
            Err(TooLong { tokens }) => {
                prop_assert!(tokens > room.for_prompt());
                prop_assert_eq!(before.to_bytes(), after.to_bytes(), "left as it was");
                return Ok(());
            }
        };
        check(&before, &after, trimmed)?;
        prop_assert!(total(&after) <= room.for_prompt(), "the note is counted too");
        if trimmed.messages == 0 {
            prop_assert!(total(&before) <= room.for_prompt());
        }
        // The same again is cut alike.
        let mut again = before.clone();
        let mut same = cut;
        let fitted = fit(&mut again, room, keep, &mut same, &COSTS);
        prop_assert_eq!(fitted.map(|fitted| fitted.trimmed), Ok(trimmed));
        prop_assert_eq!((same, again.to_bytes()), (cut, after.to_bytes()));
        // A history that grows keeps its beginning, until it is full again.
        list.extend(messages(&more, false, &mut counter));
        let mut grown = request(&list);
        let mut later = cut;
        if fit(&mut grown, room, keep, &mut later, &COSTS).is_ok() && later == cut && trimmed.messages > 0 {
            let begins = grown.messages().iter().zip(after.messages());
            for (now, then) in begins {
                prop_assert_eq!(now.to_raw().bytes(), then.to_raw().bytes());
            }
        }
    }
}

#[test]
fn the_answer_is_bounded_before_the_history_is_cut() {
    let room = Room::new(32_768, Some(32_000));
    assert_eq!(room.bound(8_000), Some(32_768 - 512 - 8_000));
    assert_eq!(room.bound(100), None, "it fits");
    assert_eq!(room.for_prompt(), 32_768 - 512 - 4_096);
    assert_eq!(Room::new(32_768, Some(100)).for_prompt(), 32_768 - 512 - 100);
    assert_eq!(Room::new(4_096, None).for_prompt(), 4_096 - 64 - 1_024, "a quarter of a small window");
    assert_eq!(room.target(), 327 * 60);
}

#[test]
fn results_go_first_then_images_then_groups_and_older_turns_before_the_last_ones() {
    let turn = (40u16, true, vec![(10u8, vec![300u16])]);
    let list = messages(&vec![turn; 8], true, &mut 0);
    let before = request(&list);
    let count = |request: &ChatRequest, text: &str| {
        request.messages().iter().filter(|message| message.to_raw().as_str().contains(text)).count()
    };
    let cut_to = |window: u64, keep: usize| {
        let mut after = before.clone();
        let fitted = fit(&mut after, Room::new(window, Some(1)), keep, &mut Cut::default(), &COSTS);
        fitted
            .map(|_| (count(&after, "[cleared]"), count(&after, "[image left out]"), after.messages().len()))
    };
    let whole = total(&before);
    let all = before.messages().len();
    assert_eq!(cut_to(whole + 100, 10), Ok((0, 0, all)), "it fits");
    assert_eq!(cut_to(whole, 3).unwrap().0, 3, "all but the last five results");
    let (cleared, blind, left) = cut_to(whole / 2, 3).unwrap();
    assert!(cleared <= 3 && blind > 0 && left < all, "{cleared} {blind} {left}");
    assert!(cut_to(300, 3).is_err(), "the last turn is never cut");
}

#[test]
fn a_result_that_is_as_short_as_its_stand_in_stays() {
    let turn = (40u16, false, vec![(60u8, vec![0u16])]);
    let before = request(&messages(&vec![turn; 20], true, &mut 0));
    let mut after = before.clone();
    let room = Room::new(total(&before), Some(1));
    let trimmed = fit(&mut after, room, 10, &mut Cut::default(), &COSTS).unwrap().trimmed;
    assert!(trimmed.messages > 0 && total(&after) <= room.for_prompt());
    assert!(after.messages().iter().all(|message| !message.is("content", "[cleared]")));
}
