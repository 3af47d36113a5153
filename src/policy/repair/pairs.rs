//! Arguments as pairs of tags: GLM's `<arg_key>` and Qwen3-Coder's `<parameter=…>`.

use super::marks::{Ahead, CLOSE, Progress, ahead, behind, is_name_sized, name_sized};
use memchr::memmem;

/// The tags of one family.
#[derive(Debug)]
pub struct Tags {
    key: &'static str,
    key_end: &'static str,
    value: &'static str,
    value_end: &'static str,
    end: &'static str,
    /// Whether the template puts a line end on both sides of a value.
    padded: bool,
}

/// Source: the chat template of Qwen3-Coder; QwenLM/qwen-code#10692.
pub const QWEN: Tags = Tags {
    key: "<parameter=",
    key_end: ">",
    value: "",
    value_end: "</parameter>",
    end: "</function>",
    padded: true,
};

/// Source: the chat template of GLM-4.5 and later; Gitlawb/openclaude#1791.
pub const GLM: Tags = Tags {
    key: "<arg_key>",
    key_end: "</arg_key>",
    value: "<arg_value>",
    value_end: "</arg_value>",
    end: CLOSE,
    padded: false,
};

/// Reads the pairs of one call, however they are cut.
#[derive(Debug)]
pub struct Pairs {
    tags: &'static Tags,
    /// Up to where the text was read.
    at: usize,
    place: Place,
    found: Vec<(String, String)>,
}

#[derive(Debug)]
enum Place {
    Between,
    Key,
    /// Behind a key, before its value.
    Opening(String),
    /// Within a value that ends behind `from`.
    Value {
        key: String,
        from: usize,
    },
}

impl Pairs {
    /// Reads on from a position of the text.
    pub fn new(tags: &'static Tags, at: usize) -> Self {
        Self { tags, at, place: Place::Between, found: Vec::new() }
    }

    /// Up to where the text was read; behind the last tag where it is done.
    pub fn at(&self) -> usize {
        match self.place {
            Place::Value { from, .. } => from,
            _ => self.at,
        }
    }

    /// The pairs so far.
    pub fn found(&self) -> &[(String, String)] {
        &self.found
    }

    /// Reads on in the text, which is the one of before with more behind it.
    pub fn advance(&mut self, text: &str) -> Progress {
        loop {
            let progress = match &mut self.place {
                Place::Between => self.between(text),
                Place::Key => self.key(text),
                Place::Opening(key) => match ahead(behind(text, self.at), self.tags.value) {
                    Ahead::Is(length) => {
                        self.at += length;
                        self.place = Place::Value { key: std::mem::take(key), from: self.at };
                        None
                    }
                    Ahead::May => Some(Progress::More),
                    Ahead::No => Some(Progress::Not),
                },
                Place::Value { .. } => self.value(text),
            };
            if let Some(progress) = progress {
                return progress;
            }
        }
    }

    /// Whether the text may end here: every value is closed, and only the last tag is missing.
    pub fn finish(&mut self, text: &str) -> bool {
        if let Place::Value { from, .. } = self.place
            && behind(text, from).starts_with(self.tags.value_end)
        {
            self.close(text, from);
        }
        let is_between = matches!(self.place, Place::Between) && !self.found.is_empty();
        is_between && ahead(behind(text, self.at), self.tags.end) == Ahead::May
    }

    fn between(&mut self, text: &str) -> Option<Progress> {
        let rest = behind(text, self.at);
        match (ahead(rest, self.tags.key), ahead(rest, self.tags.end)) {
            (Ahead::Is(length), _) => {
                self.at += length;
                self.place = Place::Key;
                None
            }
            (_, Ahead::Is(length)) => {
                self.at += length;
                Some(Progress::Done)
            }
            (Ahead::May, _) | (_, Ahead::May) => Some(Progress::More),
            (Ahead::No, Ahead::No) => Some(Progress::Not),
        }
    }

    fn key(&mut self, text: &str) -> Option<Progress> {
        let rest = behind(text, self.at);
        let Some((key, _)) = name_sized(rest).split_once(self.tags.key_end) else {
            return Some(if is_name_sized(rest) { Progress::Not } else { Progress::More });
        };
        self.at += key.len() + self.tags.key_end.len();
        let key = key.trim();
        if key.is_empty() || key.contains(['<', '\n']) {
            return Some(Progress::Not);
        }
        let key = key.to_owned();
        self.place = match self.tags.value {
            "" => Place::Value { key, from: self.at },
            _ => Place::Opening(key),
        };
        None
    }

    /// A value ends at its tag, but only where a call can go on behind it: it may hold such a tag itself.
    fn value(&mut self, text: &str) -> Option<Progress> {
        let Place::Value { from, .. } = &mut self.place else { return None };
        let tag = self.tags.value_end;
        let ahead_of = text.as_bytes().get(*from..).unwrap_or_default();
        let Some(end) = memmem::find(ahead_of, tag.as_bytes()) else {
            *from = text.len().saturating_sub(tag.len()).max(*from);
            return Some(Progress::More);
        };
        let end = *from + end;
        let rest = behind(text, end + tag.len());
        match (ahead(rest, self.tags.key), ahead(rest, self.tags.end)) {
            (Ahead::Is(_), _) | (_, Ahead::Is(_)) => {
                self.close(text, end);
                None
            }
            (Ahead::May, _) | (_, Ahead::May) => {
                *from = end;
                Some(Progress::More)
            }
            (Ahead::No, Ahead::No) => {
                *from = end + 1;
                None
            }
        }
    }

    /// Takes the value that ends here.
    fn close(&mut self, text: &str, end: usize) {
        let Place::Value { key, .. } = std::mem::replace(&mut self.place, Place::Between) else { return };
        let mut value = text.get(self.at..end).unwrap_or_default();
        if self.tags.padded {
            value = value.strip_prefix('\n').unwrap_or(value);
            value = value.strip_suffix('\n').unwrap_or(value);
        }
        self.found.push((key, value.to_owned()));
        self.at = end + self.tags.value_end.len();
    }
}
