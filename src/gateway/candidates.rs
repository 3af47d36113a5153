//! The upstreams that may answer a call: which, in what order, and when the next one is asked.

use super::ask::{Face, Prepared};
use super::route::{How, Route};
use super::{Call, Gateway};
use crate::error::{Class, Error, ErrorKind, Fault, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// Whether another upstream may have what this one has not: it is down, or out of quota.
pub(super) fn may_be_elsewhere(error: &Error) -> bool {
    if error.fault() == Fault::Local {
        return false;
    }
    match error.kind() {
        ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::Overloaded
        | ErrorKind::RateLimited
        | ErrorKind::QuotaExhausted
        | ErrorKind::BadAnswer => true,
        ErrorKind::Forbidden => error.class() == Some(Class::Blocked),
        ErrorKind::Usage
        | ErrorKind::NotConfigured
        | ErrorKind::InvalidRequest
        | ErrorKind::PromptTooLong
        | ErrorKind::AccessDenied
        | ErrorKind::LoginRequired
        | ErrorKind::NotFound
        | ErrorKind::TooLarge
        | ErrorKind::Interrupted
        | ErrorKind::Internal => false,
    }
}

/// The upstreams that may answer a call: the first, and those that stand in for it.
pub(super) struct Candidates {
    first: Route,
    others: VecDeque<Route>,
}

impl Candidates {
    /// One, and nobody to stand in for it.
    pub(super) fn only(first: Route) -> Self {
        Self { first, others: VecDeque::new() }
    }
}

impl Gateway {
    /// The candidates for a call. Those that are known to be out are asked last.
    pub(super) fn candidates(&self, asked: &str, first: Route, call: &Call) -> Candidates {
        let others = self.fallbacks(asked, &first);
        if !others.is_empty() {
            call.meter.note(|record| record.first = Some(first.full_name()));
        }
        let is_out = |route: &Route| route.upstream.is_out(&route.model);
        let mut all: Vec<Route> = std::iter::once(first).chain(others).collect();
        if all.len() > 1 {
            all.sort_by_key(is_out);
        }
        let mut all = VecDeque::from(all);
        let Some(first) = all.pop_front() else { unreachable!("the first was just put in") };
        if first.how == How::Fallback {
            tracing::warn!(
                upstream = first.upstream.name(),
                model = first.model,
                "the first choice is out: asking another"
            );
        }
        Candidates { first, others: all }
    }

    /// Makes the request ready for the first candidate. Where that is itself one that stands in, and the request
    /// is none for it, for the next one.
    ///
    /// # Errors
    /// What is wrong with the request, or cannot be said to the first candidate.
    pub(super) async fn first_ready<F: Face>(
        &self,
        face: &F,
        candidates: Candidates,
        call: &Call,
    ) -> Result<(Prepared<F::Rest>, VecDeque<Route>)> {
        let Candidates { first, mut others } = candidates;
        let stands_in = first.how == How::Fallback;
        let prepared = match face.prepare(self, first, call).await {
            Ok(prepared) => prepared,
            Err(error) if stands_in => self.next_ready(face, &mut others, call).await.ok_or(error)?,
            Err(error) => return Err(error),
        };
        call.meter.note(|record| record.goes_to(&prepared.route));
        Ok((prepared, others))
    }

    /// Makes the request ready for the next candidate that it is one for: it may not fit a smaller window.
    pub(super) async fn next_ready<F: Face>(
        &self,
        face: &F,
        others: &mut VecDeque<Route>,
        call: &Call,
    ) -> Option<Prepared<F::Rest>> {
        while let Some(next) = others.pop_front() {
            let (upstream, model) = (Arc::clone(&next.upstream), next.model.clone());
            // What was left out for the window of another is not left out for this one.
            call.meter.note(|record| record.trimmed = None);
            match face.prepare(self, next, call).await {
                Ok(prepared) => return Some(prepared),
                Err(error) => {
                    tracing::warn!(upstream = upstream.name(), model, reason = %error, "passing over an upstream");
                }
            }
        }
        None
    }
}
