//! A call on the OpenAI face.

use super::ask::{self, Limits, Opened};
use super::continuation::read_on;
use super::count::off_executor;
use super::flow;
use super::relay::{self, Asked, Relay};
use super::route::Route;
use super::{Answer, Call, Gateway, Reply};
use crate::error::Result;
use crate::policy;
use crate::policy::continuation;
use crate::translate::tokens::{self, Vocabulary};
use crate::translate::{check, tools};
use crate::upstream::Answered;
use crate::wire::json::Raw;
use crate::wire::openai::{ChatRequest, Chunk, Content, Usage};
use crate::wire::sse::Frame;
use futures_util::stream::StreamExt as _;

/// A request that is ready to be sent, and what its answer needs.
struct Prepared {
    route: Route,
    request: ChatRequest,
    asked: Asked,
    /// What the rules of continuation want to know of it.
    bounds: continuation::Asked,
}

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
        let cap = policy::request::bound(&request);
        let fitted = policy::request::fit(&mut request, route.upstream.profile());
        let request = self.make_fit(request, &route, true, call).await?;
        let bounds = continuation::Asked { cap, prefilled: false, window: self.window(&route) };
        let asked = Asked {
            upstream: route.upstream.name().to_owned(),
            renamed,
            wants_usage: !fitted.usage_is_ours,
            seed: call.id.chars().filter(char::is_ascii_alphanumeric).collect(),
        };
        let prepared = Prepared { route: route.clone(), request, asked, bounds };
        let (answer, limits) = if prepared.request.is_stream() {
            self.chat_stream(prepared, call).await?
        } else {
            self.whole_chat(prepared, call).await?
        };
        Ok(Reply::new(answer, limits, &route, Vec::new(), call))
    }

    async fn whole_chat(&self, prepared: Prepared, call: &Call) -> Result<(Answer, Limits)> {
        let Prepared { route, request, asked, bounds } = prepared;
        let _place = ask::admit(&route, &call.meter).await?;
        let read = |body| relay::whole(&asked, body);
        let Answered { body: mut whole, limits } = ask::complete(&route, &request, call, read).await?;
        call.meter.first_byte();
        let pages = self.turn_pages(&whole.body, &whole.chunk, &request, (&route, bounds), call).await;
        if let Some(body) = pages {
            whole = relay::whole(&asked, body)?;
        }
        let (body, usage) = match whole.usage {
            Some(usage) => (whole.body, usage),
            None => {
                let vocabulary = Vocabulary::of_model(&route.model);
                let counted = off_executor(move || estimate(vocabulary, &request, &whole.chunk)).await?;
                (relay::with_estimate(whole.body, counted), counted)
            }
        };
        note_usage(call, Some(usage));
        Ok((Answer::Whole(body), limits))
    }

    async fn chat_stream(&self, prepared: Prepared, call: &Call) -> Result<(Answer, Limits)> {
        let Prepared { route, request, asked, bounds } = prepared;
        let plan = self.plan(&request, &route, bounds, call);
        let Opened { frames, limits, late, place } = self.open_stream(&route, request, call).await?;
        let items = read_on(frames, plan, &route, call);
        let call = call.clone();
        let relayed = flow::drive(items, Relay::new(asked), call.over.clone(), move |relay, failed| {
            drop(place);
            note_usage(&call, relay.usage());
            call.meter.said_all(failed);
        });
        let sign = Frame::comment(": keep-alive\n\n");
        let head = futures_util::stream::iter(late.then(|| sign.clone()));
        let frames = flow::keep_alive(head.chain(relayed), self.patience.ping, sign);
        Ok((Answer::Stream(frames), limits))
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
