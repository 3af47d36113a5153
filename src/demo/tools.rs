//! The calls of `demo-tools`: which tools, and arguments that satisfy their schemas.

use super::plan::{Answer, Delta, Ending, Refusal, Script, Usage, echo, prompt_words, speak};
use super::request::{Request, Tool, ToolChoice};
use super::words;
use serde_json::{Map, Value, json};

/// How deep a schema is followed. Chosen: deeper than real ones, and an end for those that contain themselves.
const MAX_DEPTH: usize = 8;

/// In how many pieces the arguments of a call are sent, if they are long enough.
const PIECES: usize = 6;

pub(super) fn plan(request: &Request) -> Script {
    if request.tool_results().is_some() {
        return speak(request, "", &echo(request), usize::MAX);
    }
    let tools = request.tools();
    let text = request.user_text();
    let chosen = match request.tool_choice() {
        ToolChoice::Never => Vec::new(),
        ToolChoice::Forced(name) => match tools.iter().find(|tool| tool.name == name) {
            Some(tool) => vec![*tool],
            None => {
                let message = format!("tool_choice names `{name}`, which is not among the tools");
                return Script::Refuse(Refusal::new(400, message).about("tool_choice"));
            }
        },
        ToolChoice::Free => freely_chosen(request, &tools, &text),
    };
    if chosen.is_empty() {
        let why = if tools.is_empty() { "The request has no tools" } else { "The request forbids tools" };
        return speak(request, "", &format!("{} {why}, so none is called.", echo(request)), usize::MAX);
    }
    call(request, &chosen, &text)
}

/// The tools that the user names, two at most, else the first one.
fn freely_chosen<'a>(request: &Request, tools: &[Tool<'a>], text: &str) -> Vec<Tool<'a>> {
    let most = if request.parallel_calls() { 2 } else { 1 };
    let named: Vec<_> = tools.iter().filter(|tool| names(text, tool.name)).take(most).copied().collect();
    if named.is_empty() { tools.first().copied().into_iter().collect() } else { named }
}

/// Whether a text has this name standing alone.
fn names(text: &str, name: &str) -> bool {
    let part_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    text.split(|letter| !part_of_name(letter)).any(|found| found == name)
}

fn call(request: &Request, tools: &[Tool<'_>], text: &str) -> Script {
    let text = if text.is_empty() { "demo" } else { text };
    let mut deltas = Vec::new();
    let mut completion = 0;
    for (index, tool) in tools.iter().enumerate() {
        deltas.push(Delta::Call { index, name: tool.name.to_owned() });
        let arguments = object(tool.parameters, tool.parameters, text, 0).to_string();
        completion += words::count(&arguments) + 1;
        deltas.extend(split(&arguments).into_iter().map(|text| Delta::Arguments { index, text }));
    }
    Script::Answer(Answer {
        deltas,
        ending: Ending::Finished("tool_calls"),
        usage: Usage { prompt: prompt_words(request), completion, thinking: 0 },
    })
}

fn split(arguments: &str) -> Vec<String> {
    let letters: Vec<char> = arguments.chars().collect();
    let size = letters.len().div_ceil(PIECES).max(1);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

/// An object with the required properties of a schema.
fn object(schema: &Value, root: &Value, text: &str, depth: usize) -> Value {
    let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let member = |name: &Value| -> Option<(String, Value)> {
        let name = name.as_str()?;
        let property = schema.get("properties").and_then(|all| all.get(name)).unwrap_or(&Value::Null);
        Some((name.to_owned(), value(property, root, text, depth + 1)))
    };
    Value::Object(required.iter().filter_map(member).collect::<Map<_, _>>())
}

/// A value that satisfies a schema.
fn value(schema: &Value, root: &Value, text: &str, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.map_or(Value::Null, |target| value(target, root, text, depth + 1));
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(*name)?.get(0)) {
        return value(first, root, text, depth + 1);
    }
    match type_of(schema) {
        "object" => object(schema, root, text, depth),
        "array" => json!([]),
        "number" | "integer" => json!(1),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!(text),
    }
}

/// The type of a schema; the first that is not `null` where it has several.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_satisfy_the_schema() {
        let schema = json!({
            "type": "object",
            "required": ["text", "count", "ratio", "flag", "list", "unit", "place", "maybe", "shared", "any"],
            "properties": {
                "text": {"type": "string"},
                "count": {"type": "integer"},
                "ratio": {"type": "number"},
                "flag": {"type": "boolean"},
                "list": {"type": "array", "items": {"type": "string"}},
                "unit": {"enum": ["metre", "mile"]},
                "place": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}, "zip": {}}},
                "maybe": {"type": ["null", "boolean"]},
                "shared": {"$ref": "#/$defs/level"},
                "any": {"anyOf": [{"const": 7}, {"type": "string"}]},
                "optional": {"type": "string"},
            },
            "$defs": {"level": {"type": "integer"}},
        });
        let expected = json!({
            "text": "hi", "count": 1, "ratio": 1, "flag": true, "list": [], "unit": "metre",
            "place": {"city": "hi"}, "maybe": true, "shared": 1, "any": 7,
        });
        assert_eq!(object(&schema, &schema, "hi", 0), expected);
    }

    #[test]
    fn a_schema_that_contains_itself_comes_to_an_end() {
        let schema = json!({"required": ["a"], "properties": {"a": {"$ref": "#"}}});
        assert!(object(&schema, &schema, "hi", 0).is_object());
    }

    #[test]
    fn pieces_of_arguments_join_to_the_arguments() {
        for arguments in ["{}", r#"{"text":"你好 👋, a longer text than that"}"#] {
            assert_eq!(split(arguments).concat(), arguments);
        }
    }

    #[test]
    fn a_name_inside_a_longer_one_is_not_named() {
        assert!(names("call get_time, please", "get_time"));
        assert!(!names("call get_time_zone, please", "get_time"));
    }
}
