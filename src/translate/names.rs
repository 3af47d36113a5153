//! Tool names and call ids that one side allows and the other does not, both ways (A19, A25).

use data_encoding::{BASE32_NOPAD, Encoding};
use std::collections::{HashMap, HashSet};
use std::hash::Hasher as _;

/// The longest tool name on the OpenAI wire.
const NAME_CHARS: usize = 64;
/// What an encoded id starts with.
const ID_MARK: &str = "toolu_if_";

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Tool names that had to be changed, and what they were.
#[derive(Debug, Clone, Default)]
pub struct Names {
    originals: HashMap<String, String>,
    /// Whether a name must begin with a letter (A24).
    letter_first: bool,
}

impl Names {
    /// No names yet; `letter_first` where each must begin with a letter (A24).
    pub fn new(letter_first: bool) -> Self {
        Self { originals: HashMap::new(), letter_first }
    }

    /// The name to send: the same, or a short one that is always the same for the same name.
    pub fn upstream(&mut self, name: &str) -> String {
        let begins_well = !self.letter_first || name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !name.is_empty() && name.len() <= NAME_CHARS && is_plain(name) && begins_well {
            return name.to_owned();
        }
        let mut hash = fnv::FnvHasher::default();
        hash.write(name.as_bytes());
        let plain: String =
            name.chars().map(|c| if is_plain(c.encode_utf8(&mut [0; 4])) { c } else { '_' }).collect();
        let first = if begins_well { "" } else { "t" };
        let head: String = first.chars().chain(plain.chars()).take(NAME_CHARS - 9).collect();
        let short = format!("{head}_{:08x}", hash.finish() & 0xffff_ffff);
        self.originals.insert(short.clone(), name.to_owned());
        short
    }

    /// The caller's name for what the upstream called.
    pub fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.originals.get(name).map_or(name, String::as_str)
    }
}

/// The upstream's call ids that stand in a history, and how new ones are told to the caller.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    taken: HashSet<String>,
    minted: u32,
}

impl Ids {
    /// The id as the upstream made it, of an id that a caller sent back.
    pub fn upstream(&mut self, id: &str) -> String {
        let raw = decode(id).unwrap_or_else(|| id.to_owned());
        self.taken.insert(raw.clone());
        raw
    }

    /// The id that the caller sees: the same where it may, is there, and is new in the conversation.
    /// `answer` is the answer's id, which makes a repeated one unique.
    pub fn downstream(&mut self, id: Option<&str>, answer: &str) -> String {
        let unique: String = answer.chars().filter(char::is_ascii_alphanumeric).skip(3).take(12).collect();
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            self.minted += 1;
            return format!("toolu_{}{:02}", unique.to_ascii_lowercase(), self.minted);
        };
        let is_new = self.taken.insert(id.to_owned());
        if is_new && is_plain(id) && !id.starts_with(ID_MARK) {
            return id.to_owned();
        }
        self.minted += 1;
        let suffix = format!("{}{}", unique.to_ascii_lowercase(), self.minted);
        format!("{ID_MARK}{}_{suffix}", lower().encode(id.as_bytes()))
    }
}

fn decode(id: &str) -> Option<String> {
    let (encoded, _) = id.strip_prefix(ID_MARK)?.split_once('_')?;
    String::from_utf8(lower().decode(encoded.as_bytes()).ok()?).ok()
}

/// Base 32 in lower case, as ids usually are.
fn lower() -> Encoding {
    let mut specification = BASE32_NOPAD.specification();
    specification.symbols = specification.symbols.to_ascii_lowercase();
    specification.encoding().unwrap_or(BASE32_NOPAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_the_upstream_made_it() {
        for id in ["functions.Bash:0", "call_1", "toolu_if_x", "漢字"] {
            let mut ids = Ids::default();
            ids.upstream("call_1");
            let shown = ids.downstream(Some(id), "msg_0123456789abcdef");
            assert!(is_plain(&shown), "{shown}");
            assert_ne!(shown, "call_1", "the history has this one already");
            assert_eq!(ids.upstream(&shown), id);
        }
    }

    #[test]
    fn the_same_id_twice_is_shown_as_two() {
        let mut ids = Ids::default();
        let first = ids.downstream(Some("functions.Bash:0"), "msg_a1");
        let second = ids.downstream(Some("functions.Bash:0"), "msg_a1");
        assert_ne!(first, second);
    }

    #[test]
    fn a_long_name_is_shortened_always_alike_and_found_again() {
        let long = "mcp__server__".repeat(10);
        let mut names = Names::default();
        let short = names.upstream(&long);
        assert!(short.len() <= NAME_CHARS && is_plain(&short));
        assert_eq!(short, Names::default().upstream(&long));
        assert_eq!(names.original(&short), long);
        assert_eq!(names.upstream("Read"), "Read");
    }
}
