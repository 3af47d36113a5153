//! A call on the OpenAI face.

use super::ask::{Face, Opened, Prepared, Question, Reads};
use super::continuation::read_on;
use super::count::off_executor;
use super::flow::{self, Opening};
use super::recalling::conversation;
use super::relay::{self, Asked, Relay};
use super::route::Route;
use super::{Answer, Call, Gateway, Reply, Told};
use crate::error::Result;
use crate::policy::continuation;
use crate::policy::repair::Offered;
use crate::policy::{request, think};
use crate::translate::failure::openai_envelope;
use crate::translate::tokens::{self, Vocabulary};
use crate::translate::{check, tools};
use crate::upstream::Answered;
use crate::wire::json::{Members, Raw};
use crate::wire::openai::{ChatRequest, Chunk, Content, Usage};
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use std::collections::VecDeque;
use std::sync::Arc;

/// A request as the caller sent it.
pub(super) struct ChatFace {
    request: ChatRequest,
    /// The model's name as the caller said it.
    model: String,
}

/// What the answer to a request needs.
pub(super) struct Rest {
    asked: Asked,
    /// What the rules of continuation want to know of it.
    bounds: continuation::Asked,
    pub(super) warnings: Vec<String>,
    /// What the answer says of its thinking.
    pub(super) thinking: Option<String>,
}

impl ChatFace {
    /// A request, and the name in it.
    pub(super) fn new(request: ChatRequest, model: &str) -> Self {
        Self { request, model: model.to_owned() }
    }
}

impl Face for ChatFace {
    type Rest = Rest;

    async fn prepare(&self, gateway: &Gateway, route: Route, call: &Call) -> Result<Prepared<Rest>> {
        let profile = Arc::clone(&route.profile);
        let mut request = self.request.clone();
        if let Some(tools) = request.get("tools").and_then(|tools| tools::adopt(tools, &profile.dialect)) {
            request.set("tools", tools);
        }
        let renamed = (route.model != self.model).then(|| self.model.clone());
        if renamed.is_some() {
            request.set("model", Raw::of(&route.model));
        }
        let cap = request::bound(&request);
        let conversation = conversation(&request, &profile);
        call.meter.note(|record| record.conversation = conversation);
        let recalling = |message: &Members| gateway.memory.of_message(conversation, message);
        let wish = think::wish_of(&request);
        let wishes = think::Asked::first_of(route.wish, wish, think::Source::Body, route.alias_wish);
        let fitted = request::fit(&mut request, &profile, wishes, &recalling);
        let request = gateway.make_fit(request, &route, true, call).await?;
        let bounds = continuation::Asked { cap, prefilled: false, window: gateway.window(&route) };
        let asked = Asked {
            judge: route.upstream.judge().clone(),
            renamed,
            wants_usage: !fitted.usage_is_ours,
            seed: call.id.chars().filter(char::is_ascii_alphanumeric).collect(),
            inline_think: profile.inline_think,
            offered: Offered::of(&request),
            ear: gateway.memory.ear(conversation),
        };
        let rest = Rest { asked, bounds, warnings: fitted.warnings, thinking: fitted.thinking };
        Ok(Prepared { route, question: Question::Chat(request), rest })
    }
}

impl Gateway {
    /// A call on the OpenAI face.
    ///
    /// # Errors
    /// What the request, the upstream or we got wrong, before anything was answered.
    pub async fn chat(self: &Arc<Self>, request: ChatRequest, call: &Call) -> Result<Reply> {
        let (model, route) = self.begin(request.get("model"), call)?;
        // Tools in the other API's form are taken as well (D10), so it is their own form that is judged.
        let dialect = &route.profile.dialect;
        match request.get("tools").and_then(|tools| tools::adopt(tools, dialect)) {
            Some(tools) => {
                let mut adopted = request.clone();
                adopted.set("tools", tools);
                check::chat(&adopted)?;
            }
            None => check::chat(&request)?,
        }
        let route = self.for_images(route, request.messages(), call);
        let stream = request.is_stream();
        let candidates = self.candidates(&model, route, call);
        let face = ChatFace { request, model };
        let (prepared, others) = self.first_ready(&face, candidates, call).await?;
        if stream {
            self.chat_stream(face, prepared, others, call).await
        } else {
            self.whole_chat(face, prepared, others, call).await
        }
    }

