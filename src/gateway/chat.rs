//! A call on the OpenAI face.

use super::count::off_executor;
use super::flow::{self, Opening};
use super::relay::{self, Asked, Relay};
use super::route::Route;
use super::{Answer, Call, Gateway, Reply};
use crate::error::Result;
use crate::policy;
use crate::translate::tokens::{self, Vocabulary};
use crate::translate::{check, tools};
use crate::upstream::{Answered, FrameStream, Upstream};
use crate::wire::json::Raw;
use crate::wire::openai::{ChatRequest, Chunk, Content, Usage};
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use std::sync::Arc;

impl Gateway {
    /// A call on the OpenAI face.
    ///
    /// # Errors
    /// What the request, the upstream or we got wrong, before anything was answered.
    pub async fn chat(&self, mut request: ChatRequest, call: &Call) -> Result<Reply> {
        let (model, route) = self.begin(request.get("model"), call)?;
        let dialect = &route.upstream.profile().dialect;
        if let Some(tools) = request.get("tools").and_then(|tools| tools::adopt(tools, dialect)) {
            request.set("tools", tools);
        }
        check::chat(&request)?;
        call.meter.note(|record| record.upstream = route.upstream.name().to_owned());
        let renamed = (route.model != model).then_some(model);
        if renamed.is_some() {
            request.set("model", Raw::of(&route.model));
        }
        let fitted = policy::request::fit(&mut request, route.upstream.profile());
        let asked = Asked {
            upstream: route.upstream.name().to_owned(),
            renamed,
            wants_usage: !fitted.usage_is_ours,
            seed: call.id.chars().filter(char::is_ascii_alphanumeric).collect(),
        };
        let (answer, limits) = if request.is_stream() {
            self.chat_stream(&route, request, asked, call).await?
        } else {
            let retried = || call.meter.retried();
            let read = |body| relay::whole(&asked, body);
            let answered = route.upstream.complete("/chat/completions", request.to_bytes(), &retried, read);
            let Answered { body: whole, limits } = answered.await?;
            call.meter.first_byte();
            let (body, usage) = match whole.usage {
                Some(usage) => (whole.body, usage),
                None => {
                    let vocabulary = Vocabulary::of_model(&route.model);
                    let counted = off_executor(move || estimate(vocabulary, &request, &whole.chunk)).await?;
                    (relay::with_estimate(whole.body, counted), counted)
                }
            };
            note_usage(call, Some(usage));
            (Answer::Whole(body), limits)
        };
        Ok(Reply {
            answer,
            upstream: route.upstream.name().to_owned(),
            model: route.model,
            limits,
            warnings: Vec::new(),
        })
    }

    async fn chat_stream(
        &self,
        route: &Route,
        request: ChatRequest,
        asked: Asked,
        call: &Call,
    ) -> Result<(Answer, Limits)> {
        let upstream = Arc::clone(&route.upstream);
        let (frames, limits, late) = self.open_stream(&upstream, request.to_bytes(), call).await?;
        let readings = frames.map(move |frame| {
            let frame = frame?;
            let reading = upstream.read(&frame)?;
            Ok((frame, reading))
        });
        let call = call.clone();
        let relayed = flow::drive(readings, Relay::new(asked), move |relay, failed| {
            note_usage(&call, relay.usage());
            call.meter.said_all(failed);
        });
        let sign = Frame::comment(": keep-alive\n\n");
        let head = futures_util::stream::iter(late.then(|| sign.clone()));
        let frames = flow::keep_alive(head.chain(relayed), self.patience.ping, sign);
        Ok((Answer::Stream(frames), limits))
    }

    /// Opens a stream, held no longer than a caller may be kept waiting, and notes its first frame.
    pub(super) async fn open_stream(
        &self,
        upstream: &Arc<Upstream>,
        body: Bytes,
        call: &Call,
    ) -> Result<Opened> {
        let upstream = Arc::clone(upstream);
        let meter = call.meter.clone();
        let opening = async move { upstream.stream(body, &|| meter.retried()).await };
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

/// What a provider's headers say of its limits.
pub(super) type Limits = Vec<(String, String)>;

/// The frames of a stream that is open, or of one that will be; and whether it is late, when its
/// headers come too late to be told.
pub(super) type Opened = (FrameStream, Limits, bool);

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

/// Notes the tokens of an answer.
pub(super) fn note_usage(call: &Call, usage: Option<Usage>) {
    if let Some(usage) = usage {
        call.meter.note(|record| {
            record.tokens_in = Some(usage.prompt_tokens);
            record.tokens_out = Some(usage.completion_tokens);
        });
    }
}

/// Our own count of a whole answer that came without one (D09).
fn estimate(vocabulary: Vocabulary, request: &ChatRequest, chunk: &Chunk) -> Usage {
    let choices = chunk.choices.as_deref().unwrap_or_default();
    let texts = choices.iter().flat_map(|choice| [&choice.delta.content, &choice.delta.reasoning_content]);
    let texts = texts.filter_map(|content| content.as_ref().and_then(Content::as_text));
    Usage {
        prompt_tokens: tokens::estimate(vocabulary, request.messages(), request.get("tools")),
        completion_tokens: texts.map(|text| tokens::count(vocabulary, text)).sum(),
        ..Usage::default()
    }
}
