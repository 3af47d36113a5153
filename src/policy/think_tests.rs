use super::*;
use crate::policy::presets::Catalogue;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

/// The body that is sent, without model and messages, and what the answer says.
fn sent(preset: &str, model: &str, body: &Value, source: Source) -> (Value, Option<String>) {
    let mut whole = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let mut request = ChatRequest::parse(&Bytes::from(whole.to_string())).unwrap();
    let (name, wish) = crate::wish::of_name(model);
    let profile = Catalogue::built_in().provider(preset).profile(name);
    let asked = Asked::first_of(wish, wish_of(&request), source, None);
    let outcome = ask(&mut request, &profile, asked);
    let mut sent: Value = serde_json::from_slice(&request.to_bytes()).unwrap();
    sent.as_object_mut().unwrap().retain(|key, _| key != "model" && key != "messages");
    (sent, outcome.says)
}

#[test]
fn words_of_all_vendors_are_understood_and_the_provider_s_own_stay() {
    let disabled = json!({"thinking": {"type": "disabled"}});
    let enabled = |effort: &str| json!({"thinking": {"type": "enabled"}, "reasoning_effort": effort});
    for (preset, model, body, expected, says) in [
        (
            "deepseek",
            "deepseek-v4-pro",
            json!({"reasoning_effort": "medium"}),
            enabled("high"),
            "high (asked for medium)",
        ),
        ("deepseek", "deepseek-v4-pro", json!({"enable_thinking": false}), disabled.clone(), "off"),
        ("deepseek", "deepseek-v4-pro", json!({"reasoning": {"effort": "low"}}), enabled("low"), "low"),
        (
            "deepseek",
            "deepseek-v4-pro",
            json!({"chat_template_kwargs": {"thinking": false, "x": 1}}),
            json!({"chat_template_kwargs": {"thinking": false, "x": 1}, "thinking": {"type": "disabled"}}),
            "off",
        ),
        (
            "deepseek",
            "deepseek-v4-pro",
            json!({"thinking": {"type": "disabled", "x": 1}}),
            json!({"thinking": {"type": "disabled", "x": 1}}),
            "off",
        ),
        (
            "deepseek",
            "deepseek-v4-pro(high)",
            json!({"thinking": {"type": "disabled"}}),
            enabled("high"),
            "high",
        ),
        (
            "zai",
            "glm-5.3",
            json!({"thinking": {"type": "disabled"}}),
            json!({"reasoning_effort": "low"}),
            "low (cannot be off)",
        ),
        (
            "ark",
            "kimi-k2.7-code",
            json!({"thinking": {"type": "disabled"}}),
            json!({"reasoning_effort": "minimal"}),
            "minimal (cannot be off)",
        ),
        (
            "vllm",
            "glm-4.7",
            json!({"reasoning_effort": "none", "chat_template_kwargs": {"x": 1}}),
            json!({"chat_template_kwargs": {"x": 1, "enable_thinking": false}}),
            "off",
        ),
        (
            "dashscope",
            "qwen3.7-max",
            json!({"enable_thinking": true, "thinking_budget": 100, "preserve_thinking": true}),
            json!({"enable_thinking": true, "thinking_budget": 100, "preserve_thinking": true}),
            "100 tokens",
        ),
        (
            "openrouter",
            "z-ai/glm-4.7",
            json!({"reasoning": {"max_tokens": 2000, "exclude": true}}),
            json!({"reasoning": {"max_tokens": 2000, "exclude": true}}),
            "2000 tokens",
        ),
        (
            "dashscope",
            "qwen3-coder-plus",
            json!({"enable_thinking": true, "chat_template_kwargs": {"thinking": true}}),
            json!({}),
            "off (this model does not think)",
        ),
    ] {
        let found = sent(preset, model, &body, Source::Body);
        assert_eq!(found, (expected, Some(says.to_owned())), "{preset} {model} {body}");
    }
    // Of a server that nobody knows, nothing is asked but what the caller says itself.
    let own = json!({"reasoning_effort": "max", "thinking": {"type": "enabled"}, "reasoning": {"x": 1}});
    assert_eq!(sent("openai", "m", &own, Source::Body), (own, None));
    assert_eq!(
        sent("openai", "m(high)", &json!({}), Source::Body),
        (json!({"reasoning_effort": "high"}), None)
    );
}

#[test]
fn what_clashes_with_thinking_is_left_out_and_a_forced_choice_gives_way() {
    let tools = json!({"tools": [], "tool_choice": "required", "temperature": 0.5});
    let with = |more: Value| {
        let mut body = tools.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let off =
        json!({"tools": [], "tool_choice": "required", "temperature": 0.5, "thinking": {"type": "disabled"}});
    assert_eq!(sent("deepseek", "deepseek-v4-pro", &tools, Source::Body), (off, None));
    let asked = with(json!({"reasoning_effort": "high"}));
    let on = json!({"tools": [], "tool_choice": "auto", "thinking": {"type": "enabled"}, "reasoning_effort": "high"});
    assert_eq!(sent("deepseek", "deepseek-v4-pro", &asked, Source::Body).0, on);
}

fn any_member() -> impl Strategy<Value = (String, Value)> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0u64..200_000).prop_map(Value::from),
        prop_oneof![Just("none"), Just("low"), Just("medium"), Just("max"), Just("odd")]
            .prop_map(Value::from),
        prop_oneof![
            Just(json!({"type": "enabled"})),
            Just(json!({"type": "disabled"})),
            Just(json!({"effort": "high"}))
        ],
    ];
    (prop::sample::select(MEMBERS.to_vec()).prop_map(str::to_owned), value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    /// Section 3.3: no output ever holds a member outside the rule's own patches and the caller's.
    #[test]
    fn nothing_is_sent_that_neither_the_rule_nor_the_caller_says(
        preset in prop::sample::select(Catalogue::built_in().names()),
        at in any::<prop::sample::Index>(),
        members in prop::collection::vec(any_member(), 0..4),
    ) {
        let provider = Catalogue::built_in().provider(preset);
        let models = ["glm-4.7", "glm-5.3", "deepseek-v4-pro", "kimi-k2.6", "MiniMax-M2.7", "qwen3.8-max", "x"];
        let model = *at.get(&models);
        let body = Value::Object(members.into_iter().collect());
        let (sent, _) = sent(preset, model, &body, Source::Body);
        let rule = provider.profile(model).thinking;
        for key in sent.as_object().unwrap().keys() {
            let by_rule = rule.as_ref().is_some_and(|rule| rule.uses(key));
            prop_assert!(by_rule || body.get(key).is_some(), "{preset} {model} {body}: {sent}");
        }
    }
}
