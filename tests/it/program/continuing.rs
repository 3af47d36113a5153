//! Answers that were cut go on by themselves, and the caller sees one (F01–F10): the vectors of
//! `tests/golden/continuation`, each prefix mode, what forbids it, and what ends it.

use super::{DONE, chunk, delta, finish, says, with_table};
use crate::golden;
use crate::support::client::{events, names};
use crate::support::program::{Program, serve};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

const GO_ON: &str = "Continue exactly where you stopped. Do not repeat or comment.";

fn data(text: &str) -> Vec<Value> {
    let frames = golden::frames(&[text.as_bytes()]);
    let parse = |data: &[u8]| serde_json::from_slice(data).unwrap_or_else(|_| json!("[DONE]"));
    frames.iter().map(|frame| parse(&frame.data)).collect()
}

/// Puts the literals of the vectors in the place of what nobody can foresee.
fn blur(mut event: Value) -> Value {
    if event["type"] == "message_start" {
        assert!(event["message"]["id"].as_str().unwrap().starts_with("msg_"));
        assert!(event["message"]["usage"]["input_tokens"].as_u64().unwrap() > 0);
        event["message"]["id"] = json!("msg_test");
        event["message"]["usage"]["input_tokens"] = json!("ESTIMATED");
    }
    event
}

#[tokio::test]
async fn every_vector_of_continuation_comes_out_as_one_answer_on_both_faces() {
    for path in golden::cases("continuation") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let read = |file: &str| std::fs::read_to_string(path.join(file)).ok();
        let case: Value = serde_json::from_str(&read("case.json").unwrap()).unwrap();
        let rounds: Vec<Exchange> =
            (1..).map_while(|round| read(&format!("upstream_{round}.sse"))).map(Exchange::stream).collect();
        for (face, route) in [("chat", "/v1/chat/completions"), ("messages", "/v1/messages")] {
            let upstream = Upstream::start(rounds.clone()).await;
            let program = with_table(&upstream, case["upstream"].as_str().unwrap()).start().await;
            let text = program.post(route, case[face].to_string()).await.text().await;
            let expected = data(&read(&format!("{face}.sse")).unwrap());
            let actual: Vec<Value> = data(&text).into_iter().map(blur).collect();
            assert_eq!(actual, expected, "{name} on {face}");
            for (request, asked) in upstream.requests().iter().zip(case["asked"].as_array().unwrap()) {
                let body = request.json();
                for (key, value) in asked.as_object().unwrap() {
                    assert_eq!(&body[key], value, "{name} on {face}: {key}");
                }
            }
        }
    }
}

/// A round that says this and is cut.
fn cut(text: &str) -> Exchange {
    Exchange::stream([says(text), finish("length"), DONE.into()].concat())
}

/// A round that says this and ends.
fn end(text: &str) -> Exchange {
    Exchange::stream([says(text), finish("stop"), DONE.into()].concat())
}

/// A whole round.
fn page(text: &str, reason: &str, usage: (u64, u64)) -> Exchange {
    let (prompt, completion) = usage;
    Exchange::answer(
        200,
        json!({
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        })
        .to_string(),
    )
}

fn request(extra: Value) -> Value {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    request
}

/// What the caller of the OpenAI face gets of a stream: the text, and the last reason.
async fn chat(program: &Program, extra: Value) -> (String, String) {
    let mut body = request(extra);
    body["stream"] = json!(true);
    let text = program.chat(body.to_string()).await.text().await;
    said(&text)
}

fn said(text: &str) -> (String, String) {
    let chunks = events(text);
    let of = |chunk: &Value, path: &str| chunk.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let said = chunks.iter().filter_map(|chunk| of(chunk, "/choices/0/delta/content")).collect();
    let reasons: Vec<String> =
        chunks.iter().filter_map(|chunk| of(chunk, "/choices/0/finish_reason")).collect();
    assert_eq!(reasons.len(), 1, "one finish: {text}");
    assert!(text.ends_with(DONE), "{text}");
    (said, reasons[0].clone())
}

