//! One call from end to end: route, translate, send, meter, answer.

use crate::upstream::{self, Upstream};
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::HeaderMap;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

mod ask;
mod candidates;
mod chat;
mod context;
mod continuation;
mod count;
mod edits;
mod flow;
mod messages;
pub mod meter;
mod models;
mod native;
mod over;
mod passthrough;
mod recalling;
pub mod relay;
mod resolve;
mod route;
mod shelf;

pub use crate::policy::continuation::{Mode, Rules};
pub use context::{History, Mode as HistoryMode};
pub use meter::Meter;
use meter::Record;
pub use models::{Known, ModelEntry};
pub use over::{Finish, Over};
pub use resolve::{Api, Change, Resolution};
pub use route::not_configured;
use route::{How, Route};
pub use shelf::Shelf;

/// What the way in knows of a call beside its body.
#[derive(Debug, Clone)]
pub struct Call {
    /// The call's id, which goes out as `x-request-id` and `request-id`.
    pub id: String,
    /// Where the call's figures are kept.
    pub meter: Meter,
    /// Whether the rule of the Anthropic API holds that an answer must be bounded; a person at a
    /// terminal wants it whole.
    pub must_be_bounded: bool,
    /// Whether a cut answer goes on, where the caller says so for this call (F02).
    pub continuation: Option<Mode>,
    /// From when on nothing more is answered.
    pub over: Over,
    /// The caller's headers that an upstream gets which speaks the Anthropic API itself.
    pub passed_on: HeaderMap,
}

impl Call {
    /// A call that starts now.
    pub fn start() -> Self {
        const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        // It only has to be unlikely twice, not to be unguessable.
        let letters = (0..24).filter_map(|_| fastrand::choice(ALPHABET)).map(|&byte| char::from(byte));
        Self {
            id: "req_".chars().chain(letters).collect(),
            meter: Meter::start(),
            must_be_bounded: true,
            continuation: None,
            over: Over::default(),
            passed_on: HeaderMap::new(),
        }
    }
}

