//! Answers of several rounds: asks for the next one where `policy::continuation` says so. The caller
//! sees one answer; leaving it leaves all rounds.

use super::meter::Meter;
use super::route::Route;
use super::{Call, Gateway};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::continuation::{Asked, Next, Pages, Plan, Rules, Splice, Why, may_go_on};
use crate::translate::tokens::{self, Vocabulary};
use crate::upstream::{Answered, FrameStream, Upstream};
use crate::wire::openai::{ChatRequest, Chunk, Reading};
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, poll_fn};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long after its start an answer may still go on (F10). Chosen: five rounds of the longest answers.
const LONGEST: Duration = Duration::from_secs(3600);

/// Frames with what they say.
pub(super) type Items = BoxStream<'static, Result<(Frame, Reading)>>;

impl Gateway {
    /// What it takes to go on with the answer to a request; nothing where that is not to be.
    pub(super) fn plan(
        &self,
        request: &ChatRequest,
        route: &Route,
        asked: Asked,
        call: &Call,
    ) -> Option<Plan> {
        let rules = Rules { mode: call.continuation.unwrap_or(self.continuation.mode), ..self.continuation };
        let vocabulary = Vocabulary::of_model(&route.model);
        let count = Box::new(move |text: &str| tokens::count(vocabulary, text));
        Plan::of(request, &route.profile, asked, rules, count)
    }
}

/// The frames of an answer over all its rounds, read.
pub(super) fn read_on(frames: FrameStream, plan: Option<Plan>, route: &Route, call: &Call) -> Items {
    let upstream = Arc::clone(&route.upstream);
    let Some(plan) = plan else {
        return frames.map(move |frame| read(&upstream, frame?)).boxed();
    };
    let mut rounds = Rounds {
        source: Source::Frames(frames),
        splice: Splice::new(plan),
        made: Vec::new(),
        ready: VecDeque::new(),
        failed: None,
        route: route.clone(),
        meter: call.meter.clone(),
    };
    poll_fn(move |context| rounds.poll(context)).boxed()
}

fn read(upstream: &Upstream, frame: Frame) -> Result<(Frame, Reading)> {
    let reading = upstream.read(&frame)?;
    Ok((frame, reading))
}

/// A stream of several rounds.
struct Rounds {
    source: Source,
    splice: Splice,
    made: Vec<(Frame, Reading)>,
    ready: VecDeque<(Frame, Reading)>,
    /// What the stream ends with.
    failed: Option<Error>,
    route: Route,
    meter: Meter,
}

enum Source {
    Frames(FrameStream),
    Opening(futures_util::future::BoxFuture<'static, Result<FrameStream>>),
    Over,
}

impl Rounds {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(Frame, Reading)>>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let next = match &mut self.source {
                Source::Over => return Poll::Ready(None),
                Source::Frames(frames) => {
                    let frame = ready!(frames.poll_next_unpin(context));
                    self.take(frame)
                }
                Source::Opening(opening) => match ready!(opening.as_mut().poll(context)) {
                    Ok(frames) => {
                        self.source = Source::Frames(frames);
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(upstream = self.route.upstream.name(), reason = %error, "an answer does not go on");
                        self.splice.refused(error, &mut self.made)
                    }
                },
            };
            self.ready.extend(self.made.drain(..));
            match next {
                Next::GoOn => {}
                Next::Ask(request, why) => self.ask(*request, &why),
                Next::Over => self.source = Source::Over,
                Next::Failed(error) => {
                    self.source = Source::Over;
                    self.failed = Some(error);
                }
            }
        }
    }

    fn take(&mut self, frame: Option<Result<Frame>>) -> Next {
        let read = frame.map(|frame| frame.and_then(|frame| read(&self.route.upstream, frame)));
        match read {
            Some(Ok(item)) => self.splice.push(item, &mut self.made),
            Some(Err(error)) => self.splice.broke(error, &mut self.made),
            None => self.splice.ended(&mut self.made),
        }
    }

    /// Asks for the next round. It is opened as the first one was, retries included.
    fn ask(&mut self, request: ChatRequest, why: &Why) {
        // A stop sequence that was matched here has ended the answer; what comes is only read to its end.
        if self.meter.has_said_all() {
            self.source = Source::Over;
            return;
        }
        if *why == Why::Silent {
            self.meter.retried();
        }
        let (continuations, rescues) = self.splice.told();
        self.meter.note(|record| (record.continuations, record.rescues) = (continuations, rescues));
        let upstream = self.route.upstream.name();
        match why {
            Why::Cut => tracing::info!(upstream, continuations, "going on with an answer that was cut"),
            Why::BrokeOff(reason) => tracing::warn!(upstream, reason, "taking up an answer that broke off"),
            Why::Silent => tracing::warn!(upstream, "asking again for an answer that said nothing"),
        }
        let (route, meter) = (self.route.clone(), self.meter.clone());
        self.source = Source::Opening(Box::pin(async move {
            if meter.elapsed() > LONGEST {
                return Err(Error::new(ErrorKind::TimedOut, "the answer has taken too long to go on"));
            }
            let retried = || meter.retried();
            route.upstream.stream(route.ask(&request, &retried)).await.map(|answered| answered.body)
        }));
    }
}

impl Gateway {
    /// A whole answer over all its rounds; nothing where the first, read as `completion`, was the only one.
    pub(super) async fn turn_pages(
        &self,
        first: &Bytes,
        completion: &Chunk,
        request: &ChatRequest,
        (route, asked): (&Route, Asked),
        call: &Call,
    ) -> Option<Bytes> {
        if !may_go_on(completion) {
            return None;
        }
        let mut pages = Pages::begin(self.plan(request, route, asked, call)?, first)?;
        let name = route.upstream.name();
        let judge = route.upstream.judge();
        while let Some(request) = pages.next_round().filter(|_| call.meter.elapsed() <= LONGEST) {
            let retried = || call.meter.retried();
            let read = |body: Bytes| judge.read_whole(&body).map(|_| body);
            match route.upstream.complete(route.ask(&request, &retried), read).await {
                Ok(Answered { body, .. }) => pages.add(&body),
                Err(error) => {
                    tracing::warn!(upstream = name, reason = %error, "an answer does not go on");
                    pages.give_up();
                    break;
                }
            }
        }
        let continuations = pages.continuations();
        call.meter.note(|record| record.continuations = continuations);
        (continuations > 0).then(|| pages.finish())
    }
}
