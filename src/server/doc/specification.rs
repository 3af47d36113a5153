//! What poem-openapi cannot say of our types, said in the specification that it made.

use serde_json::{Map, Value, json};

/// The specification with what is missing: alternatives that are not all objects, members that may
/// be `null`, and the two places for a caller's key.
pub fn complete(specification: &str) -> String {
    let mut root: Value = serde_json::from_str(specification).unwrap_or_default();
    if let Some(Value::Object(schemas)) = root.pointer_mut("/components/schemas") {
        schemas.values_mut().for_each(complete_schema);
    }
    if let Some(Value::Object(components)) = root.get_mut("components") {
        let schemes = json!({
            "bearer": { "type": "http", "scheme": "bearer" },
            "key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
        });
        components.insert("securitySchemes".to_owned(), schemes);
    }
    if let Value::Object(root) = &mut root {
        // The empty one: without callers' keys, nothing is asked for.
        root.insert("security".to_owned(), json!([{}, { "bearer": [] }, { "key": [] }]));
    }
    root.to_string()
}

fn complete_schema(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    // A union is said to be an object, also where a text is one of its forms.
    if alternatives.is_some_and(|forms| forms.iter().any(|form| form.get("type").is_some())) {
        schema.remove("type");
    }
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let optional = properties.iter_mut().filter(|(name, _)| !required.iter().any(|known| known == *name));
    for (_, property) in optional {
        if let Value::Object(property) = property {
            let _ = property.insert("nullable".to_owned(), Value::Bool(true));
        }
    }
    let names: Vec<String> = properties.keys().cloned().collect();
    for name in names {
        wrap_reference(properties, &name);
    }
}

/// Beside a `$ref` readers ignore all else, so that it is put into an `allOf`.
fn wrap_reference(properties: &mut Map<String, Value>, name: &str) {
    let Some(Value::Object(property)) = properties.get_mut(name) else { return };
    if property.len() < 2 {
        return;
    }
    if let Some(reference) = property.remove("$ref") {
        property.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_alternatives_and_members_that_may_be_null_are_said() {
        let made = json!({ "components": { "schemas": {
            "Content": { "type": "object", "anyOf": [{ "type": "string" }, { "$ref": "#/a" }] },
            "Block": { "type": "object", "anyOf": [{ "$ref": "#/a" }, { "$ref": "#/b" }] },
            "Message": { "type": "object", "required": ["role"], "properties": {
                "role": { "type": "string" }, "name": { "type": "string" }, "content": { "$ref": "#/c" },
            } },
        } } });
        let expected = json!({
            "Content": { "anyOf": [{ "type": "string" }, { "$ref": "#/a" }] },
            "Block": { "type": "object", "anyOf": [{ "$ref": "#/a" }, { "$ref": "#/b" }] },
            "Message": { "type": "object", "required": ["role"], "properties": {
                "role": { "type": "string" },
                "name": { "type": "string", "nullable": true },
                "content": { "nullable": true, "allOf": [{ "$ref": "#/c" }] },
            } },
        });
        let completed: Value = serde_json::from_str(&complete(&made.to_string())).unwrap();
        assert_eq!(completed["components"]["schemas"], expected);
    }
}
