//! Another upstream answers where the first cannot, as long as nothing of an answer was said.

use super::{CHAT, DONE, STREAM, WAYS, WHOLE, good};
use crate::support::client::{Answer, events, names};
use crate::support::program::{Program, Setup, setup};
use crate::support::upstream::{Exchange, Step, Upstream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Two upstreams, of which the second stands in for the first, and these further lines of the file.
pub fn pair(one: &Upstream, two: &Upstream, lines: &str) -> Setup {
    let table = format!(
        "{lines}\n[fallback]\nm = [\"two/spare\"]\n[upstream.one]\npreset = \"mine\"\nbase_url = \"UPSTREAM\"\n\
         [upstream.two]\nbase_url = \"{}\"\n[[provider]]\nid = \"mine\"\n",
        two.url()
    );
    setup(&["serve", "--port", "0"]).config(&table, one)
}

/// What a refusal with these words is to the first upstream.
pub const ROWS: &str = "[[error]]\nprovider = [\"mine\"]\ncontains = \"used up\"\nclass = \"quota\"\nreset = 'until (\\S+ \\S+)'\n\
    [[error]]\nprovider = [\"mine\"]\ncontains = \"shut out\"\nclass = \"blocked\"\n\
    [[error]]\nprovider = [\"mine\"]\ncontains = \"no money\"\nclass = \"balance\"\n\
    [[error]]\nprovider = [\"mine\"]\ncontains = \"no such\"\nclass = \"model\"\n";

pub fn refusal(status: u16, words: &str) -> Exchange {
    Exchange::answer(status, json!({"error": {"message": words}}).to_string())
}

/// Who answered, by the headers: upstream and model.
pub fn who(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("x-iflow2api-upstream"), answer.header("x-iflow2api-model"))
}

/// Fails unless the second upstream answers in its place to a call in this way.
pub async fn is_answered_by_the_second(
    program: &Program,
    (path, body, stream): (&str, &str, bool),
    what: &str,
) {
    let mut answer = program.post(path, body).await;
    let text = answer.text().await;
    assert_eq!((answer.status, who(&answer)), (200, (Some("two"), Some("spare"))), "{what} {path}: {text}");
    let (openai, model) = (path.ends_with("completions"), json!("m"));
    match (openai, stream) {
        (true, true) => assert_eq!(text, stream_of_m(), "{what}"),
        (false, true) => {
            assert_eq!(events(&text)[0]["message"]["model"], model, "{what}");
            assert_eq!(names(&text).last(), Some(&"message_stop"), "{what}: {text}");
        }
        (..) => assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["model"], model, "{what}: {text}"),
    }
}

/// The stream as a caller gets it who asked for `m`, and for no usage.
pub fn stream_of_m() -> String {
    let frames = STREAM.split_inclusive("\n\n").filter(|frame| !frame.contains("usage"));
    frames.collect::<String>().replace("glm-4.7", "m")
}

#[tokio::test]
async fn an_upstream_that_is_down_is_stood_in_for() {
    let failures = [
        ("reset", Exchange::steps([Step::Reset])),
        ("closed", Exchange::steps([Step::Close])),
        ("408", refusal(408, "late")),
        ("429", refusal(429, "later")),
        ("500", refusal(500, "no")),
        ("502", refusal(502, "no")),
        ("503", refusal(503, "no")),
        ("504", refusal(504, "no")),
        ("529", refusal(529, "full")),
        ("an error at 200", refusal(200, "no")),
        ("an empty stream", Exchange::stream(DONE)),
        ("a page", Exchange::answer_with(200, "content-type: text/html\r\n", "<html></html>")),
    ];
    for (what, failure) in failures {
        let one = Upstream::start(vec![failure; WAYS.len()]).await;
        let two = Upstream::start(WAYS.map(|(.., stream)| good(stream))).await;
        let program = pair(&one, &two, ROWS).start().await;
        for way in WAYS {
            is_answered_by_the_second(&program, way, what).await;
        }
        let models = |upstream: &Upstream| {
            upstream.requests().iter().map(|asked| asked.json()["model"].clone()).collect()
        };
        let (first, second): (Vec<_>, Vec<_>) = (models(&one), models(&two));
        assert_eq!((first, second), (vec![json!("m"); WAYS.len()], vec![json!("spare"); WAYS.len()]));
    }
}

