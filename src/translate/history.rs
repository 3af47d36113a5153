//! The turns of a conversation as chat messages: who says what in which order, and which result
//! belongs to which call (A04–A20, E01–E04). What a block becomes is left to `content`.

use super::content::{Part, Reader, content, missing, required_text, text_of};
use super::loss::Losses;
use super::names::{Ids, Names};
use super::results::{Outcome, ToolResult, server_call, server_result};
use super::thoughts::{self, Thought};
use crate::dialect::{EmptyContent, InlineSystem, Replay};
use crate::error::{Error, Result};
use crate::wire::json::{self, Kind, Members, Raw};

/// One turn: all that one side says until the other does.
pub enum Turn {
    /// The user's side, results of tools included.
    User(User),
    /// The model's side.
    Assistant(Assistant),
    /// A system message that stays where it is.
    System(String),
}

/// The user's side of a turn.
#[derive(Default)]
pub struct User {
    /// Results, in the order they came.
    pub results: Vec<ToolResult>,
    /// The rest.
    pub parts: Vec<Part>,
    /// Inline system messages that are told here.
    reminders: Vec<String>,
}

/// The model's side of a turn.
#[derive(Default)]
pub struct Assistant {
    texts: Vec<String>,
    thoughts: Vec<Thought>,
    calls: Vec<CallOfTool>,
}

struct CallOfTool {
    id: String,
    name: String,
    arguments: String,
}

/// Reads a conversation, message by message.
pub struct History<'a> {
    reader: Reader<'a>,
    names: &'a mut Names,
    ids: &'a mut Ids,
    losses: &'a mut Losses,
    turns: Vec<Turn>,
    /// System text from among the messages that belongs to the prompt.
    pub system: Vec<String>,
    /// Inline system text that waits for the turn after a call.
    deferred: Vec<String>,
}

impl<'a> History<'a> {
    /// An empty conversation.
    pub fn new(reader: Reader<'a>, names: &'a mut Names, ids: &'a mut Ids, losses: &'a mut Losses) -> Self {
        Self { reader, names, ids, losses, turns: Vec::new(), system: Vec::new(), deferred: Vec::new() }
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// `InvalidRequest` with the path where it is malformed.
    pub fn message(&mut self, message: &Members, path: &str) -> Result<()> {
        let role = match message.get("role") {
            None => return Err(missing(path, "role")),
            Some(role) => role.text().unwrap_or_default(),
        };
        let blocks = blocks_of(message, path)?;
        match role.as_ref() {
            "user" => self.user(&blocks, path),
            "assistant" => self.assistant(&blocks, path),
            "system" => {
                let texts = blocks.iter().filter_map(|block| block.text("text"));
                let text = texts.map(std::borrow::Cow::into_owned).collect::<Vec<_>>().join("\n\n");
                self.inline_system(text);
                Ok(())
            }
            _ => {
                let message = format!("{} is none of user, assistant and system", role_text(message));
                Err(Error::invalid(format!("{path}.role"), message))
            }
        }
    }

    fn user(&mut self, blocks: &[Members], path: &str) -> Result<()> {
        for (index, block) in blocks.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            match block.text("type").as_deref() {
                Some("tool_result") => {
                    let result = ToolResult::read(block, &path, self.reader, self.losses)?;
                    self.user_turn().results.push(result);
                }
                Some("mid_conv_system") => {
                    let text = [block.get("text"), block.get("content")].into_iter().flatten();
                    let text: Vec<String> = text.map(|raw| text_of(Some(raw))).collect();
                    self.inline_system(text.join("\n\n"));
                }
                // What a user says that a model thought is nobody's thought (E04).
                Some("thinking" | "redacted_thinking") => {}
                Some("tool_use") => {
                    return Err(Error::invalid(path, "only an assistant message may call a tool"));
                }
                _ => {
                    let parts = self.parts(block, &path)?;
                    if !parts.is_empty() {
                        self.user_turn().parts.extend(parts);
                    }
                }
            }
        }
        Ok(())
    }

