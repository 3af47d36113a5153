//! One question to an upstream, whole or streamed: asked once more where something in it can be mended, and
//! asked of the next upstream where the first cannot be had.

use super::candidates::may_be_elsewhere;
use super::flow::{self, Opening};
use super::route::Route;
use super::{Call, Gateway, Meter, Over};
use crate::error::{Class, Error, Result};
use crate::policy::{history, request, think};
use crate::translate::native;
use crate::upstream::{Admitted, Answered, Ask, FrameStream, Retried, Wire};
use crate::wire::anthropic::MessagesRequest;
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a provider's headers say of its limits.
pub(super) type Limits = Vec<(String, String)>;

/// What is sent to one upstream.
pub(super) enum Question {
    /// A chat completion.
    Chat(ChatRequest),
    /// Messages, to an upstream that speaks that API itself.
    Native(MessagesRequest),
    /// A body that no rule touches, and the path it goes to.
    Raw(&'static str, Bytes),
}

/// A request that is ready to be sent to one upstream, and what its answer needs.
pub(super) struct Prepared<R> {
    pub route: Route,
    pub question: Question,
    pub rest: R,
}

/// A way in, as far as asking goes: how its requests are made ready for an upstream.
pub(super) trait Face: Send + Sync + 'static {
    /// What an answer's reader needs beside the question.
    type Rest: Send + Sync + 'static;

    /// Makes the request ready for one upstream.
    ///
    /// # Errors
    /// What is wrong with the request, or cannot be said to this upstream.
    fn prepare(
        &self,
        gateway: &Gateway,
        route: Route,
        call: &Call,
    ) -> impl Future<Output = Result<Prepared<Self::Rest>>> + Send;
}

/// A stream that is open.
pub(super) struct Opened<R> {
    /// What was asked.
    pub prepared: Prepared<R>,
    /// Its frames.
    pub frames: FrameStream,
    /// What the provider's headers say of its limits.
    pub limits: Limits,
    /// The call's place at the upstream, to be held until the answer has ended.
    pub place: Admitted,
}

/// Waits for a place at the upstream.
///
/// # Errors
/// As [`Upstream::admit`](crate::upstream::Upstream::admit).
pub(super) async fn admit(route: &Route, meter: &Meter) -> Result<Admitted> {
    let place = route.upstream.admit().await?;
    meter.note(|record| record.queued = place.waited);
    Ok(place)
}

impl Question {
    /// Sends it; once more where something in it can be mended.
    async fn send<T, F: Future<Output = Result<T>>>(
        &self,
        route: &Route,
        forget: impl Fn(),
        send: impl Fn(Bytes, bool) -> F,
    ) -> Result<T> {
        let (body, assembled) = self.body(route);
        match send(body, assembled).await {
            Err(error) => match self.mended(route, &error) {
                Some(mended) => {
                    if error.class() == Some(Class::ReasoningMissing) {
                        forget();
                    }
                    let (body, assembled) = mended.body(route);
                    send(body, assembled).await
                }
                None => Err(error),
            },
            answered => answered,
        }
    }

    /// Its text, and whether a stream that it asks for has to be put together as a whole answer.
    fn body(&self, route: &Route) -> (Bytes, bool) {
        match self {
            Self::Chat(request) => route.body(request),
            Self::Native(request) => (request.to_bytes(), false),
            Self::Raw(_, body) => (body.clone(), false),
        }
    }

    fn ask<'a>(
        &self,
        route: &'a Route,
        (body, assembled): (Bytes, bool),
        call: &'a Call,
        retried: Retried<'a>,
    ) -> Ask<'a> {
        let (wire, path) = match self {
            Self::Chat(request) => (Wire::Openai, request::path(request)),
            Self::Native(_) => (Wire::Anthropic(&call.passed_on), "/v1/messages"),
            Self::Raw(path, _) => (Wire::Unread, *path),
        };
        Ask { wire, path, model: &route.model, body, assembled, retried }
    }

    /// The same question without what was wrong with it, where that can be helped.
    fn mended(&self, route: &Route, error: &Error) -> Option<Self> {
        match self {
            Self::Chat(request) => {
                if let Some(room) = error.room() {
                    let shorter = request::lowered(request, room)?;
                    tracing::info!(room, "asking again for a shorter answer");
                    return Some(Self::Chat(shorter));
                }
                if error.class() == Some(Class::ThinkingUnsupported) {
                    let mut silenced = request.clone();
                    return think::silence(&mut silenced).then_some(Self::Chat(silenced));
                }
                if error.class() == Some(Class::ReasoningMissing) {
                    let filled = history::filled(request, &route.profile)?;
                    tracing::warn!(reason = %error, "asking again with something in the place of thoughts");
                    return Some(Self::Chat(filled));
                }
                None
            }
            Self::Native(request) if native::is_signature_refusal(error) => {
                let less = native::without_thinking(request)?;
                tracing::warn!(reason = %error, "asking again without the thoughts of earlier turns");
                Some(Self::Native(less))
            }
            Self::Native(_) | Self::Raw(..) => None,
        }
    }
}

impl Route {
    /// The question that a chat request is.
    pub(super) fn ask<'a>(&'a self, request: &ChatRequest, retried: Retried<'a>) -> Ask<'a> {
        let (body, assembled) = self.body(request);
        let path = request::path(request);
        Ask { wire: Wire::Openai, path, model: &self.model, body, assembled, retried }
    }

    /// The text of a chat request; some providers answer with streams only.
    fn body(&self, request: &ChatRequest) -> (Bytes, bool) {
        if self.profile.always_stream && !request.is_stream() {
            return (request::as_stream(request, &self.profile).to_bytes(), true);
        }
        (request.to_bytes(), false)
    }
}

