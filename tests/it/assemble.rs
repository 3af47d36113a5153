//! Any answer says the same, whether it came whole or was put together from its stream (B26).

use bytes::Bytes;
use iflow2api::policy::assemble::Assembler;
use iflow2api::policy::failure::Judge;
use iflow2api::wire::json::Raw;
use iflow2api::wire::openai::{Chunk, Content};
use iflow2api::wire::sse::Frame;
use proptest::prelude::*;
use serde_json::{Value, json};

/// One answer among the `n` of a completion.
#[derive(Debug, Clone)]
struct Answer {
    content: Option<String>,
    thoughts: Option<String>,
    /// Where the thoughts stand: a member that is a text, or the list of parts.
    dialect: &'static str,
    calls: Vec<(String, String)>,
    reason: &'static str,
}

/// Where a stream tells its usage.
#[derive(Debug, Clone, Copy)]
enum Told {
    Nowhere,
    /// With each chunk, growing.
    Everywhere,
    AtTheEnd,
    InAnAnswer,
}

fn answer() -> impl Strategy<Value = Answer> {
    let text = || proptest::option::of("[a-z \"\\\\\n世é😀]{0,30}");
    let dialect = prop_oneof![Just("reasoning_content"), Just("reasoning"), Just("reasoning_details")];
    let calls = proptest::collection::vec(("[a-z]{1,6}", "\\{\"[a-z]{1,4}\": ?\"[a-z世\n]{0,12}\"\\}"), 0..3);
    let reason = prop_oneof![Just("stop"), Just("length"), Just("tool_calls")];
    (text(), text(), dialect, calls, reason).prop_map(|(content, thoughts, dialect, calls, reason)| {
        let calls =
            calls.into_iter().map(|(name, arguments)| (name, arguments.replace('\n', "\\n"))).collect();
        Answer { content, thoughts, dialect, calls, reason }
    })
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![Just(Told::Nowhere), Just(Told::Everywhere), Just(Told::AtTheEnd), Just(Told::InAnAnswer)]
}

/// A text in pieces of about this many characters.
fn pieces(text: &str, size: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = characters.chunks(size).map(|piece| piece.iter().collect()).collect();
    if pieces.is_empty() { vec![String::new()] } else { pieces }
}

fn thoughts(dialect: &str, text: &str) -> Value {
    match dialect {
        "reasoning_details" => json!([{ "type": "reasoning.text", "text": text, "index": 0 }]),
        _ => json!(text),
    }
}

fn usage(completion: usize) -> Value {
    json!({ "prompt_tokens": 11, "completion_tokens": completion })
}

/// The deltas of one answer, in the order they are sent.
fn deltas(answer: &Answer, size: usize) -> Vec<Value> {
    let mut deltas = vec![json!({ "role": "assistant", "content": null })];
    for piece in answer.thoughts.iter().flat_map(|text| pieces(text, size)) {
        deltas.push(json!({ answer.dialect: thoughts(answer.dialect, &piece) }));
    }
    for piece in answer.content.iter().flat_map(|text| pieces(text, size)) {
        deltas.push(json!({ "content": piece }));
    }
    for (at, (name, _)) in answer.calls.iter().enumerate() {
        let function = json!({ "name": name, "arguments": "" });
        let call =
            json!({ "index": at, "id": format!("call_{at}"), "type": "function", "function": function });
        deltas.push(json!({ "tool_calls": [call] }));
    }
    // All calls go on at once.
    let parts: Vec<Vec<String>> = answer.calls.iter().map(|(_, text)| pieces(text, size)).collect();
    for round in 0..parts.iter().map(Vec::len).max().unwrap_or(0) {
        let call = |(at, piece): (usize, &String)| json!({ "index": at, "function": { "arguments": piece } });
        let pieces = parts.iter().enumerate().filter_map(|(at, parts)| Some((at, parts.get(round)?)));
        deltas.push(json!({ "tool_calls": pieces.map(call).collect::<Vec<_>>() }));
    }
    deltas
}

