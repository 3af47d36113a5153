//! From settings to a gateway: what every subcommand that makes calls begins with.

use super::output::say;
use crate::config::{Config, Resolved};
use crate::demo::{self, Demo};
use crate::dialect::Prefix;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Gateway, History, HistoryMode, Mode, Patience, Rules, Settings};
use crate::policy::retry::Policy;
use crate::policy::{circuit, presets};
use crate::upstream::{Address, Manners, Timeouts, Upstream};
use std::sync::Arc;

/// How many calls may wait for their turn at an upstream that says nothing else. Chosen: a team's worth.
const USUAL_QUEUE: usize = 100;

/// A gateway, and the demo upstream where one was asked for. Dropping it stops the demo.
pub struct Core {
    /// What makes the calls.
    pub gateway: Arc<Gateway>,
    /// Kept alive for as long as calls may go there.
    _demo: Option<Demo>,
}

/// The runtime that all calls share.
///
/// # Errors
/// `Internal` where the system gives no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Error::new(ErrorKind::Internal, "the asynchronous runtime cannot start").with_source(error)
    })
}

/// Says on stderr what is worth a warning.
pub fn warn(resolved: &Resolved) {
    for warning in &resolved.warnings {
        say(&format!("iflow2api: warning: {warning}"));
    }
}

/// Sets up all upstreams, the default one first.
///
/// # Errors
/// `Usage` where an upstream is set up in a way that cannot work.
pub async fn core(config: &Config, demo: bool) -> Result<Core> {
    let demo = if demo { Some(demo::start().await?) } else { None };
    let timeouts = Timeouts {
        connect: config.timeout.connect,
        first_byte: config.timeout.first_byte,
        idle: config.timeout.idle,
    };
    let retry = Policy {
        retries: config.retry.retries,
        delays: config.retry.delays.clone(),
        budget_percent: config.retry.budget,
    };
    let circuit = circuit::Rules {
        failures: config.circuit.failures,
        wait: config.circuit.wait,
        longest_wait: config.circuit.longest_wait,
    };
    let manners = Manners { timeouts, retry, circuit, max_concurrent: None, max_queue: USUAL_QUEUE };
    let mut upstreams = Vec::new();
    let mut models = Vec::new();
    if let Some(demo) = &demo {
        let address =
            Address { name: "demo".to_owned(), base_url: demo.base_url(), key: None, headers: Vec::new() };
        upstreams.push(Upstream::new(address, presets::profile("demo"), manners.clone())?);
        models.push(Vec::new());
    }
    let default = config.default_upstream.as_deref();
    let (first, rest): (Vec<_>, Vec<_>) =
        config.upstreams.iter().partition(|up| Some(up.name.as_str()) == default);
    for configured in first.into_iter().chain(rest) {
        let mut profile = presets::profile(configured.preset_among(presets::is_known)?);
        profile.context_window = configured.context_window;
        profile.max_output = configured.max_output.or(profile.max_output);
        if let Some(prefix) = configured.prefix.as_deref().and_then(Prefix::of) {
            profile.dialect.prefix = prefix;
        }
        let base_url = configured.base_url.clone().or(profile.base_url.map(str::to_owned));
        let base_url = base_url.ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("upstream `{}` has no base URL", configured.name))
                .with_hint(format!("run `iflow2api config set upstream.{}.base_url URL`", configured.name))
        })?;
        let address = Address {
            name: configured.name.clone(),
            base_url,
            key: configured.key.clone(),
            headers: configured.headers.clone(),
        };
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let manners = Manners {
            max_concurrent: configured.max_concurrent.map(count),
            max_queue: configured.max_queue.map_or(USUAL_QUEUE, count),
            ..manners.clone()
        };
        upstreams.push(Upstream::new(address, profile, manners)?);
        models.push(configured.models.clone());
    }
    let default_model = match &demo {
        Some(_) => Some("demo-echo".to_owned()),
        None => config.default_model.clone(),
    };
    let continuation = Rules {
        mode: Mode::of(&config.continuation.mode).unwrap_or(Mode::Auto),
        rounds: config.continuation.rounds,
        rescue: config.continuation.rescue == "on",
        again: config.retry.retries > 0,
    };
    let history = History {
        mode: HistoryMode::of(&config.context.mode).unwrap_or(HistoryMode::Auto),
        keep_turns: usize::try_from(config.context.keep_turns).unwrap_or(usize::MAX),
    };
    let patience = Patience { hold: config.timeout.hold, ping: config.timeout.ping };
    let gateway =
        Gateway::new(Settings { upstreams, default_model, models, patience, continuation, history });
    Ok(Core { gateway: Arc::new(gateway), _demo: demo })
}
