//! A call on the Anthropic face.

use super::ask::{self, Limits, Opened};
use super::continuation::read_on;
use super::count::off_executor;
use super::flow;
use super::route::Route;
use super::{Answer, Call, Gateway, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::policy::calls::CallFilter;
use crate::policy::continuation::Asked;
use crate::policy::thinking::ThinkingFilter;
use crate::step::{Step as _, Then};
use crate::translate::request::{Translated, check_call, messages_to_chat};
use crate::translate::tokens::Vocabulary;
use crate::translate::{Echo, MessageStream, completion_to_message};
use crate::upstream::{Answered, Upstream};
use crate::wire::anthropic::{Event, Message, MessagesRequest, Usage};
use crate::wire::openai::{ChatRequest, Chunk, Reading};
use crate::wire::sse::Frame;
use futures_util::stream::StreamExt as _;

/// A request that is ready to be sent, and what its answer needs.
struct Prepared {
    route: Route,
    request: ChatRequest,
    echo: Echo,
    seed: String,
    /// What the rules of continuation want to know of it.
    asked: Asked,
    warnings: Vec<String>,
    warm_up: bool,
}

/// Up to what size a request is translated where it is. Chosen: below 0.1 ms.
const INLINE_BYTES: usize = 32 * 1024;
/// How many losses a header tells; the log has all of them.
const MAX_WARNINGS: usize = 8;

impl Gateway {
    /// A call on the Anthropic face.
    ///
    /// # Errors
    /// What the request, the upstream or we got wrong, before anything was answered.
    pub async fn messages(&self, request: MessagesRequest, call: &Call) -> Result<Reply> {
        let (model, route) = self.begin(request.get("model"), call)?;
        check_call(&request, call.must_be_bounded)?;
        let stream = request.is_stream();
        call.meter.note(|record| record.upstream = route.upstream.name().to_owned());
        let mut prepared = self.prepare(request, model, route, call).await?;
        if !prepared.warm_up {
            // Claude Code compacts its history itself, and must hear that it is time (C04); a person does not.
            let trims = !call.must_be_bounded;
            prepared.request = self.make_fit(prepared.request, &prepared.route, trims, call).await?;
            prepared.asked.window = self.window(&prepared.route);
        }
        let (route, warnings) = (prepared.route.clone(), prepared.warnings.clone());
        let (answer, limits) = match (prepared.warm_up, stream) {
            (true, _) => (warmed_up(prepared, stream), Limits::new()),
            (false, true) => self.message_stream(prepared, call).await?,
            (false, false) => self.whole_message(prepared, call).await?,
        };
        Ok(Reply::new(answer, limits, &route, warnings, call))
    }

    /// How many input tokens a request has, by our own estimate (H01).
    ///
    /// # Errors
    /// `InvalidRequest` where the request cannot be translated.
    pub async fn count_tokens(&self, request: MessagesRequest, call: &Call) -> Result<u64> {
        let (model, route) = self.begin(request.get("model"), call)?;
        call.meter.note(|record| record.upstream = route.upstream.name().to_owned());
        let prepared = self.prepare(request, model, route, call).await?;
        self.counter.count(prepared.echo.vocabulary, &prepared.request).await
    }

    /// Translates a request, off the executor where it is large.
    async fn prepare(
        &self,
        request: MessagesRequest,
        model: String,
        route: Route,
        call: &Call,
    ) -> Result<Prepared> {
        let is_small = request.size_hint() <= INLINE_BYTES;
        let id = call.id.clone();
        let prepare = move || prepare(request, model, route, &id);
        if is_small { prepare() } else { off_executor(prepare).await? }
    }

    async fn message_stream(&self, prepared: Prepared, call: &Call) -> Result<(Answer, Limits)> {
        let Prepared { route, request, mut echo, seed, asked, .. } = prepared;
        let counted = self.counter.count(echo.vocabulary, &request);
        let plan = self.plan(&request, &route, asked, call);
        let Opened { frames, limits, late, place } = self.open_stream(&route, request, call).await?;
        let inline_think = route.upstream.profile().inline_think;
        let steps = Then::new(CallFilter::new(seed), ThinkingFilter::new(inline_think));
        echo.input_tokens = counted.await?;
        let mut stream = MessageStream::new(echo);
        let mut head = Vec::new();
        if late {
            stream.start(&mut head);
        }
        let items = read_on(frames, plan, &route, call);
        let readings = items.map(|item| item.map(|(_, reading)| reading));
        let call = call.clone();
        let over = call.over.clone();
        let events = flow::drive(readings, Then::new(steps, stream), over, move |steps, failed| {
            drop(place);
            note(&call, steps.second().usage());
            call.meter.said_all(failed);
        });
        let frames = futures_util::stream::iter(head).chain(events).map(|event| event.to_frame());
        let frames = flow::keep_alive(frames, self.patience.ping, Event::Ping.to_frame());
        Ok((Answer::Stream(frames), limits))
    }

    async fn whole_message(&self, prepared: Prepared, call: &Call) -> Result<(Answer, Limits)> {
        let Prepared { route, request, mut echo, seed, asked, .. } = prepared;
        let _place = ask::admit(&route, &call.meter).await?;
        let name = route.upstream.name();
        let read = |body| Ok((policy::failure::read_whole(name, &body)?, body));
        let Answered { body: (mut completion, body), limits } =
            ask::complete(&route, &request, call, read).await?;
        call.meter.first_byte();
        let pages = self.turn_pages(&body, &completion, &request, (&route, asked), call).await;
        if let Some(body) = pages {
            completion = policy::failure::read_whole(name, &body)?;
        }
        // What the upstream has counted need not be counted here (B25).
        if !completion.usage.is_some_and(|usage| usage.is_counted()) {
            echo.input_tokens = self.counter.count(echo.vocabulary, &request).await?;
        }
        let message = message_of(completion, &route.upstream, echo, seed)
            .map_err(|error| route.upstream.mask(error))?;
        note(call, message.usage);
        let body = serde_json::to_vec(&message).map_err(|error| {
            Error::new(ErrorKind::Internal, "a message could not be written").with_source(error)
        })?;
        Ok((Answer::Whole(body.into()), limits))
    }
}

fn prepare(request: MessagesRequest, model: String, route: Route, call_id: &str) -> Result<Prepared> {
    let profile = route.upstream.profile();
    let Translated { request: mut chat, echo, warm_up, losses } =
        messages_to_chat(&request, &route.model, &profile.dialect)?;
    let cap = policy::request::bound(&chat);
    let asked = Asked { cap, prefilled: echo.prefix.is_some(), ..Asked::default() };
    let fitted = policy::request::fit(&mut chat, profile);
    if let Some((asked, limit)) = fitted.clamped {
        tracing::debug!(asked, limit, "max_tokens was lowered to what the upstream allows");
    }
    for loss in losses.iter() {
        tracing::warn!(path = loss.path, why = loss.why, "left out of a request");
    }
    let mut warnings = losses.lines();
    warnings.truncate(MAX_WARNINGS);
    let seed: String = call_id.chars().filter(char::is_ascii_alphanumeric).collect();
    let echo = Echo {
        id: format!("msg_{}", seed.strip_prefix("req").unwrap_or(&seed)),
        model,
        vocabulary: Vocabulary::of_model(&route.model),
        profile: profile.id.to_owned(),
        ..echo
    };
    Ok(Prepared { route, request: chat, echo, seed, asked, warnings, warm_up })
}

/// Takes a whole completion through the same steps as a stream.
fn message_of(completion: Chunk, upstream: &Upstream, echo: Echo, seed: String) -> Result<Message> {
    let mut steps = Then::new(CallFilter::new(seed), ThinkingFilter::new(upstream.profile().inline_think));
    let mut readings = Vec::new();
    steps.push(Reading::Chunk(completion), &mut readings)?;
    steps.push(Reading::Done, &mut readings)?;
    completion_to_message(readings, echo)
}

/// Nothing was asked for but to be ready (A30): answered here.
fn warmed_up(prepared: Prepared, stream: bool) -> Answer {
    let mut events = Vec::new();
    MessageStream::new(prepared.echo).end_at_once(&mut events);
    if stream {
        let frames: Vec<Frame> = events.iter().map(Event::to_frame).collect();
        return Answer::Stream(futures_util::stream::iter(frames).boxed());
    }
    let message = crate::translate::response::assemble(events).ok();
    Answer::Whole(message.and_then(|message| serde_json::to_vec(&message).ok()).unwrap_or_default().into())
}

fn note(call: &Call, usage: Usage) {
    call.meter.note(|record| {
        record.tokens_in = Some(usage.input_tokens + usage.cache_read_input_tokens);
        record.tokens_out = Some(usage.output_tokens);
    });
}
