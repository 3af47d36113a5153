//! Bodies that no rule touches but the model's name: embeddings and plain completions.

use super::{Answer, Call, Gateway, Passthrough, Reply, ask, flow};
use crate::error::{Error, Result};
use crate::step::{Ending, Step};
use crate::translate::failure::openai_envelope;
use crate::upstream::{Answered, Ask};
use crate::wire::json::{Members, Raw};
use crate::wire::sse::Frame;
use bytes::Bytes;

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

impl Gateway {
    /// Passes a body on to a path that no rule touches but the model's name.
    ///
    /// # Errors
    /// As [`Gateway::chat`].
    pub async fn pass(&self, path: Passthrough, body: Bytes, call: &Call) -> Result<Reply> {
        let mut members = Members::parse(&body).map_err(|error| crate::wire::body::syntax_error(&error))?;
        let (model, route) = self.begin(members.get("model"), call)?;
        call.meter.note(|record| record.upstream = route.upstream.name().to_owned());
        let body = if route.model == model {
            body
        } else {
            members.set("model", Raw::of(&route.model));
            members.to_raw().bytes()
        };
        let stream = members.get("stream").and_then(Raw::bool) == Some(true);
        let place = ask::admit(&route, &call.meter).await?;
        let retried = || call.meter.retried();
        let ask = Ask { path: path.path(), model: &route.model, body, retried: &retried };
        let (answer, limits) = if stream {
            let Answered { body: frames, limits } = route.upstream.raw_stream(ask).await?;
            let noted = call.clone();
            let frames = flow::drive(frames, Untouched, call.over.clone(), move |_, failed| {
                drop(place);
                noted.meter.said_all(failed);
            });
            let sign = Frame::comment(": keep-alive\n\n");
            (Answer::Stream(flow::keep_alive(frames, self.patience.ping, sign)), limits)
        } else {
            let Answered { body, limits } = route.upstream.complete(ask, Ok).await?;
            (Answer::Whole(body), limits)
        };
        call.meter.first_byte();
        Ok(Reply::new(answer, limits, &route, Vec::new(), call))
    }
}
