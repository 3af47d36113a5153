//! Which upstream a model's name means, and what the model is called there.

use super::models::Offer;
use super::{Call, Gateway};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::glob::Glob;
use crate::policy::images;
use crate::policy::profile::Profile;
use crate::translate::check;
use crate::upstream::Upstream;
use crate::wire::json::{Members, Raw};
use crate::wish::{self, Wish};
use std::fmt;
use std::sync::Arc;

/// How many aliases may lead to each other. Chosen: nobody can follow more.
const MAX_ALIASES: usize = 8;

/// Where a call goes.
#[derive(Clone)]
pub struct Route {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The model's name there.
    pub model: String,
    /// Its habits.
    pub profile: Arc<Profile>,
    /// What stood behind the name that the caller said.
    pub wish: Option<Wish>,
    /// What stood behind the name in an alias.
    pub alias_wish: Option<Wish>,
    /// How the name was understood.
    pub how: How,
}

/// How a name was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It names its upstream.
    Named,
    /// An alias, by its pattern, leads here.
    Alias(String),
    /// The upstream lists it.
    Listed,
    /// Nobody lists this name of Anthropic's, which means the default model.
    DefaultModel,
    /// Nobody lists it, so it goes to the default upstream as it is.
    DefaultUpstream,
    /// It stands in for one that sees no images.
    Vision,
    /// It stands in for one that cannot be had.
    Fallback,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => f.write_str("the name says its upstream"),
            Self::Alias(pattern) => write!(f, "the alias `{pattern}`"),
            Self::Listed => f.write_str("the upstream lists it"),
            Self::DefaultModel => f.write_str("no upstream lists it, and `claude-*` means the default model"),
            Self::DefaultUpstream => {
                f.write_str("no upstream lists it, so it goes to the default upstream as it is")
            }
            Self::Vision => f.write_str("`vision_model`, since the request has images"),
            Self::Fallback => f.write_str("`fallback`, since the first choice cannot be had"),
        }
    }
}

/// Names that mean other names, by patterns, in order.
#[derive(Debug, Clone, Default)]
pub struct Names<T>(Vec<(Glob, String, T)>);

impl<T> Names<T> {
    /// From patterns as they are written.
    pub fn new(pairs: impl IntoIterator<Item = (String, T)>) -> Self {
        Self(pairs.into_iter().map(|(pattern, to)| (Glob::new(&pattern), pattern, to)).collect())
    }

    /// What the first pattern that fits one of these names leads to. With `plain`, only patterns that are
    /// names count; without, only those that are not.
    fn find(&self, names: &[&str], plain: bool) -> Option<(&str, &T)> {
        let fits = |glob: &Glob| glob.is_plain() == plain && names.iter().any(|name| glob.matches(name));
        self.0.iter().find(|(glob, ..)| fits(glob)).map(|(_, pattern, to)| (pattern.as_str(), to))
    }

    /// The same, a name before any pattern.
    fn find_any(&self, names: &[&str]) -> Option<&T> {
        self.find(names, true).or_else(|| self.find(names, false)).map(|(_, to)| to)
    }

    /// The patterns with what they lead to.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(_, pattern, to)| (pattern.as_str(), to))
    }
}

/// There is nowhere to send a call to.
pub fn not_configured() -> Error {
    Error::new(ErrorKind::NotConfigured, "no upstream is set up").with_hint(
        "`iflow2api auth` logs in at a provider; or set its key, such as ZAI_API_KEY, or start with --upstream URL \
         or --demo",
    )
}

/// The forms in which a name is looked for: Claude Code's model picker shows only names that look like
/// Anthropic's (H05), and marks a long window with `[1m]`.
fn forms(name: &str) -> Vec<&str> {
    let bare = unmarked(name);
    let mut forms = vec![name];
    for form in [Some(bare), name.strip_prefix("anthropic/"), bare.strip_prefix("anthropic/")] {
        if let Some(form) = form.filter(|form| !forms.contains(form) && !form.is_empty()) {
            forms.push(form);
        }
    }
    forms
}

