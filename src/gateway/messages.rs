//! A call on the Anthropic face.

use super::ask::{Face, Opened, Prepared, Question, Reads};
use super::continuation::read_on;
use super::count::off_executor;
use super::flow::{self, Opening};
use super::recalling::{Ear, Hearing, Memory, conversation};
use super::route::Route;
use super::{Answer, Call, Gateway, Reply, Told, native};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::policy::continuation::Asked;
use crate::policy::filters::Filters;
use crate::policy::repair::Offered;
use crate::policy::request::Fitted;
use crate::policy::think;
use crate::step::{Step as _, Then};
use crate::translate::failure::anthropic_failure;
use crate::translate::request::{Translated, check_call, messages_to_chat};
use crate::translate::tokens::Vocabulary;
use crate::translate::{Echo, MessageStream, completion_to_message};
use crate::upstream::Answered;
use crate::wire::anthropic::{Event, Message, MessagesRequest, Usage};
use crate::wire::json::Members;
use crate::wire::openai::{ChatRequest, Chunk, Reading};
use crate::wire::sse::Frame;
use bytes::Bytes;
use futures_util::future::Either;
use futures_util::stream::{BoxStream, StreamExt as _};
use std::collections::VecDeque;
use std::sync::Arc;

/// A request as the caller sent it.
#[derive(Clone)]
pub(super) struct MessagesFace {
    request: MessagesRequest,
    /// The model's name as the caller said it.
    model: String,
}

/// What the answer to a request needs, however it was sent.
pub(super) struct Rest {
    way: Way,
    pub(super) warnings: Vec<String>,
    /// What the answer says of its thinking.
    pub(super) thinking: Option<String>,
}

enum Way {
    /// Translated.
    Chat(Box<Translation>),
    /// Passed on as it came; the caller's name for the model, where it is another.
    Native(Option<String>),
}

struct Translation {
    echo: Echo,
    seed: String,
    /// What the rules of continuation want to know of it.
    asked: Asked,
    warm_up: bool,
    ear: Option<Ear>,
}

/// Up to what size a request is translated where it is. Chosen: below 0.1 ms.
const INLINE_BYTES: usize = 32 * 1024;
/// How many losses a header tells; the log has all of them.
const MAX_WARNINGS: usize = 8;

impl MessagesFace {
    /// A request, and the name in it.
    pub(super) fn new(request: MessagesRequest, model: &str) -> Self {
        Self { request, model: model.to_owned() }
    }
}

impl Face for MessagesFace {
    type Rest = Rest;

    async fn prepare(&self, gateway: &Gateway, route: Route, call: &Call) -> Result<Prepared<Rest>> {
        // A person at a terminal gets what only the translation can give: continuation, fitting, rescue.
        if route.upstream.is_native() && call.must_be_bounded {
            let (question, way, warnings) = native::prepare(&self.request, &self.model, &route);
            return Ok(Prepared {
                route,
                question,
                rest: Rest { way: Way::Native(way), warnings, thinking: None },
            });
        }
        let mut prepared = gateway.translate(self, route, call).await?;
        let (Question::Chat(request), Way::Chat(translation)) =
            (&mut prepared.question, &mut prepared.rest.way)
        else {
            return Ok(prepared);
        };
        if !translation.warm_up {
            // Claude Code compacts its history itself, and must hear that it is time (C04); a person does not.
            let trims = !call.must_be_bounded;
            let request = std::mem::take(request);
            let request = gateway.make_fit(request, &prepared.route, trims, call).await?;
            translation.asked.window = gateway.window(&prepared.route);
            prepared.question = Question::Chat(request);
        }
        Ok(prepared)
    }
}

