//! Tests of `plan`, through the scripts that it makes.

use super::super::request::request;
use super::*;
use serde_json::{Value, json};

fn script(model: &str, text: &str, more: &Value) -> Script {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plan(&request(&body))
}

fn answer(model: &str, text: &str, more: &Value) -> Answer {
    match script(model, text, more) {
        Script::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn said(answer: &Answer) -> String {
    answer.deltas.iter().map(|delta| if let Delta::Say(text) = delta { text.as_str() } else { "" }).collect()
}

fn thought(answer: &Answer) -> String {
    answer
        .deltas
        .iter()
        .map(|delta| if let Delta::Think(text) = delta { text.as_str() } else { "" })
        .collect()
}

/// The calls as name and arguments.
fn calls(answer: &Answer) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    for delta in &answer.deltas {
        match delta {
            Delta::Call { name, .. } => calls.push((name.clone(), String::new())),
            Delta::Arguments { index, text } => calls[*index].1.push_str(text),
            Delta::Think(_) | Delta::Say(_) => {}
        }
    }
    calls
}

fn tools() -> Value {
    let tool = |name: &str, required: &str| {
        json!({"type": "function", "function": {"name": name, "parameters": {
            "type": "object", "required": [required], "properties": {required: {"type": "string"}},
        }}})
    };
    json!([tool("get_weather", "city"), tool("get_time", "zone"), tool("look_up", "word")])
}

#[test]
fn echo_keeps_the_text_exactly() {
    let text = "  Zwei\n\n\tZeilen — 你好世界再见 👋🏽 ";
    for model in ["demo-echo", "some-other-name"] {
        let answer = answer(model, text, &json!({}));
        assert_eq!(said(&answer), format!("{INTRODUCTION} You said: {text}"));
        assert_eq!(answer.ending, Ending::Finished("stop"));
        assert!(answer.deltas.len() > 10);
    }
}

#[test]
fn usage_counts_words() {
    let answer = answer("demo-think", "one two", &json!({}));
    let thinking = words::count(&thought(&answer));
    let completion = thinking + words::count(&said(&answer));
    assert_eq!(answer.usage, Usage { prompt: 2, completion, thinking });
}

#[test]
fn think_thinks_first_unless_told_not_to() {
    let thinking = answer("demo-think", "hi", &json!({}));
    assert!(matches!(thinking.deltas.first(), Some(Delta::Think(_))));
    let plain = answer("demo-think", "hi", &json!({"reasoning_effort": "none"}));
    assert_eq!((thought(&plain), said(&plain)), (String::new(), said(&thinking)));
}

#[test]
fn limits_and_stops_cut_the_answer() {
    for (more, expected, reason) in [
        (json!({"max_tokens": 3}), "This is the", "length"),
        (json!({"max_completion_tokens": 2, "max_tokens": 9}), "This is", "length"),
        (json!({"stop": " demo"}), "This is the", "stop"),
        (json!({"stop": ["model", " is"]}), "This", "stop"),
        (json!({"stop": " demo", "max_tokens": 1}), "This", "length"),
    ] {
        let answer = answer("demo-echo", "hi", &more);
        assert_eq!((said(&answer).as_str(), answer.ending), (expected, Ending::Finished(reason)), "{more}");
    }
}

#[test]
fn tools_are_called_as_the_request_wishes() {
    let forced = json!({"type": "function", "function": {"name": "get_time"}});
    let call = |name: &str, arguments: Value| (name.to_owned(), arguments.to_string());
    for (text, more, expected) in [
        ("hi", json!({"tools": tools()}), vec![call("get_weather", json!({"city": "hi"}))]),
        ("", json!({"tools": tools()}), vec![call("get_weather", json!({"city": "demo"}))]),
        (
            "hi",
            json!({"tools": tools(), "tool_choice": forced}),
            vec![call("get_time", json!({"zone": "hi"}))],
        ),
        ("look_up", json!({"tools": tools()}), vec![call("look_up", json!({"word": "look_up"}))]),
        (
            "get_time, look_up",
            json!({"tools": tools()}),
            vec![
                call("get_time", json!({"zone": "get_time, look_up"})),
                call("look_up", json!({"word": "get_time, look_up"})),
            ],
        ),
        (
            "get_time, look_up",
            json!({"tools": tools(), "parallel_tool_calls": false}),
            vec![call("get_time", json!({"zone": "get_time, look_up"}))],
        ),
    ] {
        let answer = answer("demo-tools", text, &more);
        assert_eq!(calls(&answer), expected);
        assert_eq!(answer.ending, Ending::Finished("tool_calls"));
    }
}

#[test]
fn arguments_come_in_several_pieces() {
    let answer = answer("demo-tools", "Lisbon", &json!({"tools": tools()}));
    let pieces = answer.deltas.iter().filter(|delta| matches!(delta, Delta::Arguments { .. })).count();
    assert!(pieces > 2);
}

#[test]
fn without_a_tool_to_call_the_answer_says_why() {
    let none = answer("demo-tools", "hi", &json!({}));
    assert!(said(&none).ends_with("The request has no tools, so none is called."));
    let forbidden = answer("demo-tools", "hi", &json!({"tools": tools(), "tool_choice": "none"}));
    assert!(said(&forbidden).ends_with("The request forbids tools, so none is called."));
}

#[test]
fn a_forced_tool_that_is_not_defined_is_refused() {
    let forced = json!({"tools": tools(), "tool_choice": {"type": "function", "function": {"name": "fly"}}});
    let Script::Refuse(refusal) = script("demo-tools", "hi", &forced) else { panic!() };
    assert_eq!((refusal.status, refusal.param), (400, Some("tool_choice")));
}

#[test]
fn a_tool_result_is_quoted() {
    for model in ["demo-tools", "demo-echo"] {
        let body = json!({"model": model, "tools": tools(), "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": []},
            {"role": "tool", "tool_call_id": "call_1", "content": "22 °C"},
        ]});
        let Script::Answer(answer) = plan(&request(&body)) else { panic!() };
        assert_eq!(said(&answer), format!("{INTRODUCTION} The tool returned: 22 °C"));
    }
}