#[tokio::test]
async fn an_upstream_that_has_nothing_left_is_stood_in_for() {
    for failure in
        [refusal(402, "pay"), refusal(429, "used up"), refusal(400, "no money"), refusal(403, "shut out")]
    {
        for way in WAYS {
            let one = Upstream::start([failure.clone()]).await;
            let two = Upstream::start([good(way.2)]).await;
            let program = pair(&one, &two, ROWS).start().await;
            is_answered_by_the_second(&program, way, &format!("{failure:?}")).await;
        }
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_stood_in_for() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let two = Upstream::start(WAYS.map(|(.., stream)| good(stream))).await;
    let table = format!(
        "[fallback]\nm = [\"two/spare\"]\n[upstream.one]\nbase_url = \"http://{port}\"\n\
         [upstream.two]\nbase_url = \"UPSTREAM\"\n"
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &two).start().await;
    for way in WAYS {
        is_answered_by_the_second(&program, way, "refused").await;
    }
}

#[tokio::test]
async fn what_another_upstream_would_refuse_as_well_is_the_callers_to_hear() {
    let overflow = "This model's maximum context length is 100 tokens. However, you requested 200 tokens (190 in the messages, 10 in the completion).";
    let failures = [
        (400, "no", 400),
        (401, "no", 401),
        (403, "no", 403),
        (404, "no", 404),
        (413, "no", 413),
        (422, "no", 400),
        (400, overflow, 400),
        (429, "no such", 404),
    ];
    for (status, words, expected) in failures {
        let one = Upstream::start(vec![refusal(status, words); WAYS.len()]).await;
        let two = Upstream::start([]).await;
        let program = pair(&one, &two, ROWS).start().await;
        for (path, body, _) in WAYS {
            assert_eq!(program.post(path, body).await.status, expected, "{status} {words} {path}");
        }
    }
}

#[tokio::test]
async fn where_all_fail_the_first_failure_is_told() {
    for (path, body, _) in WAYS {
        let one = Upstream::start([refusal(503, "first")]).await;
        let two = Upstream::start([refusal(400, "second")]).await;
        let program = pair(&one, &two, "").start().await;
        let mut answer = program.post(path, body).await;
        let found = answer.json().await;
        assert_eq!((answer.status, &found["error"]["message"]), (503, &json!("upstream `one`: first")));
    }
}

#[tokio::test]
async fn fallbacks_are_asked_in_their_order_and_each_once() {
    let one = Upstream::start([refusal(503, "no"), refusal(503, "no"), refusal(503, "no")]).await;
    let two = Upstream::start([refusal(503, "no"), Exchange::answer(200, WHOLE)]).await;
    let table = format!(
        "[fallback]\nm = [\"one/a\", \"m\", \"one/b\", \"one/a\", \"two/c\", \"two/d\", \"two/e\"]\n\
         [upstream.one]\nbase_url = \"UPSTREAM\"\n[upstream.two]\nbase_url = \"{}\"\n",
        two.url()
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &one).start().await;
    let answer = program.chat(CHAT).await;
    assert_eq!((answer.status, who(&answer)), (200, (Some("two"), Some("d"))));
    let models = |upstream: &Upstream| -> Vec<Value> {
        upstream.requests().iter().map(|asked| asked.json()["model"].clone()).collect()
    };
    assert_eq!(
        (models(&one), models(&two)),
        (vec![json!("m"), json!("a"), json!("b")], vec![json!("c"), json!("d")])
    );
}

#[tokio::test]
async fn a_fallback_is_found_by_the_callers_name_or_the_models_and_by_patterns() {
    for (pattern, name, spare) in [
        ("opus", "opus", "spare"),
        ("opus", "opus(high)", "spare"),
        ("\"op*\"", "opus", "spare"),
        ("\"one/big\"", "opus", "spare"),
        ("big", "opus", "spare"),
        ("\"*\"", "one/any", "spare"),
        ("opus", "anthropic/opus[1m]", "spare"),
    ] {
        let one = Upstream::start([refusal(503, "no")]).await;
        let two = Upstream::start([Exchange::answer(200, WHOLE)]).await;
        let table = format!(
            "[alias]\nopus = \"one/big\"\n[fallback]\n{pattern} = [\"two/{spare}\"]\n\
             [upstream.one]\nbase_url = \"UPSTREAM\"\n[upstream.two]\nbase_url = \"{}\"\n",
            two.url()
        );
        let program = setup(&["serve", "--port", "0"]).config(&table, &one).start().await;
        let mut answer = program.chat(CHAT.replace("\"m\"", &json!(name).to_string())).await;
        assert_eq!(answer.json().await["model"], name, "{pattern} {name}");
        assert_eq!(who(&answer), (Some("two"), Some(spare)), "{pattern} {name}");
    }
}

#[tokio::test]
async fn a_fallback_that_the_request_does_not_fit_is_passed_over() {
    for (path, body, stream) in WAYS.into_iter().filter(|(path, ..)| path.ends_with("messages")) {
        let one = Upstream::start([used_up(600)]).await;
        let small = Upstream::start([]).await;
        let two = Upstream::start([good(stream), good(stream)]).await;
        let table = format!(
            "{ROWS}[fallback]\nm = [\"small/m\", \"two/spare\"]\n[upstream.one]\npreset = \"mine\"\nbase_url = \"UPSTREAM\"\n\
             [upstream.small]\nbase_url = \"{}\"\ncontext_window = 20\n[upstream.two]\nbase_url = \"{}\"\n[[provider]]\nid = \"mine\"\n",
            small.url(),
            two.url()
        );
        let program = setup(&["serve", "--port", "0"]).config(&table, &one).start().await;
        let body = body.replace("hi", &"many words ".repeat(50));
        // Asked in vain, and then known to be out.
        for _ in 0..2 {
            let answer = program.post(path, &body).await;
            assert_eq!((answer.status, who(&answer)), (200, (Some("two"), Some("spare"))), "{path} {stream}");
        }
    }
}

#[tokio::test]
async fn what_was_left_out_for_one_window_is_not_left_out_for_another() {
    let one = Upstream::start([refusal(503, "no")]).await;
    let two = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let table = format!(
        "[context]\nkeep_turns = 1\n[fallback]\nm = [\"two/spare\"]\n[upstream.one]\nbase_url = \"UPSTREAM\"\n\
         context_window = 200\n[upstream.two]\nbase_url = \"{}\"\n",
        two.url()
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &one).start().await;
    let turn = |number: usize| {
        let words = "many words ".repeat(20);
        [
            json!({"role": "user", "content": format!("{number} {words}")}),
            json!({"role": "assistant", "content": "so"}),
        ]
    };
    let mut messages: Vec<Value> = (0..6).flat_map(turn).collect();
    messages.push(json!({"role": "user", "content": "hi"}));
    let answer = program.chat(json!({"model": "m", "messages": messages}).to_string()).await;
    assert_eq!(
        (answer.status, who(&answer), answer.header("x-iflow2api-trimmed")),
        (200, (Some("two"), Some("spare")), None)
    );
    assert!(one.request().json()["messages"].as_array().unwrap().len() < messages.len());
    assert_eq!(two.request().json()["messages"], json!(messages));
}

#[tokio::test]
async fn retries_come_before_fallbacks() {
    let one = Upstream::start([refusal(429, "later"), refusal(503, "no")]).await;
    let two = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let setup =
        pair(&one, &two, "").env("IFLOW2API_RETRY_RETRIES", "1").env("IFLOW2API_RETRY_DELAYS", "10ms");
    let mut program = setup.arguments(&["--log-format", "json"]).start().await;
    let mut answer = program.chat(CHAT).await;
    answer.bytes().await;
    assert_eq!(who(&answer), (Some("two"), Some("spare")));
    let line: Value = serde_json::from_str(&program.line(&["\"call\""]).await).unwrap();
    let found =
        ["upstream", "model", "status", "retries", "fallbacks", "failure"].map(|key| line[key].clone());
    assert_eq!(found, [json!("two"), json!("m"), json!(200), json!(1), json!(1), Value::Null]);
    let line: Value = serde_json::from_str(&program.line(&["asking another upstream"]).await).unwrap();
    let found = ["level", "from", "upstream", "reason"].map(|key| line[key].clone());
    assert_eq!(found, [json!("WARN"), json!("one"), json!("two"), json!("upstream `one`: no")]);
}

#[tokio::test]
async fn the_callers_wish_goes_with_the_call_and_else_the_fallbacks_own_counts() {
    for (model, expected) in [("m", "high"), ("m(low)", "low"), ("m(none)", "none")] {
        let one = Upstream::start([refusal(503, "no")]).await;
        let two = Upstream::start([Exchange::answer(200, WHOLE)]).await;
        let table = format!(
            "[fallback]\nm = [\"two/spare(high)\"]\n[upstream.one]\nbase_url = \"UPSTREAM\"\n\
             [upstream.two]\npreset = \"mine\"\nbase_url = \"{}\"\n[[provider]]\nid = \"mine\"\n\
             [[thinking]]\nprovider = [\"mine\"]\nmodel = [\"*\"]\noff = {{ effort = \"none\" }}\n\
             levels = {{ low = {{ effort = \"low\" }}, high = {{ effort = \"high\" }} }}\n",
            two.url()
        );
        let program = setup(&["serve", "--port", "0"]).config(&table, &one).start().await;
        assert_eq!(program.chat(CHAT.replace("\"m\"", &json!(model).to_string())).await.status, 200);
        let sent = two.request().json();
        assert_eq!((&sent["model"], &sent["effort"]), (&json!("spare"), &json!(expected)), "{model}");
    }
}

/// A quota that is used up for another minute, as far as the clock of the test tells.
pub fn used_up(seconds: u64) -> Exchange {
    let at = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
    // `Sun, 06 Nov 1994 08:49:37 GMT` as `1994-11-06 08:49:37`.
    let date = httpdate::fmt_http_date(at);
    let parts: Vec<&str> = date.split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == parts[2]).unwrap() + 1;
    refusal(429, &format!("used up until {}-{month:02}-{} {}", parts[3], parts[1], parts[4]))
}

#[tokio::test]
async fn paths_that_are_passed_through_have_fallbacks_too() {
    let line = "POST /v1/completions";
    let stream = "data: {\"choices\":[{\"text\":\"a\",\"index\":0}]}\n\ndata: [DONE]\n\n";
    let one = Upstream::start([refusal(503, "no").at(line), refusal(503, "no").at(line)]).await;
    let two =
        Upstream::start([Exchange::answer(200, WHOLE).at(line), Exchange::stream(stream).at(line)]).await;
    let program = pair(&one, &two, "").start().await;
    let mut answer = program.post("/v1/completions", r#"{"model":"m","prompt":"x"}"#).await;
    assert_eq!(answer.text().await, WHOLE);
    assert_eq!(who(&answer), (Some("two"), Some("spare")));
    let mut answer = program.post("/v1/completions", r#"{"model":"m","prompt":"x","stream":true}"#).await;
    assert_eq!(answer.text().await, stream);
    assert_eq!(two.requests()[0].json(), json!({"model": "spare", "prompt": "x"}));
}
