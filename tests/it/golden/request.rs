//! Requests: what is sent upstream, or why nothing is.

use super::{cases, json};
use bytes::Bytes;
use iflow2api::dialect::{Dialect, EmptyContent, InlineSystem, Prefix, Replay, Structured};
use iflow2api::error::ErrorKind;
use iflow2api::policy::profile::Profile;
use iflow2api::policy::request::fit;
use iflow2api::policy::think::{Asked, Source};
use iflow2api::translate::request::check_call;
use iflow2api::translate::{check, messages_to_chat};
use iflow2api::wire::anthropic::MessagesRequest;
use serde_json::Value;
use std::path::Path;

fn dialect(case: &Value) -> Dialect {
    let wish = &case["dialect"];
    let flag = |key: &str, default: bool| wish[key].as_bool().unwrap_or(default);
    let word = |key: &str| wish[key].as_str().unwrap_or_default().to_owned();
    Dialect {
        inline_system: match word("inline_system").as_str() {
            "preserve" => InlineSystem::Preserve,
            "hoist" => InlineSystem::Hoist,
            _ => InlineSystem::Fold,
        },
        empty_assistant_content: match word("empty_assistant_content").as_str() {
            "empty" => EmptyContent::Empty,
            "omit" => EmptyContent::Omit,
            _ => EmptyContent::Null,
        },
        nonempty_tool_results: flag("nonempty_tool_results", false),
        tool_image_parts: flag("tool_image_parts", false),
        vision: flag("vision", true),
        file_parts: flag("file_parts", false),
        max_stops: wish["max_stops"].as_u64().unwrap_or(4) as usize,
        top_k: flag("top_k", false),
        structured: match word("structured").as_str() {
            "object" => Structured::Object,
            "unsupported" => Structured::Unsupported,
            _ => Structured::Schema,
        },
        prefix: match word("prefix").as_str() {
            "deepseek" => Prefix::Deepseek,
            "partial" => Prefix::Partial,
            "vllm" => Prefix::Vllm,
            "trailing" => Prefix::Trailing,
            _ => Prefix::None,
        },
        user: flag("user", false),
        replay: match case["reasoning_history"].as_str() {
            Some("never") => Replay::Never,
            Some("tool_turns") => Replay::ToolTurns,
            _ => Replay::All,
        },
        replay_empty: Some("".into()),
        ..Dialect::default()
    }
}

/// Whether a value is the expected one, where `"ANY"` fits everything.
fn fits(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(any), _) if any == "ANY" => true,
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(key, value)| actual.get(key).is_some_and(|found| fits(value, found)))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(e, a)| fits(e, a))
        }
        _ => expected == actual,
    }
}

fn run(path: &Path) -> Result<(), String> {
    let case = json(&path.join("case.json"));
    let body = Bytes::from(std::fs::read(path.join("request.json")).unwrap());
    let profile = Profile { dialect: dialect(&case), ..Profile::default() };
    let translated = MessagesRequest::parse(&body).and_then(|request| {
        let model = check::model(request.get("model"))?;
        check_call(&request, true)?;
        messages_to_chat(&request, &model, &profile.dialect)
    });
    let error_path = path.join("expected_error.json");
    match translated {
        Ok(_) if error_path.exists() => Err("was translated, but must be refused".to_owned()),
        Ok(translated) => {
            let mut request = translated.request;
            let asked = Asked { wish: translated.wish, source: Source::Translated };
            fit(&mut request, &profile, asked, &|_| None);
            let sent = request.to_bytes();
            let actual: Value = serde_json::from_slice(&sent).unwrap();
            let mut expected = std::fs::read_to_string(path.join("expected.json")).unwrap();
            if let Some(name) = actual["tools"][0]["function"]["name"].as_str() {
                expected = expected.replace("SHORT_NAME", name);
            }
            let expected: Value = serde_json::from_str(&expected).unwrap();
            if fits(&expected, &actual) {
                Ok(())
            } else {
                Err(format!("\n  expected {expected}\n  actual   {actual}"))
            }
        }
        Err(error) if !error_path.exists() => Err(format!("refused: {error:?}")),
        Err(error) => {
            let expected = json(&error_path);
            assert_eq!(expected["kind"], "invalid_request");
            let same = error.kind() == ErrorKind::InvalidRequest
                && error.param() == expected["param"].as_str()
                && expected.get("code").is_none_or(|code| code.as_str() == error.code());
            if same { Ok(()) } else { Err(format!("expected {expected}, was {error:?}")) }
        }
    }
}

#[test]
fn every_request_is_translated_as_its_vector_says() {
    let failures: Vec<String> = cases("request")
        .iter()
        .filter_map(|path| {
            let failure = run(path).err()?;
            Some(format!("{}: {failure}", path.file_name().unwrap().to_string_lossy()))
        })
        .collect();
    assert!(failures.is_empty(), "{} vectors differ:\n{}", failures.len(), failures.join("\n"));
}
