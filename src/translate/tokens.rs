//! How many tokens a request has, as far as that can be known before the provider counts (H01, H02).
//!
//! Text is counted in the model family's own vocabulary, images and documents by what providers
//! usually charge. When to count, and that counting a large request belongs off the async executor
//! (H03), is the caller's affair.

use crate::wire::json::{Kind, Members, Raw};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, general_purpose::NO_PAD};
use memchr::memmem;
use tiktoken::CoreBpe;

/// What the frame around a message costs (H01).
const PER_MESSAGE: u64 = 4;

/// What the frame around a list of tools costs (H01).
const TOOLS_FRAME: u64 = 350;

/// By how much the sum is raised, in percent, so that it is rather too high than too low (H01).
const MARGIN_PERCENT: u64 = 5;

/// How many pixels of an image cost a token (H02).
const PIXELS_PER_TOKEN: u64 = 750;

/// The most tokens that one image costs (H02).
pub const MAX_IMAGE: u64 = 1600;

/// What an image, or another part that is not text, costs where its size cannot be seen (H02).
const UNKNOWN_PART: u64 = 1000;

/// What a page of a document costs (H02). Chosen: the lower end of what Anthropic says of PDFs.
const PER_PAGE: u64 = 1500;

/// How much of an image's base64 is decoded to find its size: first what is enough for most, then
/// what is enough for a JPEG whose size stands behind a full segment of camera data (64 KiB).
const IMAGE_HEADS: [usize; 2] = [4 * 1024, 128 * 1024];

/// How many letters, spaces or signs in a row are counted as one piece at most.
///
/// The vocabularies make one piece of a whole megabyte of `a`, and merging takes memory and more than
/// linear time in the length of a piece. Measured: 230 ms for that megabyte, half of it in pieces of
/// this length. No word is as long, so that real text is counted exactly.
const MAX_RUN: usize = 512;

/// How much of a text is counted at once, in bytes, if a word ends there.
///
/// Where a text is not ASCII, splitting it with DeepSeek's pattern takes time by the square of its
/// length. Measured: 9.4 s for a megabyte of Chinese at once, 14 ms in parts of this size.
const PART_BYTES: usize = 512;

/// Lenient, because a few encoders leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// The token vocabulary of a family of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Vocabulary {
    /// OpenAI's, and the nearest to that of families not named here.
    #[default]
    O200k,
    /// DeepSeek V3 and its successors.
    DeepSeek,
    /// GLM 4 and its successors.
    Glm,
    /// Kimi K2.
    Kimi,
    /// Qwen 2 and 3.
    Qwen,
    /// MiniMax M2.
    MiniMax,
}

impl Vocabulary {
    /// The vocabulary of a model, by its name; what stands before the last slash is the provider's.
    pub fn of_model(model: &str) -> Self {
        const FAMILIES: [(&str, Vocabulary); 9] = [
            ("glm", Vocabulary::Glm),
            ("chatglm", Vocabulary::Glm),
            ("deepseek", Vocabulary::DeepSeek),
            ("kimi", Vocabulary::Kimi),
            ("moonshot", Vocabulary::Kimi),
            ("qwen", Vocabulary::Qwen),
            ("qwq", Vocabulary::Qwen),
            ("minimax", Vocabulary::MiniMax),
            ("abab", Vocabulary::MiniMax),
        ];
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let family = FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix));
        family.map_or(Self::O200k, |(_, vocabulary)| *vocabulary)
    }

    fn encoding(self) -> &'static CoreBpe {
        let name = match self {
            Self::O200k => "o200k_base",
            Self::DeepSeek => "deepseek_v3",
            Self::Glm => "glm4",
            Self::Kimi => "kimi_k2",
            Self::Qwen => "qwen2",
            Self::MiniMax => "minimax_m2",
        };
        let Some(encoding) = tiktoken::get_encoding(name) else {
            unreachable!("Cargo.toml asks for the vocabulary {name}")
        };
        encoding
    }
}

/// How many tokens a text has. What looks like a special token in it is text.
pub fn count(vocabulary: Vocabulary, text: &str) -> u64 {
    let encoding = vocabulary.encoding();
    let mut rest = text;
    let mut tokens = 0;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(bounded(rest)).unwrap_or((rest, ""));
        tokens += encoding.count(head) as u64;
        rest = tail;
    }
    tokens
}

/// How much of a text, in bytes, is counted at once: up to the end of the first word behind
/// [`PART_BYTES`], where every vocabulary begins a new piece, or as far as no run is longer than [`MAX_RUN`].
fn bounded(text: &str) -> usize {
    let mut run = 0;
    let mut sort = None;
    for (at, letter) in text.char_indices() {
        let this = Some((letter.is_alphanumeric(), letter.is_whitespace()));
        if this != sort {
            // The `'s` of a word is one piece with it in some vocabularies.
            let ends_word = sort.is_some_and(|(word, _)| word) && letter != '\'';
            if ends_word && at >= PART_BYTES {
                return at;
            }
            sort = this;
            run = 0;
        }
        if run == MAX_RUN {
            return at;
        }
        run += 1;
    }
    text.len()
}

