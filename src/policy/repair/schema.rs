//! Whether a value fits a JSON schema, as far as tools' schemas go. What this does not know, fits.

use serde_json::{Map, Value};

/// How deep a schema is followed; what is deeper, fits. Chosen: far beyond any tool's.
const MAX_DEPTH: u32 = 32;

/// Whether a value fits: its types, required and additional properties, items, and enumerations.
pub fn fits(schema: &Value, value: &Value) -> bool {
    check(schema, value, MAX_DEPTH)
}

/// The schema of one property of an object; absent where nothing is said of it.
pub fn of_property<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let said = schema.get("properties").and_then(|properties| properties.get(key));
    said.or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
}

fn check(schema: &Value, value: &Value, depth: u32) -> bool {
    let Value::Object(schema) = schema else {
        return schema != &Value::Bool(false);
    };
    let Some(depth) = depth.checked_sub(1) else { return true };
    if schema.contains_key("$ref") {
        return true;
    }
    if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
        return true;
    }
    let alternatives = |key: &str| match schema.get(key) {
        Some(Value::Array(branches)) => branches.iter().any(|branch| check(branch, value, depth)),
        _ => true,
    };
    is_of_type(schema.get("type"), value)
        && is_enumerated(schema, value)
        && alternatives("anyOf")
        && alternatives("oneOf")
        && match value {
            Value::Object(members) => members_fit(schema, members, depth),
            Value::Array(items) => match schema.get("items") {
                Some(each) if !each.is_array() => items.iter().all(|item| check(each, item, depth)),
                _ => true,
            },
            _ => true,
        }
}

fn is_of_type(kind: Option<&Value>, value: &Value) -> bool {
    match kind {
        Some(Value::String(kind)) => is_of(kind, value),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(|kind| is_of(kind, value)),
        _ => true,
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn is_enumerated(schema: &Map<String, Value>, value: &Value) -> bool {
    let same = |allowed: &Value| {
        allowed == value || allowed.as_f64().is_some_and(|number| value.as_f64() == Some(number))
    };
    let listed = schema.get("enum").and_then(Value::as_array).is_none_or(|all| all.iter().any(same));
    listed && schema.get("const").is_none_or(same)
}

fn members_fit(schema: &Map<String, Value>, members: &Map<String, Value>, depth: u32) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    if !required.into_iter().flatten().filter_map(Value::as_str).all(|key| members.contains_key(key)) {
        return false;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let more = schema.get("additionalProperties").filter(|_| !schema.contains_key("patternProperties"));
    members.iter().all(|(key, value)| {
        let said = properties.and_then(|properties| properties.get(key));
        said.or(more).is_none_or(|schema| check(schema, value, depth))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_schema_or_do_not() {
        let object = r#"{"type":"object","properties":{"a":{"type":"string"},"n":{"type":["integer","null"]}},"required":["a"]}"#;
        let closed = r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#;
        let list = r#"{"type":"array","items":{"enum":["x",1]}}"#;
        let either = r#"{"anyOf":[{"type":"string"},{"type":"object","required":["k"]}]}"#;
        for (schema, value, expected) in [
            (object, r#"{"a":"x"}"#, true),
            (object, r#"{"a":"x","n":1.0,"more":[]}"#, true),
            (object, r#"{"a":"x","n":null}"#, true),
            (object, r#"{"a":"x","n":1.5}"#, false),
            (object, r#"{"a":1}"#, false),
            (object, r#"{"n":1}"#, false),
            (object, "[]", false),
            (closed, r#"{"a":1}"#, true),
            (closed, r#"{"a":1,"b":2}"#, false),
            (list, r#"["x",1.0]"#, true),
            (list, r#"["y"]"#, false),
            (either, r#""x""#, true),
            (either, r#"{"k":1}"#, true),
            (either, r#"{"l":1}"#, false),
            (r#"{"$ref":"x","type":"string"}"#, "1", true),
            (r#"{"type":"telephone"}"#, "1", true),
            (r#"{"oneOf":[{"type":"string"},{"const":2}]}"#, "2", true),
            ("{}", "1", true),
            ("true", "1", true),
            ("false", "1", false),
        ] {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(fits(&read(schema), &read(value)), expected, "{schema} {value}");
        }
    }
}
