//! What models thought, kept for the next turn of a conversation whose caller has lost it (E02, E06).
//!
//! Pure: a bounded map and what its keys are made of. Many callers drop what a model thought, and some
//! providers refuse a history without it.

use super::grown::Fields;
use crate::wire::json::{Members, Raw};
use crate::wire::openai::{ChatRequest, Chunk, Content};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher as _;
use std::sync::Arc;

/// How many bytes of thoughts are kept. Chosen: some hundreds of agents' turns.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// How much of one answer's thoughts; more is not kept. Chosen: the longest budget there is.
const MAX_THOUGHT_BYTES: usize = 1024 * 1024;

/// The member in which some providers give thoughts in parts, which must go back as they came.
const DETAILS: &str = "reasoning_details";

/// What a model thought before one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thoughts {
    /// The text.
    pub text: String,
    /// The parts as the provider gave them, where it gives parts.
    pub details: Option<Raw>,
}

impl Thoughts {
    /// Thoughts of which only the text is known.
    pub fn of_text(text: &str) -> Self {
        Self { text: text.to_owned(), details: None }
    }

    /// The parts that a provider wants back.
    pub fn as_details(&self) -> Raw {
        self.details.clone().unwrap_or_else(|| {
            Raw::of(&serde_json::json!([{ "type": "reasoning.text", "index": 0, "text": self.text }]))
        })
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.details.as_ref().map_or(0, |raw| raw.as_bytes().len())
    }
}

/// A conversation, as far as it can be told from another by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conversation(u64);

impl Conversation {
    /// The conversation of a request: what the system says, and the task.
    pub fn of(request: &ChatRequest) -> Self {
        let mut hash = fnv::FnvHasher::default();
        for message in request.messages() {
            hash.write(message.to_raw().as_bytes());
            if message.is("role", "user") {
                break;
            }
        }
        Self(hash.finish())
    }
}

/// One answer of a conversation: its first call, or else its text.
type Key = (Conversation, u64);

/// The thoughts of many conversations, within a bound of bytes: the least lately used go first.
#[derive(Debug, Default)]
pub struct Recall {
    kept: HashMap<Key, (u64, Arc<Thoughts>)>,
    /// When each was used last.
    uses: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

impl Recall {
    /// What was thought before this message of the assistant's.
    pub fn of_message(&mut self, conversation: Conversation, message: &Members) -> Option<Arc<Thoughts>> {
        let key = (conversation, answer_of(message)?);
        self.clock += 1;
        let (used, thoughts) = self.kept.get_mut(&key)?;
        self.uses.remove(used);
        *used = self.clock;
        self.uses.insert(self.clock, key);
        Some(Arc::clone(thoughts))
    }

    /// Keeps what was thought before an answer.
    pub fn keep(&mut self, conversation: Conversation, remembered: Remembered) {
        let key = (conversation, remembered.answer);
        self.forget(&key);
        self.clock += 1;
        self.bytes += remembered.thoughts.bytes();
        self.kept.insert(key, (self.clock, Arc::new(remembered.thoughts)));
        self.uses.insert(self.clock, key);
        while self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.forget(&oldest);
        }
    }

    /// Forgets a conversation whose thoughts were refused.
    pub fn clear(&mut self, conversation: Conversation) {
        let keys: Vec<Key> = self.kept.keys().filter(|(of, _)| *of == conversation).copied().collect();
        keys.iter().for_each(|key| self.forget(key));
    }

    fn forget(&mut self, key: &Key) {
        if let Some((used, thoughts)) = self.kept.remove(key) {
            self.uses.remove(&used);
            self.bytes -= thoughts.bytes();
        }
    }
}

/// What was thought before one answer, and by what it is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    answer: u64,
    thoughts: Thoughts,
}

/// Listens to an answer for what has to be remembered of it.
#[derive(Default)]
pub struct Listener {
    thoughts: String,
    /// `reasoning_details`, put together from its pieces.
    details: Fields,
    details_bytes: usize,
    text: fnv::FnvHasher,
    spoke: bool,
    call: Option<FirstCall>,
    too_long: bool,
}

#[derive(Debug)]
struct FirstCall {
    id: String,
    name: String,
    arguments: String,
}

impl Listener {
    /// Takes a chunk whose thoughts are in `reasoning_content`, and whose calls are in the API's own form.
    pub fn hear(&mut self, chunk: &Chunk) {
        let Some(choice) = chunk.choices.iter().flatten().find(|choice| choice.index == 0) else { return };
        let delta = &choice.delta;
        if let Some(Content::Text(text)) = &delta.reasoning_content {
            self.thoughts.push_str(text);
        }
        if let Some(parts) = &delta.reasoning_details {
            self.details.grow(DETAILS, parts);
            self.details_bytes += parts.as_bytes().len();
        }
        if let Some(Content::Text(text)) = &delta.content {
            self.text.write(text.as_bytes());
            self.spoke |= !text.is_empty();
        }
        for fragment in &delta.tool_calls {
            if self.call.is_none()
                && let (Some(id), Some(name)) = (&fragment.id, &fragment.function.name)
            {
                let (id, name) = (id.clone(), name.clone());
                self.call = Some(FirstCall { id, name, arguments: String::new() });
            }
            if fragment.index.unwrap_or(0) == 0
                && let (Some(call), Some(Content::Text(piece))) =
                    (&mut self.call, &fragment.function.arguments)
            {
                call.arguments.push_str(piece);
            }
        }
        let arguments = self.call.as_ref().map_or(0, |call| call.arguments.len());
        if self.thoughts.len() + self.details_bytes + arguments > MAX_THOUGHT_BYTES {
            *self = Self { too_long: true, ..Self::default() };
        }
    }

