//! Files that go with a prompt: texts and images, as blocks of content.

use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use imagesize::ImageType;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// How large a file may be. Chosen: above what any provider takes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The content of a prompt with these files before it: a text alone stays a text.
///
/// # Errors
/// `Usage` where a file cannot be read, or is neither text nor an image that models read.
pub fn content(prompt: &str, files: &[impl AsRef<Path>]) -> Result<Value> {
    if files.is_empty() {
        return Ok(prompt.into());
    }
    let mut blocks = files.iter().map(|path| block(path.as_ref())).collect::<Result<Vec<Value>>>()?;
    blocks.push(json!({"type": "text", "text": prompt}));
    Ok(Value::Array(blocks))
}

fn block(path: &Path) -> Result<Value> {
    let shown = path.display();
    let fault = |why: &str| Error::new(ErrorKind::Usage, format!("`{shown}` {why}"));
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    let read = read.map_err(|error| fault("cannot be read").with_source(error))?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_BYTES) {
        return Err(fault("is larger than 32 MiB"));
    }
    if let Some(media_type) = media_type(&bytes) {
        let source = json!({"type": "base64", "media_type": media_type, "data": BASE64.encode(&bytes)});
        return Ok(json!({"type": "image", "source": source}));
    }
    // A byte order mark is what editors on Windows put first.
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let Some(text) = text else {
        return Err(fault("is neither UTF-8 text nor a PNG, JPEG, GIF or WebP image"));
    };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let text = text.trim_start_matches('\u{feff}').trim_end();
    Ok(json!({"type": "text", "text": format!("<file name=\"{name}\">\n{text}\n</file>")}))
}

/// The kind of an image, by how it begins.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match imagesize::image_type(bytes).ok()? {
        ImageType::Png => Some("image/png"),
        ImageType::Jpeg => Some("image/jpeg"),
        ImageType::Gif => Some("image/gif"),
        ImageType::Webp => Some("image/webp"),
        _ => None,
    }
}