/// The body of an answer.
pub enum Answer {
    /// One JSON body.
    Whole(Bytes),
    /// Events, made here or passed through. Dropping it drops the upstream's request.
    Stream(BoxStream<'static, Frame>),
}

/// An answer, and what its headers say.
pub struct Reply {
    /// The body.
    pub answer: Answer,
    /// The upstream that answers (`x-iflow2api-upstream`).
    pub upstream: String,
    /// The model's name there (`x-iflow2api-model`).
    pub model: String,
    /// What the provider's headers say of its limits (C05).
    pub limits: Vec<(String, String)>,
    /// How long the call waited for a place at the upstream, where calls have to (`x-iflow2api-queue-ms`).
    pub queued: Option<Duration>,
    /// How many messages were left out or shortened, and how many tokens that saved (`x-iflow2api-trimmed`).
    pub trimmed: Option<(usize, u64)>,
    /// How often a whole answer went on (`x-iflow2api-continuations`); streams say it in their usage.
    pub continuations: u32,
    /// What became of the wish to think (`x-iflow2api-thinking`).
    pub thinking: Option<String>,
    /// What was changed on the way, as a person would want to know (`x-iflow2api-warning`).
    pub warnings: Vec<String>,
}

/// What an answer's headers say, beside what the call's record does.
#[derive(Clone)]
struct Told {
    route: Route,
    limits: Vec<(String, String)>,
    thinking: Option<String>,
    warnings: Vec<String>,
}

impl Told {
    /// Of an answer from this upstream, as far as nothing else is known.
    fn of(route: &Route) -> Self {
        Self { route: route.clone(), limits: Vec::new(), thinking: None, warnings: Vec::new() }
    }
}

impl Reply {
    /// An answer, and what is told of how it came about.
    fn new(answer: Answer, told: Told, call: &Call) -> Self {
        let Record { queued, trimmed, continuations, first, .. } = call.meter.record();
        let Told { route, limits, thinking, mut warnings } = told;
        if let (How::Fallback, Some(first)) = (&route.how, first) {
            warnings.push(format!("`{first}` cannot be had now, so `{}` answers", route.full_name()));
        }
        Self {
            answer,
            upstream: route.upstream.name().to_owned(),
            model: route.model,
            limits,
            queued,
            trimmed,
            continuations,
            thinking,
            warnings,
        }
    }
}

/// A path that is passed through as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passthrough {
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/completions`
    Completions,
}

/// Whether calls may go to an upstream or a model now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Its name.
    pub name: String,
    /// `closed` where they may, `open` where they may not, `probing` while one call tries, `resting` where
    /// they had better go elsewhere, as its quota is used up.
    pub state: &'static str,
    /// In how many seconds one may try next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_in_seconds: Option<u64>,
    /// The models to which they may not go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Health>,
}

impl Health {
    /// Whether calls are kept from it, or from one of its models.
    pub fn is_troubled(&self) -> bool {
        self.state != "closed" || !self.models.is_empty()
    }

    fn new(name: String, health: upstream::Health, models: Vec<Self>) -> Self {
        let retry_in_seconds = health.retry_in.map(|wait| wait.as_secs_f64().ceil() as u64);
        Self { name, state: health.state, retry_in_seconds, models }
    }
}

/// How long a caller is kept waiting in silence.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the head of a stream is held for the upstream's first frame (B29).
    pub hold: Duration,
    /// After how much silence a stream gets a sign of life (B05).
    pub ping: Duration,
}

/// One upstream that is lent.
pub struct Lent {
    /// The upstream.
    pub upstream: Upstream,
    /// The models that the user names for it.
    pub models: Vec<String>,
    /// Whether only a call that names it goes to it.
    pub named_only: bool,
}

/// What the gateway lends.
pub struct Settings {
    /// The upstreams; the first to which calls go that name none is the default one.
    pub upstreams: Vec<Lent>,
    /// The model that an unknown `claude-*` name means.
    pub default_model: Option<String>,
    /// The model that answers requests with images in the place of one that sees none.
    pub vision_model: Option<String>,
    /// The models that names mean, by patterns, in order.
    pub aliases: Vec<(String, String)>,
    /// The models that are asked where one cannot be had, by patterns of names, in order.
    pub fallbacks: Vec<(String, Vec<String>)>,
    /// Where model lists are kept.
    pub shelf: Shelf,
    /// How long a caller is kept waiting in silence.
    pub patience: Patience,
    /// Whether answers that were cut go on.
    pub continuation: Rules,
    /// When history is left out.
    pub history: History,
}

/// The core: all calls go through here, whoever makes them.
pub struct Gateway {
    upstreams: Vec<models::Offer>,
    default_model: Option<String>,
    vision_model: Option<String>,
    aliases: route::Names<String>,
    fallbacks: route::Names<Vec<String>>,
    shelf: Shelf,
    patience: Patience,
    continuation: Rules,
    history: History,
    cuts: Arc<context::Cuts>,
    counter: count::Counter,
    memory: recalling::Memory,
}

impl Gateway {
    /// A gateway over these upstreams. Nothing is sent.
    pub fn new(settings: Settings) -> Self {
        let Settings { upstreams, default_model, vision_model, aliases, fallbacks, shelf, .. } = settings;
        let offer = |lent: Lent| {
            let offer = models::Offer::new(Arc::new(lent.upstream), lent.models, lent.named_only);
            offer.remember(&shelf);
            offer
        };
        Self {
            upstreams: upstreams.into_iter().map(offer).collect(),
            default_model,
            vision_model,
            aliases: route::Names::new(aliases),
            fallbacks: route::Names::new(fallbacks),
            shelf,
            patience: settings.patience,
            continuation: settings.continuation,
            history: settings.history,
            cuts: Arc::default(),
            counter: count::Counter::default(),
            memory: recalling::Memory::default(),
        }
    }

    /// Whether calls may go to each upstream now.
    pub fn health(&self) -> Vec<Health> {
        let health = |offer: &models::Offer| {
            let (own, models) = offer.upstream.health();
            let upstream = offer.upstream.name().to_owned();
            let models = models.into_iter().map(|(model, health)| Health::new(model, health, Vec::new()));
            let health = Health::new(upstream, own, models.collect());
            match offer.upstream.rests() {
                // Calls still go there where they have nowhere else to go.
                Some(left) if health.state == "closed" => Health {
                    state: "resting",
                    retry_in_seconds: Some(left.as_secs_f64().ceil() as u64),
                    ..health
                },
                _ => health,
            }
        };
        self.offers().map(health).collect()
    }

    /// The names of the upstreams to which calls go that name none, the default one first.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        self.offers().map(|offer| offer.upstream.name())
    }

    /// The default upstream's name, if there is any.
    pub fn default_upstream(&self) -> Option<&str> {
        self.upstreams().next()
    }

    /// The model that an unknown `claude-*` name means, as far as it is known.
    pub fn default_model(&self) -> Option<&str> {
        self.default_model.as_deref()
    }
}