fn pair(text: &str, reason: &str) -> (String, String) {
    (text.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn whole_answers_go_on_too_and_say_so() {
    let rounds = || {
        let rounds = [("One two three", "length", (9, 30)), (" four five", "length", (40, 30))];
        rounds
            .into_iter()
            .chain([(" six.", "stop", (70, 4))])
            .map(|(text, reason, usage)| page(text, reason, usage))
    };
    let told = json!({"continuations": 2, "rescues": 0, "billed_prompt_tokens": 119, "billed_completion_tokens": 64});
    let upstream = Upstream::start(rounds().chain(rounds()).collect::<Vec<_>>()).await;
    let mut program = serve(&upstream).start().await;
    let mut answer = program.chat(request(json!({})).to_string()).await;
    assert_eq!(answer.header("x-iflow2api-continuations"), Some("2"));
    let body = answer.json().await;
    let choice = &body["choices"][0];
    assert_eq!(choice["message"]["content"], "One two three four five six.");
    assert_eq!(choice["finish_reason"], "stop");
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 64, "total_tokens": 73, "iflow2api": told});
    assert_eq!(body["usage"], usage);
    program.line(&["call", "continuations=2", "tokens_out=64"]).await;

    let mut answer = program.messages(request(json!({"max_tokens": 1000})).to_string()).await;
    assert_eq!(answer.header("x-iflow2api-continuations"), Some("2"));
    let body = answer.json().await;
    assert_eq!(body["content"], json!([{"type": "text", "text": "One two three four five six."}]));
    assert_eq!((&body["stop_reason"], &body["usage"]["output_tokens"]), (&json!("end_turn"), &json!(64)));
    assert_eq!((&body["usage"]["input_tokens"], &body["usage"]["iflow2api"]), (&json!(9), &told));
}

