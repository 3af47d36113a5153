//! A call on the Anthropic face whose upstream speaks that API itself: passed on, and looked into.

use super::Call;
use super::ask::Question;
use super::flow;
use super::messages::note;
use super::route::Route;
use crate::error::Result;
use crate::policy::images;
use crate::policy::presets::rows::Place;
use crate::translate::native::{self, Native};
use crate::upstream::{Admitted, FrameStream};
use crate::wire::anthropic::{MessagesRequest, Usage};
use crate::wire::json::Raw;
use crate::wire::sse::Frame;
use crate::wish::{Level, Wish};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use serde_json::json;
use std::sync::Arc;

/// The fewest tokens that the API takes as a budget to think. Source: its reference of `thinking.budget_tokens`.
const LEAST_BUDGET: u64 = 1024;

/// Makes a request ready; what was changed beside, and the caller's name for the model where it is another.
pub fn prepare(
    request: &MessagesRequest,
    asked: &str,
    route: &Route,
) -> (Question, Option<String>, Vec<String>) {
    let mut request = request.clone();
    let losses = native::prepare(&mut request, &route.model, route.upstream.provider().strip_fields());
    for loss in losses.iter() {
        tracing::debug!(path = loss.path, why = loss.why, "left out of a request");
    }
    let seen = route.profile.dialect.vision;
    let warnings = if seen { None } else { images::omit_blocks(&mut request) };
    let has_own = request.get("thinking").is_some();
    if let Some(wish) = route.wish.or(route.alias_wish.filter(|_| !has_own)) {
        ask_to_think(&mut request, wish);
    }
    let renamed = (route.model != asked).then(|| asked.to_owned());
    (Question::Native(request), renamed, warnings.into_iter().collect())
}

/// Says in the API's own words what stood behind the model's name.
fn ask_to_think(request: &mut MessagesRequest, wish: Wish) {
    let level = |level: Level| match level {
        Level::Minimal | Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Xhigh | Level::Max => "max",
    };
    let (thinking, effort) = match wish {
        Wish::Off => (json!({ "type": "disabled" }), None),
        Wish::On => (json!({ "type": "adaptive" }), None),
        Wish::Level(wished) => (json!({ "type": "adaptive" }), Some(level(wished))),
        // The API takes no fewer, and none that leave no room for the answer.
        Wish::Budget(tokens) => match request.get("max_tokens").and_then(Raw::u64) {
            Some(most) if most <= LEAST_BUDGET => (json!({ "type": "adaptive" }), None),
            most => {
                let tokens = tokens.max(LEAST_BUDGET).min(most.map_or(u64::MAX, |most| most - 1));
                (json!({ "type": "enabled", "budget_tokens": tokens }), None)
            }
        },
    };
    request.set("thinking", Raw::of(&thinking));
    if let Some(effort) = effort {
        let config = request.get("output_config").and_then(Raw::members).unwrap_or_default();
        request.set("output_config", config.with("effort", Raw::of(effort)).to_raw());
    }
}

/// Looks through a whole message.
///
/// # Errors
/// The error that the body says, or `BadAnswer` where it holds no message.
pub fn read_whole(route: &Route, renamed: Option<&str>, body: Bytes) -> Result<(Bytes, Option<Usage>)> {
    let judge = |text: &[u8]| route.upstream.judge().in_band(Place::Body, text);
    native::whole(renamed, route.upstream.name(), body, judge)
}

/// The events of a stream. Where the message has been `begun` already, its first event is left out.
pub fn frames(
    frames: FrameStream,
    renamed: Option<String>,
    route: &Route,
    place: Admitted,
    begun: bool,
    call: &Call,
) -> BoxStream<'static, Frame> {
    let upstream = Arc::clone(&route.upstream);
    let judge = move |text: &[u8]| {
        let error = upstream.judge().in_band(Place::Stream, text)?;
        Some(upstream.told(error))
    };
    let step = Native::new(route.upstream.name(), renamed, judge);
    let call = call.clone();
    let over = call.over.clone();
    let events = flow::drive(frames, step, over, move |step, failed| {
        drop(place);
        step.usage().into_iter().for_each(|usage| note(&call, usage));
        call.meter.said_all(failed);
    });
    let is_wanted = move |frame: &Frame| !(begun && frame.event.as_deref() == Some("message_start"));
    events.filter(move |frame| std::future::ready(is_wanted(frame))).boxed()
}
