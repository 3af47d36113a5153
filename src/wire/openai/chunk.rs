//! One chunk of a streamed completion, as far as rules read it.
//!
//! A whole completion reads as a chunk too: its `message` stands where a chunk has its `delta`.
//! Frames that no rule must change are forwarded as bytes, so this type keeps nothing else.
//! Source: <https://platform.openai.com/docs/api-reference/chat/streaming>.

use super::usage::Usage;
use crate::wire::json::{Members, Raw};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// What a stream of completions consists of.
#[derive(Debug, Clone)]
pub enum Reading {
    /// A chunk.
    Chunk(Chunk),
    /// `[DONE]`: the provider says that this was all.
    Done,
}

/// One chunk, or one whole completion.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Chunk {
    /// The answers; absent where this is no chunk at all.
    #[serde(default)]
    pub choices: Option<Vec<Choice>>,
    /// The tokens used so far.
    #[serde(default)]
    pub usage: Option<Usage>,
}

impl Chunk {
    /// The tokens used so far, wherever the provider says them.
    pub fn told_usage(&self) -> Option<Usage> {
        self.usage.or_else(|| self.choices.iter().flatten().find_map(|choice| choice.usage))
    }
}

/// One answer's part of a chunk.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Choice {
    /// Which of the `n` answers this is.
    #[serde(default, deserialize_with = "or_default")]
    pub index: u32,
    /// What is new.
    #[serde(default, alias = "message", deserialize_with = "or_default")]
    pub delta: Delta,
    /// Why the answer ended.
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// What ended it, in vLLM's words: a text where a stop sequence matched.
    #[serde(default)]
    pub stop_reason: Option<Raw>,
    /// The same in SGLang's words.
    #[serde(default)]
    pub matched_stop: Option<Raw>,
    /// Kimi puts the usage here.
    #[serde(default)]
    pub usage: Option<Usage>,
}

impl Choice {
    /// Whether anything is said: text, thoughts, a refusal or a call.
    pub fn speaks(&self) -> bool {
        let delta = &self.delta;
        let text = |content: &Option<Content>| match content {
            Some(Content::Text(text)) => !text.is_empty(),
            Some(Content::Other(raw)) => !raw.is_null(),
            None => false,
        };
        let other = [&delta.reasoning, &delta.reasoning_details, &delta.thinking];
        text(&delta.content)
            || text(&delta.reasoning_content)
            || delta.refusal.is_some()
            || delta.function_call.is_some()
            || !delta.tool_calls.is_empty()
            || other.into_iter().any(Option::is_some)
    }
}

/// What is new in one answer.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Delta {
    /// Visible text: a string, or an array of parts.
    #[serde(default)]
    pub content: Option<Content>,
    /// Why the model will not answer.
    #[serde(default)]
    pub refusal: Option<String>,
    /// Thoughts, in the one dialect that `translate` knows.
    #[serde(default)]
    pub reasoning_content: Option<Content>,
    /// Thoughts in OpenRouter's, vLLM's and Ollama's words.
    #[serde(default)]
    pub reasoning: Option<Raw>,
    /// Thoughts in parts: OpenRouter, MiniMax.
    #[serde(default)]
    pub reasoning_details: Option<Raw>,
    /// Thoughts as a string or an object with a `content` or `text`.
    #[serde(default)]
    pub thinking: Option<Raw>,
    /// Fragments of tool calls.
    #[serde(default, deserialize_with = "or_default")]
    pub tool_calls: Vec<ToolCallDelta>,
    /// The one call of the API's first form.
    #[serde(default)]
    pub function_call: Option<FunctionDelta>,
}

/// Text that is a string, or an array of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A string.
    Text(String),
    /// An array of parts, or anything else, as it was written.
    Other(Raw),
}

impl Content {
    /// The string, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }

    /// The string, or else the JSON as it was written, without white space; nothing for `null`.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Other(raw) if raw.is_null() => String::new(),
            Self::Other(raw) => raw.compact().as_str().to_owned(),
        }
    }
}

/// A fragment of a tool call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ToolCallDelta {
    /// Which call of the answer this belongs to, where the provider says.
    #[serde(default)]
    pub index: Option<u32>,
    /// The call's id; on the first fragment only, as a rule.
    #[serde(default)]
    pub id: Option<String>,
    /// Name and arguments.
    #[serde(default, deserialize_with = "or_default")]
    pub function: FunctionDelta,
}

/// A fragment of a call's name and arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct FunctionDelta {
    /// The tool's name; on the first fragment only, as a rule.
    #[serde(default)]
    pub name: Option<String>,
    /// A piece of the arguments' JSON text; some send an object.
    #[serde(default)]
    pub arguments: Option<Content>,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// Takes a string without a detour over its raw text: this is the one value that every chunk has.
struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of parts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Other(Raw::of(&value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Other(Raw::of(&value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Other(Raw::of(&value)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Other(Raw::of(&value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items: Vec<Raw> = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Content::Other(Raw::of(&items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut members = Members::new();
        while let Some((key, value)) = map.next_entry::<String, Raw>()? {
            members.set(key, value);
        }
        Ok(Content::Other(members.to_raw()))
    }
}

/// Reads `null` as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
