//! Results of tools, and which call each belongs to (A14–A18).

use super::content::{Part, Reader, required_text};
use super::history::Turn;
use super::loss::Losses;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::wire::json::{Kind, Members, Raw};
use std::borrow::Cow;

/// What stands for a result that never came.
const INTERRUPTED: &str = "[no result: the call was interrupted]";

/// One result, as the caller sent it.
#[derive(Debug)]
pub struct ToolResult {
    /// The id of the call, as the caller knows it.
    pub id: String,
    text: Text,
    images: Vec<Members>,
}

/// The text of a result.
#[derive(Debug)]
enum Text {
    /// One string, as the caller wrote it. Results are the bulk of a coding agent's request.
    Written(Raw),
    /// Put together here.
    Made(String),
}

impl ToolResult {
    /// Reads a `tool_result` block.
    ///
    /// # Errors
    /// `InvalidRequest` with the path where it is malformed.
    pub fn read(block: &Members, path: &str, reader: Reader<'_>, losses: &mut Losses) -> Result<Self> {
        let id = required_text(block, "tool_use_id", path)?;
        let content = block.some("content");
        let is_error = block.get("is_error").and_then(Raw::bool) == Some(true);
        if let Some(text) = content.filter(|_| !is_error).and_then(only_text) {
            return Ok(Self { id, text: Text::Written(text), images: Vec::new() });
        }
        let mut texts = Vec::new();
        let mut images = Vec::new();
        match content.map(Raw::kind) {
            Some(Kind::String) => texts.extend(block.text("content").map(Cow::into_owned)),
            Some(Kind::Array) => {
                let items = content.and_then(Raw::items).unwrap_or_default();
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}.content[{index}]");
                    for part in inner(item, &path, reader, losses)? {
                        match part {
                            Part::Text(text) => texts.push(text),
                            Part::Media(image) => images.push(image),
                        }
                    }
                }
            }
            Some(_) => texts.extend(content.map(|raw| raw.as_str().to_owned())),
            None => {}
        }
        let mut text = texts.join("\n");
        if is_error && !text.starts_with("[tool error] ") {
            text.insert_str(0, "[tool error] ");
        }
        Ok(Self { id, text: Text::Made(text), images })
    }

    fn message(&self, id: &str, dialect: &Dialect) -> Members {
        let mut content = match &self.text {
            Text::Written(text) => text.clone(),
            Text::Made(text) => Raw::of(match text.as_str() {
                "" if !self.images.is_empty() => "[image attached]",
                "" if dialect.nonempty_tool_results => "(no output)",
                text => text,
            }),
        };
        if dialect.tool_image_parts && !self.images.is_empty() {
            let text = Some(self.text.decoded()).filter(|text| !text.is_empty());
            let text = text.map(|text| Part::Text(text.into_owned()));
            let parts = text.into_iter().chain(self.images.iter().cloned().map(Part::Media));
            content = super::content::content(parts.collect());
        }
        tool_message(id, content)
    }
}

impl Text {
    fn decoded(&self) -> Cow<'_, str> {
        match self {
            Self::Written(text) => text.text().unwrap_or_default(),
            Self::Made(text) => Cow::Borrowed(text),
        }
    }
}

/// The one string that a result consists of, if it says anything and can be sent as it was written.
fn only_text(content: &Raw) -> Option<Raw> {
    let text = match content.kind() {
        Kind::String => content.clone(),
        Kind::Array => match content.objects()?.as_slice() {
            [block] if block.is("type", "text") => block.get("text")?.clone(),
            _ => return None,
        },
        _ => return None,
    };
    // Half of a surrogate pair would pass as written, but is no text.
    let escapes_surrogate = ["\\ud", "\\uD"].iter().any(|escape| text.as_str().contains(escape));
    (text.kind() == Kind::String && text.as_bytes().len() > 2 && !escapes_surrogate).then_some(text)
}

/// One block inside a result (A15).
fn inner(item: &Raw, path: &str, reader: Reader<'_>, losses: &mut Losses) -> Result<Vec<Part>> {
    let Some(block) = item.members() else {
        let text = item.text().map_or_else(|| item.as_str().to_owned(), Cow::into_owned);
        return Ok(vec![Part::Text(text)]);
    };
    let mut parts = Vec::new();
    match block.text("type").as_deref() {
        // White space may be all that a tool has to say.
        Some("text") => parts.push(Part::Text(required_text(&block, "text", path)?)),
        Some("tool_reference") => {
            let name = ["tool_name", "name"].iter().find_map(|key| block.text(key)).unwrap_or_default();
            parts.push(Part::Text(format!("[tool available: {name}]")));
        }
        _ => {
            if !reader.read(&block, path, losses, &mut parts)? {
                parts.push(Part::Text(item.compact().as_str().to_owned()));
            }
        }
    }
    Ok(parts)
}

