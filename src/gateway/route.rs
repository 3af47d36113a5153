//! Which upstream a model's name means, and what the model is called there.

use super::{Call, Gateway};
use crate::error::{Error, ErrorKind, Result};
use crate::translate::check;
use crate::upstream::Upstream;
use crate::wire::json::Raw;
use std::sync::Arc;

/// Where a call goes.
#[derive(Clone)]
pub struct Route {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The model's name there.
    pub model: String,
}

/// There is nowhere to send a call to.
pub fn not_configured() -> Error {
    Error::new(ErrorKind::NotConfigured, "no upstream is set up").with_hint(
        "start with --upstream URL or --demo, set IFLOW2API_BASE_URL, \
         or run `iflow2api config set upstream.NAME.base_url URL`",
    )
}

impl Gateway {
    /// What every call begins with: the model's name, noted, and where it leads.
    ///
    /// # Errors
    /// `InvalidRequest` without a name, and as [`Gateway::route`].
    pub(super) fn begin(&self, model: Option<&Raw>, call: &Call) -> Result<(String, Route)> {
        let model = check::model(model)?;
        call.meter.note(|record| record.model.clone_from(&model));
        let route = self.route(&model)?;
        Ok((model, route))
    }

    /// Finds the upstream for a model's name: `upstream/model`, a model that one upstream lists,
    /// a `claude-*` name that means the default model, and else the default upstream as it is.
    ///
    /// # Errors
    /// `NotConfigured` where there is no upstream at all.
    pub(super) fn route(&self, name: &str) -> Result<Route> {
        let default = self.upstreams.first().ok_or_else(not_configured)?;
        let to = |upstream: &Arc<Upstream>, model: &str| {
            Ok(Route { upstream: Arc::clone(upstream), model: model.to_owned() })
        };
        if let Some((prefix, rest)) = name.split_once('/')
            && let Some(offer) = self.upstreams.iter().find(|offer| offer.upstream.name() == prefix)
        {
            return to(&offer.upstream, rest);
        }
        // Claude Code's model picker shows only names that look like Anthropic's (H05).
        let names = [Some(name), name.strip_prefix("anthropic/"), name.strip_suffix("[1m]")];
        for name in names.into_iter().flatten() {
            if let Some(offer) = self.upstreams.iter().find(|offer| offer.lists(name)) {
                return to(&offer.upstream, name);
            }
        }
        if !name.to_ascii_lowercase().starts_with("claude-") {
            return to(&default.upstream, name);
        }
        match self.default_model.clone().or_else(|| default.first()) {
            Some(model) if model != name => self.route(&model),
            _ => to(&default.upstream, name),
        }
    }
}