/// Estimates the input tokens of an OpenAI chat request: its messages and its list of tools.
///
/// Never below 1, and rather too high than too low.
pub fn estimate(vocabulary: Vocabulary, messages: &[Members], tools: Option<&Raw>) -> u64 {
    let messages: u64 = messages.iter().map(|message| PER_MESSAGE + in_message(vocabulary, message)).sum();
    let tools = tools.map_or(0, |tools| in_tools(vocabulary, tools));
    raised(messages + tools).max(1)
}

/// Estimates the tokens of one message, so that the sum over all is no less than [`estimate`] says.
pub fn of_message(vocabulary: Vocabulary, message: &Members) -> u64 {
    raised(PER_MESSAGE + in_message(vocabulary, message))
}

/// Estimates the tokens of a list of tools.
pub fn of_tools(vocabulary: Vocabulary, tools: Option<&Raw>) -> u64 {
    raised(tools.map_or(0, |tools| in_tools(vocabulary, tools)))
}

fn raised(tokens: u64) -> u64 {
    (tokens * (100 + MARGIN_PERCENT)).div_ceil(100)
}

fn in_tools(vocabulary: Vocabulary, tools: &Raw) -> u64 {
    match tools.items() {
        Some(items) if !items.is_empty() => TOOLS_FRAME + count(vocabulary, tools.compact().as_str()),
        _ => 0,
    }
}

fn in_message(vocabulary: Vocabulary, message: &Members) -> u64 {
    let texts: u64 = ["name", "reasoning_content", "refusal"]
        .iter()
        .filter_map(|key| message.text(key))
        .map(|text| count(vocabulary, &text))
        .sum();
    let content = message.some("content").map_or(0, |content| in_content(vocabulary, content));
    let calls = message.some("tool_calls").and_then(Raw::items).unwrap_or_default();
    let calls: u64 = calls.iter().map(|call| in_call(vocabulary, call)).sum();
    texts + content + calls
}

fn in_call(vocabulary: Vocabulary, call: &Raw) -> u64 {
    let function = call.members().and_then(|call| call.some("function")?.members());
    let Some(function) = function else { return 0 };
    let name = function.text("name").map_or(0, |name| count(vocabulary, &name));
    let arguments = function.some("arguments").map_or(0, |arguments| match arguments.text() {
        Some(text) => count(vocabulary, &text),
        None => count(vocabulary, arguments.as_str()),
    });
    name + arguments
}

fn in_content(vocabulary: Vocabulary, content: &Raw) -> u64 {
    match content.kind() {
        Kind::String => content.text().map_or(0, |text| count(vocabulary, &text)),
        Kind::Array => content.items().unwrap_or_default().iter().map(|part| in_part(vocabulary, part)).sum(),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Object => 0,
    }
}

/// What one part of a message costs; nothing but text is ever counted as text.
fn in_part(vocabulary: Vocabulary, part: &Raw) -> u64 {
    let Some(part) = part.members() else { return 0 };
    match part.text("type").as_deref() {
        Some("text" | "refusal") | None => ["text", "refusal"]
            .iter()
            .filter_map(|key| part.text(key))
            .map(|text| count(vocabulary, &text))
            .sum(),
        Some("image_url") => part.some("image_url").map_or(UNKNOWN_PART, in_image),
        Some("file") => part.some("file").map_or(PER_PAGE, in_file),
        Some(_) => UNKNOWN_PART,
    }
}

/// `image` is `{"url": …}`, or the URL itself as a few clients have it.
fn in_image(image: &Raw) -> u64 {
    let members = image.members();
    let url = members.as_ref().map_or_else(|| image.text(), |members| members.text("url"));
    url.as_deref().and_then(base64_of).and_then(image_size).map_or(UNKNOWN_PART, |size| {
        let pixels = (size.width as u64).saturating_mul(size.height as u64);
        pixels.div_ceil(PIXELS_PER_TOKEN).clamp(1, MAX_IMAGE)
    })
}

fn image_size(encoded: &str) -> Option<imagesize::ImageSize> {
    IMAGE_HEADS.into_iter().find_map(|length| {
        let head = encoded.get(..length).unwrap_or(encoded);
        imagesize::blob_size(&BASE64.decode(head).ok()?).ok()
    })
}

/// Pages are counted where the file lets them be seen; compressed object streams hide them.
fn in_file(file: &Raw) -> u64 {
    let members = file.members().unwrap_or_default();
    let content = members.text("file_data");
    let encoded = content.as_deref().map(|content| base64_of(content).unwrap_or(content));
    let pages = encoded.and_then(|encoded| BASE64.decode(encoded).ok()).map_or(1, |file| pages(&file));
    pages.max(1) * PER_PAGE
}

/// How many times `/Type /Page` stands in a document, with any white space between, or none.
fn pages(document: &[u8]) -> u64 {
    let is_page = |at: &usize| {
        let behind = document.get(at + b"/Type".len()..).unwrap_or_default().trim_ascii_start();
        let name = behind.strip_prefix(b"/Page");
        // `/Pages` is the list of pages, not one of them.
        name.is_some_and(|rest| rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()))
    };
    memmem::find_iter(document, b"/Type").filter(is_page).count() as u64
}

/// What stands behind `data:TYPE;base64,`.
fn base64_of(url: &str) -> Option<&str> {
    let (head, content) = url.strip_prefix("data:")?.split_once(',')?;
    head.ends_with(";base64").then_some(content)
}
