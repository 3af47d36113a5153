//! What each demo model answers: from a request to a script, without clock or socket.
//! Playing the script is left to `play`.

use super::request::Request;
use super::{fail, long, tools, words};

/// What all models say first, so that nobody takes them for more than they are.
const INTRODUCTION: &str = "This is the demo upstream of iflow2api, with no model behind it.";

/// What happens to one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script {
    Answer(Answer),
    Refuse(Refusal),
    /// Nothing is ever sent, not even a status.
    Silence,
}

/// An answer as a stream sends it; a whole one is the same, joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub deltas: Vec<Delta>,
    pub ending: Ending,
    pub usage: Usage,
}

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delta {
    Think(String),
    Say(String),
    Call { index: usize, name: String },
    Arguments { index: usize, text: String },
}

/// How an answer ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should, with this `finish_reason`.
    Finished(&'static str),
    /// With an error in the stream.
    Failed(Refusal),
    /// The stream closes without a word.
    Cut,
    /// Nothing more comes, and the stream stays open.
    Silent,
}

/// What an answer cost. A word counts as a token, in the prompt the words of all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub prompt: usize,
    /// Thinking included.
    pub completion: usize,
    pub thinking: usize,
}

/// An error instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub message: String,
    /// The member of the request at fault.
    pub param: Option<&'static str>,
    pub retry_after_seconds: Option<u32>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, retry_after_seconds: None }
    }

    pub fn about(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }
}

/// Decides what is answered to a request.
pub(super) fn plan(request: &Request) -> Script {
    match request.model() {
        "demo-think" if request.thinking_off() => speak(request, "", &echo(request), usize::MAX),
        "demo-think" => speak(request, &thoughts(request), &echo(request), usize::MAX),
        "demo-tools" => tools::plan(request),
        "demo-long" => speak(request, "", &long::rest(request.messages()), long::WORDS_PER_ANSWER),
        "demo-fail" => fail::plan(request),
        "demo-stall" => stall(request),
        _ => speak(request, "", &echo(request), usize::MAX),
    }
}

/// An answer in text, cut by the request's `stop` and by the lower of its limit and `own_limit`.
pub(super) fn speak(request: &Request, thinking: &str, text: &str, own_limit: usize) -> Script {
    let stopped = request.stops().iter().filter_map(|stop| text.find(stop)).min();
    let text = stopped.and_then(|at| text.get(..at)).unwrap_or(text);
    let mut thoughts = words::words(thinking);
    let mut said = words::words(text);
    let all = thoughts.len() + said.len();
    let limit = request.limit().unwrap_or(usize::MAX);
    thoughts.truncate(limit);
    said.truncate(limit.saturating_sub(thoughts.len()).min(own_limit));
    let sent = thoughts.len() + said.len();

    let thinking_pieces = words::pieces(&thoughts).into_iter().map(Delta::Think);
    let deltas = thinking_pieces.chain(words::pieces(&said).into_iter().map(Delta::Say)).collect();
    Script::Answer(Answer {
        deltas,
        ending: Ending::Finished(if sent < all { "length" } else { "stop" }),
        usage: Usage { prompt: prompt_words(request), completion: sent, thinking: thoughts.len() },
    })
}

/// How many words the request's messages have.
pub(super) fn prompt_words(request: &Request) -> usize {
    request.messages().iter().map(|message| words::count(&super::request::text_of(message))).sum()
}

/// What the models say in text: what the tools returned, else what the user said.
pub(super) fn echo(request: &Request) -> String {
    if let Some(results) = request.tool_results() {
        return format!("{INTRODUCTION} The tool returned: {results}");
    }
    match request.user_text() {
        text if text.is_empty() => format!("{INTRODUCTION} You said nothing."),
        text => format!("{INTRODUCTION} You said: {text}"),
    }
}

fn thoughts(request: &Request) -> String {
    let count = words::count(&request.user_text());
    format!(
        "There is no model here, so this only looks like thinking. \
         The last message has {count} words. I will say them back."
    )
}

fn stall(request: &Request) -> Script {
    if has_word(&request.user_text(), "start") {
        return Script::Silence;
    }
    let words = ["This", " demo", " stalls"];
    Script::Answer(Answer {
        deltas: words.map(|word| Delta::Say(word.to_owned())).to_vec(),
        ending: Ending::Silent,
        usage: Usage { prompt: prompt_words(request), completion: words.len(), thinking: 0 },
    })
}

/// Whether a text has this lower-case word standing alone, in either case.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric()).any(|found| found.eq_ignore_ascii_case(word))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
