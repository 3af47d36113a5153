//! What a caller says of thinking, and what its provider is told.

use crate::program::{CHAT_STREAM, MESSAGES_STREAM, STREAM};
use crate::support::program::with_preset;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

/// What a provider may be told of thinking.
const MEMBERS: [&str; 7] = [
    "thinking",
    "reasoning_effort",
    "enable_thinking",
    "thinking_budget",
    "reasoning_split",
    "chat_template_kwargs",
    "output_config",
];

struct Row {
    preset: &'static str,
    model: &'static str,
    path: &'static str,
    /// What the caller says.
    wish: Value,
    /// All that the provider is told.
    told: Value,
    /// What the answer says of it.
    header: Option<&'static str>,
}

fn chat(preset: &'static str, model: &'static str, wish: Value, told: Value) -> Row {
    Row { preset, model, path: "/v1/chat/completions", wish, told, header: None }
}

fn messages(preset: &'static str, model: &'static str, wish: Value, told: Value) -> Row {
    Row { path: "/v1/messages", ..chat(preset, model, wish, told) }
}

/// Asks, and tells what the provider got and what the answer says.
async fn told(row: &Row) -> (String, Value, Option<String>) {
    let upstream = Upstream::start([Exchange::stream(STREAM)]).await;
    let program = with_preset(row.preset, "", &upstream).start().await;
    let body = if row.path == "/v1/messages" { MESSAGES_STREAM } else { CHAT_STREAM };
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["model"] = json!(row.model);
    body["max_tokens"] = json!(8192);
    body.as_object_mut().unwrap().extend(row.wish.as_object().unwrap().clone());
    let mut answer = program.post(row.path, body.to_string()).await;
    let text = answer.text().await;
    assert_eq!(answer.status, 200, "{text}");
    let mut sent = upstream.request().json();
    let model = sent["model"].as_str().unwrap().to_owned();
    sent.as_object_mut().unwrap().retain(|name, _| MEMBERS.contains(&name.as_str()));
    (model, sent, answer.header("x-iflow2api-thinking").map(str::to_owned))
}

async fn assert_told(table: impl IntoIterator<Item = Row>) {
    for row in table {
        let (model, sent, header) = told(&row).await;
        let what = format!("{} {} {}", row.preset, row.model, row.wish);
        assert_eq!(sent, row.told, "{what}");
        assert_eq!(Some(model.as_str()), row.model.split('(').next(), "{what}");
        if row.header.is_some() {
            assert_eq!(header.as_deref(), row.header, "{what}");
        }
    }
}

fn enabled() -> Value {
    json!({"type": "enabled"})
}

fn disabled() -> Value {
    json!({"type": "disabled"})
}

#[tokio::test]
async fn a_level_becomes_one_that_the_provider_knows() {
    let effort = |level: &str| json!({"reasoning_effort": level});
    let deepseek = |wish, level: &str| {
        let told = json!({"thinking": enabled(), "reasoning_effort": level});
        chat("deepseek", "deepseek-v4-pro", wish, told)
    };
    assert_told([
        deepseek(effort("minimal"), "low"),
        deepseek(effort("medium"), "high"),
        deepseek(effort("xhigh"), "high"),
        deepseek(effort("max"), "max"),
        chat("zai", "glm-4.7", effort("high"), json!({"thinking": enabled()})),
        chat("zai", "glm-5.3", effort("medium"), effort("high")),
        chat("moonshot", "kimi-k3", effort("medium"), effort("high")),
        chat("moonshot", "kimi-k2.6", effort("low"), json!({"thinking": enabled()})),
        chat(
            "dashscope",
            "qwen3.7-max",
            effort("high"),
            json!({"enable_thinking": true, "thinking_budget": 24576}),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_wish_of_the_anthropic_api_becomes_the_providers() {
    let budget = json!({"thinking": {"type": "enabled", "budget_tokens": 4096}});
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}});
    let of_deepseek = |level: &str| json!({"thinking": enabled(), "reasoning_effort": level});
    let of_qwen = json!({"enable_thinking": true, "thinking_budget": 4096});
    let kwargs = json!({"enable_thinking": true, "clear_thinking": false});
    assert_told([
        messages("deepseek", "deepseek-v4-pro", budget.clone(), of_deepseek("high")),
        messages("deepseek", "deepseek-v4-pro", adaptive, of_deepseek("max")),
        messages("dashscope", "qwen3.7-max", budget.clone(), of_qwen),
        messages("iflow", "glm-4.7", budget, json!({"chat_template_kwargs": kwargs})),
    ])
    .await;
}

#[tokio::test]
async fn a_suffix_of_the_models_name_is_a_wish_and_wins() {
    let effort = json!({"reasoning_effort": "max"});
    let low = json!({"thinking": enabled(), "reasoning_effort": "low"});
    let of_qwen = json!({"enable_thinking": true, "thinking_budget": 8192});
    assert_told([
        chat("deepseek", "deepseek-v4-pro(low)", effort.clone(), low),
        chat("zai", "glm-4.7(none)", effort, json!({"thinking": disabled()})),
        messages("dashscope", "qwen3.7-max(8192)", json!({}), of_qwen),
    ])
    .await;
}

#[tokio::test]
async fn thinking_is_turned_off_where_that_is_possible_and_else_made_least() {
    let none = json!({"reasoning_effort": "none"});
    let off = json!({"thinking": disabled()});
    let split = json!({"thinking": disabled(), "reasoning_split": true});
    let least = Row {
        header: Some("low (cannot be off)"),
        ..chat("zai", "glm-5.3", none.clone(), json!({"reasoning_effort": "low"}))
    };
    assert_told([
        chat("deepseek", "deepseek-v4-pro", none.clone(), off.clone()),
        messages("deepseek", "deepseek-v4-pro", off.clone(), off.clone()),
        messages("zai", "glm-4.7", off.clone(), off),
        chat("dashscope", "qwen3.7-max", none.clone(), json!({"enable_thinking": false})),
        chat("minimax", "MiniMax-M3", none.clone(), split),
        chat("minimax", "MiniMax-M2.7", none, json!({"reasoning_split": true})),
        least,
    ])
    .await;
}

#[tokio::test]
async fn a_model_that_never_thinks_is_told_nothing_and_a_vendors_own_words_pass() {
    let high = json!({"reasoning_effort": "high"});
    let own = json!({"enable_thinking": true, "thinking_budget": 100});
    assert_told([
        chat("dashscope", "qwen3-coder-plus", high, json!({})),
        chat("dashscope", "qwen3.7-max", own.clone(), own),
        chat("deepseek", "deepseek-v4-pro", json!({"thinking": disabled()}), json!({"thinking": disabled()})),
    ])
    .await;
}

#[tokio::test]
async fn a_provider_that_nobody_knows_is_told_what_the_caller_says() {
    let budget = json!({"thinking": {"type": "enabled", "budget_tokens": 4096}});
    let medium = json!({"reasoning_effort": "medium"});
    assert_told([
        chat("openai", "any", medium.clone(), medium.clone()),
        chat("openai", "any", json!({"thinking": disabled()}), json!({"thinking": disabled()})),
        messages("openai", "any", budget, medium),
    ])
    .await;
}