#[test]
fn long_is_cut_by_its_own_limit_or_by_a_lower_one() {
    let own = answer("demo-long", "write", &json!({"max_tokens": 100_000}));
    assert_eq!((own.usage.completion, &own.ending), (400, &Ending::Finished("length")));
    assert!(said(&own).ends_with("\n50. Line 50 of 250 from the demo."));
    let lower = answer("demo-long", "write", &json!({"max_tokens": 10}));
    assert_eq!(said(&lower), "1. Line 1 of 250 from the demo.\n2. Line");
}

#[test]
fn fail_fails_as_the_text_says() {
    for (text, status, wait) in [
        ("please", 500, None),
        ("error 999", 500, None),
        ("give me 503!", 503, None),
        ("2 times 429", 429, Some(2)),
        ("execute 404", 404, None),
    ] {
        let Script::Refuse(refusal) = script("demo-fail", text, &json!({})) else { panic!("{text}") };
        assert_eq!((refusal.status, refusal.retry_after_seconds), (status, wait), "{text}");
    }
    let broken = answer("demo-fail", "Stream 529", &json!({}));
    assert!(matches!(&broken.ending, Ending::Failed(refusal) if refusal.status == 529));
    assert!(!said(&broken).is_empty());
    assert_eq!(answer("demo-fail", "cut", &json!({})).ending, Ending::Cut);
    let empty = answer("demo-fail", "empty", &json!({}));
    assert_eq!((empty.deltas, empty.ending), (vec![], Ending::Finished("stop")));
}

#[test]
fn stall_says_three_words_or_none() {
    let answer = answer("demo-stall", "hi", &json!({}));
    assert_eq!((said(&answer).as_str(), answer.ending), ("This demo stalls", Ending::Silent));
    assert_eq!(script("demo-stall", "at the start", &json!({})), Script::Silence);
}
