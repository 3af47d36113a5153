//! A streamed completion as one whole body, for providers that only stream.
//!
//! What the answer means is left to those who read whole bodies; here the pieces are only put together.

use super::calls::CallFilter;
use super::failure::{self, Judge};
use super::grown::Fields;
use super::wrapped::unwrap;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::{Chunk, Content, Reading, ToolCallDelta};
use crate::wire::scan;
use crate::wire::sse::Frame;
use bytes::Bytes;

/// How large the frames of one answer may be together. Chosen: four times the largest single event.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How deep a frame may be nested. Chosen: serde_json's own limit.
const MAX_DEPTH: usize = 128;

/// Puts the chunks of a stream together.
pub struct Assembler {
    judge: Judge,
    calls: CallFilter,
    /// The members beside the answers, as they were said last, in the order of their first mention.
    outer: Members,
    choices: Vec<Choice>,
    /// The usage that Kimi tells inside an answer.
    inner_usage: Option<Raw>,
    /// A body that was whole when it came.
    whole: Option<Bytes>,
    bytes: usize,
    finished: bool,
    done: bool,
}

impl Assembler {
    /// An answer, read by this judge, of which nothing has come yet; `seed` makes minted call ids its own,
    /// as `[a-zA-Z0-9]+`.
    pub fn new(judge: Judge, seed: impl Into<String>) -> Self {
        Self {
            judge,
            calls: CallFilter::new(seed),
            outer: Members::new(),
            choices: Vec::new(),
            inner_usage: None,
            whole: None,
            bytes: 0,
            finished: false,
            done: false,
        }
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// As [`Judge::read_frame`], and `BadAnswer` where the answer is too large to be held.
    pub fn push(&mut self, frame: &Frame) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let data = unwrap(&frame.data).unwrap_or_else(|| frame.data.clone());
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > MAX_BYTES {
            return Err(self.refusal("is too large to be held"));
        }
        if scan::is_deeper_than(&data, MAX_DEPTH) {
            return Err(self.refusal("is nested too deep"));
        }
        match self.judge.read_frame(&data)? {
            Reading::Done => self.done = true,
            Reading::Chunk(chunk) => self.take(&data, chunk)?,
        }
        Ok(())
    }

    /// Whether nothing that still comes can matter.
    pub fn is_over(&self) -> bool {
        self.done || self.whole.is_some()
    }

    /// Whether it was said how the answer ends, so that a break behind that does not matter (D06).
    pub fn is_finished(&self) -> bool {
        self.finished || self.is_over()
    }

    /// The whole completion.
    ///
    /// # Errors
    /// `BadAnswer` where the answer broke off (D08), said nothing, or called a tool without a name.
    pub fn finish(mut self) -> Result<Bytes> {
        if let Some(whole) = self.whole {
            return Ok(whole);
        }
        if !self.is_finished() {
            return Err(failure::broken_off());
        }
        if self.outer.is_empty() {
            return Err(failure::empty(self.judge.upstream()));
        }
        if let Some(error) = self.calls.nameless() {
            return Err(error);
        }
        self.outer.set("object", Raw::from_static("\"chat.completion\""));
        self.choices.sort_by_key(|choice| choice.index);
        let choices: Vec<Members> = self.choices.into_iter().map(Choice::into_members).collect();
        self.outer.set("choices", json::array(&choices));
        if let Some(usage) = self.inner_usage.filter(|_| self.outer.some("usage").is_none()) {
            self.outer.set("usage", usage);
        }
        Ok(self.outer.to_raw().bytes())
    }

    fn take(&mut self, data: &Bytes, mut chunk: Chunk) -> Result<()> {
        let unread = |error| failure::not_understood(self.judge.upstream()).with_source(error);
        let members = Members::parse(data).map_err(unread)?;
        let choices = members.some("choices").map(Raw::objects).unwrap_or_else(|| Some(Vec::new()));
        let Some(choices) = choices else { return Err(failure::not_understood(self.judge.upstream())) };
        let is_whole = |choice: &Members| choice.some("message").is_some() && choice.get("delta").is_none();
        let is_first = self.outer.is_empty() && !members.is("object", "chat.completion.chunk");
        if is_first && !choices.is_empty() && choices.iter().all(is_whole) {
            self.whole = Some(data.clone());
            return Ok(());
        }
        for (key, value) in members.iter() {
            let value = if key == "choices" { &Raw::NULL } else { value };
            last_word(&mut self.outer, key, value);
        }
        self.calls.normalise(&mut chunk);
        for (choice, read) in choices.iter().zip(chunk.choices.unwrap_or_default()) {
            self.finished |= read.finish_reason.is_some_and(|reason| !reason.is_empty());
            if let Some(usage) = choice.some("usage") {
                self.inner_usage = Some(usage.clone());
            }
            let known = self.choices.iter().position(|choice| choice.index == read.index);
            let at = known.unwrap_or(self.choices.len());
            if known.is_none() {
                self.choices.push(Choice { index: read.index, ..Choice::default() });
            }
            if let Some(known) = self.choices.get_mut(at) {
                known.grow(choice, read.delta.tool_calls);
            }
        }
        Ok(())
    }

