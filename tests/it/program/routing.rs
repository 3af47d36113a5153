//! Which upstream a model's name means, and what it is called there and here.

use super::{CHAT, MESSAGES, STREAM, WHOLE};
use crate::support::client::events;
use crate::support::fake::{Asked, Provider, Refusal};
use crate::support::program::{Program, Setup, setup};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

/// A provider that has a list of models, and answers for every model.
struct Lists(&'static [&'static str]);

impl Provider for Lists {
    fn answer(&self, asked: &Asked) -> Result<Exchange, Refusal> {
        if let Some(list) = asked.models(self.0) {
            return Ok(list);
        }
        let body = asked.request.json();
        let model = body["model"].as_str().unwrap();
        let stream = body["stream"] == true;
        let answer = if stream { STREAM } else { WHOLE }.replace("glm-4.7", model);
        Ok(if stream { Exchange::stream(answer) } else { Exchange::answer(200, answer) })
    }
}

/// Two upstreams, `one` before `two`, each with its list, and these further lines of the file.
async fn two(
    one: &'static [&'static str],
    two: &'static [&'static str],
    lines: &str,
) -> (Setup, Upstream, Upstream) {
    let (one, two) = (Upstream::provider(Lists(one)).await, Upstream::provider(Lists(two)).await);
    let table = format!(
        "{lines}\n[upstream.one]\nbase_url = \"{}\"\n[upstream.two]\nbase_url = \"{}\"\n",
        one.url(),
        two.url()
    );
    (setup(&["serve", "--port", "0"]).config(&table, &one), one, two)
}

/// Where a name leads: the upstream and the model there, as the headers say it. The body always has the
/// caller's name.
async fn leads(program: &Program, name: &str) -> (String, String) {
    let mut found = Vec::new();
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let body = body.replace("\"m\"", &json!(name).to_string());
        let mut answer = program.post(path, &body).await;
        let json = answer.json().await;
        assert_eq!((answer.status, &json["model"]), (200, &json!(name)), "{json}");
        let header = |name: &str| answer.header(name).unwrap().to_owned();
        found.push((header("x-iflow2api-upstream"), header("x-iflow2api-model")));
        let mut answer = program.post(path, body.replacen('{', "{\"stream\":true,", 1)).await;
        let first = &events(&answer.text().await)[0];
        let model = if path.ends_with("messages") { &first["message"]["model"] } else { &first["model"] };
        assert_eq!(*model, json!(name));
        let header = |name: &str| answer.header(name).unwrap().to_owned();
        found.push((header("x-iflow2api-upstream"), header("x-iflow2api-model")));
    }
    assert!(found.iter().all(|other| *other == found[0]), "{name}: {found:?}");
    found.remove(0)
}

/// Fails unless each name leads where it should.
async fn lead(program: &Program, table: &[(&str, &str, &str)]) {
    for (name, upstream, model) in table {
        let found = leads(program, name).await;
        assert_eq!((found.0.as_str(), found.1.as_str()), (*upstream, *model), "{name}");
    }
}

#[tokio::test]
async fn a_name_is_looked_for_in_the_order_of_the_rules() {
    let lines = "default_model = \"base\"\n[alias]\n\"claude-*haiku*\" = \"two/small\"\nplain = \"two/big\"\n\
        listed-two = \"one/won\"\n\"two/shadowed\" = \"one/won\"\n\"listed-*\" = \"two/lost\"\n";
    let (setup, _one, _two) =
        two(&["listed-one", "base"], &["listed-two", "claude-listed", "x/y"], lines).await;
    let program = setup.start().await;
    program.get("/v1/models").await.bytes().await;
    lead(
        &program,
        &[
            ("plain", "two", "big"),
            // An alias of that very name goes before all else.
            ("listed-two", "one", "won"),
            ("two/shadowed", "one", "won"),
            ("two/anything", "two", "anything"),
            ("two/x/y", "two", "x/y"),
            ("x/y", "two", "x/y"),
            // A list goes before a pattern.
            ("listed-one", "one", "listed-one"),
            ("listed-none", "two", "lost"),
            ("claude-3-5-haiku-20241022", "two", "small"),
            ("claude-listed", "two", "claude-listed"),
            ("claude-opus-5", "one", "base"),
            ("unheard/of", "one", "unheard/of"),
            ("unheard-of", "one", "unheard-of"),
        ],
    )
    .await;
}