/// A name without the mark of a long window, which no provider knows.
fn unmarked(name: &str) -> &str {
    name.strip_suffix("[1m]").unwrap_or(name)
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
        call.meter.note(|record| record.goes_to(&route));
        Ok((model, route))
    }

    /// Finds the upstream for a model's name: an alias of that name, `upstream/model`, a model that an upstream
    /// lists, an alias whose pattern fits, a `claude-*` name that means the default model, and else the default
    /// upstream as it is.
    ///
    /// # Errors
    /// `NotConfigured` where there is no upstream at all, `Usage` where aliases lead in a circle.
    pub fn route(&self, name: &str) -> Result<Route> {
        let (name, wish) = wish::of_name(name);
        let mut route = self.follow(name, &mut Vec::new())?;
        route.wish = wish;
        Ok(route)
    }

    /// Where else a call may go, in order, where the first choice cannot be had.
    pub(super) fn fallbacks(&self, asked: &str, first: &Route) -> Vec<Route> {
        let (asked, _) = wish::of_name(asked);
        let full = first.full_name();
        let mut names = forms(asked);
        names.extend([full.as_str(), first.model.as_str()]);
        let Some(targets) = self.fallbacks.find_any(&names) else { return Vec::new() };
        let mut routes: Vec<Route> = Vec::new();
        for target in targets {
            match self.route(target) {
                Ok(route) => {
                    let is_new = |known: &Route| !known.is_same(&route);
                    if is_new(first) && routes.iter().all(is_new) {
                        // What the caller wished holds for whoever answers.
                        let wish = first.wish.or(route.wish);
                        routes.push(Route { wish, how: How::Fallback, ..route });
                    }
                }
                Err(error) => tracing::warn!(target, reason = %error, "a fallback leads nowhere"),
            }
        }
        routes
    }

    /// Where a request goes that may hold images which its model cannot see.
    pub(super) fn for_images(&self, route: Route, messages: &[Members], call: &Call) -> Route {
        let Some(name) = self.vision_model.as_deref().filter(|_| !route.profile.dialect.vision) else {
            return route;
        };
        if !images::holds(messages) {
            return route;
        }
        match self.route(name) {
            Ok(other) => {
                call.meter.note(|record| record.goes_to(&other));
                Route { wish: route.wish.or(other.wish), how: How::Vision, ..other }
            }
            Err(error) => {
                tracing::warn!(vision_model = name, reason = %error, "it leads nowhere");
                route
            }
        }
    }

    fn follow(&self, name: &str, aliases: &mut Vec<String>) -> Result<Route> {
        let forms = forms(name);
        if let Some((pattern, target)) = self.aliases.find(&forms, true).filter(|(p, _)| !is_in(aliases, p)) {
            return self.alias(pattern, target, aliases);
        }
        for form in &forms {
            if let Some((prefix, rest)) = form.split_once('/')
                && let Some(offer) = self.upstreams.iter().find(|offer| offer.upstream.name() == prefix)
            {
                let model = if offer.lists(rest) { rest } else { unmarked(rest) };
                return Ok(Route::new(&offer.upstream, model, How::Named));
            }
        }
        for name in &forms {
            if let Some(offer) = self.offers().find(|offer| offer.lists(name)) {
                return Ok(Route::new(&offer.upstream, name, How::Listed));
            }
        }
        if let Some((pattern, target)) = self.aliases.find(&forms, false).filter(|(p, _)| !is_in(aliases, p))
        {
            return self.alias(pattern, target, aliases);
        }
        let default = self.offers().next().ok_or_else(not_configured)?;
        let name = unmarked(name);
        if !forms.iter().any(|form| form.to_ascii_lowercase().starts_with("claude-")) {
            return Ok(Route::new(&default.upstream, name, How::DefaultUpstream));
        }
        match self.default_model.clone().or_else(|| default.first()) {
            Some(model) if model != name => {
                let (model, wish) = wish::of_name(&model);
                let route = self.follow(model, aliases)?;
                Ok(Route { alias_wish: wish.or(route.alias_wish), how: How::DefaultModel, ..route })
            }
            _ => Ok(Route::new(&default.upstream, name, How::DefaultUpstream)),
        }
    }

    fn alias(&self, pattern: &str, target: &str, aliases: &mut Vec<String>) -> Result<Route> {
        aliases.push(pattern.to_owned());
        if aliases.len() > MAX_ALIASES {
            let message = format!("the alias `{pattern}` leads in a circle or through too many others");
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let (target, wish) = wish::of_name(target);
        let route = self.follow(target, aliases)?;
        Ok(Route { alias_wish: wish.or(route.alias_wish), how: How::Alias(pattern.to_owned()), ..route })
    }

    /// The upstreams to which calls go that do not name one.
    pub(super) fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.upstreams.iter().filter(|offer| !offer.named_only)
    }

    /// A refusal for want of such a model, with names near to it that there are.
    pub(super) fn with_near_names(&self, error: Error, model: &str) -> Error {
        if error.kind() != ErrorKind::NotFound {
            return error;
        }
        let known: Vec<String> = self.offers().flat_map(Offer::known).collect();
        let near = crate::near::names(model, known.iter().map(String::as_str));
        if near.is_empty() {
            return error;
        }
        let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        error.with_remark(&format!("names near to it: {}", near.join(", ")))
    }
}

/// An alias is followed once, so that `glm-4.7 = "glm-4.7(high)"` says what it seems to say.
fn is_in(aliases: &[String], pattern: &str) -> bool {
    aliases.iter().any(|known| known == pattern)
}

impl Route {
    fn new(upstream: &Arc<Upstream>, model: &str, how: How) -> Self {
        Self {
            upstream: Arc::clone(upstream),
            model: model.to_owned(),
            profile: Arc::new(upstream.provider().profile(model)),
            wish: None,
            alias_wish: None,
            how,
        }
    }

    /// `upstream/model`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.upstream.name(), self.model)
    }

    /// Whether it leads to this upstream.
    pub(super) fn is_at(&self, offer: &Offer) -> bool {
        Arc::ptr_eq(&self.upstream, &offer.upstream)
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.upstream, &other.upstream) && self.model == other.model
    }
}
