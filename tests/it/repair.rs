//! Tool calls as text and broken arguments: what is repaired, and that all else stays as it was (B18).

use bytes::Bytes;
use iflow2api::policy::filters::Filters;
use iflow2api::policy::repair::{Offered, TextCalls};
use iflow2api::step::{Ending, Step};
use iflow2api::wire::openai::{
    ChatRequest, Choice, Chunk, Content, Delta, FunctionDelta, Reading, ToolCallDelta,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/repair")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap()
}

fn offered() -> Option<Offered> {
    let tools: Value = serde_json::from_str(&read("tools.json")).unwrap();
    let body = json!({"model": "m", "messages": [], "tools": tools});
    Offered::of(&ChatRequest::parse(&Bytes::from(body.to_string())).unwrap())
}

fn chunk(content: Option<&str>, finish: Option<&str>) -> Reading {
    let content = content.map(|text| Content::Text(text.to_owned()));
    let delta = Delta { content, ..Delta::default() };
    let choice = Choice { delta, finish_reason: finish.map(str::to_owned), ..Choice::default() };
    Reading::Chunk(Chunk { choices: Some(vec![choice]), usage: None })
}

/// What came of an answer.
#[derive(Debug, Default, Clone, PartialEq)]
struct Said {
    text: String,
    calls: Vec<(String, String)>,
    finish: Option<String>,
    /// `t` for text and `c` for a call, in the order in which they were said.
    order: String,
}

impl Said {
    fn take(&mut self, reading: Reading) {
        let Reading::Chunk(chunk) = reading else { return };
        for choice in chunk.choices.into_iter().flatten() {
            let text = choice.delta.content.map(Content::into_text).unwrap_or_default();
            if !text.is_empty() && !self.order.ends_with('t') {
                self.order.push('t');
            }
            self.text.push_str(&text);
            for call in choice.delta.tool_calls {
                let arguments = call.function.arguments.map(Content::into_text).unwrap_or_default();
                match call.function.name {
                    Some(name) => {
                        assert_eq!(call.id, Some(format!("call_x{:02}", self.calls.len() + 1)).map(minted));
                        self.order.push('c');
                        self.calls.push((name, arguments));
                    }
                    None => self.calls.last_mut().unwrap().1.push_str(&arguments),
                }
            }
            self.finish = choice.finish_reason.or(self.finish.take());
        }
    }

    fn calls(&self) -> Value {
        let call = |(name, arguments): &(String, String)| json!({"name": name, "arguments": serde_json::from_str::<Value>(arguments).unwrap()});
        self.calls.iter().map(call).collect()
    }
}

/// Ids of calls in text are told from those of other calls.
fn minted(id: String) -> String {
    id.replace("call_x", "call_xt")
}

fn steps(offered: Option<Offered>) -> Filters {
    Filters::new(false, offered, "x")
}

fn said(readings: Vec<Reading>, offered: Option<Offered>) -> Said {
    let mut steps = steps(offered);
    let mut out = Vec::new();
    for reading in readings {
        steps.push(reading, &mut out).unwrap();
    }
    assert!(steps.finish(Ending::Complete, &mut out).is_none());
    let mut said = Said::default();
    out.into_iter().for_each(|reading| said.take(reading));
    said
}

fn streamed(pieces: &[&str], finish: &str) -> Said {
    let mut readings: Vec<Reading> = pieces.iter().map(|piece| chunk(Some(piece), None)).collect();
    readings.extend([chunk(None, Some(finish)), Reading::Done]);
    said(readings, offered())
}

struct Case {
    name: String,
    content: String,
    expected: Value,
}

fn cases() -> Vec<Case> {
    let files = std::fs::read_dir(folder().join("text")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    let case = |path: PathBuf| {
        let content = std::fs::read_to_string(&path).unwrap();
        let expected = std::fs::read_to_string(path.with_extension("json")).unwrap();
        Case {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            content: content.strip_suffix('\n').unwrap().to_owned(),
            expected: serde_json::from_str(&expected).unwrap(),
        }
    };
    let mut cases: Vec<Case> = texts.map(case).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 20, "the fixtures are there");
    cases
}

impl Case {
    fn finish(&self) -> &str {
        self.expected["finish"].as_str().unwrap()
    }

    fn check(&self, said: &Said, how: &str) {
        let Self { name, expected, .. } = self;
        assert_eq!(said.text, expected["text"].as_str().unwrap(), "{name} {how}");
        assert_eq!(said.calls(), expected["calls"], "{name} {how}");
        let made = !said.calls.is_empty();
        let finish = if made && self.finish() == "stop" { "tool_calls" } else { self.finish() };
        assert_eq!(said.finish.as_deref(), Some(finish), "{name} {how}");
    }
}

