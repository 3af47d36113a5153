//! From settings to a gateway: what every subcommand that makes calls begins with.

use super::logins;
use super::output::say;
use crate::auth::session::Session;
use crate::config::{self, Config, Origin, Preset, Resolved, Rows};
use crate::demo::{self, Demo};
use crate::dialect::Prefix;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{
    Gateway, History, HistoryMode, Lent, Mode, Patience, Rules, Settings, Shelf, not_configured,
};
use crate::policy::circuit;
use crate::policy::presets::Catalogue;
use crate::policy::presets::rows::{Auth, Provider as Row, Status};
use crate::policy::provider::Overrides;
use crate::policy::retry::Policy;
use crate::upstream::{Address, Clients, Manners, Proxy, Timeouts, Upstream, Way};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The preset, and the name, of the built-in upstream.
const DEMO: &str = "demo";

/// How many calls may wait for their turn at an upstream that says nothing else. Chosen: a team's worth.
const USUAL_QUEUE: usize = 100;

/// The setting that a preset knows better than its default.
const FIRST_BYTE: &str = "timeout.first_byte";

/// A gateway, and the demo upstream where one was asked for. Dropping it stops the demo.
pub struct Core {
    /// What makes the calls.
    pub gateway: Arc<Gateway>,
    /// What signs in calls, as far as it is stored and may have to be renewed.
    pub sessions: Vec<Arc<Session>>,
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

/// Says on stderr what is worth a warning, and once what the users of a plan have agreed to.
pub fn warn(resolved: &Resolved) {
    for warning in &resolved.warnings {
        say(&format!("iflow2api: warning: {warning}"));
    }
    // What is wrong with the user's rows stops the call that follows.
    let Ok(catalogue) = catalogue(resolved.rows.as_ref()) else { return };
    for upstream in resolved.config.upstreams.iter().filter(|upstream| !upstream.named_only) {
        let Ok(row) = catalogue.row(&upstream.preset) else { continue };
        if let Some(other) = upstream.key.as_ref().and_then(|key| belongs_to(key.expose(), &row, &catalogue))
        {
            say(&format!(
                "iflow2api: warning: the key of upstream `{}` begins like one of `{other}`, which may be another plan",
                upstream.name
            ));
        }
        show_terms(resolved, &upstream.preset, &upstream.name);
    }
}

/// Says once what the users of a plan have agreed to.
pub fn show_terms(resolved: &Resolved, preset: &str, upstream: &str) {
    let terms =
        catalogue(resolved.rows.as_ref()).and_then(|catalogue| catalogue.row(preset)).map(|row| row.terms);
    if let Some(terms) = terms.ok().flatten().filter(|_| is_first_time(resolved, preset)) {
        say(&format!("iflow2api: note: upstream `{upstream}`: {terms}"));
    }
}

/// The preset whose keys begin as this one does, where those of its own provider do not.
pub fn belongs_elsewhere(resolved: &Resolved, key: &str, own: &Row) -> Option<String> {
    let catalogue = catalogue(resolved.rows.as_ref()).ok()?;
    belongs_to(key, own, &catalogue).map(str::to_owned)
}

/// The preset whose keys begin as this one does, where those of its own provider do not.
fn belongs_to<'a>(key: &str, own: &Row, catalogue: &'a Catalogue) -> Option<&'a str> {
    let begins = |row: &Row| row.key_prefix.iter().flatten().any(|prefix| key.starts_with(prefix));
    if begins(own) {
        return None;
    }
    catalogue.names().into_iter().find(|name| catalogue.row(name).is_ok_and(|row| begins(&row)))
}

/// Whether the terms of a preset were not shown yet; from now on they were. Where that cannot be kept, they are
/// shown each time.
fn is_first_time(resolved: &Resolved, preset: &str) -> bool {
    let Some(folder) = resolved.models_folder.as_ref().and_then(|models| models.parent()) else {
        return true;
    };
    let folder = folder.join("terms");
    let made = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::File::options().write(true).create_new(true).open(folder.join(preset)));
    !made.is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
}