fn tool_message(id: &str, content: Raw) -> Members {
    Members::new()
        .with("role", Raw::from_static("\"tool\""))
        .with("tool_call_id", Raw::of(id))
        .with("content", content)
}

/// All results of a conversation, given out to their calls.
pub struct Outcome {
    turns: Vec<Turn>,
    /// The results of each turn, but for those that were given out.
    results: Vec<Vec<Option<ToolResult>>>,
    /// Pictures from results, to be shown after the results of the turn they came in.
    images: Vec<Vec<Part>>,
    tool_image_parts: bool,
}

impl Outcome {
    /// Collects the results of all turns.
    pub fn new(turns: &mut Vec<Turn>) -> Self {
        let mut turns = std::mem::take(turns);
        let results: Vec<Vec<_>> = turns
            .iter_mut()
            .map(|turn| match turn {
                Turn::User(user) => user.results.drain(..).map(Some).collect(),
                Turn::Assistant(_) | Turn::System(_) => Vec::new(),
            })
            .collect();
        let images = results.iter().map(|_| Vec::new()).collect();
        Self { turns, results, images, tool_image_parts: false }
    }

    /// The turns, once.
    pub fn take_turns(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.turns)
    }

    /// One message for each call of turn `at`, in the calls' order; `calls` are ids as the caller
    /// and as the upstream know them.
    pub fn results(&mut self, at: usize, calls: &[(String, String)], dialect: &Dialect) -> Vec<Members> {
        self.tool_image_parts = dialect.tool_image_parts;
        let messages = calls.iter().map(|(id, upstream_id)| match self.take(at, id) {
            Some(result) => {
                self.show(at, id, &result);
                result.message(upstream_id, dialect)
            }
            None => tool_message(upstream_id, Raw::of(INTERRUPTED)),
        });
        messages.collect()
    }

    /// The last result for a call in the first later turn that has one (A18).
    fn take(&mut self, at: usize, id: &str) -> Option<ToolResult> {
        let later = self.results.iter_mut().skip(at + 1);
        for turn in later {
            let mut found = None;
            for result in
                turn.iter_mut().filter(|result| result.as_ref().is_some_and(|result| result.id == id))
            {
                found = result.take();
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Remembers a result's pictures for the user's message behind all results (A16).
    fn show(&mut self, at: usize, id: &str, result: &ToolResult) {
        if self.tool_image_parts || result.images.is_empty() {
            return;
        }
        if let Some(shown) = self.images.get_mut(at + 1) {
            shown.push(Part::Text(format!("[image from tool result {id}]")));
            shown.extend(result.images.iter().cloned().map(Part::Media));
        }
    }

    /// What the user's message of turn `at` begins with: pictures, and results of unknown calls.
    pub fn rest(&mut self, at: usize) -> Vec<Part> {
        let mut parts = self.images.get_mut(at).map(std::mem::take).unwrap_or_default();
        for mut result in self.results.get_mut(at).into_iter().flatten().filter_map(Option::take) {
            let text = result.text.decoded();
            parts.push(Part::Text(format!("[result of an unknown tool call]\n{text}")));
            parts.extend(result.images.drain(..).map(Part::Media));
        }
        parts
    }
}

/// What a provider's own tool was asked, as text (A20).
pub fn server_call(block: &Members) -> String {
    let name = block.text("name").unwrap_or_default().into_owned();
    let input = block.some("input").and_then(Raw::members).unwrap_or_default();
    match input.text("query") {
        Some(query) => format!("[{name}: {query}]"),
        None => format!("[{name}: {}]", input.to_raw().as_str()),
    }
}

/// What it found, as text (A20).
pub fn server_result(block: &Members) -> String {
    let Some(found) = block.some("content") else { return String::new() };
    let Some(entries) = found.objects() else { return found.as_str().to_owned() };
    let lines = entries.iter().map(|entry| match (entry.text("title"), entry.text("url")) {
        (Some(title), Some(url)) => format!("- {title}: {url}"),
        _ => entry.text("text").map_or_else(|| entry.to_raw().as_str().to_owned(), Cow::into_owned),
    });
    lines.collect::<Vec<_>>().join("\n")
}
