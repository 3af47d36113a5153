//! The model list: asked of the upstream, kept for a while, and filled from what is known else.

use super::Gateway;
use super::route::Route;
use super::shelf::Shelf;
use crate::error::Result;
use crate::policy::presets::rows::Thinks;
use crate::upstream::Upstream;
use crate::wire::json::{Kind, Members, Raw};
use bytes::Bytes;
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
    /// Whether it sees images, where known.
    pub vision: Option<bool>,
    /// Whether it calls tools, where known.
    pub tools: Option<bool>,
    /// Whether it thinks: `never`, `switch` or `always`, where known.
    pub thinks: Option<Thinks>,
    /// What it means, where it is an alias.
    pub alias_of: Option<String>,
}

impl ModelEntry {
    /// A model of which only the name is known.
    pub fn new(id: &str, owner: &str) -> Self {
        Self {
            id: id.to_owned(),
            owned_by: owner.to_owned(),
            created_unix_seconds: 0,
            max_input_tokens: None,
            max_tokens: None,
            vision: None,
            tools: None,
            thinks: None,
            alias_of: None,
        }
    }
}

/// What is known of one model.
pub struct Known {
    /// What its list and the catalogue say.
    pub entry: ModelEntry,
    /// Where a call with its name goes.
    pub route: Route,
    /// Whether the upstream's own list, or the user, names it.
    pub listed: bool,
    /// Names near to it that there are, where nothing is known of it.
    pub near: Vec<String>,
}

impl Known {
    /// Whether there is more than a name.
    pub fn is_known(&self) -> bool {
        let ModelEntry { max_input_tokens, max_tokens, vision, tools, thinks, .. } = &self.entry;
        self.listed
            || max_input_tokens.is_some()
            || max_tokens.is_some()
            || vision.is_some()
            || tools.is_some()
            || thinks.is_some()
    }
}

/// One upstream, and what it is known to lend.
pub(super) struct Offer {
    pub(super) upstream: Arc<Upstream>,
    /// What the user says it lends.
    named: Vec<String>,
    /// Whether only a call that names it goes to it.
    pub(super) named_only: bool,
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
        let due = self.due.is_none_or(|due| due <= Instant::now());
        if due {
            self.put_off();
        }
        due
    }

    /// Somebody asks now.
    fn put_off(&mut self) {
        self.due = Some(Instant::now() + AGAIN);
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
    pub(super) fn new(upstream: Arc<Upstream>, named: Vec<String>, named_only: bool) -> Self {
        Self { upstream, named, named_only, listed: Mutex::default() }
    }

    /// Whether a model is known to be here. Waits for nothing.
    pub(super) fn lists(&self, name: &str) -> bool {
        if self.named.iter().any(|named| named == name) {
            return true;
        }
        let listed = self.listed();
        match listed.entries.as_slice() {
            // What a preset knows stands in for a list until there is one.
            [] => self.upstream.provider().known_models().iter().any(|known| known == name),
            entries => entries.iter().any(|entry| entry.id == name),
        }
    }

    /// The names of all models that are known to be here. Waits for nothing.
    pub(super) fn known(&self) -> Vec<String> {
        let kept = self.listed().entries.clone();
        self.fill(kept).into_iter().map(|entry| entry.id).collect()
    }

    /// A model's window in tokens, where its list says it. Waits for nothing.
    pub(super) fn window(&self, name: &str) -> Option<u64> {
        self.listed().entries.iter().find(|entry| entry.id == name)?.max_input_tokens
    }

    /// The first model that is known to be here.
    pub(super) fn first(&self) -> Option<String> {
        let kept = self.listed().entries.first().map(|entry| entry.id.clone());
        let known = self.upstream.provider().known_models().first().cloned();
        self.named.first().cloned().or(kept).or(known)
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The models, asked anew where the last answer is old. What was known before stands in for a
    /// list that cannot be had.
    pub(super) async fn entries(&self, shelf: &Shelf) -> Vec<ModelEntry> {
        let is_due = self.listed().is_due();
        if is_due {
            self.refresh(shelf).await.ok();
        }
        let kept = self.listed().entries.clone();
        self.fill(kept)
    }

    /// Asks for the list now, however old the last one is.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub(super) async fn refresh(&self, shelf: &Shelf) -> Result<usize> {
        self.listed().put_off();
        let asked = self.ask().await;
        let entries = asked.inspect_err(|error| {
            tracing::debug!(upstream = self.upstream.name(), %error, "no model list");
        })?;
        shelf.keep(&self.upstream, &entries);
        let count = entries.len();
        self.listed().take(entries);
        Ok(count)
    }

    /// Takes what an earlier run of the program was told. It stands in until somebody asks.
    pub(super) fn remember(&self, shelf: &Shelf) {
        self.listed().entries = shelf.kept(&self.upstream);
    }

    async fn ask(&self) -> Result<Vec<ModelEntry>> {
        if self.upstream.provider().is_static() && !self.upstream.is_elsewhere() {
            return Ok(Vec::new());
        }
        let body = self.upstream.models(WAIT).await?;
        Ok(read_list(&body, self.upstream.name()))
    }

    /// Adds what the user names, and the preset's own where there is nothing else; fills gaps from the catalogue.
    fn fill(&self, mut entries: Vec<ModelEntry>) -> Vec<ModelEntry> {
        for name in &self.named {
            if !entries.iter().any(|entry| entry.id == *name) {
                entries.push(ModelEntry::new(name, self.upstream.name()));
            }
        }
        if entries.is_empty() {
            let known = self.upstream.provider().known_models().iter();
            entries.extend(known.map(|id| ModelEntry::new(id, self.upstream.name())));
        }
        entries.into_iter().map(|entry| self.complete(entry)).collect()
    }

    /// Fills from the catalogue what nobody else said.
    fn complete(&self, entry: ModelEntry) -> ModelEntry {
        let facts = self.upstream.provider().facts(&entry.id);
        ModelEntry {
            max_input_tokens: entry.max_input_tokens.or(facts.context),
            max_tokens: entry.max_tokens.or(facts.max_output),
            vision: entry.vision.or(facts.vision()),
            tools: entry.tools.or(facts.tools),
            thinks: entry.thinks.or_else(|| self.upstream.provider().thinks(&entry.id)),
            ..entry
        }
    }

    /// Whether its own list, or the user, names a model.
    fn is_on_list(&self, name: &str) -> bool {
        self.named.iter().any(|named| named == name)
            || self.listed().entries.iter().any(|entry| entry.id == name)
    }
}

