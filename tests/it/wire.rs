//! What is on the wire is read however it is cut, and written as it was.

use crate::golden::frames as decode;
use bytes::Bytes;
use futures_util::StreamExt as _;
use iflow2api::wire::anthropic::MessagesRequest;
use iflow2api::wire::json::Raw;
use iflow2api::wire::openai::ChatRequest;
use proptest::prelude::*;
use std::convert::Infallible;
use std::path::Path;

fn fixtures(file: &str) -> Vec<(String, Bytes)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let kind = if file == "upstream.sse" { "stream" } else { "request" };
    let folders = std::fs::read_dir(root.join(kind)).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        Some((path.display().to_string(), std::fs::read(path.join(file)).ok()?.into()))
    };
    let found: Vec<_> = folders.filter_map(read).collect();
    assert!(found.len() > 50, "the fixtures are there");
    found
}

#[test]
fn a_request_that_nobody_changes_is_written_as_it_came() {
    for (name, body) in fixtures("request.json") {
        let request = MessagesRequest::parse(&body).unwrap();
        assert_eq!(request.to_bytes(), body, "{name}");
    }
}

#[test]
fn a_changed_request_keeps_the_text_of_all_that_was_not_touched() {
    let body = Bytes::from_static(
        br#"{ "zeta": 1E5, "model": "a", "seed": 12345678901234567890123, "messages": [ {"role":"user", "content": "x\u0041", "odd": 1.10} ],
  "nested": {"b": null, "a": [1e-7, {"deep": -0}]}, "stream": false }"#,
    );
    let mut request = ChatRequest::parse(&body).unwrap();
    request.set("model", Raw::of("b"));
    let expected = concat!(
        r#"{"zeta":1E5,"model":"b","seed":12345678901234567890123,"#,
        r#""messages":[{"role":"user","content":"x\u0041","odd":1.10}],"#,
        r#""nested":{"b": null, "a": [1e-7, {"deep": -0}]},"stream":false}"#,
    );
    assert_eq!(request.to_bytes(), expected);
}

#[test]
fn a_body_that_is_wrong_is_refused_with_the_place() {
    for (body, param, message) in [
        (
            "{\"model\":\"m\",\n \"messages\":[}",
            None,
            "the body is not valid JSON: expected value at line 2 column 14",
        ),
        ("", None, "the body is not valid JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", None, "invalid type: sequence, expected a JSON object at line 1 column 0"),
        ("{\"messages\":{}}", Some("messages"), "expected an array, found an object"),
        ("{\"messages\":[{},3]}", Some("messages[1]"), "expected an object, found a number"),
        ("{\"model\":1,\"model\":2}", None, "the key `model` stands twice at line 1 column 18"),
        (
            "{\"messages\":[{\"role\":\"user\",\"role\":\"user\"}]}",
            Some("messages[0]"),
            "the key `role` stands twice at line 1 column 21",
        ),
    ] {
        let error = ChatRequest::parse(&Bytes::from_static(body.as_bytes())).unwrap_err();
        assert_eq!((error.param(), error.message()), (param, message), "{body}");
    }
}

/// What a well-kept reader of others makes of the same bytes.
fn decode_by_others(bytes: &[u8]) -> Vec<(Option<String>, String)> {
    let pieces = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(bytes))]);
    let events = sse_stream::SseStream::from_bytes_stream(pieces).collect::<Vec<_>>();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let events = runtime.block_on(events).into_iter().map(Result::unwrap);
    events.filter_map(|event| Some((event.event, event.data?))).collect()
}

/// Lines of a stream, more often right than wrong. They end in LF or CRLF: a lone CR is a line end
/// in the standard and here, but not for every reader.
fn stream_text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "data: [a-z{}\":é世]{0,12}",
        2 => "data:[a-z0-9]{1,8}",
        1 => "event: [a-z]{1,6}",
        1 => ": [a-z]{0,6}",
        1 => "id: [0-9]{1,3}",
        3 => Just(String::new()),
    ];
    let end = prop_oneof![3 => Just("\n"), 1 => Just("\r\n")];
    let lines = proptest::collection::vec((line, end), 0..24);
    lines.prop_map(|lines| {
        let mut text: String = lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect();
        text.push_str("\n\n");
        text.insert_str(0, ": starts\n\n");
        text.into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_stream_reads_the_same_however_it_is_cut(text in stream_text(), cuts in proptest::collection::vec(0usize..400, 0..6)) {
        let whole = decode(&[&text]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        prop_assert_eq!(decode(&pieces), whole);
    }

    #[test]
    fn any_stream_reads_as_others_read_it(text in stream_text()) {
        let ours: Vec<_> = decode(&[&text])
            .into_iter()
            .map(|frame| (frame.event, String::from_utf8(frame.data.to_vec()).unwrap()))
            .collect();
        prop_assert_eq!(ours, decode_by_others(&text));
    }

    #[test]
    fn any_bytes_are_read_without_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        let cut = decode(&[head, tail]);
        prop_assert_eq!(cut, decode(&[&bytes]));
    }
}