#[test]
fn calls_in_text_are_found_however_it_is_cut() {
    for case in cases() {
        let content = case.content.as_str();
        case.check(&streamed(&[content], case.finish()), "uncut");
        for cut in (1..content.len()).filter(|&cut| content.is_char_boundary(cut)) {
            let (head, tail) = content.split_at(cut);
            case.check(&streamed(&[head, tail], case.finish()), &format!("cut at {cut}"));
        }
        let characters: Vec<&str> = content.split_inclusive(|_: char| true).collect();
        case.check(&streamed(&characters, case.finish()), "in characters");
    }
}

#[test]
fn a_whole_completion_is_decided_at_once() {
    for case in cases() {
        let said = said(vec![chunk(Some(&case.content), Some(case.finish()))], offered());
        case.check(&said, "whole");
    }
}

#[test]
fn text_and_calls_keep_their_order_in_a_stream() {
    let case = cases().into_iter().find(|case| case.name == "text_between_calls").unwrap();
    let pieces: Vec<&str> = case.content.split_inclusive(' ').collect();
    assert_eq!(streamed(&pieces, "stop").order, "tctct");
    let (head, tail) = case.content.split_at(case.content.find("Three").unwrap());
    assert_eq!(streamed(&[head, tail], "stop").order, "tctct");
}

#[test]
fn plain_text_is_not_held_back() {
    let mut filter = TextCalls::new(offered(), "x");
    for (text, expected) in [
        (" \n", ""),
        ("So", " \nSo"),
        (" a < b <b>", " a < b <b>"),
        (" <tool", " "),
        ("box> <tool_call>", "<toolbox> "),
        (" is", "<tool_call> is"),
        (" <tool_call>\nget_", " "),
        ("it", "<tool_call>\nget_it"),
        ("<function=get_weather>\n<parameter=city>", ""),
    ] {
        let Reading::Chunk(mut chunk) = chunk(Some(text), None) else { unreachable!() };
        let changed = filter.normalise(&mut chunk);
        let delta = &chunk.choices.unwrap()[0].delta;
        assert_eq!(delta.content, Some(Content::Text(expected.to_owned())), "{text}");
        assert_eq!(changed, text != expected, "{text}");
    }
    let mut said = Said::default();
    said.take(Reading::Chunk(filter.rest().unwrap()));
    assert_eq!(said.text, "<function=get_weather>\n<parameter=city>");
    assert!(filter.rest().is_none());
}

#[test]
fn more_than_a_mebibyte_is_not_held_back() {
    let head = "<tool_call>\n<function=write_file>\n<parameter=path>\na\n</parameter>\n<parameter=content>\n";
    let piece = "x".repeat(64 << 10);
    let mut filter = steps(offered());
    let mut out = Vec::new();
    let mut pieces = vec![head];
    pieces.extend([piece.as_str(); 17]);
    let mut most_held = 0;
    let (mut taken, mut given) = (0, 0);
    for piece in &pieces {
        filter.push(chunk(Some(piece), None), &mut out).unwrap();
        taken += piece.len();
        let mut said = Said::default();
        out.drain(..).for_each(|reading| said.take(reading));
        given += said.text.len();
        most_held = most_held.max(taken - given);
    }
    assert_eq!(given, pieces.concat().len());
    assert!(most_held <= 1 << 20, "{most_held}");
}

#[test]
fn openers_without_end_cost_no_more_than_their_length() {
    for opener in ["<tool_call>{", "<tool_call>", "<function=read>", "<tool_call>read<arg_key>", "`<", "{"] {
        let text = opener.repeat((1 << 20) / opener.len());
        let said = streamed(&[&text, &text], "stop");
        assert_eq!(said.text.len(), 2 * text.len(), "{opener}");
    }
}

#[test]
fn a_request_without_tools_or_with_none_wanted_offers_nothing() {
    let tool = json!({"type": "function", "function": {"name": "f"}});
    for (body, expected) in [
        (json!({"messages": []}), false),
        (json!({"messages": [], "tools": []}), false),
        (json!({"messages": [], "tools": [{"type": "web_search"}]}), false),
        (json!({"messages": [], "tools": [tool], "tool_choice": "none"}), false),
        (json!({"messages": [], "tools": [tool], "tool_choice": "auto"}), true),
        (json!({"messages": [], "tools": [tool]}), true),
    ] {
        let request = ChatRequest::parse(&Bytes::from(body.to_string())).unwrap();
        assert_eq!(Offered::of(&request).is_some(), expected, "{body}");
    }
}

