//! The golden vectors of `tests/golden/`: written from the rules by hand, before there was code.

mod equal;
pub mod grammar;
mod native;
mod request;
mod stream;
mod thinking;
mod whole;

use iflow2api::error::Error;
use iflow2api::policy::failure::Judge;
use iflow2api::policy::filters::Filters;
use iflow2api::step::{Ending, Step, Then};
use iflow2api::translate::{Echo, MessageStream};
use iflow2api::wire::anthropic::Event;
use iflow2api::wire::openai::Reading;
use iflow2api::wire::sse::{Frame, FrameDecoder};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folders of one kind of vector, in order.
pub fn cases(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind);
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    let few = match kind {
        "continuation" => 1,
        "native" => 20,
        _ => 30,
    };
    assert!(found.len() > few, "the vectors are there");
    found
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn echo(case: &Value) -> Echo {
    let stops = case["stop_sequences"].as_array().cloned().unwrap_or_default();
    Echo {
        id: "msg_test".to_owned(),
        model: case["model"].as_str().unwrap().to_owned(),
        input_tokens: case["input_tokens"].as_u64().unwrap(),
        thinking: case["thinking"].as_bool().unwrap_or(false),
        stops: stops.iter().map(|stop| stop.as_str().unwrap().to_owned()).collect(),
        profile: "test".to_owned(),
        ..Echo::default()
    }
}

type Steps = Then<Filters, MessageStream>;

fn steps(case: &Value) -> Steps {
    let inline = case["inline_think"].as_bool().unwrap_or(false);
    let filters = Filters::new(inline, None, "test");
    Then::new(filters, MessageStream::new(echo(case)))
}

/// The frames of a stream that comes in these pieces.
pub fn frames(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut frames).unwrap();
    }
    decoder.finish(&mut frames);
    frames
}

/// What the driver of the gateway does, without a socket.
fn drive(frames: Vec<Frame>, mut steps: Steps) -> Vec<Event> {
    let mut out = Vec::new();
    let push = |frame: Frame, steps: &mut Steps, out: &mut Vec<Event>| -> Result<(), Error> {
        let reading: Reading = Judge::plain("test").read_frame(&frame.data)?;
        steps.push(reading, out)
    };
    for frame in frames {
        if let Err(error) = push(frame, &mut steps, &mut out) {
            steps.finish(Ending::Failed(&error), &mut out);
            return out;
        }
        if steps.is_over() {
            return out;
        }
    }
    steps.finish(Ending::Complete, &mut out);
    out
}

/// Puts the literals of the vectors in the place of what nobody can foresee.
fn blur(value: &mut Value, minted: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), &member) {
                    ("signature", Value::String(text)) if !text.is_empty() => {
                        assert!(text.starts_with("ifw1.test."), "{text}");
                        *member = Value::from("SIGNATURE");
                    }
                    ("id", Value::String(id)) if is_minted(id) => {
                        if !minted.contains(id) {
                            minted.push(id.clone());
                        }
                        let at = minted.iter().position(|known| known == id).unwrap();
                        *member = Value::from(format!("toolu_MINTED_{}", at + 1));
                    }
                    _ => blur(member, minted),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| blur(item, minted)),
        _ => {}
    }
}

/// Ids of ours: made for a call that had none, or encoded because the upstream's may not be shown.
fn is_minted(id: &str) -> bool {
    id.starts_with("call_test") || id.starts_with("toolu_if_") || id.starts_with("toolu_")
}