/// Reads a list in the form of either API, or the bare array of a few providers.
pub(super) fn read_list(body: &Bytes, owner: &str) -> Vec<ModelEntry> {
    let listed = match Raw::parse(body) {
        Ok(raw) if raw.kind() == Kind::Array => raw.objects(),
        Ok(raw) => raw.members().and_then(|members| members.get("data").and_then(Raw::objects)),
        Err(_) => None,
    };
    listed.unwrap_or_default().iter().filter_map(|entry| read_entry(entry, owner)).collect()
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
        vision: vision(members),
        tools: texts(members, "supported_parameters").map(|known| known.iter().any(|name| name == "tools")),
        thinks: None,
        alias_of: None,
        id,
    })
}

/// What a list says of images: OpenRouter's `architecture.input_modalities`, our own `vision`.
fn vision(members: &Members) -> Option<bool> {
    let own = members.some("vision").and_then(Raw::bool);
    let told = members.some("architecture").and_then(Raw::members);
    own.or_else(|| Some(texts(&told?, "input_modalities")?.iter().any(|kind| kind == "image")))
}

fn texts(members: &Members, key: &str) -> Option<Vec<String>> {
    members.some(key)?.read().ok()
}

impl Gateway {
    /// The models on offer, cached; never waits for an upstream longer than two seconds. An id that
    /// more than one upstream has stands once as it is, and as `upstream/id` for each.
    pub async fn models(&self) -> Vec<ModelEntry> {
        let lists = self.offers().map(|offer| offer.entries(&self.shelf));
        let lists = futures_util::future::join_all(lists).await;
        let mut all: Vec<ModelEntry> = Vec::new();
        let mut doubles: Vec<ModelEntry> = Vec::new();
        for (offer, entries) in self.offers().zip(&lists) {
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
        for (alias, target) in self.aliases.iter().filter(|(pattern, _)| !pattern.contains('*')) {
            if !all.iter().any(|known| known.id == alias) {
                let like = self
                    .route(target)
                    .ok()
                    .and_then(|route| all.iter().find(|known| known.id == route.model).cloned());
                let like = like.unwrap_or_else(|| ModelEntry::new(alias, "alias"));
                all.push(ModelEntry { id: alias.to_owned(), alias_of: Some(target.clone()), ..like });
            }
        }
        all
    }

    /// What is known of the model that a name means. Its upstream is asked for its list, as by [`Gateway::models`].
    ///
    /// # Errors
    /// As [`Gateway::route`].
    pub async fn model(&self, name: &str) -> Result<Known> {
        let asked = self.route(name)?;
        let lists = self.upstreams.iter().filter(|offer| !offer.named_only || asked.is_at(offer));
        futures_util::future::join_all(lists.map(|offer| offer.entries(&self.shelf))).await;
        // Now that the lists are there, the name may lead elsewhere.
        let route = self.route(name)?;
        let Some(offer) = self.upstreams.iter().find(|offer| route.is_at(offer)) else {
            unreachable!("routes lead to upstreams that there are")
        };
        let kept = offer.listed().entries.clone();
        let entries = offer.fill(kept);
        let (entry, listed) = match entries.into_iter().find(|entry| entry.id == route.model) {
            Some(entry) => (entry, offer.is_on_list(&route.model)),
            None => {
                let entry = ModelEntry::new(&route.model, offer.upstream.name());
                (offer.complete(entry), false)
            }
        };
        let near = crate::near::names(&route.model, offer.known().iter().map(String::as_str))
            .into_iter()
            .map(str::to_owned)
            .collect();
        Ok(Known { entry, route, listed, near })
    }

    /// Asks every upstream for its list now; how many models each has, or why nobody knows. For a while
    /// [`Gateway::models`] asks no more.
    pub async fn refresh_models(&self) -> Vec<(String, Result<usize>)> {
        let asked = self
            .offers()
            .map(|offer| async { (offer.upstream.name().to_owned(), offer.refresh(&self.shelf).await) });
        futures_util::future::join_all(asked).await
    }

    /// The aliases, each with what it means.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases.iter().map(|(pattern, target)| (pattern, target.as_str()))
    }
}
