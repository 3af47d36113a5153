//! One question to an upstream, whole or streamed: asked once more with a lower bound where only the
//! answer would have been too long (C04).

use super::flow::{self, Opening};
use super::route::Route;
use super::{Call, Gateway};
use crate::error::{Error, Result};
use crate::policy::request;
use crate::upstream::{Answered, Ask, FrameStream};
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use futures_util::stream::StreamExt as _;

/// What a provider's headers say of its limits.
pub(super) type Limits = Vec<(String, String)>;

/// The frames of a stream that is open, or of one that will be; and whether it is late, when its
/// headers come too late to be told.
pub(super) type Opened = (FrameStream, Limits, bool);

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
    let ask = |request: &ChatRequest| Ask {
        path: request::path(request),
        model: &route.model,
        body: request.to_bytes(),
        retried: &retried,
    };
    match route.upstream.complete(ask(request), &read).await {
        Err(error) => match shorter(request, &error) {
            Some(request) => route.upstream.complete(ask(&request), &read).await,
            None => Err(error),
        },
        answered => answered,
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
        let Route { upstream, model } = route.clone();
        let meter = call.meter.clone();
        let opening = async move {
            let retried = || meter.retried();
            let ask = |request: &ChatRequest| Ask {
                path: request::path(request),
                model: &model,
                body: request.to_bytes(),
                retried: &retried,
            };
            match upstream.stream(ask(&request)).await {
                Err(error) => match shorter(&request, &error) {
                    Some(request) => upstream.stream(ask(&request)).await,
                    None => Err(error),
                },
                answered => answered,
            }
        };
        let (frames, limits, late) = opened(flow::open(opening, self.patience.hold).await?);
        let mut first = Some(call.meter.clone());
        let noted = frames.inspect(move |_| {
            if let Some(meter) = first.take() {
                meter.first_byte();
            }
        });
        Ok((noted.boxed(), limits, late))
    }
}

fn opened(opening: Opening<Answered<FrameStream>>) -> Opened {
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
