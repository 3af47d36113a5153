//! `models show`, `test`, `refresh` and `resolve`.

use super::WHOLE;
use crate::support::program::{KEY, Setup, setup, with_preset};
use crate::support::upstream::{Exchange, Upstream};
use iflow2api::policy::presets::Catalogue;
use serde_json::{Value, json};

const LIST: &str = "GET /v1/models";

/// What the program prints, read as JSON.
async fn json_of(setup: Setup) -> Value {
    let (status, out, err) = setup.run().await;
    assert_eq!(status, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// The program with these arguments, before a provider of this preset.
fn at(preset: &str, upstream: &Upstream, arguments: &[&str]) -> Setup {
    let table = format!("[upstream.fake]\npreset = \"{preset}\"\nbase_url = \"UPSTREAM\"\nkey = \"{KEY}\"\n");
    setup(arguments).config(&table, upstream)
}

async fn resolve(arguments: &[&str]) -> Value {
    let all = [&["models", "resolve", "--json"], arguments].concat();
    json_of(setup(&all)).await
}

#[tokio::test]
async fn every_preset_is_resolved_without_a_key_and_nothing_is_sent() {
    for preset in Catalogue::built_in().names().into_iter().filter(|name| *name != "demo") {
        for face in ["openai", "anthropic"] {
            let name = format!("{preset}/some-model");
            let found = resolve(&[&name, "--face", face, "--effort", "high"]).await;
            assert_eq!(found["provider"], preset);
            assert_eq!(found["upstream"], preset);
            assert_eq!(found["model"], "some-model");
            assert_eq!(found["changed"]["model"], json!({ "from": name, "to": "some-model" }));
            assert!(found["url"].as_str().unwrap().starts_with("http"), "{found}");
            assert!(found["checked"].as_str().unwrap().starts_with("2026-"), "{found}");
        }
    }
}

#[tokio::test]
async fn what_would_be_added_changed_and_removed_is_told_exactly() {
    let usage = json!({ "include_usage": true });
    for (arguments, url, wire, thinking, added, changed, removed) in [
        (
            &["zai/glm-4.7", "--effort", "none"][..],
            "https://api.z.ai/api/paas/v4/chat/completions",
            "openai",
            json!("off"),
            json!({ "thinking": { "type": "disabled" }, "stream_options": usage }),
            json!({ "model": { "from": "zai/glm-4.7", "to": "glm-4.7" } }),
            json!({ "reasoning_effort": "none" }),
        ),
        (
            &["deepseek/deepseek-v4-pro", "--effort", "xhigh", "--face", "anthropic"],
            "https://api.deepseek.com/anthropic/v1/messages",
            "anthropic",
            Value::Null,
            json!({}),
            json!({ "model": { "from": "deepseek/deepseek-v4-pro", "to": "deepseek-v4-pro" } }),
            json!({}),
        ),
        (
            &["kimi-code/kimi-for-coding", "--effort", "none"],
            "https://api.kimi.com/coding/v1/chat/completions",
            "openai",
            json!("low (cannot be off)"),
            json!({ "stream_options": usage }),
            json!({
                "model": { "from": "kimi-code/kimi-for-coding", "to": "kimi-for-coding" },
                "reasoning_effort": { "from": "none", "to": "low" },
            }),
            json!({}),
        ),
        (
            &["dashscope/qwen3.7-max", "--effort", "4000", "--face", "anthropic", "--upstream", "dashscope"],
            "https://dashscope.aliyuncs.com/apps/anthropic/v1/messages",
            "anthropic",
            Value::Null,
            json!({}),
            json!({ "model": { "from": "dashscope/qwen3.7-max", "to": "qwen3.7-max" } }),
            json!({}),
        ),
        (
            &["ollama/qwen3:8b(low)", "--face", "anthropic"],
            "http://127.0.0.1:11434/v1/chat/completions",
            "openai",
            json!("low"),
            json!({ "stream_options": usage, "reasoning_effort": "low" }),
            json!({ "model": { "from": "ollama/qwen3:8b(low)", "to": "qwen3:8b" } }),
            json!({}),
        ),
    ] {
        let found = resolve(arguments).await;
        let told = ["url", "wire", "thinking", "added", "changed", "removed"].map(|key| found[key].clone());
        assert_eq!(told, [json!(url), json!(wire), thinking, added, changed, removed], "{arguments:?}");
    }
}

#[tokio::test]
async fn what_is_resolved_is_what_is_sent() {
    let upstream = Upstream::start(vec![Exchange::stream("data: [DONE]\n\n"); 24]).await;
    for (preset, model) in [
        ("zai", "glm-5.2"),
        ("deepseek", "deepseek-v4-pro"),
        ("moonshot", "kimi-k2.6"),
        ("minimax", "MiniMax-M2.7"),
        ("dashscope", "qwen3.8-max"),
        ("iflow", "glm-4.7"),
    ] {
        for (face, path) in [("openai", CHAT_PATH), ("anthropic", MESSAGES_PATH)] {
            for effort in ["none", "high"] {
                let arguments = ["models", "resolve", model, "--json", "--face", face, "--effort", effort];
                let found = json_of(at(preset, &upstream, &arguments)).await;
                let program = with_preset(preset, "", &upstream).start().await;
                program.post(path, found["request"].to_string()).await.bytes().await;
                let sent = upstream.requests().pop().unwrap();
                assert_eq!(sent.json(), found["sent"], "{preset} {face} {effort}");
                assert_eq!(found["url"], format!("{}/chat/completions", upstream.url()));
            }
        }
    }
}

const CHAT_PATH: &str = "/v1/chat/completions";
const MESSAGES_PATH: &str = "/v1/messages";

#[tokio::test]
async fn aliases_and_fallbacks_are_explained() {
    let upstream = Upstream::start([]).await;
    let config = "[upstream.office]\nbase_url = \"UPSTREAM\"\nmodels = [\"small\"]\n\
                  [alias]\n\"claude-*-haiku*\" = \"office/small(low)\"\n[fallback]\n\"small\" = [\"office/other\"]\n";
    let arguments = ["models", "resolve", "claude-3-5-haiku-latest"];
    let (status, out, err) = setup(&arguments).config(config, &upstream).run().await;
    assert_eq!(status, 0, "{err}");
    assert!(out.starts_with("claude-3-5-haiku-latest -> office/small\n"), "{out}");
    for wanted in [
        "  how       the alias `claude-*-haiku*`\n",
        "  fallback  office/other\n",
        "  ~ model = \"small\"  (was \"claude-3-5-haiku-latest\")",
        "  + reasoning_effort = \"low\"\n",
    ] {
        assert!(out.contains(wanted), "{wanted} in {out}");
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_says_how_to_name_it() {
    let (status, _, err) = setup(&["models", "resolve", "deepseek-v4-pro"]).run().await;
    assert_eq!(status, 4);
    assert!(err.contains("no upstream is set up") && err.contains("`deepseek/deepseek-v4-pro`"), "{err}");
    let (status, _, err) = setup(&["models", "resolve", "x", "--effort", "lots"]).run().await;
    assert_eq!(status, 2);
    assert!(err.contains("none, low, medium, high"), "{err}");
}

#[tokio::test]
async fn a_model_is_shown_from_its_list_and_from_the_catalogue() {
    let list = r#"{"data":[{"id":"glm-4.7","owned_by":"z","context_length":1000},{"id":"other"}]}"#;
    let upstream = Upstream::start(vec![Exchange::answer(200, list).at(LIST); 3]).await;
    let show = |arguments: &[&str]| at("zai", &upstream, arguments);
    let shown = json_of(show(&["models", "show", "glm-4.7", "--json"])).await;
    assert_eq!(
        shown,
        json!({
            "id": "glm-4.7", "owned_by": "z", "created": 0, "max_input_tokens": 1000, "max_tokens": 131_072,
            "tools": true, "vision": false, "thinking": "switch", "alias_of": null,
            "upstream": "fake", "how": "the upstream lists it", "listed": true, "provider": "zai", "provider_name": "Z.AI",
            "retired": null, "checked": "2026-11-22", "terms": null,
        })
    );
    let (status, out, _) = show(&["models", "show", "glm-5.2"]).run().await;
    assert_eq!(status, 0);
    assert!(out.contains("no list names it") && out.contains("1000000 tokens"), "{out}");
    let (status, _, err) = show(&["models", "show", "otherr"]).run().await;
    assert_eq!(status, 1);
    assert!(err.contains("knows `otherr`") && err.contains("other"), "{err}");
}

#[tokio::test]
async fn a_refreshed_list_is_kept_for_later_runs() {
    let upstream = Upstream::start([
        Exchange::answer(200, r#"{"data":[{"id":"a"},{"id":"b"}]}"#).at(LIST),
        Exchange::answer(500, "{}").at(LIST),
        Exchange::answer(500, "{}").at(LIST),
    ])
    .await;
    let cache = tempfile::tempdir().unwrap();
    let config = "[upstream.office]\nbase_url = \"UPSTREAM\"\n[retry]\nretries = 0\n";
    let run = |arguments: &[&str]| {
        setup(arguments).config(config, &upstream).env("XDG_CACHE_HOME", cache.path().to_str().unwrap())
    };
    let (status, out, err) = run(&["models", "refresh"]).run().await;
    assert_eq!((status, out.as_str()), (0, "office  2 models\n"), "{err}");
    let listed = json_of(run(&["models", "list", "--json"])).await;
    assert_eq!(listed.as_array().unwrap().iter().map(|m| m["id"].clone()).collect::<Vec<_>>(), ["a", "b"]);
    let (status, out, err) = run(&["models", "refresh"]).run().await;
    assert_eq!(status, 5, "{err}");
    assert!(out.contains("office  ") && err.contains("office"), "{out}{err}");
}

#[tokio::test]
async fn a_model_is_tried_in_six_ways() {
    let thoughtful = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ready","reasoning_content":"hmm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
    let call = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":2,\"b\":3}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
    let stream = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ready\"},\"finish_reason\":null}]}\n\n\
                  data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\ndata: [DONE]\n\n";
    let upstream = Upstream::start([
        Exchange::answer(200, WHOLE),
        Exchange::stream(stream),
        Exchange::answer(200, call),
        Exchange::answer(200, thoughtful),
        Exchange::answer(200, WHOLE),
        Exchange::answer(200, WHOLE),
    ])
    .await;
    let tried = at("zai", &upstream, &["models", "test", "glm-4.7", "--json"]);
    let report = json_of(tried).await;
    let names = ["text", "stream", "tool call", "thinking on", "thinking off", "anthropic"];
    let all = report["tried"].as_array().unwrap();
    assert_eq!(all.iter().map(|one| one["name"].clone()).collect::<Vec<_>>(), names);
    assert!(all.iter().all(|one| one["ok"] == true), "{report:#}");
    assert!(all[1]["first_token_ms"].is_u64(), "{report:#}");
    let sent: Vec<Value> = upstream.requests().iter().map(|request| request.json()).collect();
    assert!(sent.iter().all(|request| request["max_tokens"] == 1024), "{sent:?}");
    assert_eq!(sent[2]["tools"][0]["function"]["name"], "add");
    assert_eq!(sent[3]["thinking"], json!({ "type": "enabled" }));
    assert_eq!(sent[4]["thinking"], json!({ "type": "disabled" }));
}

#[tokio::test]
async fn a_model_that_cannot_answer_is_tried_once_and_fails_as_its_upstream_did() {
    let refusal = r#"{"error":{"message":"no such key","type":"authentication_error"}}"#;
    let upstream = Upstream::start([Exchange::answer(401, refusal)]).await;
    let tried = at("zai", &upstream, &["models", "test", "glm-4.7"]);
    let (status, out, err) = tried.run().await;
    assert_eq!(status, 4, "{err}");
    assert!(out.contains("  text          failed") && !out.contains("\n  stream"), "{out}");
    assert!(err.contains("no such key"), "{err}");
}

#[tokio::test]
async fn what_a_model_cannot_do_beside_text_and_streams_is_only_told() {
    let (status, out, err) = setup(&["models", "test", "demo-echo", "--demo"]).run().await;
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("  tool call     no "), "{out}");
    assert!(out.contains("first token after "), "{out}");
}

#[tokio::test]
async fn an_upstream_that_lists_nothing_is_told_from_one_that_does_not_answer() {
    let upstream = Upstream::start(vec![Exchange::answer(200, r#"{"data":[]}"#).at(LIST); 2]).await;
    for (arguments, status, wanted) in [
        (&["models"][..], 1, "upstream `fake` lists no models\n  hint: name them in `upstream.fake.models`"),
        (&["chat", "hi"], 2, "no model was named, and upstream `fake` lists none\n  hint: name one with -m"),
    ] {
        let table = "[upstream.fake]\nbase_url = \"UPSTREAM\"\n";
        let (ended, _, err) = setup(arguments).config(table, &upstream).run().await;
        assert_eq!(ended, status, "{err}");
        assert!(err.contains(wanted), "{err}");
    }
}

#[tokio::test]
async fn a_word_in_the_place_of_a_key_is_not_taken_out_of_messages() {
    let table = "[upstream.ollama]\nbase_url = \"http://127.0.0.1:1/v1\"\nkey = \"ollama\"\n";
    let (status, _, err) = setup(&["models"])
        .home_file("config/iflow2api/config.toml", table, &Upstream::start([]).await)
        .run()
        .await;
    assert_eq!(status, 5);
    assert!(err.contains("upstream `ollama` cannot be reached"), "{err}");
}

#[tokio::test]
async fn no_fallback_is_tried_in_the_place_of_a_model() {
    let refusing = Upstream::start([Exchange::answer(503, "{}")]).await;
    let other = Upstream::start([]).await;
    let table = format!(
        "[upstream.one]\nbase_url = \"UPSTREAM\"\n[upstream.two]\nbase_url = \"{}\"\n[fallback]\nm = [\"two/m\"]\n",
        other.url()
    );
    let (status, out, err) = setup(&["models", "test", "one/m"]).config(&table, &refusing).run().await;
    assert_eq!(status, 5, "{out}{err}");
    assert!(other.requests().is_empty());
}