    fn refusal(&self, why: &str) -> Error {
        Error::new(ErrorKind::BadAnswer, format!("the answer of upstream `{}` {why}", self.judge.upstream()))
    }
}

/// Gives a member its last value; `null` says nothing, but that the member is there.
fn last_word(members: &mut Members, key: &str, value: &Raw) {
    let old = members.get(key);
    if old.is_none() || !(value.is_null() || old == Some(value)) {
        members.set(key.to_owned(), value.clone());
    }
}

/// One answer as far as it has come.
#[derive(Default)]
struct Choice {
    index: u32,
    message: Fields,
    calls: Vec<Call>,
    /// What stands beside the message and grows.
    grown: Fields,
    /// What stands beside it else.
    rest: Members,
}

/// One call as far as it has come.
#[derive(Default)]
struct Call {
    index: Option<u32>,
    id: String,
    name: String,
    arguments: String,
    /// What a provider says beside, such as Gemini's `extra_content`.
    more: Fields,
}

impl Choice {
    /// Takes a chunk's part of this answer, whose calls are in the API's own form.
    fn grow(&mut self, choice: &Members, calls: Vec<ToolCallDelta>) {
        calls.into_iter().for_each(|call| self.call(call));
        for (key, value) in choice.iter() {
            match key {
                "index" | "usage" => {}
                "delta" | "message" => self.delta(&value.members().unwrap_or_default()),
                "logprobs" => self.grown.grow(key, value),
                "finish_reason" if value.as_bytes() == b"\"\"" => {}
                _ => last_word(&mut self.rest, key, value),
            }
        }
    }

    fn delta(&mut self, delta: &Members) {
        for (key, piece) in delta.iter() {
            if key == "tool_calls" {
                piece.objects().unwrap_or_default().iter().for_each(|fragment| self.more(fragment));
            } else {
                self.message.grow(key, piece);
            }
        }
    }

    /// Takes what a fragment of a call has beside the members that the API knows.
    fn more(&mut self, fragment: &Members) {
        let is_known = |key: &str| matches!(key, "index" | "id" | "type" | "function");
        let more: Vec<_> = fragment.iter().filter(|(key, _)| !is_known(key)).collect();
        if more.is_empty() {
            return;
        }
        let id = fragment.text("id").filter(|id| !id.is_empty());
        let index = fragment.some("index").and_then(Raw::u64).and_then(|index| u32::try_from(index).ok());
        let by_id = id.and_then(|id| self.calls.iter().position(|call| call.id == id));
        let by_index = || self.calls.iter().position(|call| index.is_some() && call.index == index);
        let at = by_id.or_else(by_index).or_else(|| self.calls.len().checked_sub(1));
        if let Some(call) = at.and_then(|at| self.calls.get_mut(at)) {
            more.into_iter().for_each(|(key, piece)| call.more.grow(key, piece));
        }
    }

