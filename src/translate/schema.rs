//! The schemas of tools, as an upstream takes them (A23, A24).

use crate::dialect::SchemaDialect;
use crate::wire::json::{Kind, Raw};
use serde_json::{Map, Value};

/// A schema whose root, and whose objects, say what they are. One that does already is sent as it
/// was written, but for `$schema`.
pub fn fitted(schema: &Raw, dialect: SchemaDialect) -> Raw {
    let Some(mut members) = schema.members() else { return schema.clone() };
    members.remove("$schema");
    let text = members.to_raw();
    let typed = members.is("type", "object") && members.some("properties").is_some();
    if typed
        && dialect == SchemaDialect::Plain
        && !members.iter().any(|(_, value)| may_have_bare_object(value))
    {
        return text;
    }
    let Ok(Value::Object(mut root)) = text.read::<Value>() else { return text };
    if root.get("type").is_none_or(|kind| kind != "object") {
        // In front, where people and templates look for it.
        root.shift_remove("type");
        root.shift_insert(0, "type".to_owned(), Value::from("object"));
    }
    let mut node = Value::Object(root);
    complete(&mut node);
    if dialect == SchemaDialect::Moonshot {
        to_moonshot(&mut node);
    }
    Raw::of(&node)
}

/// Whether an object type without `properties` may stand somewhere in a schema.
fn may_have_bare_object(value: &Raw) -> bool {
    match value.kind() {
        Kind::Object | Kind::Array => value.read::<Value>().is_ok_and(|value| has_bare_object(&value)),
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => false,
    }
}

fn has_bare_object(value: &Value) -> bool {
    match value {
        Value::Object(node) => is_bare_object(node) || node.values().any(has_bare_object),
        Value::Array(items) => items.iter().any(has_bare_object),
        _ => false,
    }
}

fn is_bare_object(node: &Map<String, Value>) -> bool {
    node.get("type").is_some_and(|kind| kind == "object")
        && !node.get("properties").is_some_and(Value::is_object)
}

/// Gives every object type its `properties`.
fn complete(value: &mut Value) {
    match value {
        Value::Object(node) => {
            if is_bare_object(node) {
                node.insert("properties".to_owned(), Value::Object(Map::new()));
            }
            node.values_mut().for_each(complete);
        }
        Value::Array(items) => items.iter_mut().for_each(complete),
        _ => {}
    }
}

/// Moonshot's own dialect: a `type` beside `anyOf` goes into the branches, a tuple's `items` are
/// `prefixItems`, and beside `$ref` nothing stands (A24).
fn to_moonshot(value: &mut Value) {
    match value {
        Value::Object(node) => {
            if node.contains_key("$ref") {
                node.retain(|key, _| key == "$ref" || key == "$defs" || key == "definitions");
            }
            if node.get("items").is_some_and(Value::is_array)
                && let Some(items) = node.shift_remove("items")
            {
                node.insert("prefixItems".to_owned(), items);
            }
            type_into_branches(node);
            node.values_mut().for_each(to_moonshot);
        }
        Value::Array(items) => items.iter_mut().for_each(to_moonshot),
        _ => {}
    }
}

fn type_into_branches(node: &mut Map<String, Value>) {
    if !node.get("anyOf").is_some_and(Value::is_array) || !node.get("type").is_some_and(Value::is_string) {
        return;
    }
    let kind = node.shift_remove("type");
    let branches = node.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten();
    for branch in branches.filter_map(Value::as_object_mut) {
        if let (false, Some(kind)) = (branch.contains_key("type") || branch.contains_key("$ref"), &kind) {
            branch.insert("type".to_owned(), kind.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn fit(text: &'static str, dialect: SchemaDialect) -> String {
        let schema = Raw::parse(&Bytes::from_static(text.as_bytes())).unwrap();
        fitted(&schema, dialect).as_str().to_owned()
    }

    #[test]
    fn a_complete_schema_is_sent_as_it_was_written() {
        let text = r#"{"type":"object","properties":{"a": {"minimum":1E5}},"additionalProperties":false}"#;
        assert_eq!(fit(text, SchemaDialect::Plain), text);
    }

    #[test]
    fn objects_say_what_they_are() {
        for (text, expected) in [
            ("{}", r#"{"type":"object","properties":{}}"#),
            (r#"{"type":null,"$schema":"x","properties":{}}"#, r#"{"type":"object","properties":{}}"#),
            (
                r#"{"type":"object","properties":{"a":{"type":"object"}}}"#,
                r#"{"type":"object","properties":{"a":{"type":"object","properties":{}}}}"#,
            ),
        ] {
            assert_eq!(fit(text, SchemaDialect::Plain), expected);
        }
    }

    #[test]
    fn moonshots_dialect_is_spoken_where_it_is_asked_for() {
        let text = r##"{"type":"object","properties":{
            "a":{"type":"string","anyOf":[{"minLength":1},{"type":"null"}]},
            "b":{"type":"array","items":[{"type":"string"},{"type":"number"}]},
            "c":{"$ref":"#/$defs/c","description":"x"}}}"##;
        let expected = concat!(
            r##"{"type":"object","properties":{"a":{"anyOf":[{"minLength":1,"type":"string"},{"type":"null"}]},"##,
            r##""b":{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}]},"c":{"$ref":"#/$defs/c"}}}"##,
        );
        assert_eq!(fit(text, SchemaDialect::Moonshot), expected);
    }
}