    fn parts(&mut self, block: &Members, path: &str) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        if !self.reader.read(block, path, self.losses, &mut parts)? {
            self.unknown(block, path)?;
        }
        Ok(parts)
    }

    fn assistant(&mut self, blocks: &[Members], path: &str) -> Result<()> {
        let mut said = Assistant::default();
        for (index, block) in blocks.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            match block.text("type").as_deref() {
                Some("thinking") => {
                    said.thoughts.extend(thoughts::of_block(block, self.reader.dialect.replay))
                }
                Some("redacted_thinking") => {}
                Some("tool_use") => said.calls.push(self.call(block, &path)?),
                Some("server_tool_use" | "mcp_tool_use") => said.texts.push(server_call(block)),
                Some(kind) if kind.ends_with("_tool_result") => said.texts.push(server_result(block)),
                Some("tool_result") => {
                    return Err(Error::invalid(path, "only a user message may hold the result of a tool"));
                }
                _ => {
                    for part in self.parts(block, &path)? {
                        match part {
                            Part::Text(text) => said.texts.push(text),
                            Part::Media(_) => {
                                self.losses.add(&*path, "only text of an assistant message is sent")
                            }
                        }
                    }
                }
            }
        }
        self.say(said);
        Ok(())
    }

    /// Adds to the last turn, if it is the model's and waits for no result (A07, A12).
    fn say(&mut self, said: Assistant) {
        if said.texts.is_empty() && said.calls.is_empty() && said.thoughts.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(Turn::Assistant(before)) if before.calls.is_empty() => {
                before.texts.extend(said.texts);
                before.thoughts.extend(said.thoughts);
                before.calls.extend(said.calls);
            }
            _ => self.turns.push(Turn::Assistant(said)),
        }
    }

    fn call(&mut self, block: &Members, path: &str) -> Result<CallOfTool> {
        let id = required_text(block, "id", path)?;
        let name = required_text(block, "name", path)?;
        let arguments = match block.some("input") {
            None => "{}".to_owned(),
            Some(input) if input.kind() == Kind::Object => input.compact().as_str().to_owned(),
            Some(input) => {
                let found = input.kind().name();
                return Err(Error::invalid(
                    format!("{path}.input"),
                    format!("expected an object, found {found}"),
                ));
            }
        };
        Ok(CallOfTool { id, name: self.names.upstream(&name), arguments })
    }

    /// A block that nobody knows is left out and told; one without a type is refused.
    fn unknown(&mut self, block: &Members, path: &str) -> Result<()> {
        match block.text("type").as_deref() {
            None => Err(missing(path, "type")),
            Some(kind) => {
                self.losses.add(path, format!("blocks of type `{kind}` are not known here"));
                Ok(())
            }
        }
    }

    fn user_turn(&mut self) -> &mut User {
        if !matches!(self.turns.last(), Some(Turn::User(_))) {
            let reminders = std::mem::take(&mut self.deferred);
            self.turns.push(Turn::User(User { reminders, ..User::default() }));
        }
        match self.turns.last_mut() {
            Some(Turn::User(user)) => user,
            _ => unreachable!("a user's turn was just pushed"),
        }
    }

    /// Puts a later system message where it does not break the conversation (A04).
    fn inline_system(&mut self, text: String) {
        let text = super::system::without_billing(&text).to_owned();
        if text.trim().is_empty() {
            return;
        }
        if self.turns.is_empty() || self.reader.dialect.inline_system == InlineSystem::Hoist {
            self.system.push(text);
            return;
        }
        let waits = matches!(self.turns.last(), Some(Turn::Assistant(said)) if !said.calls.is_empty());
        match (self.reader.dialect.inline_system, self.turns.last_mut()) {
            (InlineSystem::Preserve, _) if !waits => self.turns.push(Turn::System(text)),
            (InlineSystem::Fold, Some(Turn::User(user))) => user.reminders.push(text),
            _ => self.deferred.push(text),
        }
    }

    /// The conversation as chat messages.
    pub fn finish(mut self) -> Vec<Members> {
        if !self.deferred.is_empty() {
            self.user_turn();
        }
        let mut outcome = Outcome::new(&mut self.turns);
        let mut messages = Vec::new();
        let turns = outcome.take_turns();
        for (at, turn) in turns.into_iter().enumerate() {
            match turn {
                Turn::System(text) => messages.push(said_by("system", Raw::of(&text))),
                Turn::Assistant(said) => {
                    let calls: Vec<(String, String)> = said
                        .calls
                        .iter()
                        .map(|call| (call.id.clone(), self.ids.upstream(&call.id)))
                        .collect();
                    messages.push(self.assistant_message(said, &calls));
                    messages.extend(outcome.results(at, &calls, self.reader.dialect));
                }
                Turn::User(user) => self.user_message(user, outcome.rest(at), &mut messages),
            }
        }
        messages
    }

    fn assistant_message(&self, said: Assistant, ids: &[(String, String)]) -> Members {
        let mut message = Members::new().with("role", Raw::from_static("\"assistant\""));
        let empty = said.texts.is_empty();
        match self.reader.dialect.empty_assistant_content {
            _ if !empty => message.set("content", Raw::of(&said.texts.join("\n\n"))),
            EmptyContent::Null => message.set("content", Raw::NULL),
            EmptyContent::Empty => message.set("content", Raw::of("")),
            EmptyContent::Omit => {}
        }
        let is_kept = self.reader.dialect.replay == Replay::All || !said.calls.is_empty();
        if is_kept && !said.thoughts.is_empty() {
            message.set("reasoning_content", Raw::of(&thoughts::joined(&said.thoughts)));
        }
        if !said.calls.is_empty() {
            let calls = said.calls.iter().zip(ids).map(|(call, (_, id))| {
                let function = Members::new()
                    .with("name", Raw::of(&call.name))
                    .with("arguments", Raw::of(&call.arguments));
                Members::new()
                    .with("id", Raw::of(id))
                    .with("type", Raw::from_static("\"function\""))
                    .with("function", function.to_raw())
            });
            message.set("tool_calls", json::array(&calls.collect::<Vec<_>>()));
        }
        message
    }

    /// The user's own words behind the results of tools (A14), reminders among them.
    fn user_message(&self, user: User, mut parts: Vec<Part>, messages: &mut Vec<Members>) {
        parts.extend(user.parts);
        let reminders: Vec<String> = user.reminders.iter().map(|text| reminder(text)).collect();
        let preserve = self.reader.dialect.inline_system == InlineSystem::Preserve;
        let only_results =
            parts.is_empty() && messages.last().is_some_and(|message| message.is("role", "tool"));
        if !preserve && only_results {
            if let Some(last) = messages.last_mut() {
                append_text(last, &reminders);
            }
        } else if !preserve {
            parts.extend(reminders.into_iter().map(Part::Text));
        }
        if !parts.is_empty() {
            messages.push(said_by("user", content(parts)));
        }
        if preserve {
            messages.extend(user.reminders.iter().map(|text| said_by("system", Raw::of(text))));
        }
    }
}