    fn call(&mut self, delta: ToolCallDelta) {
        let known = self.calls.iter().position(|call| call.index == delta.index);
        let at = known.unwrap_or(self.calls.len());
        if known.is_none() {
            self.calls.push(Call { index: delta.index, ..Call::default() });
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        call.id.extend(delta.id);
        call.name.extend(delta.function.name);
        call.arguments.extend(delta.function.arguments.map(Content::into_text));
    }

    fn into_members(self) -> Members {
        let fields = self.message.to_members();
        let role = fields.some("role").filter(|role| role.as_bytes() != b"\"\"");
        let mut message = Members::new()
            .with("role", role.cloned().unwrap_or(Raw::from_static("\"assistant\"")))
            .with("content", fields.get("content").cloned().unwrap_or(Raw::NULL));
        for (key, value) in fields.iter().filter(|(key, _)| !matches!(*key, "role" | "content")) {
            message.set(key.to_owned(), value.clone());
        }
        if !self.calls.is_empty() {
            let calls: Vec<Members> = self.calls.iter().map(Call::to_members).collect();
            message.set("tool_calls", json::array(&calls));
        }
        let choice = Members::new().with("index", Raw::of(&self.index)).with("message", message.to_raw());
        let mut choice = self
            .grown
            .to_members()
            .iter()
            .chain(self.rest.iter())
            .fold(choice, |choice, (key, value)| choice.with(key.to_owned(), value.clone()));
        last_word(&mut choice, "finish_reason", &Raw::NULL);
        choice
    }
}

impl Call {
    fn to_members(&self) -> Members {
        let function =
            Members::new().with("name", Raw::of(&self.name)).with("arguments", Raw::of(&self.arguments));
        let call = Members::new()
            .with("id", Raw::of(&self.id))
            .with("type", Raw::from_static("\"function\""))
            .with("function", function.to_raw());
        self.more
            .to_members()
            .iter()
            .fold(call, |call, (key, value)| call.with(key.to_owned(), value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(datas: &[&str]) -> Result<String> {
        let mut assembler = Assembler::new(Judge::plain("zai"), "s");
        for data in datas {
            assembler.push(&Frame::data(Bytes::copy_from_slice(data.as_bytes())))?;
        }
        assembler.finish().map(|body| String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn chunks_become_one_completion() {
        let chunks = [
            r#"{"id":"c1","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
            r#"{"id":"c1","object":"chat.completion.chunk","created":17,"model":"m","odd":1E5,"choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Let "},"finish_reason":""}]}"#,
            r#"{"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"me see"}}]}"#,
            r#"{"id":"c1","choices":[{"index":1,"delta":{"content":"Second"},"logprobs":{"content":[{"token":"S"}]}}]}"#,
            r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"}},{"index":1,"delta":{},"logprobs":{"content":[{"token":"x"}]},"finish_reason":"length"}]}"#,
            r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop","stop_reason":"END"}]}"#,
            r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#,
            "[DONE]",
            r#"{"id":"c2","choices":[]}"#,
        ];
        let expected = concat!(
            r#"{"id":"c1","object":"chat.completion","created":17,"model":"m","choices":["#,
            r#"{"index":0,"message":{"role":"assistant","content":"Hello","reasoning_content":"Let me see"},"logprobs":null,"finish_reason":"stop","stop_reason":"END"},"#,
            r#"{"index":1,"message":{"role":"assistant","content":"Second"},"logprobs":{"content":[{"token":"S"},{"token":"x"}]},"finish_reason":"length"}"#,
            r#"],"usage":{"prompt_tokens":9,"completion_tokens":4},"odd":1E5}"#,
        );
        assert_eq!(assembled(&chunks).unwrap(), expected);
    }

    #[test]
    fn calls_are_whole_and_have_no_number() {
        let chunks = [
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","extra_content":{"x":1},"function":{"name":"f","arguments":""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"name":"g","arguments":"{}"}},{"index":0,"function":{"arguments":"{\"p\":"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"1}"}}]},"finish_reason":"tool_calls","usage":{"prompt_tokens":3}}]}"#,
        ];
        let expected = concat!(
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":["#,
            r#"{"id":"a","type":"function","function":{"name":"f","arguments":"{\"p\":1}"},"extra_content":{"x":1}},"#,
            r#"{"id":"call_s01","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"#,
            r#""object":"chat.completion","usage":{"prompt_tokens":3}}"#,
        );
        assert_eq!(assembled(&chunks).unwrap(), expected);
    }

    #[test]
    fn a_body_that_is_whole_when_it_comes_stays_as_it_is() {
        let body = r#"{"id": "c1", "choices":[ {"message":{"content":"a\u0041"},"finish_reason":null}]}"#;
        assert_eq!(assembled(&[body]).unwrap(), body);
        assert_eq!(assembled(&[body, "[DONE]"]).unwrap(), body);
        assert_eq!(assembled(&[&format!(r#"{{"success":true,"data":{body}}}"#)]).unwrap(), body);
    }

    #[test]
    fn chunks_come_out_of_their_wrappers() {
        let chunk =
            r#"{"success":true,"data":{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}}"#;
        let body = assembled(&[chunk]).unwrap();
        assert!(Judge::plain("zai").read_whole(&Bytes::from(body)).is_ok());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let text = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
        let nameless = r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"arguments":"{}"}}]},"finish_reason":"stop"}]}"#;
        let deep = format!(r#"{{"choices":[],"a":{}{}}}"#, "[".repeat(128), "]".repeat(128));
        for (datas, kind, message) in [
            (&[][..], ErrorKind::BadAnswer, "upstream closed the stream before finishing"),
            (&[text], ErrorKind::BadAnswer, "upstream closed the stream before finishing"),
            (&["[DONE]"], ErrorKind::BadAnswer, "empty response from upstream `zai`"),
            (&[text, "{}"], ErrorKind::BadAnswer, "upstream `zai` sent an answer that is no completion"),
            (&[text, r#"{"status":"449","msg":"no"}"#], ErrorKind::RateLimited, "upstream `zai`: no"),
            (
                &[r#"{"success":false,"code":"500","message":"busy"}"#],
                ErrorKind::BadAnswer,
                "upstream `zai`: busy",
            ),
            (&[nameless], ErrorKind::BadAnswer, "upstream sent a tool call without a name"),
            (&[deep.as_str()], ErrorKind::BadAnswer, "the answer of upstream `zai` is nested too deep"),
        ] {
            let error = assembled(datas).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, message), "{datas:?}");
        }
    }

    #[test]
    fn an_answer_without_an_end_is_refused() {
        let chunk = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "a".repeat(1 << 20));
        let error = assembled(&vec![chunk.as_str(); 65]).unwrap_err();
        assert_eq!(error.message(), "the answer of upstream `zai` is too large to be held");
    }
}