#[tokio::test]
async fn marks_that_clients_put_on_names_are_taken_off() {
    let lines =
        "default_model = \"base\"\n[alias]\nplain = \"two/big\"\n\"claude-*haiku*\" = \"two/small\"\n";
    let (setup, _one, _two) = two(&["base"], &["listed"], lines).await;
    let program = setup.start().await;
    program.get("/v1/models").await.bytes().await;
    lead(
        &program,
        &[
            ("anthropic/listed", "two", "listed"),
            ("listed[1m]", "two", "listed"),
            ("anthropic/listed[1m]", "two", "listed"),
            ("plain[1m]", "two", "big"),
            ("anthropic/plain", "two", "big"),
            ("two/listed[1m]", "two", "listed"),
            ("anthropic/two/listed", "two", "listed"),
            ("anthropic/claude-haiku-4-5[1m]", "two", "small"),
            ("anthropic/claude-opus-5", "one", "base"),
            ("claude-opus-5[1m]", "one", "base"),
            ("unheard-of[1m]", "one", "unheard-of"),
            // A provider may have such a name.
            ("anthropic/unheard-of", "one", "anthropic/unheard-of"),
        ],
    )
    .await;
}

#[tokio::test]
async fn before_any_list_came_a_preset_knows_its_models() {
    let upstream = Upstream::provider(Lists(&[])).await;
    let table = format!(
        "[upstream.one]\nbase_url = \"{0}\"\n[upstream.two]\npreset = \"mine\"\nbase_url = \"{0}\"\n\
         [[provider]]\nid = \"mine\"\nknown = [\"known\"]\n",
        upstream.url()
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &upstream).start().await;
    lead(&program, &[("known", "two", "known"), ("unknown", "one", "unknown")]).await;
}

#[tokio::test]
async fn what_the_user_names_for_an_upstream_is_known_without_a_list() {
    let upstream = Upstream::provider(Lists(&[])).await;
    let table = format!(
        "[upstream.one]\nbase_url = \"{0}\"\n[upstream.two]\nbase_url = \"{0}\"\nmodels = [\"named\"]\n",
        upstream.url()
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &upstream).start().await;
    lead(&program, &[("named", "two", "named"), ("other", "one", "other")]).await;
}

#[tokio::test]
async fn a_list_of_an_earlier_run_is_remembered() {
    let cache = tempfile::tempdir().unwrap();
    let home = cache.path().to_str().unwrap();
    let (first, one, other) = two(&["a"], &["b"], "").await;
    let program = first.env("XDG_CACHE_HOME", home).start().await;
    program.get("/v1/models").await.bytes().await;
    let table = format!(
        "[upstream.one]\nbase_url = \"{}\"\n[upstream.two]\nbase_url = \"{}\"\n",
        one.url(),
        other.url()
    );
    let asked = |upstream: &Upstream| {
        upstream.requests().iter().filter(|asked| asked.head.line.starts_with("GET /v1/models")).count()
    };
    let before = (asked(&one), asked(&other));
    let second = setup(&["serve", "--port", "0"]).config(&table, &one).env("XDG_CACHE_HOME", home);
    let program = second.start().await;
    lead(&program, &[("b", "two", "b"), ("c", "one", "c")]).await;
    assert_eq!((asked(&one), asked(&other)), before);
}

#[tokio::test]
async fn a_404_names_models_that_are_near() {
    let refusal = Exchange::answer(404, r#"{"error":{"message":"no such model"}}"#);
    let list = r#"{"object":"list","data":[{"id":"glm-4.7"},{"id":"glm-4.7-flash"},{"id":"unlike"}]}"#;
    let upstream = Upstream::start([
        Exchange::answer(200, list).at("GET /v1/models"),
        refusal.clone(),
        refusal.clone(),
        refusal,
    ])
    .await;
    let program = crate::support::program::serve(&upstream).start().await;
    program.get("/v1/models").await.bytes().await;
    let message = "upstream `env`: no such model; names near to it: `glm-4.7`, `glm-4.7-flash`";
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let mut answer = program.post(path, body.replace("\"m\"", "\"glm-4\"")).await;
        let found = answer.json().await;
        assert_eq!((answer.status, &found["error"]["message"]), (404, &json!(message)));
    }
    let mut answer = program.chat(CHAT.replace("\"m\"", "\"qqqqqqqq\"")).await;
    assert_eq!(answer.json().await["error"]["message"], "upstream `env`: no such model");
    assert_eq!(upstream.requests()[1].json()["model"], "glm-4");
}

