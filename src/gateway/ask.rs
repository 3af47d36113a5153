//! One question to an upstream, whole or streamed: asked once more with a lower bound where only the
//! answer would have been too long (C04).

use super::flow::{self, Opening};
use super::route::Route;
use super::{Call, Gateway, Meter};
use crate::error::{Error, Result};
use crate::policy::request;
use crate::upstream::{Answered, Ask, FrameStream, Place, Retried};
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use std::sync::{Arc, OnceLock};

/// What a provider's headers say of its limits.
pub(super) type Limits = Vec<(String, String)>;

/// A stream that is open, or will be.
pub(super) struct Opened {
    /// Its frames.
    pub frames: FrameStream,
    /// What the provider's headers say of its limits.
    pub limits: Limits,
    /// Whether it is late, when its headers come too late to be told.
    pub late: bool,
    /// The call's place at the upstream, to be held until the answer has ended.
    pub place: Held,
}

/// A place that a call has, or will have.
pub(super) type Held = Arc<OnceLock<Place>>;

/// Waits for a place at the upstream.
///
/// # Errors
/// As [`Upstream::admit`](crate::upstream::Upstream::admit).
pub(super) async fn admit(route: &Route, meter: &Meter) -> Result<Place> {
    let place = route.upstream.admit().await?;
    meter.note(|record| record.queued = place.waited);
    Ok(place)
}

/// Asks for a whole answer, whose body `read` judges.
///
/// # Errors
/// As [`Upstream::complete`](crate::upstream::Upstream::complete).
pub(super) async fn complete<T>(
    route: &Route,
    request: &ChatRequest,
    call: &Call,
    read: impl Fn(Bytes) -> Result<T>,
) -> Result<Answered<T>> {
    let retried = || call.meter.retried();
    let read = &read;
    within_room(request, |request| route.upstream.complete(route.ask(request, &retried), read)).await
}

/// Sends a request; once more for a shorter answer, where that is all that was wrong with it.
async fn within_room<T, F: Future<Output = Result<T>>>(
    request: &ChatRequest,
    send: impl Fn(&ChatRequest) -> F,
) -> Result<T> {
    match send(request).await {
        Err(error) => match shorter(request, &error) {
            Some(request) => send(&request).await,
            None => Err(error),
        },
        answered => answered,
    }
}

impl Route {
    /// The question that a request is.
    pub(super) fn ask<'a>(&'a self, request: &ChatRequest, retried: Retried<'a>) -> Ask<'a> {
        Ask { path: request::path(request), model: &self.model, body: request.to_bytes(), retried }
    }
}

/// The same request for a shorter answer, where that is all that was wrong with it.
fn shorter(request: &ChatRequest, error: &Error) -> Option<ChatRequest> {
    let room = error.room()?;
    let shorter = request::lowered(request, room)?;
    tracing::info!(room, "asking again for a shorter answer");
    Some(shorter)
}

impl Gateway {
    /// Opens a stream, held no longer than a caller may be kept waiting, and notes its first frame.
    ///
    /// # Errors
    /// As [`Upstream::stream`](crate::upstream::Upstream::stream), while the caller is held.
    pub(super) async fn open_stream(
        &self,
        route: &Route,
        request: ChatRequest,
        call: &Call,
    ) -> Result<Opened> {
        let route = route.clone();
        let meter = call.meter.clone();
        let place = Held::default();
        let held = Arc::clone(&place);
        let opening = async move {
            let admitted = admit(&route, &meter).await?;
            // Nobody else sets it.
            let _ = held.set(admitted);
            let retried = || meter.retried();
            within_room(&request, |request| route.upstream.stream(route.ask(request, &retried))).await
        };
        let (frames, limits, late) = opened(flow::open(opening, self.patience.hold).await?);
        let mut first = Some(call.meter.clone());
        let noted = frames.inspect(move |_| {
            if let Some(meter) = first.take() {
                meter.first_byte();
            }
        });
        Ok(Opened { frames: noted.boxed(), limits, late, place })
    }
}

fn opened(opening: Opening<Answered<FrameStream>>) -> (FrameStream, Limits, bool) {
    match opening {
        Opening::Open(Answered { body, limits }) => (body, limits, false),
        Opening::Late(opening) => {
            let frames = futures_util::stream::once(opening).map(|opened| match opened {
                Ok(answered) => answered.body,
                Err(error) => futures_util::stream::once(std::future::ready(Err(error))).boxed(),
            });
            (frames.flatten().boxed(), Limits::new(), true)
        }
    }
}
