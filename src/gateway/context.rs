//! Makes a request fit the model's window, as far as that is known: a lower bound of the answer first, then
//! less history (G01–G07). What is left out is decided by `policy::context`.

use super::route::Route;
use super::{Call, Gateway};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::context::{self, Costs, Cut, Room, TooLong, Trimmed};
use crate::policy::request::{bound, lowered};
use crate::translate::tokens::{self, Vocabulary};
use crate::wire::json::{Members, Raw};
use crate::wire::openai::ChatRequest;
use memchr::memmem;
use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::policy::context::Mode;

/// Of how many conversations the cut is remembered. Chosen: a team's worth; one that is forgotten is only
/// cut anew.
const MAX_CUTS: usize = 256;

/// When history is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// When at all.
    pub mode: Mode,
    /// How many turns are kept, and trimmed last.
    pub keep_turns: usize,
}

/// Where conversations were cut, the last used one first (G05). Only a cache.
#[derive(Default)]
pub(super) struct Cuts(Mutex<VecDeque<(u64, Cut)>>);

impl Cuts {
    fn of(&self, conversation: u64) -> Cut {
        let cuts = self.lock();
        cuts.iter().find(|(known, _)| *known == conversation).map(|(_, cut)| *cut).unwrap_or_default()
    }

    fn keep(&self, conversation: u64, cut: Cut) {
        let mut cuts = self.lock();
        cuts.retain(|(known, _)| *known != conversation);
        cuts.push_front((conversation, cut));
        cuts.truncate(MAX_CUTS);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Cut)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has to be done about one request.
struct Task {
    request: ChatRequest,
    vocabulary: Vocabulary,
    window: Option<u64>,
    history: History,
    /// Whether less history may be sent than the caller sent.
    trims: bool,
    cuts: Arc<Cuts>,
}

impl Gateway {
    /// The model's window in tokens, as far as anybody said; waits for no list.
    pub(super) fn window(&self, route: &Route) -> Option<u64> {
        let set = route.upstream.provider().own_window();
        let offer = || self.upstreams.iter().find(|offer| Arc::ptr_eq(&offer.upstream, &route.upstream));
        set.or_else(|| offer()?.window(&route.model)).or(route.profile.context_window)
    }

    /// Makes a request fit. `trims` says whether history may be left out where it does not (G01).
    ///
    /// # Errors
    /// `PromptTooLong` where it cannot be made to fit.
    pub(super) async fn make_fit(
        &self,
        request: ChatRequest,
        route: &Route,
        trims: bool,
        call: &Call,
    ) -> Result<ChatRequest> {
        let window = self.window(route);
        let slides = self.history.mode == Mode::Window;
        let may_fail = window.is_some_and(|window| !surely_fits(&request, window));
        if self.history.mode == Mode::Off || !(slides || may_fail) {
            return Ok(request);
        }
        let task = Task {
            request,
            vocabulary: Vocabulary::of_model(&route.model),
            window: window.filter(|_| may_fail),
            history: self.history,
            trims: trims || slides,
            cuts: Arc::clone(&self.cuts),
        };
        let (request, trimmed) = self.counter.run(move || task.run()).await??;
        if trimmed.messages > 0 {
            tracing::debug!(messages = trimmed.messages, tokens = trimmed.tokens, "history was left out");
            call.meter.note(|record| record.trimmed = Some((trimmed.messages, trimmed.tokens)));
        }
        Ok(request)
    }
}

impl Task {
    fn run(mut self) -> Result<(ChatRequest, Trimmed)> {
        let vocabulary = self.vocabulary;
        let message = |message: &Members| tokens::of_message(vocabulary, message);
        let costs =
            Costs { fixed: tokens::of_tools(vocabulary, self.request.get("tools")), message: &message };
        let mut trimmed = Trimmed::default();
        if self.history.mode == Mode::Window {
            trimmed = context::slide(&mut self.request, self.history.keep_turns, &costs);
        }
        let Some(window) = self.window else { return Ok((self.request, trimmed)) };
        let room = Room::new(window, bound(&self.request));
        let prompt = if self.trims {
            let conversation = conversation(&self.request);
            let mut cut = self.cuts.of(conversation);
            let fitted = context::fit(&mut self.request, room, self.history.keep_turns, &mut cut, &costs);
            let fitted = fitted.map_err(|long| too_long(long, window, room))?;
            if fitted.trimmed.messages > 0 {
                self.cuts.keep(conversation, cut);
            }
            trimmed.messages += fitted.trimmed.messages;
            trimmed.tokens += fitted.trimmed.tokens;
            fitted.prompt
        } else {
            costs.prompt(&self.request)
        };
        if prompt > room.for_prompt() {
            return Err(too_long(TooLong { tokens: prompt }, window, room));
        }
        if let Some(shorter) = room.bound(prompt).and_then(|bound| lowered(&self.request, bound)) {
            tracing::debug!(prompt, window, "max_tokens was lowered to what the window leaves");
            self.request = shorter;
        }
        Ok((self.request, trimmed))
    }
}

/// A look that costs next to nothing: a token has at least one byte, unless it is an image's.
fn surely_fits(request: &ChatRequest, window: u64) -> bool {
    let images = |message: &Members| {
        let content = message.get("content").map(Raw::as_bytes).unwrap_or_default();
        memmem::find_iter(content, b"\"image_url\"").count() + memmem::find_iter(content, b"\"file\"").count()
    };
    let bytes = u64::try_from(request.size_hint()).unwrap_or(u64::MAX);
    let Some(left) = (window - window / 16).checked_sub(bytes) else { return false };
    let images: usize = request.messages().iter().map(images).sum();
    let images = u64::try_from(images).unwrap_or(u64::MAX).saturating_mul(tokens::MAX_IMAGE);
    images.saturating_add(bound(request).unwrap_or(window / 4)) <= left
}

/// What makes a conversation the same one: its model, what the system says, and the task.
fn conversation(request: &ChatRequest) -> u64 {
    let mut hash = fnv::FnvHasher::default();
    hash.write(request.model().unwrap_or_default().as_bytes());
    for message in request.messages() {
        hash.write(message.to_raw().as_bytes());
        if message.is("role", "user") {
            break;
        }
    }
    hash.finish()
}

/// The overflow in the words that clients know (C04).
fn too_long(long: TooLong, window: u64, room: Room) -> Error {
    let TooLong { tokens } = long;
    let message = if tokens > window {
        format!("prompt is too long: {tokens} tokens > {window} maximum")
    } else {
        let answer = window.saturating_sub(room.for_prompt());
        format!(
            "input length and `max_tokens` exceed context limit: {tokens} + {answer} > {window}, \
             decrease input length or `max_tokens` and try again"
        )
    };
    Error::new(ErrorKind::PromptTooLong, message)
}