#[tokio::test]
async fn without_a_default_model_a_claude_name_means_the_first_of_the_default_upstream() {
    let (setup, _one, _two) = two(&["first", "second"], &["other"], "").await;
    let program = setup.start().await;
    program.get("/v1/models").await.bytes().await;
    lead(&program, &[("claude-opus-5", "one", "first")]).await;
}

#[tokio::test]
async fn the_default_upstream_need_not_be_the_first() {
    let (setup, _one, _two) = two(&["a"], &["b"], "default_upstream = \"two\"").await;
    let program = setup.start().await;
    program.get("/v1/models").await.bytes().await;
    lead(&program, &[("unheard-of", "two", "unheard-of"), ("a", "one", "a")]).await;
}

#[tokio::test]
async fn a_model_that_two_upstreams_have_is_the_default_upstreams() {
    let (setup, _one, _two) = two(&["both", "a"], &["both", "b"], "default_upstream = \"two\"").await;
    let program = setup.start().await;
    program.get("/v1/models").await.bytes().await;
    lead(&program, &[("both", "two", "both"), ("one/both", "one", "both"), ("a", "one", "a")]).await;
}

#[tokio::test]
async fn the_list_has_a_doubled_id_as_it_is_and_for_each_upstream_and_the_aliases() {
    let lines = "[alias]\nfast = \"two/b\"\n\"claude-*\" = \"a\"\nfar = \"one/unlisted(high)\"\n";
    let (setup, _one, _two) = two(&["a", "both"], &["both", "b"], lines).await;
    let program = setup.start().await;
    let list = program.get("/v1/models").await.json().await;
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "both", "b", "one/both", "two/both", "fast", "far"]);
    let mut answer = program.get("/v1/models/two/both").await;
    assert_eq!((answer.status, &answer.json().await["id"]), (200, &json!("two/both")));
    let mut answer = program.get("/v1/models/fast").await;
    let fast = answer.json().await;
    assert_eq!((answer.status, &fast["id"], &fast["owned_by"]), (200, &json!("fast"), &json!("two")));
}

#[tokio::test]
async fn an_upstream_without_a_list_leaves_the_others_theirs() {
    let down = Upstream::start([Exchange::answer(500, "{}").at("GET /v1/models")]).await;
    let up = Upstream::provider(Lists(&["b"])).await;
    let table = format!(
        "[upstream.one]\nbase_url = \"{}\"\n[upstream.two]\nbase_url = \"{}\"\n",
        down.url(),
        up.url()
    );
    let program = setup(&["serve", "--port", "0"]).config(&table, &up).start().await;
    let list = program.get("/v1/models").await.json().await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    lead_chat(&program, "b", "two").await;
}

/// Fails unless a chat leads to this upstream.
async fn lead_chat(program: &Program, name: &str, upstream: &str) {
    let answer = program.chat(CHAT.replace("\"m\"", &json!(name).to_string())).await;
    assert_eq!((answer.status, answer.header("x-iflow2api-upstream")), (200, Some(upstream)));
}

#[tokio::test]
async fn aliases_may_lead_to_aliases_and_not_in_circles() {
    let lines = "[alias]\na = \"b\"\nb = \"c\"\nc = \"two/end\"\nround = \"about\"\nabout = \"round\"\nself = \"self(high)\"\n";
    let (setup, one, _two) = two(&[], &[], lines).await;
    let program = setup.start().await;
    lead(&program, &[("a", "two", "end"), ("self", "one", "self")]).await;
    let before = one.requests().len();
    // Each is followed once, and then the name is one like any other.
    lead(&program, &[("round", "one", "round")]).await;
    assert_eq!(one.requests().len(), before + 4);
}