#[test]
fn every_answer_is_read_on_its_own() {
    let mut filter = TextCalls::new(offered(), "x");
    let mut sayings = [Said::default(), Said::default()];
    let texts = ["<tool_call>get_", "time</tool_call>"];
    for (text, finish) in [(texts[0], None), (texts[1], Some("stop"))] {
        let choices = [0, 1].map(|index| {
            let text = if index == 0 { text } else { texts[1] };
            let delta = Delta { content: Some(Content::Text(text.to_owned())), ..Delta::default() };
            Choice { index, delta, finish_reason: finish.map(str::to_owned), ..Choice::default() }
        });
        let mut chunk = Chunk { choices: Some(choices.to_vec()), usage: None };
        filter.normalise(&mut chunk);
        for choice in chunk.choices.unwrap() {
            let said = &mut sayings[choice.index as usize];
            let choices = Some(vec![choice]);
            said.take(Reading::Chunk(Chunk { choices, usage: None }));
        }
    }
    assert_eq!((sayings[0].order.as_str(), sayings[0].finish.as_deref()), ("c", Some("tool_calls")));
    assert_eq!((sayings[1].order.as_str(), sayings[1].finish.as_deref()), ("t", Some("stop")));
    assert_eq!(filter.repaired(), 1);
}

#[test]
fn what_is_held_is_said_before_a_call_of_the_other_kind() {
    let mut steps = steps(offered());
    let mut out = Vec::new();
    let made = "<tool_call>get_time</tool_call> then <tool_call>\n<function=get_weather>";
    for reading in [chunk(Some(made), None), native(true, "{}", None), chunk(None, Some("length"))] {
        steps.push(reading, &mut out).unwrap();
    }
    let deltas: Vec<Delta> = out
        .into_iter()
        .map(|reading| match reading {
            Reading::Chunk(chunk) => chunk.choices.unwrap().remove(0).delta,
            Reading::Done => unreachable!(),
        })
        .collect();
    let names = |delta: &Delta| -> Vec<String> {
        delta.tool_calls.iter().map(|call| call.function.name.clone().unwrap()).collect()
    };
    assert_eq!(
        (deltas[0].content.clone(), names(&deltas[0])),
        (Some(Content::Text(String::new())), vec!["get_time".into()])
    );
    let text = " then <tool_call>\n<function=get_weather>".to_owned();
    assert_eq!((deltas[1].content.clone(), names(&deltas[1])), (Some(Content::Text(text)), vec!["f".into()]));
    assert_eq!((deltas[2].content.clone(), names(&deltas[2])), (None, vec![]));
}

#[test]
fn a_reason_other_than_stop_is_kept() {
    let call = "<tool_call>get_time</tool_call>";
    for (reason, expected) in [("stop", "tool_calls"), ("length", "length"), ("tool_calls", "tool_calls")] {
        let said = streamed(&[call], reason);
        assert_eq!((said.calls.len(), said.finish.as_deref()), (1, Some(expected)), "{reason}");
    }
}