/// The answers as a stream: a delta of each in turn, then their ends.
fn stream(answers: &[Answer], told: Told, size: usize) -> Vec<Value> {
    let deltas: Vec<Vec<Value>> = answers.iter().map(|answer| deltas(answer, size)).collect();
    let mut choices = Vec::new();
    for round in 0..deltas.iter().map(Vec::len).max().unwrap_or(0) {
        let of_round = deltas.iter().enumerate().filter_map(|(at, deltas)| Some((at, deltas.get(round)?)));
        choices.extend(
            of_round.map(|(at, delta)| json!({ "index": at, "delta": delta, "finish_reason": null })),
        );
    }
    for (at, answer) in answers.iter().enumerate() {
        let mut choice = json!({ "index": at, "delta": {}, "finish_reason": answer.reason });
        if let Told::InAnAnswer = told {
            choice["usage"] = usage(7);
        }
        choices.push(choice);
    }
    let count = choices.len();
    let mut chunks: Vec<Value> = choices
        .into_iter()
        .map(|choice| json!({ "id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice] }))
        .collect();
    if let Told::Everywhere = told {
        for (at, chunk) in chunks.iter_mut().enumerate() {
            chunk["usage"] = usage(if at + 1 == count { 7 } else { at % 7 });
        }
    }
    if let Told::AtTheEnd = told {
        chunks.push(json!({ "id": "c1", "choices": [], "usage": usage(7) }));
    }
    chunks
}

/// The answers as one body.
fn whole(answers: &[Answer], told: Told) -> Value {
    let choice = |(at, answer): (usize, &Answer)| {
        let mut message = json!({ "role": "assistant", "content": answer.content });
        if let Some(text) = &answer.thoughts {
            message[answer.dialect] = thoughts(answer.dialect, text);
        }
        if !answer.calls.is_empty() {
            let call = |(at, (name, arguments)): (usize, &(String, String))| {
                let function = json!({ "name": name, "arguments": arguments });
                json!({ "id": format!("call_{at}"), "type": "function", "function": function })
            };
            message["tool_calls"] = answer.calls.iter().enumerate().map(call).collect();
        }
        json!({ "index": at, "message": message, "finish_reason": answer.reason })
    };
    let choices: Vec<Value> = answers.iter().enumerate().map(choice).collect();
    let mut body = json!({ "id": "c1", "object": "chat.completion", "model": "m", "choices": choices });
    if !matches!(told, Told::Nowhere) {
        body["usage"] = usage(7);
    }
    body
}

/// What a whole body says to those who read it.
fn said(body: &Bytes) -> Result<Value, String> {
    let text = |content: Option<Content>| content.map(Content::into_text);
    let value = |raw: Option<Raw>| raw.map(|raw| raw.read::<Value>().unwrap());
    let chunk: Chunk = Judge::plain("test").read_whole(body).map_err(|error| error.message().to_owned())?;
    let usage = chunk.told_usage().map(|usage| (usage.prompt_tokens, usage.completion_tokens));
    let choices = chunk.choices.unwrap().into_iter().map(|choice| {
        let delta = choice.delta;
        let calls = delta
            .tool_calls
            .into_iter()
            .map(|call| json!([call.index, call.id, call.function.name, text(call.function.arguments)]));
        json!({
            "index": choice.index,
            "content": text(delta.content),
            "reasoning_content": text(delta.reasoning_content),
            "reasoning": value(delta.reasoning),
            "reasoning_details": value(delta.reasoning_details),
            "calls": calls.collect::<Vec<_>>(),
            "finish_reason": choice.finish_reason,
        })
    });
    Ok(json!({ "choices": choices.collect::<Vec<_>>(), "usage": usage }))
}

fn assembled(chunks: &[Value], says_done: bool) -> Bytes {
    let mut assembler = Assembler::new(Judge::plain("test"), "s");
    for chunk in chunks {
        assembler.push(&Frame::json(None, chunk)).unwrap();
    }
    if says_done {
        assembler.push(&Frame::data(Bytes::from_static(b"[DONE]"))).unwrap();
    }
    assembler.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_answer_says_the_same_streamed_and_whole(
        answers in proptest::collection::vec(answer(), 1..3),
        told in told(),
        size in 1usize..9,
        says_done in any::<bool>(),
    ) {
        let streamed = assembled(&stream(&answers, told, size), says_done);
        let whole = whole(&answers, told);
        prop_assert_eq!(said(&streamed), said(&Bytes::from(whole.to_string())));
        let streamed: Value = serde_json::from_slice(&streamed).unwrap();
        for key in ["id", "object", "model"] {
            prop_assert_eq!(&streamed[key], &whole[key]);
        }
    }
}
