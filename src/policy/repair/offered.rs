//! The tools that a request offers: nothing else is ever called on a model's behalf.

use super::schema;
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// The tools that a request offers, with their schemas. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Offered(Arc<Vec<Tool>>);

#[derive(Debug)]
struct Tool {
    name: String,
    /// Its parameters' schema; read only when a call is found.
    schema: Raw,
}

/// A call that was read from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    /// One JSON object.
    pub(super) arguments: String,
}

impl Offered {
    /// The tools of a request; none where it offers no function, or forbids calls.
    pub fn of(request: &ChatRequest) -> Option<Self> {
        if request.get("tool_choice").and_then(Raw::text).is_some_and(|choice| choice == "none") {
            return None;
        }
        let tools = request.get("tools").and_then(Raw::objects)?;
        let tools: Vec<Tool> = tools.iter().filter_map(Tool::of).collect();
        (!tools.is_empty()).then(|| Self(Arc::new(tools)))
    }

    /// Whether a tool has exactly this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|tool| tool.name == name)
    }

    /// Whether a tool's name begins with this text.
    pub(super) fn may_be(&self, start: &str) -> bool {
        self.0.iter().any(|tool| tool.name.starts_with(start))
    }

    /// A call with these arguments; none where the tool is not offered, or they do not fit its schema.
    pub(super) fn call(&self, name: &str, arguments: &Raw) -> Option<Call> {
        let schema = self.schema(name)?;
        let value: Value = arguments.read().ok().filter(Value::is_object)?;
        let arguments = arguments.compact().as_str().to_owned();
        schema::fits(&schema, &value).then(|| Call { name: name.to_owned(), arguments })
    }

    /// The same, where every argument came as text.
    pub(super) fn call_of_texts(&self, name: &str, texts: &[(String, String)]) -> Option<Call> {
        let schema = self.schema(name)?;
        let mut arguments = Members::new();
        for (key, text) in texts {
            if arguments.get(key).is_some() {
                return None;
            }
            let value = valued(schema::of_property(&schema, key), text)?;
            arguments.set(key.clone(), value);
        }
        self.call(name, &arguments.to_raw())
    }

    fn schema(&self, name: &str) -> Option<Value> {
        let tool = self.0.iter().find(|tool| tool.name == name)?;
        // A schema that cannot be read says nothing.
        Some(tool.schema.read().unwrap_or(Value::Bool(true)))
    }
}

impl Tool {
    fn of(tool: &Members) -> Option<Self> {
        let function = tool.get("function")?.members()?;
        let name = function.text("name").filter(|name| !name.is_empty())?.into_owned();
        // A copy, so that the request's own bytes need not be kept.
        let schema = function.some("parameters").map(|raw| Bytes::copy_from_slice(raw.as_bytes()));
        let schema = schema.and_then(|text| Raw::parse(&text).ok()).unwrap_or(Raw::from_static("{}"));
        Some(Self { name, schema })
    }
}

/// The value that a text stands for: JSON where the schema takes that, or else the text as it is.
fn valued(schema: Option<&Value>, text: &str) -> Option<Raw> {
    let fits = |value: &Value| schema.is_none_or(|schema| schema::fits(schema, value));
    let parsed = Raw::parse(&Bytes::copy_from_slice(text.as_bytes())).ok();
    let parsed = parsed.filter(|raw| raw.kind() != Kind::String);
    let parsed = parsed.filter(|raw| raw.read().is_ok_and(|value| fits(&value)));
    parsed.or_else(|| {
        let string = Value::String(text.to_owned());
        fits(&string).then(|| Raw::of(&string))
    })
}
