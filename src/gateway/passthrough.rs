//! Bodies that no rule touches but the model's name: embeddings and plain completions.

use super::ask::{Face, Prepared, Question, Reads};
use super::candidates::Candidates;
use super::route::Route;
use super::{Answer, Call, Gateway, Passthrough, Reply, Told, flow};
use crate::error::{Error, Result};
use crate::step::{Ending, Step};
use crate::translate::failure::openai_envelope;
use crate::upstream::Answered;
use crate::wire::json::{Members, Raw};
use crate::wire::sse::Frame;
use bytes::Bytes;
use std::sync::Arc;

impl Passthrough {
    fn path(self) -> &'static str {
        match self {
            Self::Embeddings => "/embeddings",
            Self::Completions => "/completions",
        }
    }
}

/// Forwards every frame as it is, and says what the stream fails with.
struct Untouched;

impl Step for Untouched {
    type In = Frame;
    type Out = Frame;

    fn push(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<()> {
        out.push(frame);
        Ok(())
    }

    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Frame>) -> Option<Error> {
        if let Ending::Failed(error) = ending {
            out.push(Frame::json(None, &openai_envelope(error)));
        }
        None
    }
}

/// A body as the caller sent it.
struct Body {
    path: Passthrough,
    body: Bytes,
    members: Members,
    /// The model's name as the caller said it.
    model: String,
}

impl Face for Body {
    type Rest = ();

    async fn prepare(&self, _gateway: &Gateway, route: Route, _call: &Call) -> Result<Prepared<()>> {
        let body = if route.model == self.model {
            self.body.clone()
        } else {
            let mut members = self.members.clone();
            members.set("model", Raw::of(&route.model));
            members.to_raw().bytes()
        };
        Ok(Prepared { route, question: Question::Raw(self.path.path(), body), rest: () })
    }
}

struct Unread;

impl Reads<()> for Unread {
    type Whole = Bytes;

    fn read(&self, _prepared: &Prepared<()>, body: Bytes) -> Result<Bytes> {
        Ok(body)
    }
}

impl Gateway {
    /// Passes a body on to a path that no rule touches but the model's name.
    ///
    /// # Errors
    /// As [`Gateway::chat`].
    pub async fn pass(self: &Arc<Self>, path: Passthrough, body: Bytes, call: &Call) -> Result<Reply> {
        let members = Members::parse(&body).map_err(|error| crate::wire::body::syntax_error(&error))?;
        let (model, route) = self.begin(members.get("model"), call)?;
        let stream = members.get("stream").and_then(Raw::bool) == Some(true);
        // Vectors of another model would stand beside those that the caller has, and mean something else.
        let candidates = match path {
            Passthrough::Embeddings => Candidates::only(route),
            Passthrough::Completions => self.candidates(&model, route, call),
        };
        let face = Body { path, body, members, model };
        let (prepared, others) = self.first_ready(&face, candidates, call).await?;
        if !stream {
            let (prepared, Answered { body, limits }, _place) =
                self.complete(&face, prepared, others, call, Unread).await?;
            let told = Told { limits, ..Told::of(&prepared.route) };
            return Ok(Reply::new(Answer::Whole(body), told, call));
        }
        let (prepared, (frames, limits, place)) = self.open_now(&face, prepared, others, call).await?;
        let noted = call.clone();
        let frames = flow::drive(frames, Untouched, call.over.clone(), move |_, failed| {
            drop(place);
            noted.meter.said_all(failed);
        });
        let frames = flow::keep_alive(frames, self.patience.ping, Frame::comment(": keep-alive\n\n"));
        let told = Told { limits, ..Told::of(&prepared.route) };
        Ok(Reply::new(Answer::Stream(frames), told, call))
    }
}