impl Gateway {
    /// A call on the Anthropic face.
    ///
    /// # Errors
    /// What the request, the upstream or we got wrong, before anything was answered.
    pub async fn messages(self: &Arc<Self>, request: MessagesRequest, call: &Call) -> Result<Reply> {
        let (model, route) = self.begin(request.get("model"), call)?;
        check_call(&request, call.must_be_bounded)?;
        let route = self.for_images(route, request.messages(), call);
        let stream = request.is_stream();
        let candidates = self.candidates(&model, route, call);
        let face = MessagesFace { request, model };
        let (prepared, others) = self.first_ready(&face, candidates, call).await?;
        if let Way::Chat(translation) = &prepared.rest.way
            && translation.warm_up
        {
            let answer = warmed_up(translation.echo.clone(), stream);
            let told = Told { warnings: prepared.rest.warnings, ..Told::of(&prepared.route) };
            return Ok(Reply::new(answer, told, call));
        }
        if stream {
            return self.message_stream(face, prepared, others, call).await;
        }
        let (prepared, answered, _place) = self.complete(&face, prepared, others, call, Reader).await?;
        let Prepared { route, question, rest: Rest { way, warnings, thinking } } = prepared;
        let Answered { body: whole, limits } = answered;
        let answer = match whole {
            Whole::Native((body, usage)) => {
                usage.into_iter().for_each(|usage| note(call, usage));
                body
            }
            Whole::Chat(completion, body) => {
                let (Way::Chat(translation), Question::Chat(request)) = (way, &question) else {
                    unreachable!("a completion is the answer to a chat request")
                };
                self.whole_message((*completion, body), request, &route, *translation, call).await?
            }
        };
        let told = Told { route, limits, thinking, warnings };
        Ok(Reply::new(Answer::Whole(answer), told, call))
    }

    /// How many input tokens a request has, by our own estimate (H01).
    ///
    /// # Errors
    /// `InvalidRequest` where the request cannot be translated.
    pub async fn count_tokens(&self, request: MessagesRequest, call: &Call) -> Result<u64> {
        let (model, route) = self.begin(request.get("model"), call)?;
        let prepared = self.translate(&MessagesFace { request, model }, route, call).await?;
        let (Question::Chat(request), Way::Chat(translation)) = (&prepared.question, &prepared.rest.way)
        else {
            unreachable!("it was translated")
        };
        self.counter.count(translation.echo.vocabulary, request).await
    }

    /// Translates a request, off the executor where it is large.
    async fn translate(&self, face: &MessagesFace, route: Route, call: &Call) -> Result<Prepared<Rest>> {
        let is_small = face.request.size_hint() <= INLINE_BYTES;
        let (face, call, memory) = (face.clone(), call.clone(), self.memory.clone());
        let translate = move || translate(face, route, &call, &memory);
        if is_small { translate() } else { off_executor(translate).await? }
    }

    async fn message_stream(
        self: &Arc<Self>,
        face: MessagesFace,
        prepared: Prepared<Rest>,
        others: VecDeque<Route>,
        call: &Call,
    ) -> Result<Reply> {
        let ping = self.patience.ping;
        let first = Told::of(&prepared.route);
        // The first count of a family loads its vocabulary, which the upstream's own work hides.
        let (echo, counted) = match (&prepared.rest.way, &prepared.question) {
            (Way::Chat(translation), Question::Chat(request)) => {
                let echo = translation.echo.clone();
                let counted = self.counter.count(echo.vocabulary, request);
                (Some(echo), Either::Left(counted))
            }
            _ => (None, Either::Right(std::future::ready(Ok(1)))),
        };
        let (frames, told) = match self.open_stream(face, prepared, others, call).await? {
            Opening::Open(opened) => {
                let Opened { prepared: Prepared { route, rest, .. }, limits, .. } = &opened;
                let (thinking, warnings) = (rest.thinking.clone(), rest.warnings.clone());
                let told = Told { route: route.clone(), limits: limits.clone(), thinking, warnings };
                (self.frames_of(opened, counted.await?, false, call), told)
            }
            Opening::Late(opening) => {
                let input_tokens = counted.await?;
                let mut head = Vec::new();
                let begun = echo.is_some();
                match echo {
                    Some(echo) => MessageStream::new(Echo { input_tokens, ..echo }).start(&mut head),
                    None => head.push(Event::Ping),
                }
                let (gateway, late) = (Arc::clone(self), call.clone());
                let rest = futures_util::stream::once(async move {
                    match opening.await {
                        Ok(opened) => gateway.frames_of(opened, input_tokens, begun, &late),
                        Err(error) => {
                            late.meter.said_all(Some(&error));
                            let event = Event::Error { error: anthropic_failure(&error) };
                            futures_util::stream::iter([event.to_frame()]).boxed()
                        }
                    }
                });
                let head: Vec<Frame> = head.iter().map(Event::to_frame).collect();
                let frames = futures_util::stream::iter(head).chain(rest.flatten()).boxed();
                (frames, first)
            }
        };
        let frames = flow::keep_alive(frames, ping, Event::Ping.to_frame());
        Ok(Reply::new(Answer::Stream(frames), told, call))
    }