fn said_by(role: &'static str, content: Raw) -> Members {
    Members::new().with("role", Raw::of(role)).with("content", content)
}

fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

/// Appends reminders to the last tool result: no user turn may follow it (A04).
fn append_text(message: &mut Members, reminders: &[String]) {
    for text in reminders {
        let old = message.text("content").map(std::borrow::Cow::into_owned);
        match old {
            Some(old) if old.is_empty() => message.set("content", Raw::of(text)),
            Some(old) => message.set("content", Raw::of(&format!("{old}\n\n{text}"))),
            None => {
                let mut parts = message.get("content").and_then(Raw::objects).unwrap_or_default();
                parts.push(Members::new().with("type", Raw::of("text")).with("text", Raw::of(text)));
                message.set("content", json::array(&parts));
            }
        }
    }
}

fn role_text(message: &Members) -> String {
    message.get("role").map(|role| format!("`{}`", role.as_str().trim_matches('"'))).unwrap_or_default()
}

/// The blocks of a message; a string is one block of text.
fn blocks_of(message: &Members, path: &str) -> Result<Vec<Members>> {
    let Some(content) = message.some("content") else { return Err(missing(path, "content")) };
    match content.kind() {
        Kind::String => {
            let text =
                Members::new().with("type", Raw::from_static("\"text\"")).with("text", content.clone());
            Ok(vec![text])
        }
        Kind::Array => match content.objects() {
            Some(blocks) => Ok(blocks),
            None => Err(no_block(content, path)),
        },
        found => Err(Error::invalid(
            format!("{path}.content"),
            format!("expected a string or an array of blocks, found {}", found.name()),
        )),
    }
}

/// Which element of a content is no block.
fn no_block(content: &Raw, path: &str) -> Error {
    let items = content.items().unwrap_or_default();
    let found = items.iter().enumerate().find(|(_, item)| item.members().is_none());
    match found {
        Some((index, item)) if item.kind() != Kind::Object => Error::invalid(
            format!("{path}.content[{index}]"),
            format!("expected an object, found {}", item.kind().name()),
        ),
        Some((index, _)) => Error::invalid(format!("{path}.content[{index}]"), "a key stands twice"),
        None => Error::invalid(format!("{path}.content"), "every block must be an object"),
    }
}