    /// What is to be remembered, once the answer has ended.
    pub fn remembered(&self) -> Option<Remembered> {
        let is_said = self.spoke || self.call.is_some();
        if self.too_long || self.thoughts.is_empty() || !is_said {
            return None;
        }
        let answer = match &self.call {
            Some(call) => hash_of_call(&call.id, &call.name, &call.arguments),
            None => self.text.finish(),
        };
        let details = self.details.to_members().some(DETAILS).cloned();
        let thoughts = Thoughts { text: self.thoughts.clone(), details };
        Some(Remembered { answer, thoughts })
    }
}

/// By what an assistant's message is found: its first call, or else its text.
fn answer_of(message: &Members) -> Option<u64> {
    let calls = message.some("tool_calls").and_then(Raw::objects).unwrap_or_default();
    if let Some(call) = calls.first() {
        let function = call.some("function").and_then(Raw::members)?;
        let arguments = function.text("arguments").unwrap_or_default();
        return Some(hash_of_call(&call.text("id")?, &function.text("name")?, &arguments));
    }
    let text = message.text("content").filter(|text| !text.is_empty())?;
    let mut hash = fnv::FnvHasher::default();
    hash.write(text.as_bytes());
    Some(hash.finish())
}

/// Ids may begin anew with each turn (Kimi), so the arguments count too. Clients write them anew: only what
/// they say counts.
fn hash_of_call(id: &str, name: &str, arguments: &str) -> u64 {
    let mut hash = fnv::FnvHasher::default();
    for part in [id, name] {
        hash.write(part.as_bytes());
        hash.write_u8(0);
    }
    match serde_json::from_str(arguments) {
        Ok(value) => hash_value(&value, &mut hash),
        Err(_) => hash.write(arguments.trim().as_bytes()),
    }
    hash.finish()
}

fn hash_value(value: &Value, hash: &mut fnv::FnvHasher) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            hash.write_u8(b'{');
            for (key, value) in members {
                hash.write(key.as_bytes());
                hash.write_u8(b':');
                hash_value(value, hash);
            }
        }
        Value::Array(items) => {
            hash.write_u8(b'[');
            items.iter().for_each(|item| hash_value(item, hash));
        }
        Value::Number(number) => hash.write_u64(number.as_f64().unwrap_or_default().to_bits()),
        Value::String(text) => {
            hash.write_u8(b'"');
            hash.write(text.as_bytes());
        }
        Value::Null | Value::Bool(_) => hash.write(value.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn chunk(text: &str) -> Chunk {
        serde_json::from_str(text).unwrap()
    }

    fn members(text: &'static str) -> Members {
        Members::parse(&Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn heard(chunks: &[&str]) -> Option<Remembered> {
        let mut listener = Listener::default();
        chunks.iter().for_each(|text| listener.hear(&chunk(text)));
        listener.remembered()
    }

    const CALL: [&str; 3] = [
        r#"{"choices":[{"delta":{"reasoning_content":"I must "}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"look.","tool_calls":[{"index":0,"id":"f.Read:0","function":{"name":"Read","arguments":"{\"b\": 1.0, "}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"a\":[2]}"}}]}}]}"#,
    ];

    #[test]
    fn a_call_is_known_again_however_its_arguments_are_written() {
        let mut recall = Recall::default();
        let conversation = Conversation(1);
        recall.keep(conversation, heard(&CALL).unwrap());
        let same = members(
            r#"{"role":"assistant","tool_calls":[{"id":"f.Read:0","function":{"name":"Read","arguments":"{\"a\":[2],\"b\":1}"}}]}"#,
        );
        assert_eq!(recall.of_message(conversation, &same).unwrap().text, "I must look.");
        assert_eq!(recall.of_message(Conversation(2), &same), None);
        let other = members(
            r#"{"role":"assistant","tool_calls":[{"id":"f.Read:0","function":{"name":"Read","arguments":"{\"a\":[3],\"b\":1}"}}]}"#,
        );
        assert_eq!(recall.of_message(conversation, &other), None);
        recall.clear(conversation);
        assert_eq!(recall.of_message(conversation, &same), None);
        assert_eq!((recall.bytes, recall.uses.len()), (0, 0));
    }

    #[test]
    fn a_text_is_known_by_itself_and_thoughts_alone_are_not_kept() {
        let said = [
            r#"{"choices":[{"delta":{"reasoning_content":"t","content":"Hel"}}]}"#,
            r#"{"choices":[{"delta":{"content":"lo"}}]}"#,
        ];
        let mut recall = Recall::default();
        recall.keep(Conversation(1), heard(&said).unwrap());
        let message = members(r#"{"role":"assistant","content":"Hello"}"#);
        assert_eq!(recall.of_message(Conversation(1), &message).unwrap().text, "t");
        assert_eq!(heard(&[r#"{"choices":[{"delta":{"reasoning_content":"t"}}]}"#]), None);
        assert_eq!(heard(&[r#"{"choices":[{"delta":{"content":"t"}}]}"#]), None);
    }

    #[test]
    fn the_least_lately_used_go_first() {
        let mut recall = Recall::default();
        let thoughts =
            |answer: u64| Remembered { answer, thoughts: Thoughts::of_text(&"x".repeat(MAX_BYTES / 4)) };
        for answer in 0..4 {
            recall.keep(Conversation(1), thoughts(answer));
        }
        assert_eq!((recall.kept.len(), recall.bytes), (4, MAX_BYTES));
        recall.keep(Conversation(1), thoughts(9));
        let mut left: Vec<u64> = recall.kept.keys().map(|(_, answer)| *answer).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2, 3, 9]);
    }
}