    /// The events of a stream that is open. `begun` says that the message has been begun already.
    fn frames_of(
        &self,
        opened: Opened<Rest>,
        input_tokens: u64,
        begun: bool,
        call: &Call,
    ) -> BoxStream<'static, Frame> {
        let Opened { prepared: Prepared { route, question, rest }, frames, place, .. } = opened;
        let (translation, request) = match (rest.way, question) {
            (Way::Chat(translation), Question::Chat(request)) => (*translation, request),
            (Way::Native(renamed), _) => return native::frames(frames, renamed, &route, place, begun, call),
            (Way::Chat(_), _) => unreachable!("a translation is a chat request"),
        };
        let Translation { echo, seed, asked, ear, .. } = translation;
        let plan = self.plan(&request, &route, asked, call);
        let filters = Filters::new(route.profile.inline_think, Offered::of(&request), &seed);
        let steps = Then::new(filters, Hearing(ear));
        let mut stream = MessageStream::new(Echo { input_tokens, ..echo });
        if begun {
            stream.start(&mut Vec::new());
        }
        let items = read_on(frames, plan, &route, call);
        let readings = items.map(|item| item.map(|(_, reading)| reading));
        let call = call.clone();
        let over = call.over.clone();
        let events = flow::drive(readings, Then::new(steps, stream), over, move |steps, failed| {
            drop(place);
            note(&call, steps.second().usage());
            let repaired = steps.first().first().repaired();
            call.meter.note(|record| record.repairs = repaired);
            if failed.is_none() {
                steps.first().second().ended();
            }
            call.meter.said_all(failed);
        });
        events.map(|event| event.to_frame()).boxed()
    }

    async fn whole_message(
        &self,
        (mut completion, body): (Chunk, Bytes),
        request: &ChatRequest,
        route: &Route,
        translation: Translation,
        call: &Call,
    ) -> Result<Bytes> {
        let Translation { mut echo, seed, asked, ear, .. } = translation;
        let pages = self.turn_pages(&body, &completion, request, (route, asked), call).await;
        if let Some(body) = pages {
            completion = route.upstream.judge().read_whole(&body)?;
        }
        // What the upstream has counted need not be counted here (B25).
        if !completion.usage.is_some_and(|usage| usage.is_counted()) {
            echo.input_tokens = self.counter.count(echo.vocabulary, request).await?;
        }
        let filters = Filters::new(route.profile.inline_think, Offered::of(request), &seed);
        let message = message_of(completion, Then::new(filters, Hearing(ear)), echo, call)
            .map_err(|error| route.upstream.told(error))?;
        note(call, message.usage);
        let body = serde_json::to_vec(&message).map_err(|error| {
            Error::new(ErrorKind::Internal, "a message could not be written").with_source(error)
        })?;
        Ok(body.into())
    }
}

