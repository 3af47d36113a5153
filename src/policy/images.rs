//! Images in requests: whether there are any, and what stands for one that a model cannot see (A09).

use crate::wire::anthropic::MessagesRequest;
use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::ChatRequest;
use memchr::memmem;

/// Whether a message's text may hold an image; the cheap look before the thorough one.
fn may_hold(message: &Members, mark: &[u8]) -> bool {
    message.get("content").is_some_and(|content| memmem::find(content.as_bytes(), mark).is_some())
}

/// Whether messages of either API hold images, those in results of tools included.
pub fn holds(messages: &[Members]) -> bool {
    let image = |message: &Members| {
        may_hold(message, b"\"image_url\"") || may_hold(message, b"\"type\":\"image\"") || {
            may_hold(message, b"\"image\"") && message.get("content").is_some_and(has_image_block)
        }
    };
    messages.iter().any(image)
}

fn has_image_block(content: &Raw) -> bool {
    content
        .objects()
        .unwrap_or_default()
        .iter()
        .any(|block| block.is("type", "image") || block.get("content").is_some_and(has_image_block))
}

/// Puts a text in the place of each image of a chat request; says where the first stood.
pub fn omit(request: &mut ChatRequest) -> Option<String> {
    let first = request.messages().iter().position(|message| may_hold(message, b"\"image_url\""))?;
    let note = note(&request.model().unwrap_or_default());
    let mut omitted = false;
    for message in request.messages_mut().iter_mut().skip(first) {
        let Some(mut parts) = message.get("content").and_then(Raw::objects) else { continue };
        let images = parts.iter_mut().filter(|part| part.is("type", "image_url"));
        let mut changed = false;
        for part in images {
            *part = Members::new().with("type", Raw::from_static("\"text\"")).with("text", note.clone());
            changed = true;
        }
        if changed {
            message.set("content", json::array(&parts));
        }
        omitted |= changed;
    }
    omitted.then(|| warning(first))
}

/// The same for a request of the Anthropic API, whose results of tools hold images too.
pub fn omit_blocks(request: &mut MessagesRequest) -> Option<String> {
    if !holds(request.messages()) {
        return None;
    }
    let note = note(&request.model().unwrap_or_default());
    let mut first = None;
    for (at, message) in request.messages_mut().iter_mut().enumerate() {
        if let Some(content) = message.get("content").and_then(|content| without_images(content, &note)) {
            message.set("content", content);
            first.get_or_insert(at);
        }
    }
    first.map(warning)
}

/// Blocks with a text in the place of each image; nothing where there is none.
fn without_images(content: &Raw, note: &Raw) -> Option<Raw> {
    let mut blocks = content.objects()?;
    let mut changed = false;
    for block in &mut blocks {
        if block.is("type", "image") {
            block.remove("source");
            block.set("type", Raw::from_static("\"text\""));
            block.set("text", note.clone());
            changed = true;
        } else if let Some(inner) = block.get("content").and_then(|inner| without_images(inner, note)) {
            block.set("content", inner);
            changed = true;
        }
    }
    changed.then(|| json::array(&blocks))
}

fn note(model: &str) -> Raw {
    Raw::of(&format!("[image omitted: {model} cannot see images]"))
}

fn warning(first: usize) -> String {
    format!("messages[{first}].content: the model cannot see images")
}
