//! What poem-openapi cannot say of our types, said in the specification that it made.

use serde_json::{Value, json};

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
    for (name, property) in properties.iter_mut() {
        if !required.iter().any(|known| known == name) {
            allow_null(property);
        }
    }
}

/// Lets an optional member be `null`, as both APIs write and take it.
fn allow_null(property: &mut Value) {
    let Value::Object(members) = property else { return };
    let is_reference = members.contains_key("$ref") || members.contains_key("allOf");
    if !is_reference {
        members.insert("nullable".to_owned(), Value::Bool(true));
        return;
    }
    // `nullable` counts only beside a `type`, and beside a `$ref` nothing does.
    let nothing = json!({ "type": "string", "nullable": true, "enum": [null] });
    *property = json!({ "anyOf": [property.take(), nothing] });
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
                "content": { "anyOf": [
                    { "$ref": "#/c" },
                    { "type": "string", "nullable": true, "enum": [null] },
                ] },
            } },
        });
        let completed: Value = serde_json::from_str(&complete(&made.to_string())).unwrap();
        assert_eq!(completed["components"]["schemas"], expected);
    }
}