/// The presets there are, as far as settings depend on them.
///
/// # Errors
/// `Usage` where the user's own rows are wrong.
pub fn presets(rows: Option<&Rows>) -> Result<Vec<Preset>> {
    let catalogue = catalogue(rows)?;
    let presets = catalogue.names().into_iter().filter(|name| *name != DEMO).map(|name| {
        let row = catalogue.row(name)?;
        Ok(Preset {
            name: name.to_owned(),
            base_url: row.base_url,
            variables: row.key_env.unwrap_or_default(),
            alone: row.key_alone.unwrap_or(true),
            retired: row.status == Some(Status::Retired),
            local: row.status == Some(Status::Local),
            login: row.login.is_some(),
        })
    });
    presets.collect()
}

/// The presets that know a model, at most three, those whose service has ended last.
pub fn presets_with(model: &str, resolved: &Resolved) -> Vec<String> {
    const MOST: usize = 3;
    let Ok(catalogue) = catalogue(resolved.rows.as_ref()) else { return Vec::new() };
    let rows = catalogue.names().into_iter().filter_map(|name| catalogue.row(name).ok());
    let mut rows: Vec<Row> =
        rows.filter(|row| row.known.iter().flatten().any(|known| known == model)).collect();
    rows.sort_by_key(|row| row.status == Some(Status::Retired));
    rows.into_iter().take(MOST).map(|row| row.id).collect()
}

/// The built-in rows, behind those of the configuration file.
pub fn catalogue(rows: Option<&Rows>) -> Result<Cow<'static, Catalogue>> {
    match rows {
        Some(rows) => Catalogue::with(&rows.text, &rows.source).map(Cow::Owned),
        None => Ok(Cow::Borrowed(Catalogue::built_in())),
    }
}

/// Sets up all upstreams, the default one first.
///
/// # Errors
/// `Usage` where an upstream is set up in a way that cannot work.
pub async fn core(resolved: &Resolved, demo: bool) -> Result<Core> {
    let config = &resolved.config;
    let catalogue = catalogue(resolved.rows.as_ref())?;
    let demo = if demo { Some(demo::start().await?) } else { None };
    let mut clients = Clients::default();
    let mut upstreams = Vec::new();
    if let Some(demo) = &demo {
        let address = Address { name: DEMO.to_owned(), base_url: demo.base_url(), ..Address::default() };
        let provider = catalogue.provider(DEMO);
        let upstream = Upstream::new(address, provider, manners(config, None), &mut clients)?;
        upstreams.push(Lent { upstream, models: Vec::new(), named_only: false });
    }
    let default = config.default_upstream.as_deref();
    let (first, rest): (Vec<_>, Vec<_>) =
        config.upstreams.iter().partition(|up| Some(up.name.as_str()) == default);
    for configured in first.into_iter().chain(rest) {
        upstreams.push(lent(configured, resolved, &catalogue, &mut clients)?);
    }
    let sessions = upstreams.iter().filter_map(|lent: &Lent| lent.upstream.session().cloned()).collect();
    let default_model = match &demo {
        Some(_) => Some("demo-echo".to_owned()),
        None => config.default_model.clone(),
    };
    let gateway = Gateway::new(Settings {
        upstreams,
        default_model,
        vision_model: config.vision_model.clone(),
        aliases: config.aliases.clone(),
        fallbacks: config.fallbacks.clone(),
        shelf: Shelf::at(resolved.models_folder.clone()),
        patience: Patience { hold: config.timeout.hold, ping: config.timeout.ping },
        continuation: Rules {
            mode: Mode::of(&config.continuation.mode).unwrap_or(Mode::Auto),
            rounds: config.continuation.rounds,
            rescue: config.continuation.rescue == "on",
            again: config.retry.retries > 0,
        },
        history: History {
            mode: HistoryMode::of(&config.context.mode).unwrap_or(HistoryMode::Auto),
            keep_turns: usize::try_from(config.context.keep_turns).unwrap_or(usize::MAX),
        },
    });
    Ok(Core { gateway: Arc::new(gateway), sessions, _demo: demo })
}