impl Gateway {
    /// Opens a stream at the first candidate that answers, held no longer than a caller may be kept waiting.
    ///
    /// # Errors
    /// What the first candidate failed with, while the caller is held.
    pub(super) async fn open_stream<F: Face>(
        self: &Arc<Self>,
        face: F,
        first: Prepared<F::Rest>,
        others: VecDeque<Route>,
        call: &Call,
    ) -> Result<Opening<Opened<F::Rest>>> {
        let (gateway, call) = (Arc::clone(self), call.clone());
        let over = call.over.clone();
        let opening = async move {
            // Behind a head that was sent, nobody else looks at the end of the drain.
            let (prepared, (frames, limits, place)) = tokio::select! {
                opened = gateway.open_now(&face, first, others, &call) => opened?,
                () = over.reached() => return Err(Over::error()),
            };
            Ok(Opened { prepared, frames, limits, place })
        };
        flow::open(opening, self.patience.hold).await
    }

    /// Opens a stream at the first candidate that answers, however long that takes.
    ///
    /// # Errors
    /// What the first candidate failed with.
    pub(super) async fn open_now<F: Face>(
        &self,
        face: &F,
        first: Prepared<F::Rest>,
        others: VecDeque<Route>,
        call: &Call,
    ) -> Result<(Prepared<F::Rest>, (FrameStream, Limits, Admitted))> {
        self.each(face, first, others, call, &Stream).await
    }

    /// Asks the candidates for a whole answer, whose body `read` judges.
    ///
    /// # Errors
    /// What the first candidate failed with.
    pub(super) async fn complete<F: Face, R: Reads<F::Rest>>(
        &self,
        face: &F,
        first: Prepared<F::Rest>,
        others: VecDeque<Route>,
        call: &Call,
        reads: R,
    ) -> Result<(Prepared<F::Rest>, Answered<R::Whole>, Admitted)> {
        let way = Whole { reads };
        let (prepared, (answered, place)) = self.each(face, first, others, call, &way).await?;
        call.meter.first_byte();
        Ok((prepared, answered, place))
    }

    /// Asks one candidate after the other, until one answers or there is no use in going on.
    async fn each<F: Face, W: Way<F::Rest>>(
        &self,
        face: &F,
        first: Prepared<F::Rest>,
        mut others: VecDeque<Route>,
        call: &Call,
        way: &W,
    ) -> Result<(Prepared<F::Rest>, W::Answer)> {
        let mut prepared = first;
        let mut failed: Option<Error> = None;
        loop {
            let error = match way.send(self, &prepared, call).await {
                Ok(answered) => return Ok((prepared, answered)),
                Err(error) => self.with_near_names(error, &prepared.route.model),
            };
            let next =
                if may_be_elsewhere(&error) { self.next_ready(face, &mut others, call).await } else { None };
            let Some(next) = next else { return Err(failed.unwrap_or(error)) };
            let (upstream, model) = (next.route.upstream.name(), next.route.model.as_str());
            tracing::warn!(from = prepared.route.upstream.name(), upstream, model, reason = %error, "asking another upstream");
            call.meter.note(|record| {
                record.goes_to(&next.route);
                record.fallbacks += 1;
            });
            failed.get_or_insert(error);
            prepared = next;
        }
    }
}

/// How one candidate is asked.
trait Way<R>: Sync {
    type Answer: Send;

    fn send(
        &self,
        gateway: &Gateway,
        prepared: &Prepared<R>,
        call: &Call,
    ) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// For a stream.
struct Stream;

/// For a whole answer.
struct Whole<T> {
    reads: T,
}

/// Judges a whole answer's body.
pub(super) trait Reads<R>: Send + Sync {
    /// What it reads.
    type Whole: Send;

    /// Reads a body.
    ///
    /// # Errors
    /// What the body says, or lacks.
    fn read(&self, prepared: &Prepared<R>, body: Bytes) -> Result<Self::Whole>;
}

impl<R: Send + Sync> Way<R> for Stream {
    type Answer = (FrameStream, Limits, Admitted);

    async fn send(&self, gateway: &Gateway, prepared: &Prepared<R>, call: &Call) -> Result<Self::Answer> {
        let Prepared { route, question, .. } = prepared;
        let place = admit(route, &call.meter).await?;
        let retried = || call.meter.retried();
        let forget = || gateway.forget_thoughts(call);
        let send =
            |body, assembled| route.upstream.stream(question.ask(route, (body, assembled), call, &retried));
        let Answered { body, limits } = question.send(route, forget, send).await?;
        let mut first = Some(call.meter.clone());
        let noted = body.inspect(move |_| {
            if let Some(meter) = first.take() {
                meter.first_byte();
            }
        });
        Ok((noted.boxed(), limits, place))
    }
}

impl<R: Send + Sync, T: Reads<R>> Way<R> for Whole<T> {
    type Answer = (Answered<T::Whole>, Admitted);

    async fn send(&self, gateway: &Gateway, prepared: &Prepared<R>, call: &Call) -> Result<Self::Answer> {
        let Prepared { route, question, .. } = prepared;
        let place = admit(route, &call.meter).await?;
        let retried = || call.meter.retried();
        let forget = || gateway.forget_thoughts(call);
        let read = |body| self.reads.read(prepared, body);
        let send = |body, assembled| {
            route.upstream.complete(question.ask(route, (body, assembled), call, &retried), read)
        };
        Ok((question.send(route, forget, send).await?, place))
    }
}
