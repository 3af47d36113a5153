//! A whole completion as a message: the same machine as for a stream, so that both come out alike
//! (B26).

use super::arguments;
use super::stream::{Echo, MessageStream};
use crate::error::{Error, ErrorKind};
use crate::step::Step as _;
use crate::wire::anthropic::{Block, BlockDelta, Event, Message};
use crate::wire::openai::Reading;

/// Makes a message of one completion, already put into the API's own form.
///
/// # Errors
/// `BadAnswer` and `Overloaded` where the completion says that it failed, or says nothing.
pub fn completion_to_message(completion: Vec<Reading>, echo: Echo) -> Result<Message, Error> {
    let mut stream = MessageStream::new(echo);
    let mut events = Vec::new();
    for reading in completion {
        stream.push(reading, &mut events)?;
    }
    stream.push(Reading::Done, &mut events)?;
    assemble(events)
}

/// Puts the events of a stream together, as a client does.
///
/// # Errors
/// `BadAnswer` where the events do not make a message.
pub fn assemble(events: Vec<Event>) -> Result<Message, Error> {
    let mut message: Option<Message> = None;
    let mut json = String::new();
    for event in events {
        match (event, &mut message) {
            (Event::MessageStart { message: start }, _) => message = Some(start),
            (Event::ContentBlockStart { content_block, .. }, Some(message)) => {
                json.clear();
                message.content.push(content_block);
            }
            (Event::ContentBlockDelta { delta, .. }, Some(message)) => {
                if let Some(block) = message.content.last_mut() {
                    grow(block, delta, &mut json);
                }
            }
            (Event::ContentBlockStop { .. }, Some(message)) => {
                if let Some(Block::ToolUse { input, .. }) = message.content.last_mut() {
                    *input = arguments::input(&json);
                }
            }
            (Event::MessageDelta { delta, usage }, Some(message)) => {
                message.stop_reason = Some(delta.stop_reason);
                message.stop_sequence = delta.stop_sequence;
                message.stop_details = delta.stop_details;
                message.usage = usage;
            }
            (Event::Error { error }, _) => return Err(Error::new(ErrorKind::BadAnswer, error.message)),
            (Event::Ping | Event::MessageStop, _) | (_, None) => {}
        }
    }
    message.ok_or_else(|| Error::new(ErrorKind::BadAnswer, "upstream sent an answer without a message"))
}

fn grow(block: &mut Block, delta: BlockDelta, json: &mut String) {
    match (block, delta) {
        (Block::Text { text }, BlockDelta::TextDelta { text: more }) => text.push_str(&more),
        (Block::Thinking { thinking, .. }, BlockDelta::ThinkingDelta { thinking: more }) => {
            thinking.push_str(&more);
        }
        (Block::Thinking { signature, .. }, BlockDelta::SignatureDelta { signature: whole }) => {
            *signature = whole
        }
        (Block::ToolUse { .. }, BlockDelta::InputJsonDelta { partial_json }) => json.push_str(&partial_json),
        // `MessageStream` puts no delta into a block of another kind.
        (Block::Text { .. } | Block::Thinking { .. } | Block::ToolUse { .. }, _) => {}
    }
}
