//! One answer, streamed or whole, is one message (B26): over generated answers.

use super::{drive, grammar};
use bytes::Bytes;
use iflow2api::policy::failure::Judge;
use iflow2api::policy::filters::Filters;
use iflow2api::step::{Step as _, Then};
use iflow2api::translate::response::assemble;
use iflow2api::translate::{Echo, MessageStream, completion_to_message};
use iflow2api::wire::openai::Reading;
use iflow2api::wire::sse::Frame;
use proptest::prelude::*;
use serde_json::{Value, json};

/// An answer, in the pieces in which it is streamed.
#[derive(Debug, Clone)]
struct Answer {
    thoughts: Vec<String>,
    text: Vec<String>,
    calls: Vec<(String, Vec<String>)>,
    finish: &'static str,
    usage: Option<(u64, u64)>,
    /// Whether the first call's number is said, and fragments of two calls take turns.
    interleaved: bool,
}

fn pieces(text: &str, cuts: &[usize]) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (letters.len() + 1)).collect();
    cuts.extend([0, letters.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| letters[cut[0]..cut[1]].iter().collect()).collect()
}

fn cut_text() -> impl Strategy<Value = Vec<String>> {
    ("[a-z <>{}\"\\\\\n世é]{0,40}", proptest::collection::vec(0usize..40, 0..5))
        .prop_map(|(text, cuts)| pieces(&text, &cuts))
}

fn call() -> impl Strategy<Value = (String, Vec<String>)> {
    let arguments = prop_oneof![
        Just(json!({})),
        ("[a-z\"\\\\]{0,12}", 0i64..9)
            .prop_map(|(text, number)| json!({ "text": text, "deep": [{ "n": number }] })),
    ];
    ("[a-zA-Z_]{1,12}", arguments, proptest::collection::vec(0usize..40, 0..4))
        .prop_map(|(name, arguments, cuts)| (name, pieces(&arguments.to_string(), &cuts)))
}

fn answer() -> impl Strategy<Value = Answer> {
    (
        cut_text(),
        cut_text(),
        proptest::collection::vec(call(), 0..4),
        prop_oneof![Just("stop"), Just("length"), Just("tool_calls"), Just("content_filter")],
        proptest::option::of((1u64..5000, 1u64..500)),
        any::<bool>(),
    )
        .prop_map(|(thoughts, text, calls, finish, usage, interleaved)| Answer {
            thoughts,
            text,
            calls,
            finish,
            usage,
            interleaved,
        })
}

impl Answer {
    fn usage(&self) -> Value {
        self.usage.map_or(
            Value::Null,
            |(input, output)| json!({ "prompt_tokens": input, "completion_tokens": output }),
        )
    }

    fn whole(&self) -> Value {
        let calls: Vec<Value> = self
            .calls
            .iter()
            .enumerate()
            .map(|(at, (name, arguments))| {
                let function = json!({ "name": name, "arguments": arguments.concat() });
                json!({ "id": format!("call_{at}"), "type": "function", "function": function })
            })
            .collect();
        let mut message = json!({ "role": "assistant", "content": self.text.concat() });
        if !self.thoughts.concat().is_empty() {
            message["reasoning_content"] = self.thoughts.concat().into();
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        json!({
            "choices": [{ "index": 0, "message": message, "finish_reason": self.finish }],
            "usage": self.usage(),
        })
    }

    fn streamed(&self) -> Vec<Frame> {
        let mut deltas: Vec<Value> = vec![json!({ "role": "assistant", "content": "" })];
        deltas.extend(self.thoughts.iter().map(|text| json!({ "reasoning_content": text })));
        deltas.extend(self.text.iter().map(|text| json!({ "content": text })));
        let start = |at: usize, name: &str| json!({ "index": at, "id": format!("call_{at}"), "type": "function", "function": { "name": name, "arguments": "" } });
        let more = |at: usize, piece: &str| json!({ "index": at, "function": { "arguments": piece } });
        if self.interleaved {
            let starts: Vec<Value> =
                self.calls.iter().enumerate().map(|(at, (name, _))| start(at, name)).collect();
            deltas.extend((!starts.is_empty()).then(|| json!({ "tool_calls": starts })));
            let longest = self.calls.iter().map(|(_, pieces)| pieces.len()).max().unwrap_or(0);
            for turn in 0..longest {
                for (at, (_, pieces)) in self.calls.iter().enumerate() {
                    deltas.extend(pieces.get(turn).map(|piece| json!({ "tool_calls": [more(at, piece)] })));
                }
            }
        } else {
            for (at, (name, pieces)) in self.calls.iter().enumerate() {
                deltas.push(json!({ "tool_calls": [start(at, name)] }));
                deltas.extend(pieces.iter().map(|piece| json!({ "tool_calls": [more(at, piece)] })));
            }
        }
        let mut chunks: Vec<Value> = deltas
            .into_iter()
            .map(|delta| json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }))
            .collect();
        chunks.push(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": self.finish }] }));
        if self.usage.is_some() {
            chunks.push(json!({ "choices": [], "usage": self.usage() }));
        }
        let frames = chunks.iter().map(|chunk| Frame::data(chunk.to_string()));
        frames.chain([Frame::data("[DONE]")]).collect()
    }
}

fn echo(thinking: bool) -> Echo {
    Echo {
        id: "msg_test".to_owned(),
        model: "m".to_owned(),
        input_tokens: 7,
        thinking,
        profile: "test".to_owned(),
        ..Echo::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_stream_put_together_is_the_whole_answer(answer in answer(), thinking in any::<bool>()) {
        let filters = || Filters::new(false, None, "test");
        let events = drive(answer.streamed(), Then::new(filters(), MessageStream::new(echo(thinking))));
        grammar::check(&events, "generated");
        let streamed = assemble(events);

        let mut readings = Vec::new();
        let mut filters = filters();
        let whole = Bytes::from(answer.whole().to_string());
        filters.push(Judge::plain("test").read_frame(&whole).unwrap(), &mut readings).unwrap();
        filters.push(Reading::Done, &mut readings).unwrap();
        let whole = completion_to_message(readings, echo(thinking));
        match (streamed, whole) {
            (Ok(mut streamed), Ok(whole)) => {
                if answer.usage.is_none() {
                    // Our own count depends a little on the order in which the pieces came.
                    let counts = [streamed.usage.output_tokens, whole.usage.output_tokens];
                    prop_assert!(counts[0].abs_diff(counts[1]) <= 8, "{:?}", counts);
                    streamed.usage = whole.usage;
                }
                prop_assert_eq!(streamed, whole);
            }
            (streamed, whole) => prop_assert_eq!(streamed.is_err(), whole.is_err()),
        }
    }
}
