//! Blocks of a turn as parts of a chat message: text, images, documents, search results.

use super::loss::Losses;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::wire::json::{self, Kind, Members, Raw};

/// A piece of a message's content.
#[derive(Debug, Clone)]
pub enum Part {
    /// Text.
    Text(String),
    /// An `image_url` or `file` part.
    Media(Members),
}

/// Reads blocks for one upstream.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// How the upstream wants to be written to.
    pub dialect: &'a Dialect,
    /// The model's name, for notes in its stead.
    pub model: &'a str,
}

impl Reader<'_> {
    /// Appends what a `text`, `image`, `document` or `search_result` block says; text that is only
    /// white space says nothing (A06). Returns whether the block is one of these.
    ///
    /// # Errors
    /// `InvalidRequest` with the path where the block is malformed, or cannot be sent.
    pub fn read(
        self,
        block: &Members,
        path: &str,
        losses: &mut Losses,
        parts: &mut Vec<Part>,
    ) -> Result<bool> {
        match block.text("type").as_deref() {
            Some("text") => {
                let text = required_text(block, "text", path)?;
                parts.extend(Some(text).filter(|text| !text.trim().is_empty()).map(Part::Text));
            }
            Some("image") => parts.push(self.image(block, path, losses)?),
            Some("document") => self.document(block, path, losses, parts)?,
            Some("search_result") => parts.push(Part::Text(search_result(block))),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Base64 becomes a data URL, a URL stays one (A08); a model that cannot see gets a note (A09).
    fn image(self, block: &Members, path: &str, losses: &mut Losses) -> Result<Part> {
        let source = source_of(block, path)?;
        let url = match source.text("type").as_deref() {
            Some("base64") => {
                let data = required_text(&source, "data", &format!("{path}.source"))?;
                let media_type = source.text("media_type").filter(|text| !text.is_empty());
                let media_type = media_type.as_deref().unwrap_or_else(|| sniff(&data));
                format!("data:{media_type};base64,{data}")
            }
            Some("url") => required_text(&source, "url", &format!("{path}.source"))?,
            Some(other) => {
                let message = format!("images from a source of type `{other}` are not available here");
                return Err(
                    Error::invalid(path, message).with_hint("send the image as `base64` or as a `url`")
                );
            }
            None => return Err(missing(&format!("{path}.source"), "type")),
        };
        if !self.dialect.vision {
            losses.add(path, "the model cannot see images");
            return Ok(Part::Text(format!("[image omitted: {} cannot see images]", self.model)));
        }
        let image_url = Members::new().with("url", Raw::of(&url)).to_raw();
        Ok(Part::Media(Members::new().with("type", Raw::of("image_url")).with("image_url", image_url)))
    }

    /// Text as text, a PDF as a file where the upstream takes files (A10).
    fn document(self, block: &Members, path: &str, losses: &mut Losses, parts: &mut Vec<Part>) -> Result<()> {
        let source = source_of(block, path)?;
        let title = block.text("title").filter(|title| !title.is_empty());
        let kind = source.text("type");
        if matches!(kind.as_deref(), Some("text" | "content")) {
            parts.extend(title.as_ref().map(|title| Part::Text(title.clone().into_owned())));
        }
        match kind.as_deref() {
            Some("text") => {
                parts.push(Part::Text(required_text(&source, "data", &format!("{path}.source"))?));
                Ok(())
            }
            Some("content") => {
                let content = source.get("content");
                parts.extend(content.and_then(Raw::text).map(|text| Part::Text(text.into_owned())));
                let blocks = content.and_then(Raw::objects).unwrap_or_default();
                for (index, block) in blocks.iter().enumerate() {
                    let path = format!("{path}.source.content[{index}]");
                    self.read(block, &path, losses, parts)?;
                }
                Ok(())
            }
            Some("base64") if self.dialect.file_parts => {
                let data = required_text(&source, "data", &format!("{path}.source"))?;
                let filename = title.as_deref().unwrap_or("document.pdf");
                let file = Members::new()
                    .with("filename", Raw::of(filename))
                    .with("file_data", Raw::of(&format!("data:application/pdf;base64,{data}")));
                let part = Members::new().with("type", Raw::of("file")).with("file", file.to_raw());
                parts.push(Part::Media(part));
                Ok(())
            }
            Some(other) => {
                let message =
                    format!("documents from a source of type `{other}` cannot be sent to this upstream");
                Err(Error::invalid(path, message).with_hint("send the document's text instead"))
            }
            None => Err(missing(&format!("{path}.source"), "type")),
        }
    }
}

/// Parts as a message's content: a string where all is text (A05), else parts, adjacent text merged.
pub fn content(parts: Vec<Part>) -> Raw {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => {
                before.push_str("\n\n");
                before.push_str(&text);
            }
            (_, part) => merged.push(part),
        }
    }
    if let [Part::Text(text)] = merged.as_slice() {
        return Raw::of(text);
    }
    let parts: Vec<Members> = merged
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => Members::new().with("type", Raw::of("text")).with("text", Raw::of(&text)),
            Part::Media(part) => part,
        })
        .collect();
    json::array(&parts)
}

/// A member that must be a string.
///
/// # Errors
/// `InvalidRequest` with the path.
pub fn required_text(members: &Members, key: &str, path: &str) -> Result<String> {
    match members.get(key) {
        None => Err(missing(path, key)),
        Some(raw) => raw.text().map(std::borrow::Cow::into_owned).ok_or_else(|| {
            Error::invalid(format!("{path}.{key}"), format!("expected a string, found {}", raw.kind().name()))
        }),
    }
}

/// A member that is not there.
pub fn missing(path: &str, key: &str) -> Error {
    let param = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    Error::invalid(param, "this member is required")
}

fn source_of(block: &Members, path: &str) -> Result<Members> {
    let source = block.get("source").ok_or_else(|| missing(path, "source"))?;
    source.members().ok_or_else(|| {
        Error::invalid(
            format!("{path}.source"),
            format!("expected an object, found {}", source.kind().name()),
        )
    })
}

/// All text of a string or of an array of blocks.
pub fn text_of(raw: Option<&Raw>) -> String {
    let Some(raw) = raw else { return String::new() };
    match raw.kind() {
        Kind::String => raw.text().unwrap_or_default().into_owned(),
        Kind::Array => {
            let blocks = raw.objects().unwrap_or_default();
            let texts: Vec<String> =
                blocks.iter().filter_map(|block| Some(block.text("text")?.into_owned())).collect();
            texts.join("\n\n")
        }
        Kind::Object | Kind::Null | Kind::Bool | Kind::Number => String::new(),
    }
}

fn search_result(block: &Members) -> String {
    let head = ["title", "source"].iter().filter_map(|key| block.text(key)).filter(|text| !text.is_empty());
    let head: Vec<String> = head.map(std::borrow::Cow::into_owned).collect();
    format!("{}\n\n{}", head.join("\n"), text_of(block.get("content")))
}

/// The media type of an image, by the first bytes of its base64 text.
fn sniff(data: &str) -> &'static str {
    const MAGIC: [(&str, &str); 4] = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    MAGIC.iter().find(|(magic, _)| data.starts_with(magic)).map_or("image/png", |(_, media_type)| media_type)
}
