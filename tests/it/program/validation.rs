//! Requests that cannot be carried out: refused with the path of the fault before anything is sent.

use crate::support::client::Answer;
use crate::support::program::{Program, serve};
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

const HI: &str = r#"{"role":"user","content":"hi"}"#;

/// A fault: what is sent, the path that must be named, and words of the message.
type Fault = (String, &'static str, &'static str);

fn fault(body: impl Into<String>, param: &'static str, words: &'static str) -> Fault {
    (body.into(), param, words)
}

/// Faults of the body as a whole, the same on both faces.
fn bodies() -> Vec<Fault> {
    vec![
        fault("", "", "line 1 column 0"),
        fault("{\"model\":\"m\",\"messages\":[", "", "line 1 column 25"),
        fault("{\n  \"model\": \"m\",\n  oops}", "", "line 3 column 3"),
        fault("[]", "", "object"),
        fault("null", "", "object"),
        fault("\"x\"", "", "object"),
        fault(format!(r#"{{"model":"m","max_tokens":9,"messages":[{HI}]}} more"#), "", "line 1"),
        fault(format!(r#"{{"model":"m","model":"n","max_tokens":9,"messages":[{HI}]}}"#), "", "model"),
        fault(format!(r#"{{"max_tokens":9,"messages":[{HI}]}}"#), "model", "missing"),
        fault(format!(r#"{{"model":5,"max_tokens":9,"messages":[{HI}]}}"#), "model", "string"),
        fault(format!(r#"{{"model":"","max_tokens":9,"messages":[{HI}]}}"#), "model", "empty"),
        fault(r#"{"model":"m","max_tokens":9}"#, "messages", "required"),
        fault(r#"{"model":"m","max_tokens":9,"messages":"hi"}"#, "messages", "array"),
        fault(r#"{"model":"m","max_tokens":9,"messages":null}"#, "messages", ""),
        fault(r#"{"model":"m","max_tokens":9,"messages":[]}"#, "messages", "at least one"),
    ]
}

/// Faults of single messages, the same on both faces.
fn messages() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        (r#"[1]"#, "messages[0]", "object"),
        (r#"[{"role":"user","content":"hi"},{"content":"hi"}]"#, "messages[1].role", "required"),
        (r#"[{"role":"robot","content":"hi"}]"#, "messages[0].role", "robot"),
        (r#"[{"role":1,"content":"hi"}]"#, "messages[0].role", ""),
        (r#"[{"role":"user"}]"#, "messages[0].content", "required"),
        (r#"[{"role":"user","content":5}]"#, "messages[0].content", "array"),
        (r#"[{"role":"user","content":[]}]"#, "messages", "content"),
        (r#"[{"role":"user","content":["x"]}]"#, "messages[0].content[0]", "object"),
        (r#"[{"role":"user","content":[{"text":"x"}]}]"#, "messages[0].content[0].type", "required"),
        (r#"[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0].text", "required"),
        (r#"[{"role":"user","role":"user","content":"hi"}]"#, "messages[0]", "role"),
    ]
}

fn chat_faults() -> Vec<Fault> {
    let messages = |messages: &str| format!(r#"{{"model":"m","messages":{messages}}}"#);
    let member = |member: &str| format!(r#"{{"model":"m","messages":[{HI}],{member}}}"#);
    let call = r#"{"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    vec![
        fault(r#"{"model":"m","input":"hi"}"#, "messages", "/v1/responses"),
        fault(messages(r#"[{"role":"user","content":""}]"#), "messages[0].content", "empty"),
        fault(
            messages(r#"[{"role":"user","content":[{"type":"image_url"}]}]"#),
            "messages[0].content[0].image_url",
            "required",
        ),
        fault(
            messages(r#"[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#),
            "messages[0].content[0].image_url.url",
            "required",
        ),
        fault(
            messages(&format!(r#"[{HI},{{"role":"tool","tool_call_id":"x","content":"1"}}]"#)),
            "messages[1].tool_call_id",
            "`x`",
        ),
        fault(messages(&format!("[{HI},{call}]")), "messages[1].tool_calls", "`x`"),
        fault(messages(&format!("[{HI},{call},{HI}]")), "messages[1].tool_calls", "`x`"),
        fault(
            messages(&format!(r#"[{HI},{call},{{"role":"tool","tool_call_id":"y","content":"1"}}]"#)),
            "messages[2].tool_call_id",
            "`y`",
        ),
        fault(
            messages(&format!(r#"[{HI},{call},{{"role":"tool","content":"1"}}]"#)),
            "messages[2].tool_call_id",
            "required",
        ),
        fault(messages(r#"[{"role":"assistant","tool_calls":{}}]"#), "messages[0].tool_calls", "array"),
        fault(
            messages(r#"[{"role":"assistant","tool_calls":[{"type":"function"}]}]"#),
            "messages[0].tool_calls[0].id",
            "required",
        ),
        fault(member(r#""temperature":"hot""#), "temperature", "number"),
        fault(member(r#""stream":"yes""#), "stream", "boolean"),
        fault(member(r#""max_tokens":0"#), "max_tokens", "whole number"),
        fault(member(r#""max_tokens":1.5"#), "max_tokens", "whole number"),
        fault(member(r#""max_completion_tokens":-2"#), "max_completion_tokens", "whole number"),
        fault(member(r#""n":-1"#), "n", "whole number"),
        fault(member(r#""n":0"#), "n", "whole number"),
        fault(member(r#""tools":{}"#), "tools", "array"),
        fault(member(r#""tools":[1]"#), "tools[0]", "object"),
        fault(member(r#""tools":[{"type":"function"}]"#), "tools[0].function", "required"),
        fault(member(r#""tools":[{"type":"function","function":{}}]"#), "tools[0].function.name", "required"),
        fault(member(r#""response_format":"json""#), "response_format", "object"),
    ]
}

fn message_faults() -> Vec<Fault> {
    let content = |content: &str| {
        format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{content}]}}]}}"#)
    };
    let member = |member: &str| format!(r#"{{"model":"m","max_tokens":9,"messages":[{HI}],{member}}}"#);
    vec![
        fault(format!(r#"{{"model":"m","messages":[{HI}]}}"#), "max_tokens", "required"),
        fault(format!(r#"{{"model":"m","max_tokens":"9","messages":[{HI}]}}"#), "max_tokens", "number"),
        fault(format!(r#"{{"model":"m","max_tokens":-1,"messages":[{HI}]}}"#), "max_tokens", "number"),
        fault(content(r#"{"type":"text","text":5}"#), "messages[0].content[0].text", "string"),
        fault(content(r#"{"type":"text","text":" "}"#), "messages", "content"),
        fault(content(r#"{"type":"image"}"#), "messages[0].content[0].source", "required"),
        fault(
            content(r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#),
            "messages[0].content[0]",
            "`file`",
        ),
        fault(
            content(r#"{"type":"image","source":{"type":"base64"}}"#),
            "messages[0].content[0].source.data",
            "required",
        ),
        fault(
            content(r#"{"type":"tool_result","content":"1"}"#),
            "messages[0].content[0].tool_use_id",
            "required",
        ),
        fault(
            format!(
                r#"{{"model":"m","max_tokens":9,"messages":[{HI},{{"role":"assistant","content":[{{"type":"tool_use","id":"x","input":{{}}}}]}}]}}"#
            ),
            "messages[1].content[0].name",
            "required",
        ),
        fault(member(r#""system":5"#), "system", "string"),
        fault(member(r#""stream":"yes""#), "stream", "boolean"),
        fault(member(r#""temperature":"hot""#), "temperature", "number"),
        fault(member(r#""stop_sequences":"x""#), "stop_sequences", "array"),
        fault(member(r#""thinking":"on""#), "thinking", "object"),
        fault(member(r#""thinking":{"type":"some"}"#), "thinking.type", "`some`"),
        fault(member(r#""tools":{}"#), "tools", "array"),
        fault(member(r#""tools":[{"input_schema":{}}]"#), "tools[0].name", "required"),
        fault(member(r#""tools":[{"name":"f","input_schema":5}]"#), "tools[0].input_schema", "object"),
        fault(
            member(r#""tool_choice":"any","tools":[{"name":"f","input_schema":{}}]"#),
            "tool_choice",
            "object",
        ),
    ]
}

/// Asks, and says in which way the refusal is not as it must be.
async fn judge(program: &Program, path: &str, (body, param, words): &Fault) -> Option<String> {
    let mut answer = program.post(path, body).await;
    let json = answer.json().await;
    let is_anthropic = path == "/v1/messages";
    let message = json["error"]["message"].as_str().unwrap_or_default();
    let prefix = if param.is_empty() { String::new() } else { format!("{param}: ") };
    let named =
        is_anthropic || json["error"]["param"] == if param.is_empty() { Value::Null } else { json!(param) };
    let right = answer.status == 400
        && answer.header("x-iflow2api-error") == Some("request")
        && answer.header("x-should-retry").is_none()
        && json["error"]["type"] == "invalid_request_error"
        && named
        && message.starts_with(&prefix)
        && message.contains(words);
    (!right).then(|| {
        format!("{path} {body}\n  must name `{param}` with `{words}`, but: {} {json}", answer.status)
    })
}

async fn judge_all(path: &str, faults: Vec<Fault>) {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).start().await;
    let mut wrong = Vec::new();
    for fault in &faults {
        wrong.extend(judge(&program, path, fault).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(upstream.requests().is_empty(), "nothing may be sent");
}

#[tokio::test]
async fn faults_of_a_chat_request_are_named_by_their_path() {
    let single = messages().into_iter().map(|(messages, param, words)| {
        // This face names the message itself.
        let param = if messages.contains("[]") { "messages[0].content" } else { param };
        let words = if messages.contains("[]") { "empty" } else { words };
        fault(format!(r#"{{"model":"m","messages":{messages}}}"#), param, words)
    });
    judge_all("/v1/chat/completions", bodies().into_iter().chain(single).chain(chat_faults()).collect())
        .await;
}

#[tokio::test]
async fn faults_of_a_messages_request_are_named_by_their_path() {
    let single = messages().into_iter().map(|(messages, param, words)| {
        fault(format!(r#"{{"model":"m","max_tokens":9,"messages":{messages}}}"#), param, words)
    });
    judge_all("/v1/messages", bodies().into_iter().chain(single).chain(message_faults()).collect()).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_with_their_position() {
    let text = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"X"}]}"#.as_bytes();
    let bytes: Vec<u8> = text.iter().map(|&byte| if byte == b'X' { 0xff } else { byte }).collect();
    refused(&[b"\xff\xfe{}", &bytes], "line 1 column").await;
}

#[tokio::test]
async fn depths_that_nobody_needs_are_refused() {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"model":"m","max_tokens":9,"messages":[{HI}],"x":{open}1{close}}}"#);
    refused(&[deep.as_bytes()], "128").await;
}

/// Bodies that both faces must refuse in these words.
async fn refused(bodies: &[&[u8]], words: &str) {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).start().await;
    for body in bodies {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let mut answer = program.post(path, body).await;
            let json = answer.json().await;
            assert_eq!(answer.status, 400, "{path}: {json}");
            assert!(json["error"]["message"].as_str().unwrap().contains(words), "{path}: {json}");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_in_each_envelope_however_it_is_sent() {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).env("IFLOW2API_SERVER_MAX_BODY", "1KiB").start().await;
    let body = format!(r#"{{"model":"{}"}}"#, "m".repeat(2000));
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings"] {
        let whole = program.post(path, &body).await;
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        let chunked =
            Answer::of(crate::support::client::connect(program.address, chunked.as_bytes()).await).await;
        for mut answer in [whole, chunked] {
            let json = answer.json().await;
            let message = "the body is larger than 1024 bytes; the limit is `server.max_body`";
            let id = answer.header("request-id").unwrap();
            let expected = if path.contains("messages") {
                json!({"type": "error", "error": {"type": "request_too_large", "message": message}, "request_id": id})
            } else {
                json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": "request_too_large"}})
            };
            assert_eq!((answer.status, &json), (413, &expected), "{path}");
        }
    }
}
