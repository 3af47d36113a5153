//! One resolved configuration. [`resolve`] is the only place where settings meet: defaults, then
//! the file, then the environment, then the flags; the later wins, and each value keeps its origin.
//!
//! Which presets there are is left to `upstream`, and so is what a preset's own variables hold.

pub mod base_url;
mod file;
mod iflow;
pub mod keys;
mod layer;
mod near;
mod paths;
mod show;
mod units;
mod upstreams;
mod value;
mod write;

pub use layer::Origin;
pub use paths::Paths;
pub use show::{Entry, get, show};
pub use upstreams::Upstream;
pub use value::{Field, Value};
pub use write::{set, unset};

use crate::error::Result;
use crate::secret::Secret;
use keys::{API_KEY_VARIABLE, BASE_URL_VARIABLE, IFLOW_KEY_VARIABLE, SETTINGS};
use layer::{Layer, present};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// All settings, complete and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How callers reach us.
    pub server: Server,
    /// Whether and when upstreams are asked again.
    pub retry: Retry,
    /// When an upstream that fails is left alone.
    pub circuit: Circuit,
    /// Whether answers that were cut go on.
    pub continuation: Continuation,
    /// Whether history is left out.
    pub context: Context,
    /// How long each wait may be.
    pub timeout: Timeouts,
    /// Those of the file in its order, then `env`, `iflow`, `flag`, and the default one if it is
    /// nothing but the name of a preset.
    pub upstreams: Vec<Upstream>,
    /// The name of one of `upstreams`; `None` if none is set up.
    pub default_upstream: Option<String>,
    /// The model of calls that name none; `None` leaves it to the default upstream.
    pub default_model: Option<String>,
}

/// How callers reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Keys that callers must show; with none, none is asked for.
    pub keys: Vec<Secret>,
    /// Host names other than localhost under which callers may reach us.
    pub allowed_hosts: Vec<String>,
    /// Browser origins that may call.
    pub allowed_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub max_body: u64,
    /// How long open streams may go on after an interrupt.
    pub drain: Duration,
    /// How long a request body may take to arrive.
    pub body_time: Duration,
    /// How much longer for each mebibyte of it.
    pub body_time_per_mib: Duration,
    /// How long a caller may take nothing of what is ready for it.
    pub stall: Duration,
}

/// When an upstream that fails is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// After how many failures in a row; 0 for never.
    pub failures: u32,
    /// How long before one call tries it.
    pub wait: Duration,
    /// What that doubles to at the most.
    pub longest_wait: Duration,
}

/// Whether answers that were cut go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// One of [`keys::CONTINUATION_MODES`].
    pub mode: String,
    /// How often an answer goes on at the most.
    pub rounds: u32,
    /// One of [`keys::SWITCH`].
    pub rescue: String,
}

/// Whether history is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// One of [`keys::CONTEXT_MODES`].
    pub mode: String,
    /// How many turns are kept.
    pub keep_turns: u32,
}

/// Whether and when upstreams are asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often; 0 for never.
    pub retries: u32,
    /// The waits before each retry; the last one repeats.
    pub delays: Vec<Duration>,
    /// How many retries every 100 requests allow, beside 3 a second.
    pub budget: u32,
}

/// How long each wait may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting to an upstream.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// How long the head of a stream is held for the upstream's first frame.
    pub hold: Duration,
    /// How long a stream is silent before the caller gets a sign of life.
    pub ping: Duration,
}

impl Config {
    /// Every field empty, for [`Field`]s to be filled; nobody may see it in this state.
    pub(crate) fn blank() -> Self {
        Self {
            server: Server {
                host: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: 0,
                keys: Vec::new(),
                allowed_hosts: Vec::new(),
                allowed_origins: Vec::new(),
                max_body: 0,
                drain: Duration::ZERO,
                body_time: Duration::ZERO,
                body_time_per_mib: Duration::ZERO,
                stall: Duration::ZERO,
            },
            retry: Retry { retries: 0, delays: Vec::new(), budget: 0 },
            circuit: Circuit { failures: 0, wait: Duration::ZERO, longest_wait: Duration::ZERO },
            continuation: Continuation { mode: String::new(), rounds: 0, rescue: String::new() },
            context: Context { mode: String::new(), keep_turns: 0 },
            timeout: Timeouts {
                connect: Duration::ZERO,
                first_byte: Duration::ZERO,
                idle: Duration::ZERO,
                hold: Duration::ZERO,
                ping: Duration::ZERO,
            },
            upstreams: Vec::new(),
            default_upstream: None,
            default_model: None,
        }
    }
}