    async fn whole_chat(
        &self,
        face: ChatFace,
        first: Prepared<Rest>,
        others: VecDeque<Route>,
        call: &Call,
    ) -> Result<Reply> {
        let (prepared, answered, _place) = self.complete(&face, first, others, call, Reader).await?;
        let Answered { body: mut whole, limits } = answered;
        let Prepared { route, question, rest } = prepared;
        let Question::Chat(request) = question else { unreachable!("this face asks for chat completions") };
        let pages = self.turn_pages(&whole.body, &whole.chunk, &request, (&route, rest.bounds), call).await;
        if let Some(body) = pages {
            whole = relay::whole(&rest.asked, body)?;
        }
        rest.asked.heard(&whole.chunk);
        call.meter.note(|record| record.repairs = whole.repaired);
        let (body, usage) = match whole.usage {
            Some(usage) => (whole.body, usage),
            None => {
                let vocabulary = Vocabulary::of_model(&route.model);
                let counted = off_executor(move || estimate(vocabulary, &request, &whole.chunk)).await?;
                (relay::with_estimate(whole.body, counted), counted)
            }
        };
        note_usage(call, Some(usage));
        let told = Told { route, limits, thinking: rest.thinking, warnings: rest.warnings };
        Ok(Reply::new(Answer::Whole(body), told, call))
    }

    async fn chat_stream(
        self: &Arc<Self>,
        face: ChatFace,
        first: Prepared<Rest>,
        others: VecDeque<Route>,
        call: &Call,
    ) -> Result<Reply> {
        let sign = Frame::comment(": keep-alive\n\n");
        let known = Told::of(&first.route);
        let (frames, told) = match self.open_stream(face, first, others, call).await? {
            Opening::Open(opened) => {
                let Prepared { route, rest, .. } = &opened.prepared;
                let (thinking, warnings) = (rest.thinking.clone(), rest.warnings.clone());
                let told = Told { route: route.clone(), limits: opened.limits.clone(), thinking, warnings };
                (self.chunks_of(opened, call), told)
            }
            Opening::Late(opening) => {
                let (gateway, late) = (Arc::clone(self), call.clone());
                let rest = futures_util::stream::once(async move {
                    match opening.await {
                        Ok(opened) => gateway.chunks_of(opened, &late),
                        Err(error) => {
                            late.meter.said_all(Some(&error));
                            let frame = Frame::json(None, &openai_envelope(&error));
                            futures_util::stream::iter([frame]).boxed()
                        }
                    }
                });
                let head = futures_util::stream::iter([sign.clone()]);
                (head.chain(rest.flatten()).boxed(), known)
            }
        };
        let frames = flow::keep_alive(frames, self.patience.ping, sign);
        Ok(Reply::new(Answer::Stream(frames), told, call))
    }

    /// The chunks of a stream that is open.
    fn chunks_of(&self, opened: Opened<Rest>, call: &Call) -> BoxStream<'static, Frame> {
        let Opened { prepared: Prepared { route, question, rest }, frames, place, .. } = opened;
        let Question::Chat(request) = question else { unreachable!("this face asks for chat completions") };
        let plan = self.plan(&request, &route, rest.bounds, call);
        let items = read_on(frames, plan, &route, call);
        let call = call.clone();
        flow::drive(items, Relay::new(rest.asked), call.over.clone(), move |relay, failed| {
            drop(place);
            note_usage(&call, relay.usage());
            call.meter.note(|record| record.repairs = relay.repaired());
            if failed.is_none() {
                relay.ended();
            }
            call.meter.said_all(failed);
        })
        .boxed()
    }
}

struct Reader;

impl Reads<Rest> for Reader {
    type Whole = relay::Whole;

    fn read(&self, prepared: &Prepared<Rest>, body: Bytes) -> Result<relay::Whole> {
        relay::whole(&prepared.rest.asked, body)
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
