//! An upstream that speaks the Anthropic API itself: calls of that face pass through it as they are.

use super::{CHAT, DONE, MESSAGES, STREAM, WHOLE};
use crate::support::client::names;
use crate::support::program::{KEY, Setup, setup};
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};
use serde_json::{Value, json};

/// Where such an upstream is asked.
pub const LINE: &str = "POST /anthropic/v1/messages";

/// The program before an upstream with a native address, whose table has these lines beside it.
pub fn native(upstream: &Upstream, lines: &str) -> Setup {
    let address = upstream.address();
    let table = format!(
        "[upstream.fake]\nbase_url = \"UPSTREAM\"\nkey = \"{KEY}\"\n\
         anthropic_base_url = \"http://{address}/anthropic\"\n{lines}\n"
    );
    setup(&["serve", "--port", "0"]).config(&table, upstream)
}

/// A request that no rule must change, with white space and numbers as nobody writes them.
const ODD: &str = concat!(
    "{ \"model\" : \"m\",\"max_tokens\":1E3,\t\"zeta\":{\"b\":12345678901234567890123,\"a\":[ ]},\n",
    "\"system\":[{\"type\":\"text\",\"text\":\"x\\u0041\",\"cache_control\":{\"type\":\"ephemeral\"}}],",
    "\"context_management\":{\"edits\":[]},\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"high\"},",
    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",",
    "\"thinking\":\"hm\\/\",\"signature\":\"EqQB+/=\"},{\"type\":\"redacted_thinking\",\"data\":\"Em4K\"},",
    "{\"type\":\"text\",\"text\":\"a\",\"citations\":null}]},{\"role\":\"user\",\"content\":[{\"text\":\"go on\",\"type\":\"text\"}]}]MARK}",
);

pub const MESSAGE: &str = concat!(
    "{ \"id\":\"msg_1\",\"type\":\"message\",\"model\":\"m\",\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",",
    "\"thinking\":\"h\\u00fcm\",\"signature\":\"EqQB\"},{\"type\":\"text\",\"text\":\"Hello!\",\"citations\":null}],",
    "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":4,\"output_tokens\":5,\"cost\":1E-5},",
    "\"container\":null}\n",
);

pub const EVENTS: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",",
    "\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"h\\u00fcm\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"EqQB\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: vendor_news\ndata: {\"type\":\"vendor_news\",\"n\":1.10}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: { \"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello!\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// The events up to the text, which is not ended.
pub fn begun() -> &'static str {
    let end = EVENTS
        .find("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}")
        .unwrap();
    &EVENTS[..end]
}

pub fn whole() -> Exchange {
    Exchange::answer(200, MESSAGE).at(LINE)
}

pub fn stream() -> Exchange {
    Exchange::stream(EVENTS).at(LINE)
}

/// The least request, streamed.
pub fn streamed(body: &str) -> String {
    body.replacen('{', "{\"stream\":true,", 1)
}

#[tokio::test]
async fn requests_and_answers_pass_byte_for_byte() {
    let upstream = Upstream::start([whole(), stream()]).await;
    let program = native(&upstream, "").start().await;
    let asked = [ODD.replace("MARK", ""), ODD.replace("MARK", ",\"stream\":true")];
    let mut answer = program.messages(&asked[0]).await;
    assert_eq!((answer.status, answer.text().await.as_str()), (200, MESSAGE));
    let said =
        ["x-iflow2api-upstream", "x-iflow2api-model", "x-iflow2api-warning"].map(|name| answer.header(name));
    assert_eq!(said, [Some("fake"), Some("m"), None]);
    let mut answer = program.post("/v1/messages?beta=true", &asked[1]).await;
    assert_eq!(answer.text().await, EVENTS);
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let sent: Vec<String> = upstream.requests().iter().map(|sent| sent.text()).collect();
    assert_eq!(sent, asked);
}

#[tokio::test]
async fn the_models_name_is_the_upstreams_there_and_the_callers_here() {
    let upstream = Upstream::start([whole(), stream()]).await;
    let program = native(&upstream, "[alias]\nopus = \"fake/m\"").start().await;
    let asked = MESSAGES.replace("\"m\"", "\"opus\"");
    let mut answer = program.messages(&asked).await;
    assert_eq!(answer.text().await, MESSAGE.replace("\"model\":\"m\"", "\"model\":\"opus\""));
    assert_eq!(answer.header("x-iflow2api-model"), Some("m"));
    let mut answer = program.messages(streamed(&asked)).await;
    assert_eq!(answer.text().await, EVENTS.replace("\"model\":\"m\"", "\"model\":\"opus\""));
    let sent: Vec<String> = upstream.requests().iter().map(|sent| sent.text()).collect();
    assert_eq!(sent, [MESSAGES.to_owned(), streamed(MESSAGES)]);
}

