//! Model lists on disk, so that a program that starts knows what was lent the last time it asked, and one
//! without a network knows it too. Only a cache: whatever is wrong with it is as if it were not there.

use super::models::{ModelEntry, read_list};
use crate::upstream::Upstream;
use bytes::Bytes;
use serde_json::json;
use std::fs;
use std::hash::Hasher as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How old a list may be. Chosen: providers retire models with months of notice, and add some by the week.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The folder of the lists; nothing is kept where there is none.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Option<PathBuf>);

impl Shelf {
    /// The lists in this folder, which need not be there yet.
    pub fn at(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// The file of an upstream: its name, and what tells it from another of that name elsewhere.
    fn path(&self, upstream: &Upstream) -> Option<PathBuf> {
        let mut hash = fnv::FnvHasher::default();
        hash.write(upstream.base_url().as_bytes());
        Some(self.0.as_ref()?.join(format!("{}-{:016x}.json", upstream.name(), hash.finish())))
    }

    /// What was kept of an upstream's list, where it is not too old.
    pub(super) fn kept(&self, upstream: &Upstream) -> Vec<ModelEntry> {
        let kept = || {
            let path = self.path(upstream)?;
            let age = SystemTime::now()
                .duration_since(fs::metadata(&path).ok()?.modified().ok()?)
                .unwrap_or_default();
            let text = fs::read(path).ok().filter(|_| age <= OLDEST)?;
            Some(read_list(&Bytes::from(text), upstream.name()))
        };
        kept().unwrap_or_default()
    }

    /// Keeps a list that came.
    pub(super) fn keep(&self, upstream: &Upstream, entries: &[ModelEntry]) {
        let Some(path) = self.path(upstream).filter(|_| !entries.is_empty()) else { return };
        let listed: Vec<_> = entries.iter().map(to_json).collect();
        let text = json!({ "object": "list", "data": listed }).to_string();
        if let Err(error) = write(&path, &text) {
            tracing::debug!(path = %path.display(), %error, "the model list is not kept");
        }
    }
}

/// The file is at any moment the old or the new one.
fn write(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(std::path::Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn to_json(entry: &ModelEntry) -> serde_json::Value {
    json!({
        "id": entry.id,
        "owned_by": entry.owned_by,
        "created": entry.created_unix_seconds,
        "max_input_tokens": entry.max_input_tokens,
        "max_tokens": entry.max_tokens,
        "vision": entry.vision,
        "supported_parameters": entry.tools.map(|tools| if tools { vec!["tools"] } else { vec![] }),
    })
}