#[tokio::test]
async fn each_prefix_mode_asks_in_its_own_way() {
    let assistant = |more: Value| {
        let mut said = json!({"role": "assistant", "content": "Half a"});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    };
    let go_on = json!({"role": "user", "content": GO_ON});
    for (mode, line, tail, members) in [
        ("none", "POST /v1/chat/completions", vec![assistant(json!({})), go_on], json!({})),
        (
            "deepseek",
            "POST /beta/chat/completions",
            vec![assistant(json!({"reasoning_content": "Hm.", "prefix": true}))],
            json!({}),
        ),
        ("partial", "POST /v1/chat/completions", vec![assistant(json!({"partial": true}))], json!({})),
        (
            "vllm",
            "POST /v1/chat/completions",
            vec![assistant(json!({}))],
            json!({
                "continue_final_message": true,
                "add_generation_prompt": false,
                "chat_template_kwargs": {"enable_thinking": false}
            }),
        ),
        (
            "trailing",
            "POST /v1/chat/completions",
            vec![assistant(json!({}))],
            json!({"chat_template_kwargs": {"enable_thinking": false}}),
        ),
    ] {
        let thought = delta(r#"{"role":"assistant","reasoning_content":"Hm."}"#);
        let first = [thought, delta(r#"{"content":"Half a"}"#), finish("length"), DONE.into()].concat();
        // What later rounds think is not the answer's.
        let later =
            [delta(r#"{"reasoning_content":"Go on."}"#), delta(r#"{"content":" loaf."}"#), finish("stop")];
        let upstream =
            Upstream::start([Exchange::stream(first), Exchange::stream(later.concat()).at(line)]).await;
        let program = with_table(&upstream, &format!("prefix = \"{mode}\"")).start().await;
        let text = program.chat(request(json!({"stream": true})).to_string()).await.text().await;
        assert_eq!(said(&text), pair("Half a loaf.", "stop"), "{mode}");
        assert!(!text.contains("Go on."), "{mode}: {text}");
        let asked = upstream.requests()[1].json();
        assert_eq!(asked["messages"].as_array().unwrap()[1..], tail, "{mode}");
        for (key, value) in members.as_object().unwrap() {
            assert_eq!(&asked[key], value, "{mode}");
        }
    }
}

#[tokio::test]
async fn what_needs_its_answer_in_one_piece_gets_it() {
    for extra in [
        json!({"response_format": {"type": "json_object"}}),
        json!({"logprobs": true}),
        json!({"functions": [{"name": "f", "parameters": {}}]}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}),
        json!({"stop": ["One two\n\nEND"]}),
        json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "One"}]}),
        json!({"modalities": ["text", "audio"]}),
    ] {
        let upstream = Upstream::start([cut("One two")]).await;
        let program = serve(&upstream).start().await;
        assert_eq!(chat(&program, extra.clone()).await, pair("One two", "length"), "{extra}");
    }
    for (extra, thinks) in [(json!({"n": 2}), false), (json!({}), true)] {
        let said = if thinks { r#"{"reasoning_content":"Hm"}"# } else { r#"{"content":"One"}"# };
        let upstream =
            Upstream::start([Exchange::stream([delta(said), finish("length"), DONE.into()].concat())]).await;
        let program = serve(&upstream).start().await;
        assert_eq!(chat(&program, extra).await.1, "length");
    }
    let call =
        r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{"}}]}"#;
    let called = [delta(r#"{"content":"One"}"#), delta(call), finish("length"), DONE.into()].concat();
    let upstream = Upstream::start([Exchange::stream(called)]).await;
    assert_eq!(chat(&serve(&upstream).start().await, json!({})).await, pair("One", "length"));
}

#[tokio::test]
async fn a_stop_that_cannot_stand_across_the_joint_forbids_nothing() {
    let upstream = Upstream::start([cut("One two"), end(" three")]).await;
    let program = serve(&upstream).start().await;
    assert_eq!(chat(&program, json!({"stop": "END"})).await, pair("One two three", "stop"));
}

#[tokio::test]
async fn an_answer_that_a_stop_sequence_of_ours_ended_does_not_go_on_behind_the_caller_s_back() {
    let upstream = Upstream::start([cut("One STOP5 two")]).await;
    let mut program = serve(&upstream).start().await;
    let stops = ["STOP1", "STOP2", "STOP3", "STOP4", "STOP5"];
    let body = request(json!({"stream": true, "max_tokens": 99, "stop_sequences": stops})).to_string();
    let text = program.messages(body).await.text().await;
    assert!(text.contains("\"stop_sequence\":\"STOP5\"") && !text.contains("two"), "{text}");
    program.line(&["call", "status=200"]).await;
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn the_mode_is_the_setting_s_or_the_caller_s_for_one_call() {
    let ask = async |program: &Program, header: &str| {
        let body = request(json!({"stream": true, "max_tokens": 5})).to_string();
        let text = program.ask("POST /v1/chat/completions", header, body).await.text().await;
        said(&text).0
    };
    // Five words, told as five tokens: the caller's own cap.
    let usage = chunk("").replace("}\n\n", ",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n");
    let capped = [delta(r#"{"content":"1 2 3 4 5"}"#), finish("length"), usage, DONE.into()].concat();
    let upstream =
        Upstream::start([Exchange::stream(&capped), Exchange::stream(&capped), end(" 6"), cut("a")]).await;
    let program = serve(&upstream).start().await;
    assert_eq!(ask(&program, "").await, "1 2 3 4 5", "auto: never beyond the cap");
    assert_eq!(ask(&program, "x-iflow2api-continue: always\r\n").await, "1 2 3 4 5 6");
    assert_eq!(ask(&program, "x-iflow2api-continue: OFF\r\n").await, "a");
    let mut refused = program.ask("POST /v1/messages", "x-iflow2api-continue: maybe\r\n", "{}").await;
    let body = refused.json().await;
    assert_eq!((refused.status, &body["error"]["type"]), (400, &json!("invalid_request_error")), "{body}");

    let upstream = Upstream::start([Exchange::stream(&capped), end(" 6")]).await;
    let program = serve(&upstream).env("IFLOW2API_CONTINUATION_MODE", "always").start().await;
    assert_eq!(ask(&program, "").await, "1 2 3 4 5 6");
    let upstream = Upstream::start([cut("a")]).await;
    let program = serve(&upstream).env("IFLOW2API_CONTINUATION_MODE", "off").start().await;
    assert_eq!(ask(&program, "").await, "a");
}

#[tokio::test]
async fn after_the_last_round_the_cut_shows() {
    let words = ["a", " b", " c", " d", " e", " f"];
    let upstream = Upstream::start(words.map(cut)).await;
    let program = serve(&upstream).start().await;
    assert_eq!(chat(&program, json!({})).await, pair("a b c d e f", "length"), "five rounds");
    let upstream = Upstream::start([cut("a"), cut(" b")]).await;
    let program = serve(&upstream).env("IFLOW2API_CONTINUATION_ROUNDS", "1").start().await;
    assert_eq!(chat(&program, json!({})).await, pair("a b", "length"));
}

#[tokio::test]
async fn a_round_that_fails_or_says_nothing_new_ends_the_answer_where_it_was() {
    let text = "A sentence that is long enough to be recognised";
    for second in [
        Exchange::answer(500, "{}"),
        Exchange::answer(429, "{}"),
        Exchange::stream(""),
        Exchange::stream([delta(r#"{"role":"assistant","content":""}"#)].concat()),
        end(text),
        end(""),
    ] {
        let upstream = Upstream::start([cut(text), second.clone(), cut(text), second]).await;
        let mut program = serve(&upstream).start().await;
        assert_eq!(chat(&program, json!({})).await, pair(text, "length"));
        let body = request(json!({"max_tokens": 1000, "stream": true})).to_string();
        let answer = program.messages(body).await.text().await;
        assert!(
            answer.contains("\"stop_reason\":\"max_tokens\"") && !answer.contains("event: error"),
            "{answer}"
        );
        assert_eq!(names(&answer).last(), Some(&"message_stop"));
        program.line(&["call", "status=200"]).await;
    }
}

#[tokio::test]
async fn a_tool_that_a_later_round_calls_is_called() {
    let call =
        r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let second =
        [delta(r#"{"role":"assistant","content":" look."}"#), delta(call), finish("tool_calls"), DONE.into()];
    let rounds = [cut("Let me"), Exchange::stream(second.concat())];
    let upstream = Upstream::start([rounds.clone(), rounds].concat()).await;
    let program = serve(&upstream).start().await;
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f"}}], "stream": true});
    let text = program.chat(request(tools).to_string()).await.text().await;
    assert_eq!(said(&text), pair("Let me look.", "tool_calls"));
    assert!(text.contains("\"name\":\"f\""), "{text}");
    let tools = json!({"tools": [{"name": "f", "input_schema": {"type": "object"}}], "stream": true, "max_tokens": 99});
    let text = program.messages(request(tools).to_string()).await.text().await;
    assert!(text.contains("tool_use") && text.contains("\"stop_reason\":\"tool_use\""), "{text}");
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_chain() {
    use crate::support::upstream::{Step, begin};
    let hanging = Exchange::steps([begin(delta(r#"{"content":" two"}"#)), Step::Hang]);
    let upstream = Upstream::start([cut("One"), hanging]).await;
    let mut program = serve(&upstream).start().await;
    let mut answer = program.chat(request(json!({"stream": true})).to_string()).await;
    answer.until(" two").await;
    drop(answer);
    upstream.left().await;
    program.line(&["call", "status=499", "continuations=1"]).await;
}

#[tokio::test]
async fn a_gap_between_rounds_is_filled_with_signs_of_life() {
    use crate::support::upstream::{Step, begin};
    let late =
        Exchange::steps([Step::Pause, begin(delta(r#"{"content":" two"}"#) + &finish("stop")), Step::Close]);
    let upstream = Upstream::start([cut("One"), late]).await;
    let program = serve(&upstream).env("IFLOW2API_TIMEOUT_PING", "50ms").start().await;
    let mut answer = program.messages(request(json!({"stream": true, "max_tokens": 99})).to_string()).await;
    answer.until("One").await;
    answer.until("event: ping").await;
    upstream.go();
    let text = answer.text().await;
    assert!(text.contains(" two") && text.contains("message_stop"), "{text}");
}

#[tokio::test]
async fn an_answer_that_alone_is_too_long_is_asked_for_shorter_once() {
    let refusal = r#"{"error":{"message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (8000 in the messages, 32000 in the completion)."}}"#;
    let refused = Exchange::answer(400, refusal);
    let script =
        [refused.clone(), end("a"), refused.clone(), page("a", "stop", (1, 1)), refused.clone(), refused];
    let upstream = Upstream::start(script).await;
    let program = serve(&upstream).start().await;
    assert_eq!(chat(&program, json!({"max_tokens": 32000})).await.0, "a");
    let whole = request(json!({"max_tokens": 32000})).to_string();
    assert_eq!(program.messages(&whole).await.status, 200);
    let mut answer = program.messages(&whole).await;
    let body = answer.json().await;
    assert_eq!(answer.status, 400);
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("input length and `max_tokens` exceed context limit: 8000 + 32000 > 32768"));
    let asked: Vec<Value> =
        upstream.requests().iter().map(|request| request.json()["max_tokens"].clone()).collect();
    assert_eq!(json!(asked), json!([32000, 24768, 32000, 24768, 32000, 24768]));
}
