//! Streams of an upstream that speaks the caller's API: each vector whole, cut and ended at every byte.

use super::{cases, frames, json};
use iflow2api::policy::failure::Judge;
use iflow2api::policy::presets::rows::Place;
use iflow2api::step::{Ending, Step as _};
use iflow2api::translate::native::Native;
use iflow2api::wire::sse::Frame;
use serde_json::Value;

/// What the driver of the gateway does, without a socket: what the caller gets, and the counts.
fn drive(pieces: &[&[u8]], case: &Value) -> (Vec<Frame>, Value) {
    let model = case["model"].as_str().map(str::to_owned);
    let mut native =
        Native::new("test", model, |text: &[u8]| Judge::plain("test").in_band(Place::Stream, text));
    let mut out = Vec::new();
    let pushed = frames(pieces).into_iter().try_for_each(|frame| native.push(frame, &mut out));
    let ending = pushed.as_ref().map_or_else(Ending::Failed, |()| Ending::Complete);
    native.finish(ending, &mut out);
    assert!(native.is_over());
    (out, serde_json::to_value(native.usage()).unwrap())
}

fn bytes(frames: &[Frame]) -> String {
    let bytes: Vec<u8> = frames.iter().cloned().flat_map(Frame::into_bytes).collect();
    String::from_utf8(bytes).unwrap()
}

/// Fails unless the events are `message_start … (message_stop | error)`, or `error` alone, with each
/// block's events between its start and its stop, and all blocks stopped. Events of other names may
/// stand anywhere.
fn check(frames: &[Frame], name: &str) {
    let (mut begun, mut ended, mut open) = (false, false, None);
    for frame in frames {
        let event = frame.event.as_deref().unwrap_or_else(|| panic!("{name}: an event without a name"));
        let data: Value = serde_json::from_slice(&frame.data).unwrap_or_default();
        let index = data["index"].as_u64();
        assert!(!ended, "{name}: {event} after the end");
        match event {
            "message_start" => assert!(!std::mem::replace(&mut begun, true), "{name}: begins twice"),
            "content_block_start" => assert_eq!(open.replace(index), None, "{name}: a block inside another"),
            "content_block_delta" => assert_eq!(open, Some(index), "{name}: a delta of no open block"),
            "content_block_stop" => assert_eq!(open.take(), Some(index), "{name}: a stop of no open block"),
            "message_delta" | "message_stop" | "error" => {
                assert_eq!(open, None, "{name}: {event} inside a block");
                assert!(begun || event == "error", "{name}: {event} of no message");
                ended = event != "message_delta";
            }
            _ => {}
        }
    }
    assert!(ended, "{name}: has no end");
}

#[test]
fn every_native_vector_gives_its_bytes_wherever_it_is_cut() {
    let mut failures = Vec::new();
    for path in cases("native") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = json(&path.join("case.json"));
        let upstream = std::fs::read(path.join("upstream.sse")).unwrap();
        let expected = std::fs::read_to_string(path.join("expected.sse")).unwrap();
        let (events, usage) = drive(&[&upstream], &case);
        check(&events, &name);
        if (bytes(&events), &usage) != (expected.clone(), &case["usage"]) {
            failures.push(format!("{name}\nexpected\n{expected}actual\n{}usage {usage}", bytes(&events)));
            continue;
        }
        for cut in 0..=upstream.len() {
            let (head, tail) = upstream.split_at(cut);
            let (events, _) = drive(&[head, tail], &case);
            assert_eq!(bytes(&events), expected, "{name} cut at {cut}");
        }
        let pieces: Vec<&[u8]> = upstream.chunks(1).collect();
        assert_eq!(bytes(&drive(&pieces, &case).0), expected, "{name} byte by byte");
    }
    assert!(failures.is_empty(), "{} vectors differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_native_vector_that_ends_anywhere_keeps_the_grammar() {
    for path in cases("native") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = json(&path.join("case.json"));
        let upstream = std::fs::read(path.join("upstream.sse")).unwrap();
        for end in 0..upstream.len() {
            check(&drive(&[&upstream[..end]], &case).0, &format!("{name} ended at {end}"));
        }
    }
}