#[tokio::test]
async fn the_key_is_shown_as_the_provider_wants_it_on_this_wire() {
    for (auth, expected) in [
        ("auth = \"raw\"", ("authorization", Some(KEY.to_owned()))),
        ("anthropic_auth = \"bearer\"", ("authorization", Some(format!("Bearer {KEY}")))),
        ("anthropic_auth = \"x-api-key\"", ("x-api-key", Some(KEY.to_owned()))),
        ("anthropic_auth = \"none\"", ("authorization", None)),
    ] {
        let upstream = Upstream::start([whole()]).await;
        let lines = format!("preset = \"mine\"\n[[provider]]\nid = \"mine\"\n{auth}");
        let program = native(&upstream, &lines).start().await;
        assert_eq!(program.messages(MESSAGES).await.status, 200);
        let head = upstream.request().head;
        let (name, value) = expected;
        assert_eq!(head.get(name), value.as_deref(), "{auth}");
        let other = if name == "x-api-key" { "authorization" } else { "x-api-key" };
        assert_eq!(head.get(other), None, "{auth}");
    }
}

#[tokio::test]
async fn of_the_callers_headers_only_those_of_the_api_are_passed_on() {
    let upstream = Upstream::start([whole(), whole(), whole(), Exchange::answer(200, WHOLE)]).await;
    let program = native(&upstream, "").start().await;
    let callers = "authorization: Bearer sk-callers-own\r\nx-api-key: sk-callers-other\r\nuser-agent: claude-cli/2.1\r\n\
        x-app: cli\r\nx-stainless-lang: js\r\ncookie: a=b\r\naccept-encoding: gzip, br\r\n";
    let betas =
        "anthropic-version: 2026-10-21\r\nanthropic-beta: effort-2025-11-24,x-1\r\nanthropic-beta: y-2\r\n";
    program.ask("POST /v1/messages", callers, MESSAGES).await;
    program.ask("POST /v1/messages", &[callers, betas].concat(), MESSAGES).await;
    program.ask("POST /v1/messages", "anthropic-beta: effort-2025-11-24\r\n", MESSAGES).await;
    program.ask("POST /v1/chat/completions", betas, CHAT).await;
    let sent = upstream.requests();
    let said = |at: usize| {
        let said = sent[at].head.headers.iter().filter(|(name, _)| name.starts_with("anthropic-"));
        said.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
    };
    assert_eq!(said(0), ["anthropic-version: 2023-06-01"]);
    let mut all = said(1);
    all.sort_unstable();
    assert_eq!(
        all,
        ["anthropic-beta: effort-2025-11-24,x-1", "anthropic-beta: y-2", "anthropic-version: 2026-10-21"]
    );
    let mut all = said(2);
    all.sort_unstable();
    assert_eq!(all, ["anthropic-beta: effort-2025-11-24", "anthropic-version: 2023-06-01"]);
    assert_eq!(said(3), [""; 0]);
    let mut names: Vec<&str> = sent[0].head.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "anthropic-version",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    assert_eq!(names, expected);
    assert_eq!(sent[0].head.get("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(sent[0].head.get("user-agent"), Some(concat!("iflow2api/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn headers_that_are_set_for_the_upstream_win_over_the_callers() {
    let upstream = Upstream::start([whole()]).await;
    let lines = "headers = { anthropic-version = \"2024-01-01\", anthropic-beta = \"mine\" }";
    let program = native(&upstream, lines).start().await;
    let headers = "anthropic-version: 2026-10-21\r\nanthropic-beta: theirs\r\n";
    program.ask("POST /v1/messages", headers, MESSAGES).await;
    let head = upstream.request().head;
    let said = ["anthropic-version", "anthropic-beta"].map(|name| head.get(name));
    assert_eq!(said, [Some("2024-01-01"), Some("mine")]);
}

#[tokio::test]
async fn members_that_the_provider_refuses_are_left_out() {
    let upstream = Upstream::start([whole()]).await;
    let lines =
        "preset = \"mine\"\n[[provider]]\nid = \"mine\"\nstrip_fields = [\"context_management\", \"betas\"]";
    let program = native(&upstream, lines).start().await;
    let odd = ODD.replace("MARK", "");
    assert_eq!(program.messages(&odd).await.status, 200);
    let mut expected: Value = serde_json::from_str(&odd).unwrap();
    expected.as_object_mut().unwrap().remove("context_management");
    assert_eq!(upstream.request().json(), expected);
}

/// A conversation whose assistant has thought, signed by us, by another, and by nobody.
pub fn thoughts(blocks: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":64,"messages":[{{"role":"user","content":"q"}},{{"role":"assistant","content":[{blocks}{{"type":"text","text":"a"}}]}},{{"role":"user","content":"go on"}}]}}"#
    )
}

const OURS: &str = r#"{"type":"thinking","thinking":"t","signature":"ifw1.glm.0123456789abcdef"},"#;
pub const FOREIGN: &str = r#"{"type":"thinking","thinking":"u","signature":"EqQB"},"#;
const UNSIGNED: &str = r#"{"type":"thinking","thinking":"v","signature":""},"#;

#[tokio::test]
async fn thoughts_that_the_upstream_has_not_signed_are_taken_out() {
    let upstream = Upstream::start([whole()]).await;
    let program = native(&upstream, "").start().await;
    assert_eq!(program.messages(thoughts(&[OURS, FOREIGN, UNSIGNED].concat())).await.status, 200);
    assert_eq!(upstream.request().text(), thoughts(FOREIGN));
}

#[tokio::test]
async fn what_stands_behind_the_models_name_is_said_in_the_apis_own_words() {
    for (suffix, expected) in [
        ("(none)", json!({"thinking": {"type": "disabled"}})),
        ("(8192)", json!({"thinking": {"type": "enabled", "budget_tokens": 8192}})),
        ("(500)", json!({"thinking": {"type": "enabled", "budget_tokens": 1024}})),
        ("(30000)", json!({"thinking": {"type": "enabled", "budget_tokens": 19_999}})),
        ("(high)", json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}})),
        ("", json!({})),
    ] {
        let upstream = Upstream::start([whole()]).await;
        let program = native(&upstream, "").start().await;
        let body = MESSAGES.replace("\"max_tokens\":64", "\"max_tokens\":20000");
        program.messages(body.replace("\"m\"", &format!("\"m{suffix}\""))).await.bytes().await;
        let mut all: Value = serde_json::from_str(&body).unwrap();
        all.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(upstream.request().json(), all, "{suffix}");
    }
}