#[tokio::test]
async fn a_chain_of_aliases_that_has_no_end_in_sight_is_refused() {
    let aliases: String = (0..12).map(|at| format!("a{at} = \"a{}\"\n", at + 1)).collect();
    let (setup, ..) = two(&[], &[], &format!("[alias]\n{aliases}")).await;
    let program = setup.start().await;
    for (path, body) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)] {
        let mut answer = program.post(path, body.replace("\"m\"", "\"a0\"")).await;
        let found = answer.json().await;
        assert_eq!(answer.status, 500, "{found}");
        assert_eq!(found["error"]["message"], "the alias `a8` leads in a circle or through too many others");
        assert_eq!(answer.header("x-iflow2api-error"), Some("local"));
    }
}

/// What one upstream that thinks by effort is sent for a request.
async fn sent(model: &str, member: &str) -> Value {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let table = "[alias]\nthinker = \"fake/m(high)\"\nidle = \"fake/m(none)\"\n\
        [upstream.fake]\npreset = \"mine\"\nbase_url = \"UPSTREAM\"\n[[provider]]\nid = \"mine\"\n\
        [[thinking]]\nprovider = [\"mine\"]\nmodel = [\"*\"]\nclear = [\"reasoning_effort\"]\noff = { effort = \"none\" }\n\
        levels = { low = { effort = \"low\" }, medium = { effort = \"medium\" }, high = { effort = \"high\" } }\n";
    let program = setup(&["serve", "--port", "0"]).config(table, &upstream).start().await;
    let body = CHAT.replace("\"m\"", &json!(model).to_string()).replacen('{', &format!("{{{member}"), 1);
    let mut answer = program.chat(body).await;
    let found = answer.json().await;
    assert_eq!((answer.status, &found["model"]), (200, &json!(model)), "{found}");
    let body = upstream.request().json();
    assert_eq!((&body["model"], body.get("reasoning_effort")), (&json!("m"), None));
    body["effort"].clone()
}

#[tokio::test]
async fn a_wish_is_the_callers_suffix_or_the_requests_own_or_the_aliass() {
    for (model, member, expected) in [
        ("fake/m", "", Value::Null),
        ("thinker", "", json!("high")),
        ("idle", "", json!("none")),
        ("thinker", "\"reasoning_effort\":\"low\",", json!("low")),
        ("thinker(medium)", "", json!("medium")),
        ("thinker(medium)", "\"reasoning_effort\":\"low\",", json!("medium")),
        ("thinker(none)", "\"reasoning_effort\":\"low\",", json!("none")),
        ("fake/m(low)", "", json!("low")),
    ] {
        assert_eq!(sent(model, member).await, expected, "{model} {member}");
    }
}

#[tokio::test]
async fn the_other_faces_wish_beats_an_aliass_and_not_the_callers_suffix() {
    for (model, member, expected) in [
        ("thinker", "", "high"),
        ("thinker", "\"output_config\":{\"effort\":\"low\"},\"thinking\":{\"type\":\"adaptive\"},", "low"),
        (
            "thinker(none)",
            "\"output_config\":{\"effort\":\"low\"},\"thinking\":{\"type\":\"adaptive\"},",
            "none",
        ),
    ] {
        let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
        let table = "[alias]\nthinker = \"fake/m(high)\"\n[upstream.fake]\npreset = \"mine\"\nbase_url = \"UPSTREAM\"\n\
            [[provider]]\nid = \"mine\"\n[[thinking]]\nprovider = [\"mine\"]\nmodel = [\"*\"]\noff = { effort = \"none\" }\n\
            levels = { low = { effort = \"low\" }, high = { effort = \"high\" } }\n";
        let program = setup(&["serve", "--port", "0"]).config(table, &upstream).start().await;
        let body =
            MESSAGES.replace("\"m\"", &json!(model).to_string()).replacen('{', &format!("{{{member}"), 1);
        assert_eq!(program.messages(body).await.status, 200);
        assert_eq!(upstream.request().json()["effort"], expected, "{model} {member}");
    }
}