/// What holds when no source says anything.
impl Default for Config {
    fn default() -> Self {
        let Ok(config) = Layer::defaults().and_then(|layer| fill(&layer)) else {
            unreachable!("the defaults are constants of `keys`, and a test reads each of them")
        };
        config
    }
}

/// The flags of the command line that are settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--host`
    pub host: Option<String>,
    /// `--port`
    pub port: Option<u16>,
    /// `--upstream`: the name of one, or a URL, which makes one called `flag`.
    pub upstream: Option<String>,
}

/// Where settings come from.
pub struct Sources<'a> {
    /// The files.
    pub paths: Paths,
    /// Looks up a variable; a function, so that tests never touch the process's own environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The flags.
    pub flags: Flags,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("paths", &self.paths)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// The configuration, where each of its values comes from, and what is worth a warning.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What all of the program works with.
    pub config: Config,
    /// What did not stop us and should be said once, on stderr.
    pub warnings: Vec<String>,
    layer: Layer,
}

impl Resolved {
    /// Where the value of a setting comes from; [`Origin::Default`] also where it has none.
    pub fn origin(&self, name: &str) -> Origin {
        self.layer.get(name).map_or(Origin::Default, |given| given.origin.clone())
    }
}

/// Reads all sources and lays them over each other.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) where a source says what it may not, with
/// the place in the file, the variable or the flag.
pub fn resolve(sources: &Sources<'_>) -> Result<Resolved> {
    let mut warnings = Vec::new();
    let foreign = match sources.paths.iflow_settings() {
        Some(path) => iflow::layer(path, sources.environment, &mut warnings),
        None => Layer::default(),
    };
    let file = match sources.paths.to_read() {
        Some((path, named)) => file::layer(path, named, &mut warnings)?,
        None => Layer::default(),
    };
    let environment = Layer::of_environment(sources.environment)?;
    let flags = Layer::of_flags(&sources.flags)?;

    let mut layer = Layer::defaults()?;
    // Who comes first among the upstreams is another order than who wins.
    for source in [&file, &environment, &foreign] {
        source.upstreams().iter().for_each(|name| layer.declare(name));
    }
    for source in [&foreign, &file, &environment] {
        layer.overlay(source);
    }
    add_iflow_key(&mut layer, sources.environment)?;
    layer.overlay(&flags);
    let is_present = |variable: &str| present(sources.environment, variable).is_some();
    if is_present(API_KEY_VARIABLE) && !is_present(BASE_URL_VARIABLE) {
        warnings.push(format!("`{API_KEY_VARIABLE}` has no effect without `{BASE_URL_VARIABLE}`"));
    }

    let mut config = fill(&layer)?;
    upstreams::choose_default(&mut config, &mut layer, &file)?;
    config.upstreams = upstreams::build(&mut layer, sources.environment, &mut warnings)?;
    upstreams::settle_default(&mut config);
    Ok(Resolved { config, warnings, layer })
}

/// The key that iFlow's own programs read from the environment, where `iflow` has no other.
fn add_iflow_key(layer: &mut Layer, environment: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let has_key = layer.get("upstream.iflow.key").or(layer.get("upstream.iflow.key_env")).is_some();
    if has_key {
        return Ok(());
    }
    let Some(key) = present(environment, IFLOW_KEY_VARIABLE) else { return Ok(()) };
    layer
        .read("upstream.iflow.key", &key, Origin::Environment(IFLOW_KEY_VARIABLE.to_owned()))
        .map_err(|fault| fault.about(&format!("`{IFLOW_KEY_VARIABLE}`")))
}

/// Puts what a layer says into the settings that stand once.
fn fill(layer: &Layer) -> Result<Config> {
    let mut config = Config::blank();
    for setting in SETTINGS {
        if let Some(given) = layer.get(setting.name) {
            let stored = setting.field.store(&mut config, setting.name, given.value.clone());
            stored.map_err(|fault| fault.about(&format!("`{}`", setting.name)))?;
        }
    }
    Ok(config)
}