#[tokio::test]
async fn the_tokens_that_the_upstream_counted_are_in_the_log() {
    let upstream = Upstream::start([whole(), stream()]).await;
    let mut program = native(&upstream, "").arguments(&["--log-format", "json"]).start().await;
    for (request, id) in [(MESSAGES.to_owned(), "whole"), (streamed(MESSAGES), "stream")] {
        let mut answer = program.messages(request).await;
        answer.bytes().await;
        let line = program.line(&["\"call\"", answer.header("request-id").unwrap()]).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let found = ["tokens_in", "tokens_out", "status", "upstream", "model"].map(|key| line[key].clone());
        assert_eq!(found, [json!(11), json!(5), json!(200), json!("fake"), json!("m")], "{id}");
    }
}

#[tokio::test]
async fn silence_is_filled_with_pings() {
    let rest = EVENTS.strip_prefix(begun()).unwrap();
    let exchange = Exchange::steps([begin(begun()), Step::Pause, send(rest), Step::Close]).at(LINE);
    let upstream = Upstream::start([exchange]).await;
    let program = native(&upstream, "[timeout]\nping = \"50ms\"").start().await;
    let mut answer = program.messages(streamed(MESSAGES)).await;
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    answer.until(&format!("Hello!\"}}}}\n\n{ping}")).await;
    upstream.go();
    let text = answer.text().await;
    assert_eq!(text.replace(ping, ""), EVENTS);
}

#[tokio::test]
async fn a_stream_that_begins_late_is_passed_on_behind_a_head_that_was_sent() {
    let exchange = Exchange::steps([Step::Pause, begin(EVENTS), Step::Close]).at(LINE);
    let upstream = Upstream::start([exchange]).await;
    let program = native(&upstream, "[timeout]\nhold = \"50ms\"").start().await;
    let mut answer = program.messages(streamed(MESSAGES)).await;
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    answer.until(ping).await;
    upstream.go();
    assert_eq!(answer.text().await, [ping, EVENTS].concat());
}

#[tokio::test]
async fn who_wants_it_translated_gets_it_translated() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE), Exchange::stream(STREAM)]).await;
    let program = native(&upstream, "wire = \"openai\"").start().await;
    let message = program.messages(MESSAGES).await.json().await;
    assert_eq!(message["content"], json!([{"type": "text", "text": "Hello!"}]));
    let text = program.messages(streamed(MESSAGES)).await.text().await;
    assert_eq!(names(&text).last(), Some(&"message_stop"));
}

#[tokio::test]
async fn the_other_face_is_asked_at_the_other_address() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE), Exchange::stream(STREAM)]).await;
    let program = native(&upstream, "").start().await;
    assert_eq!(program.chat(CHAT).await.text().await, WHOLE);
    assert!(program.chat(streamed(CHAT)).await.text().await.ends_with(DONE));
}

#[tokio::test]
async fn tokens_are_counted_here() {
    let upstream = Upstream::start([]).await;
    let program = native(&upstream, "").start().await;
    let mut answer = program.post("/v1/messages/count_tokens?beta=true", MESSAGES).await;
    let count = answer.json().await;
    assert_eq!(answer.status, 200);
    assert!(count["input_tokens"].as_u64().is_some_and(|count| count > 0), "{count}");
}
