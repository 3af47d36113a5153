//! The schemas of the specification name every member that our own answers have.

use crate::wire_client::{Server, settings};
use iflow2api::wire::anthropic::{
    Block, BlockDelta, Event, Failure, Message, MessageDelta, StopDetails, Usage,
};
use iflow2api::wire::json::Raw;
use iflow2api::wire::openai::Rounds;
use serde_json::Value;

/// Every sort of event, with every member set.
fn events() -> Vec<Event> {
    let details = StopDetails {
        kind: "refusal".to_owned(),
        category: Some("x".to_owned()),
        explanation: Some("x".to_owned()),
    };
    let blocks = [
        Block::Text { text: "x".to_owned() },
        Block::Thinking { thinking: "x".to_owned(), signature: "x".to_owned() },
        Block::ToolUse { id: "x".to_owned(), name: "x".to_owned(), input: Raw::from_static("{}") },
    ];
    let deltas = [
        BlockDelta::TextDelta { text: "x".to_owned() },
        BlockDelta::ThinkingDelta { thinking: "x".to_owned() },
        BlockDelta::SignatureDelta { signature: "x".to_owned() },
        BlockDelta::InputJsonDelta { partial_json: "x".to_owned() },
    ];
    let rounds = Rounds { estimated: true, ..Rounds::default() };
    let usage = Usage { iflow2api: Some(rounds), ..Usage::default() };
    let message = Message {
        id: "msg_x".to_owned(),
        kind: "message".to_owned(),
        role: "assistant".to_owned(),
        model: "m".to_owned(),
        content: blocks.to_vec(),
        stop_reason: Some("end_turn".to_owned()),
        stop_sequence: Some("x".to_owned()),
        stop_details: Some(details.clone()),
        usage,
    };
    let end = MessageDelta {
        stop_reason: "refusal".to_owned(),
        stop_sequence: Some("x".to_owned()),
        stop_details: Some(details),
    };
    let mut events = vec![
        Event::MessageStart { message },
        Event::Ping,
        Event::ContentBlockStop { index: 0 },
        Event::MessageDelta { delta: end, usage: Usage::default() },
        Event::MessageStop,
        Event::Error { error: Failure { kind: "api_error".to_owned(), message: "x".to_owned() } },
    ];
    events.extend(blocks.map(|content_block| Event::ContentBlockStart { index: 0, content_block }));
    events.extend(deltas.map(|delta| Event::ContentBlockDelta { index: 0, delta }));
    events
}

/// The schemas that a value may have: unions and references followed.
fn schemas<'a>(schema: &'a Value, specification: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = specification.pointer(reference.trim_start_matches('#')).expect("the reference resolves");
        return schemas(found, specification);
    }
    let unions = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    let inner: Vec<&Value> = unions.flat_map(|schema| schemas(schema, specification)).collect();
    if inner.is_empty() || schema["properties"].is_object() {
        return std::iter::once(schema).chain(inner).collect();
    }
    inner
}

fn check(value: &Value, schema: &Value, specification: &Value, path: &str) {
    let schemas = schemas(schema, specification);
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let found = schemas.iter().find_map(|schema| schema["properties"].get(key));
                // An input of a tool has members of its own.
                let free = schemas.iter().all(|schema| !schema["properties"].is_object());
                match found {
                    Some(schema) => check(member, schema, specification, &format!("{path}.{key}")),
                    None => assert!(free, "{path}.{key} is in no schema"),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let schema = schemas.iter().find(|schema| schema["items"].is_object()).expect("an array");
                check(item, &schema["items"], specification, path);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_member_of_an_event_is_in_its_schema() {
    let server = Server::start(settings()).await;
    let specification = server.get("/openapi.json").await.json();
    let schema = &specification["components"]["schemas"]["AnthropicEvent"];
    for event in events() {
        check(&serde_json::to_value(&event).unwrap(), schema, &specification, event.name());
    }
    server.stop().await;
}