/// One upstream that is set up, alone.
///
/// # Errors
/// As [`core`]; `NotConfigured` where there is none of that name.
pub fn upstream(resolved: &Resolved, name: &str) -> Result<Upstream> {
    let catalogue = catalogue(resolved.rows.as_ref())?;
    let configured = resolved.config.upstreams.iter().find(|upstream| upstream.name == name);
    let configured = configured.ok_or_else(not_configured)?;
    lent(configured, resolved, &catalogue, &mut Clients::default()).map(|lent| lent.upstream)
}

/// One upstream as it is set up, with what its preset says of the rest.
fn lent(
    configured: &config::Upstream,
    resolved: &Resolved,
    catalogue: &Catalogue,
    clients: &mut Clients,
) -> Result<Lent> {
    let provider = catalogue.provider(&configured.preset).overridden(Overrides {
        max_output: configured.max_output,
        context_window: configured.context_window,
        prefix: configured.prefix.as_deref().and_then(Prefix::of),
    });
    // The preset's other addresses are those of the provider, which may not be asked here.
    let theirs = |url: Option<&str>| url.filter(|_| !configured.elsewhere).map(str::to_owned);
    let native = configured.anthropic_base_url.clone().or_else(|| theirs(provider.anthropic_base_url()));
    let native = native.filter(|_| configured.wire.as_deref() != Some("openai"));
    let name = &configured.name;
    let base_url = configured.base_url.clone().ok_or_else(|| {
        let message = format!("the upstream `{name}` has no base URL, and no preset bears its name");
        Error::new(ErrorKind::Usage, message)
            .with_hint(format!("set `upstream.{name}.base_url` or `upstream.{name}.preset`"))
    })?;
    let way = way(configured);
    let row = catalogue.row(&configured.preset)?;
    let session = match &configured.key {
        None if row.auth != Some(Auth::None) => logins::session(resolved, configured, &row, &way)?,
        _ => None,
    };
    let address = Address {
        name: name.clone(),
        session,
        base_url,
        prefix_url: theirs(provider.prefix_url()),
        anthropic_base_url: native.map(|url| url.strip_suffix("/v1").unwrap_or(&url).to_owned()),
        key: configured.key.clone(),
        key_origin: configured.key_origin.clone(),
        headers: configured.headers.clone(),
        way,
    };
    let mut manners = manners(&resolved.config, Some(configured));
    let limits = provider.limits();
    manners.max_concurrent = manners.max_concurrent.or(limits.concurrency);
    if let Some(seconds) = limits.first_byte_s.filter(|_| resolved.origin(FIRST_BYTE) == Origin::Default) {
        manners.timeouts.first_byte = Duration::from_secs(seconds);
    }
    Ok(Lent {
        upstream: Upstream::new(address, provider, manners, clients)?,
        models: configured.models.clone(),
        named_only: configured.named_only,
    })
}

/// The way that leads to an upstream.
pub fn way(configured: &config::Upstream) -> Way {
    Way {
        proxy: match configured.proxy.as_deref() {
            None | Some("env") => Proxy::Environment,
            Some("none") => Proxy::None,
            Some(url) => Proxy::Url(url.to_owned()),
        },
        ca_file: configured.ca_file.as_ref().map(PathBuf::from),
    }
}

/// How an upstream is treated.
fn manners(config: &Config, configured: Option<&config::Upstream>) -> Manners {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Manners {
        timeouts: Timeouts {
            connect: config.timeout.connect,
            first_byte: config.timeout.first_byte,
            idle: config.timeout.idle,
        },
        retry: Policy {
            retries: config.retry.retries,
            delays: config.retry.delays.clone(),
            budget_percent: config.retry.budget,
        },
        circuit: circuit::Rules {
            failures: config.circuit.failures,
            wait: config.circuit.wait,
            longest_wait: config.circuit.longest_wait,
        },
        max_concurrent: configured.and_then(|up| up.max_concurrent).map(count),
        max_queue: configured.and_then(|up| up.max_queue).map_or(USUAL_QUEUE, count),
    }
}