#[test]
fn a_name_that_holds_the_arguments_is_read() {
    let name = "read<arg_key>filePath</arg_key><arg_value>/home/me/wk</arg_value>";
    let other = "task<arg_key>prompt</arg_key><arg_value>x</arg_value>";
    for (name, expected, arguments) in [
        (name, "read", r#"{"filePath":"/home/me/wk"}"#),
        (&format!("{name}</tool_call>"), "read", r#"{"filePath":"/home/me/wk"}"#),
        (other, other, "{}"),
        ("read", "read", "{}"),
    ] {
        let Reading::Chunk(mut first) = native(true, "", None) else { unreachable!() };
        first.choices.as_mut().unwrap()[0].delta.tool_calls[0].function.name = Some(name.to_owned());
        let readings = vec![Reading::Chunk(first), native(false, "{}", None), Reading::Done];
        let mut steps = steps(offered());
        let mut out = Vec::new();
        readings.into_iter().for_each(|reading| steps.push(reading, &mut out).unwrap());
        let calls = out.into_iter().flat_map(|reading| match reading {
            Reading::Chunk(chunk) => chunk.choices.unwrap().remove(0).delta.tool_calls,
            Reading::Done => Vec::new(),
        });
        let calls: Vec<FunctionDelta> = calls.map(|call| call.function).collect();
        let said: String =
            calls.iter().filter_map(|call| call.arguments.clone()).map(Content::into_text).collect();
        assert_eq!((calls[0].name.as_deref(), said.as_str()), (Some(expected), arguments), "{name}");
    }
}

/// A fragment of one native call.
fn native(first: bool, piece: &str, finish: Option<&str>) -> Reading {
    let function = FunctionDelta {
        name: first.then(|| "f".to_owned()),
        arguments: Some(Content::Text(piece.to_owned())),
    };
    let id = first.then(|| "call_a".to_owned());
    let call = ToolCallDelta { index: Some(0), id, function };
    let delta = Delta { tool_calls: vec![call], ..Delta::default() };
    let choice = Choice { delta, finish_reason: finish.map(str::to_owned), ..Choice::default() };
    Reading::Chunk(Chunk { choices: Some(vec![choice]), usage: None })
}

/// The arguments that come of pieces, and how many calls were repaired.
fn repaired(pieces: &[&str], ends: bool) -> (Vec<String>, u32) {
    let mut filter = steps(None);
    let mut out = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let finish = (ends && at + 1 == pieces.len()).then_some("tool_calls");
        filter.push(native(at == 0, piece, finish), &mut out).unwrap();
    }
    filter.push(Reading::Done, &mut out).unwrap();
    let mut calls: Vec<String> = Vec::new();
    for reading in out {
        let Reading::Chunk(chunk) = reading else { continue };
        for call in chunk.choices.unwrap().remove(0).delta.tool_calls {
            if call.function.name.is_some() {
                calls.push(String::new());
            }
            let arguments = call.function.arguments.map(Content::into_text).unwrap_or_default();
            calls.last_mut().unwrap().push_str(&arguments);
        }
    }
    (calls, filter.repaired())
}

fn native_cases() -> Vec<Value> {
    serde_json::from_str(&read("native.json")).unwrap()
}

#[test]
fn arguments_are_repaired_as_they_pass_or_left_alone() {
    for case in native_cases() {
        let pieces: Vec<&str> =
            case["pieces"].as_array().unwrap().iter().map(|piece| piece.as_str().unwrap()).collect();
        let expected =
            (vec![case["arguments"].as_str().unwrap().to_owned()], case["repaired"].as_u64().unwrap());
        for ends in [true, false] {
            let (calls, count) = repaired(&pieces, ends);
            assert_eq!((calls, u64::from(count)), expected, "{} {ends}", case["name"]);
        }
    }
}

#[test]
fn broken_escapes_are_repaired_however_they_are_cut() {
    for case in native_cases() {
        let pieces = case["pieces"].as_array().unwrap();
        let text: String = pieces.iter().map(|piece| piece.as_str().unwrap()).collect();
        let (whole, count) = repaired(&[&text], true);
        for cut in (1..text.len()).filter(|&cut| text.is_char_boundary(cut)) {
            let (head, tail) = text.split_at(cut);
            // What repeats itself depends on where it is cut.
            if !case["name"].as_str().unwrap().contains("cumulative") && !tail.starts_with(head) {
                assert_eq!(repaired(&[head, tail], true), (whole.clone(), count), "{} {cut}", case["name"]);
            }
        }
    }
}

/// Bits of which calls are made, well and badly.
fn soup() -> impl Strategy<Value = Vec<String>> {
    let bit = prop_oneof![
        3 => prop::sample::select(vec![
            "<tool_call>", "</tool_call>", "<function=", "get_time", "get_weather", ">", "</function>", "<parameter=city>",
            "</parameter>", "<arg_key>city</arg_key>", "<arg_value>", "</arg_value>", "{", "}", "\n", "```", "`", "é世",
            "{\"name\":\"get_time\",\"arguments\":{}}", "\"", "\\", "[", "]", "json", " ", "<", "Paris",
        ]).prop_map(str::to_owned),
        1 => "[a-z <>`\n]{0,6}",
    ];
    prop::collection::vec(bit, 0..40)
}

/// The text in pieces that end at these places.
fn cut_at<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(*cut)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn without_tools_every_text_stays_as_it_is(soup in soup(), cuts in prop::collection::vec(0usize..200, 0..8)) {
        let text = soup.concat();
        let readings = cut_at(&text, &cuts).into_iter().map(|piece| chunk(Some(piece), None));
        let readings = readings.chain([chunk(None, Some("stop"))]).collect();
        let said = said(readings, None);
        prop_assert_eq!((said.text, said.calls.len()), (text, 0));
    }

    #[test]
    fn any_text_gives_the_same_however_it_is_cut(soup in soup(), cuts in prop::collection::vec(0usize..200, 0..8)) {
        let text = soup.concat();
        let whole = streamed(&[&text], "stop");
        let cut = streamed(&cut_at(&text, &cuts), "stop");
        prop_assert_eq!((&cut.text, &cut.calls), (&whole.text, &whole.calls));
        if whole.calls.is_empty() {
            prop_assert_eq!(whole.text, text);
        }
    }

    #[test]
    fn valid_arguments_pass_as_they_are(value in "(\\\\PC|\\\\\\\\|\"|\n){0,40}", cuts in prop::collection::vec(0usize..80, 0..8)) {
        let text = json!({"a": value, "b": [{"c": value}]}).to_string();
        let (calls, count) = repaired(&cut_at(&text, &cuts), true);
        prop_assert_eq!((calls, count), (vec![text], 0));
    }
}
