//! Conversations that are kept: a file each, for its owner alone, of one JSON object a line. Lines are only ever added,
//! so what a crash can take is the line that was being written, and the reader leaves that out.

use super::history::Exchange;
use crate::error::{Error, ErrorKind, Result};
use crate::private;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const ENDING: &str = "jsonl";
const VERSION: u64 = 1;

/// The folder of all conversations.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
}

/// One conversation as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its name, as `--conversation` takes it.
    pub id: String,
    /// When it began.
    pub created: Timestamp,
    /// When something was added to it last.
    pub changed: Timestamp,
    /// Its system prompt.
    pub system: Option<String>,
    /// The model that was asked last, as it was named.
    pub model: Option<String>,
    /// What was said.
    pub exchanges: Vec<Exchange>,
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u64,
    id: String,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<String>,
}

/// Each other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Said(Said),
    /// The last exchange was taken back: its prompt was asked once more, or another.
    TakenBack {
        taken_back_at: i64,
    },
}

/// A prompt and its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    at: i64,
    model: String,
    prompt: Value,
    answer: String,
}

/// The conversation that goes on.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    head: Option<Head>,
}

impl Archive {
    /// The archive in a folder, which does not have to exist.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// A new conversation. Nothing is written before something was said.
    pub fn begin(&self, system: Option<&str>) -> Writer {
        let now = Timestamp::now();
        let day = now.strftime("%Y%m%d-%H%M%S");
        let id = format!("{day}-{:04x}", fastrand::u16(..));
        let head = Head {
            version: VERSION,
            id: id.clone(),
            created_at: now.as_millisecond(),
            system: system.map(str::to_owned),
        };
        Writer { path: self.path(&id), head: Some(head) }
    }

    /// Goes on with one that is kept.
    pub fn go_on(&self, kept: &Kept) -> Writer {
        Writer { path: self.path(&kept.id), head: None }
    }

    /// All conversations, the newest first, and the files that cannot be read.
    pub fn list(&self) -> (Vec<Kept>, Vec<Error>) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let paths = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == ENDING));
        let (mut kept, mut faults) = (Vec::new(), Vec::new());
        for path in paths {
            match read(&path) {
                Ok(Some(conversation)) => kept.push(conversation),
                Ok(None) => {}
                Err(error) => faults.push(error),
            }
        }
        kept.sort_by(|left: &Kept, right: &Kept| {
            right.changed.cmp(&left.changed).then(right.id.cmp(&left.id))
        });
        (kept, faults)
    }

    /// The one that something was added to last.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub fn last(&self) -> Result<Kept> {
        let newest = self.list().0.into_iter().next();
        newest.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no conversation to go on with")
                .with_hint("`iflow2api chat PROMPT` begins one; with `chat.save = false` none is kept")
        })
    }

    /// One conversation, by its id or the beginning of it, if that is only one's.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Usage` where there are several or the file cannot be read.
    pub fn find(&self, id: &str) -> Result<Kept> {
        // Whatever is no id of ours is no path either.
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_id && let Some(kept) = read(&self.path(id))? {
            return Ok(kept);
        }
        let mut found = self.list().0.into_iter().filter(|kept| is_id && kept.id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(kept), None) => Ok(kept),
            (Some(_), Some(_)) => Err(Error::new(ErrorKind::Usage, "several conversations begin like this")
                .with_hint("`iflow2api chat --list` shows their ids")),
            (None, _) => Err(Error::new(ErrorKind::NotFound, "there is no such conversation")
                .with_hint("`iflow2api chat --list` shows what is kept")),
        }
    }

    /// Forgets a conversation.
    ///
    /// # Errors
    /// `Usage` where the file cannot be removed.
    pub fn remove(&self, kept: &Kept) -> Result<()> {
        let path = self.path(&kept.id);
        fs::remove_file(&path).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("`{}` cannot be removed", path.display())).with_source(error)
        })
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.{ENDING}"))
    }
}

impl Writer {
    /// The conversation's id.
    pub fn id(&self) -> &str {
        self.path.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Adds what was said.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn add(&mut self, exchange: &Exchange) -> io::Result<()> {
        self.write(&Line::Said(Said {
            at: Timestamp::now().as_millisecond(),
            model: exchange.model.clone(),
            prompt: exchange.prompt.clone(),
            answer: exchange.answer.clone(),
        }))
    }

    /// Takes the last exchange back.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn take_back(&mut self) -> io::Result<()> {
        self.write(&Line::TakenBack { taken_back_at: Timestamp::now().as_millisecond() })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let head =
            self.head.as_ref().map(|head| format!("{}\n", serde_json::json!(head))).unwrap_or_default();
        private::append(&self.path, format!("{head}{}\n", serde_json::json!(line)).as_bytes())?;
        self.head = None;
        Ok(())
    }
}

