//! The model list: asked of the upstream, kept for a while, and filled from what is known else.

use super::Gateway;
use crate::error::Result;
use crate::upstream::Upstream;
use crate::wire::json::{Members, Raw};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a list is good. Chosen: new models come by the week, a session lasts for hours.
const FRESH: Duration = Duration::from_secs(300);
/// How soon to ask again for a list that did not come. Chosen: a server that starts is there by then.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a caller waits for a list; Claude Code gives up after 3 s (H05).
const WAIT: Duration = Duration::from_secs(2);

/// One entry of the model list, in the words of both APIs (H04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The model's name.
    pub id: String,
    /// Who lends it.
    pub owned_by: String,
    /// When it was made, in seconds since 1970; 0 where nobody says.
    pub created_unix_seconds: u64,
    /// The context window in tokens, where known.
    pub max_input_tokens: Option<u64>,
    /// The longest answer in tokens, where known.
    pub max_tokens: Option<u64>,
}

/// One upstream, and what it is known to lend.
pub(super) struct Offer {
    pub(super) upstream: Arc<Upstream>,
    /// What the user says it lends.
    named: Vec<String>,
    listed: Mutex<Listed>,
}

#[derive(Default)]
struct Listed {
    entries: Vec<ModelEntry>,
    /// When to ask next; nobody asked yet without one.
    due: Option<Instant>,
}

impl Listed {
    /// Whether it is time to ask. Whoever is told so asks, and nobody else for a while.
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.due.is_none_or(|due| due <= now);
        if due {
            self.due = Some(now + AGAIN);
        }
        due
    }

    /// Takes a list that came; an empty one says no more than none.
    fn take(&mut self, entries: Vec<ModelEntry>) {
        self.due = Some(Instant::now() + FRESH);
        if !entries.is_empty() {
            self.entries = entries;
        }
    }
}

impl Offer {
    pub(super) fn new(upstream: Arc<Upstream>, named: Vec<String>) -> Self {
        Self { upstream, named, listed: Mutex::default() }
    }

    /// Whether a model is known to be here. Waits for nothing.
    pub(super) fn lists(&self, name: &str) -> bool {
        let listed = || self.listed().entries.iter().any(|entry| entry.id == name);
        self.named.iter().any(|named| named == name) || listed()
    }

    /// A model's window in tokens, where its list says it. Waits for nothing.
    pub(super) fn window(&self, name: &str) -> Option<u64> {
        self.listed().entries.iter().find(|entry| entry.id == name)?.max_input_tokens
    }

    /// The first model that is known to be here.
    pub(super) fn first(&self) -> Option<String> {
        let kept = self.listed().entries.first().map(|entry| entry.id.clone());
        let known = self.upstream.profile().known_models.first().map(|&id| id.to_owned());
        self.named.first().cloned().or(kept).or(known)
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The models, asked anew where the last answer is old. What was known before stands in for a
    /// list that cannot be had.
    async fn entries(&self) -> Vec<ModelEntry> {
        if self.listed().is_due() {
            match self.ask().await {
                Ok(entries) => self.listed().take(entries),
                Err(error) => tracing::debug!(upstream = self.upstream.name(), %error, "no model list"),
            }
        }
        let kept = self.listed().entries.clone();
        self.fill(kept)
    }

    async fn ask(&self) -> Result<Vec<ModelEntry>> {
        let body = self.upstream.models(WAIT).await?;
        let listed =
            Members::parse(&body).ok().and_then(|members| members.get("data").and_then(Raw::objects));
        let entries = listed.unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| read_entry(entry, self.upstream.name())).collect())
    }

    /// Adds what the user names, and the preset's own where there is nothing else.
    fn fill(&self, mut entries: Vec<ModelEntry>) -> Vec<ModelEntry> {
        for name in &self.named {
            if !entries.iter().any(|entry| entry.id == *name) {
                entries.push(entry(name, self.upstream.name()));
            }
        }
        if entries.is_empty() {
            let known = self.upstream.profile().known_models.iter();
            entries.extend(known.map(|id| entry(id, self.upstream.name())));
        }
        entries
    }
}

fn entry(id: &str, owner: &str) -> ModelEntry {
    ModelEntry {
        id: id.to_owned(),
        owned_by: owner.to_owned(),
        created_unix_seconds: 0,
        max_input_tokens: None,
        max_tokens: None,
    }
}

fn read_entry(members: &Members, owner: &str) -> Option<ModelEntry> {
    // A 0 stands for what is not known: a window of none would have every call refused.
    let known = |raw: &Raw| raw.u64().filter(|&number| number > 0);
    let number = |keys: &[&str]| keys.iter().find_map(|key| members.some(key).and_then(known));
    let meta = members.some("meta").and_then(Raw::members).unwrap_or_default();
    let id = members.text("id").filter(|id| !id.is_empty())?.into_owned();
    Some(ModelEntry {
        owned_by: members.text("owned_by").map_or_else(|| owner.to_owned(), std::borrow::Cow::into_owned),
        created_unix_seconds: number(&["created"]).unwrap_or(0),
        max_input_tokens: number(&["max_input_tokens", "context_length", "max_model_len", "context_window"])
            .or_else(|| meta.some("n_ctx_train").and_then(known)),
        max_tokens: number(&["max_tokens", "max_output_tokens", "max_completion_tokens"]),
        id,
    })
}

impl Gateway {
    /// The models on offer, cached; never waits for an upstream longer than two seconds. An id that
    /// more than one upstream has stands once as it is, and as `upstream/id` for each.
    pub async fn models(&self) -> Vec<ModelEntry> {
        let lists = futures_util::future::join_all(self.upstreams.iter().map(Offer::entries)).await;
        let mut all: Vec<ModelEntry> = Vec::new();
        let mut doubles: Vec<ModelEntry> = Vec::new();
        for (offer, entries) in self.upstreams.iter().zip(&lists) {
            for entry in entries {
                let elsewhere =
                    lists.iter().filter(|list| list.iter().any(|other| other.id == entry.id)).count();
                if elsewhere > 1 {
                    let id = format!("{}/{}", offer.upstream.name(), entry.id);
                    doubles.push(ModelEntry { id, ..entry.clone() });
                }
                if !all.iter().any(|known| known.id == entry.id) {
                    all.push(entry.clone());
                }
            }
        }
        all.append(&mut doubles);
        all
    }
}