/// A whole answer as it was read.
enum Whole {
    Chat(Box<Chunk>, Bytes),
    Native((Bytes, Option<Usage>)),
}

struct Reader;

impl Reads<Rest> for Reader {
    type Whole = Whole;

    fn read(&self, prepared: &Prepared<Rest>, body: Bytes) -> Result<Whole> {
        let route = &prepared.route;
        match &prepared.rest.way {
            Way::Chat(_) => Ok(Whole::Chat(Box::new(route.upstream.judge().read_whole(&body)?), body)),
            Way::Native(renamed) => native::read_whole(route, renamed.as_deref(), body).map(Whole::Native),
        }
    }
}

fn translate(face: MessagesFace, route: Route, call: &Call, memory: &Memory) -> Result<Prepared<Rest>> {
    let profile = &route.profile;
    let Translated { request: mut chat, echo, wish, warm_up, losses } =
        messages_to_chat(&face.request, &route.model, &profile.dialect)?;
    let cap = policy::request::bound(&chat);
    let asked = Asked { cap, prefilled: echo.prefix.is_some(), ..Asked::default() };
    let conversation = conversation(&chat, profile);
    call.meter.note(|record| record.conversation = conversation);
    let wishes = think::Asked::first_of(route.wish, wish, think::Source::Translated, route.alias_wish);
    let recalling = |message: &Members| memory.of_message(conversation, message);
    let Fitted { clamped, thinking, warnings: fitted, .. } =
        policy::request::fit(&mut chat, profile, wishes, &recalling);
    if let Some((asked, limit)) = clamped {
        tracing::debug!(asked, limit, "max_tokens was lowered to what the upstream allows");
    }
    for loss in losses.iter() {
        tracing::warn!(path = loss.path, why = loss.why, "left out of a request");
    }
    let mut warnings = losses.lines();
    warnings.extend(fitted);
    warnings.truncate(MAX_WARNINGS);
    let seed: String = call.id.chars().filter(char::is_ascii_alphanumeric).collect();
    let echo = Echo {
        id: format!("msg_{}", seed.strip_prefix("req").unwrap_or(&seed)),
        model: face.model,
        vocabulary: Vocabulary::of_model(&route.model),
        profile: profile.id.clone(),
        ..echo
    };
    let way = Way::Chat(Box::new(Translation { echo, seed, asked, warm_up, ear: memory.ear(conversation) }));
    Ok(Prepared { route, question: Question::Chat(chat), rest: Rest { way, warnings, thinking } })
}

/// Takes a whole completion through the same steps as a stream.
fn message_of(
    completion: Chunk,
    mut steps: Then<Filters, Hearing>,
    echo: Echo,
    call: &Call,
) -> Result<Message> {
    let mut readings = Vec::new();
    steps.push(Reading::Chunk(completion), &mut readings)?;
    steps.push(Reading::Done, &mut readings)?;
    let message = completion_to_message(readings, echo)?;
    steps.second().ended();
    let repaired = steps.first().repaired();
    call.meter.note(|record| record.repairs = repaired);
    Ok(message)
}

/// Nothing was asked for but to be ready (A30): answered here.
fn warmed_up(echo: Echo, stream: bool) -> Answer {
    let mut events = Vec::new();
    MessageStream::new(echo).end_at_once(&mut events);
    if stream {
        let frames: Vec<Frame> = events.iter().map(Event::to_frame).collect();
        return Answer::Stream(futures_util::stream::iter(frames).boxed());
    }
    let message = crate::translate::response::assemble(events).ok();
    Answer::Whole(message.and_then(|message| serde_json::to_vec(&message).ok()).unwrap_or_default().into())
}

/// Notes the tokens of an answer.
pub(super) fn note(call: &Call, usage: Usage) {
    call.meter.note(|record| {
        record.tokens_in = Some(usage.input_tokens + usage.cache_read_input_tokens);
        record.tokens_out = Some(usage.output_tokens);
    });
}