/// Reads a file; `None` where it is not there, or holds nothing yet.
fn read(path: &Path) -> Result<Option<Kept>> {
    let Some(private::Read { text, .. }) = private::read(path)? else { return Ok(None) };
    let mut lines = text.lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let unreadable = || {
        let message = format!("`{}` is no conversation of ours", path.display());
        Error::new(ErrorKind::Usage, message)
    };
    let head: Head = serde_json::from_str(first).map_err(|error| unreadable().with_source(error))?;
    if head.version != VERSION || path.file_stem().is_none_or(|name| *name != *head.id) {
        return Err(unreadable());
    }
    let created =
        Timestamp::from_millisecond(head.created_at).map_err(|error| unreadable().with_source(error))?;
    // A line that was not finished, and whatever else is no line of ours, is left out.
    let mut said: Vec<Said> = Vec::new();
    for line in lines.filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Said(exchange) => said.push(exchange),
            Line::TakenBack { .. } => drop(said.pop()),
        }
    }
    let modified =
        fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Some(Kept {
        id: head.id,
        created,
        changed: Timestamp::try_from(modified).unwrap_or(created),
        system: head.system,
        model: said.last().map(|said| said.model.clone()),
        exchanges: said
            .into_iter()
            .map(|Said { model, prompt, answer, .. }| Exchange { prompt, answer, model })
            .collect(),
    }))
}

impl Kept {
    /// What it is about: the beginning of its first prompt, on one line.
    pub fn title(&self) -> String {
        title(&self.exchanges)
    }

    /// The whole of it as Markdown.
    pub fn to_markdown(&self) -> String {
        to_markdown(self.system.as_deref(), &self.exchanges)
    }
}

/// A conversation as Markdown.
pub fn to_markdown(system: Option<&str>, exchanges: &[Exchange]) -> String {
    let mut text = format!("# {}\n\n", title(exchanges));
    if let Some(system) = system {
        text.push_str(&format!("## System\n\n{}\n\n", system.trim_end()));
    }
    for exchange in exchanges {
        let (prompt, model, answer) = (exchange.prompt_text(), &exchange.model, exchange.answer.trim_end());
        text.push_str(&format!("## You\n\n{}\n\n## {model}\n\n{answer}\n\n", prompt.trim_end()));
    }
    text.trim_end().to_owned()
}

fn title(exchanges: &[Exchange]) -> String {
    let first = exchanges.first().map(Exchange::prompt_text).unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(prompt: &str, answer: &str) -> Exchange {
        Exchange { prompt: prompt.into(), answer: answer.to_owned(), model: "m".to_owned() }
    }

    #[test]
    fn a_line_that_was_not_finished_is_left_out_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::at(folder.path().join("chats"));
        let mut writer = archive.begin(Some("Be brief."));
        assert!(archive.list().0.is_empty(), "nothing was said yet");
        writer.add(&exchange("one", "first")).unwrap();
        writer.add(&exchange("two", "second")).unwrap();
        let path = archive.path(writer.id());
        let whole = fs::read(&path).unwrap();
        for cut in 1..60 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let kept = archive.find(writer.id()).unwrap();
            assert_eq!(kept.exchanges.len(), 1 + usize::from(cut == 1), "{cut}");
            archive.go_on(&kept).add(&exchange("three", "third")).unwrap();
            let kept = archive.find(writer.id()).unwrap();
            assert_eq!(kept.exchanges.last().unwrap().answer, "third", "{cut}");
            assert_eq!(kept.system.as_deref(), Some("Be brief."));
        }
    }

    #[test]
    fn an_id_is_no_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("outside.jsonl"), "{}").unwrap();
        let archive = Archive::at(folder.path().join("chats"));
        for id in ["", ".", "..", "../outside", "/etc/passwd", "a/b", "a\\b", "%2e%2e", "C:", "a\0b", "é"] {
            assert_eq!(archive.find(id).unwrap_err().kind(), ErrorKind::NotFound, "{id:?}");
        }
    }

    #[test]
    fn a_conversation_is_found_by_the_beginning_of_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::at(folder.path());
        let mut ids = Vec::new();
        for name in ["20260101-000000-aaaa", "20260101-000000-aabb", "20270101-000000-cccc"] {
            let head = Head { version: VERSION, id: name.to_owned(), created_at: 0, system: None };
            let mut writer = Writer { path: archive.path(name), head: Some(head) };
            writer.add(&exchange(name, "x")).unwrap();
            ids.push(name);
        }
        assert_eq!(archive.find("2027").unwrap().id, ids[2]);
        assert_eq!(archive.find(ids[0]).unwrap().title(), ids[0]);
        assert_eq!(archive.find("2026").unwrap_err().kind(), ErrorKind::Usage);
        archive.remove(&archive.find(ids[1]).unwrap()).unwrap();
        assert_eq!(archive.find("2026").unwrap().id, ids[0]);
    }
}
