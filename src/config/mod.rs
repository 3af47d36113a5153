//! One resolved configuration. [`resolve`] is the only place where settings meet: defaults, then
//! the file, then the environment, then the flags; the later wins, and each value keeps its origin.
//!
//! Which presets there are is told by the caller, who reads the catalogue of `policy::presets`.

pub mod base_url;
mod file;
mod iflow;
pub mod keys;
mod layer;
mod paths;
mod sections;
mod settings;
mod show;
mod units;
mod upstreams;
mod value;
mod write;

pub use layer::Origin;
pub use paths::Paths;
pub use sections::*;
pub use show::{Entry, get, show};
pub use upstreams::{Preset, Upstream};
pub use value::{Field, Value};
pub use write::{set, unset};

use crate::error::Result;
use crate::secret::Secret;
use keys::{API_KEY_VARIABLE, AuthTable, BASE_URL_VARIABLE, PATTERN_SETTINGS, SETTINGS, Setting};
use layer::{Layer, present};
use std::fmt;
use std::path::{Path, PathBuf};

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
    /// `--model`: it may name an engine on this machine, which nothing else has to set up.
    pub model: Option<String>,
    /// A model that is only talked about: its preset needs neither a setting nor a key.
    pub described: Option<String>,
}

/// Where settings come from.
pub struct Sources<'a> {
    /// The files.
    pub paths: Paths,
    /// Looks up a variable; a function, so that tests never touch the process's own environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The flags.
    pub flags: Flags,
    /// Reads the presets there are: the built-in ones, and those of the rows in this file, if it has any.
    pub presets: fn(Option<&Rows>) -> Result<Vec<Preset>>,
    /// Lists the keys and logins that are stored, and what is worth a warning about them.
    pub stored: fn(&Paths) -> (Vec<Stored>, Vec<String>),
}

/// A key or a login that is stored for an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The upstream's name.
    pub upstream: String,
    /// What calls are signed in with now.
    pub key: Option<Secret>,
    /// The file.
    pub path: PathBuf,
}

/// The configuration file, where it holds rows of the catalogue of providers and models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The file's path, for messages.
    pub source: String,
    /// The whole file.
    pub text: String,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("paths", &self.paths)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// Whether a name can be an upstream's or an account's: letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    keys::is_upstream_name(text)
}

/// A text of somebody else's for a message: on one line, and not endless.
pub fn shown(text: &str) -> String {
    value::quoted(text).trim_matches('`').to_owned()
}

/// The configuration, where each of its values comes from, and what is worth a warning.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What all of the program works with.
    pub config: Config,
    /// What did not stop us and should be said once, on stderr.
    pub warnings: Vec<String>,
    /// The rows of the catalogue that the file holds.
    pub rows: Option<Rows>,
    /// The folder in which model lists are kept, if there is a place for it.
    pub models_folder: Option<PathBuf>,
    /// Where the files are.
    pub paths: Paths,
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
    let (stored, about_stored) = (sources.stored)(&sources.paths);
    warnings.extend(about_stored);
    let foreign = match sources.paths.iflow_settings() {
        Some(path) => {
            let has_login = stored.iter().any(|stored| stored.upstream == iflow::UPSTREAM);
            iflow::layer(path, has_login, sources.environment, &mut warnings)
        }
        None => Layer::default(),
    };
    let file = match sources.paths.to_read() {
        Some((path, named)) => file::layer(path, named, &mut warnings)?,
        None => Layer::default(),
    };
    let rows = match sources.paths.to_read() {
        Some((path, _)) => file::text(path)?
            .filter(|text| file::may_hold_rows(text))
            .map(|text| Rows { source: path.display().to_string(), text }),
        None => None,
    };
    let presets = (sources.presets)(rows.as_ref())?;
    let logins = presets.iter().filter(|preset| preset.login).map(|preset| preset.name.as_str());
    let logins: Vec<&str> =
        logins.chain(file.upstreams().iter().map(String::as_str)).chain(file.logins()).collect();
    let environment = Layer::of_environment(sources.environment, &logins)?;
    let flags = Layer::of_flags(&sources.flags)?;

    let mut layer = Layer::defaults()?;
    // Who comes first among the upstreams is another order than who wins.
    for source in [&file, &environment, &foreign] {
        source.upstreams().iter().for_each(|name| layer.declare(name));
    }
    for source in [&foreign, &file, &environment] {
        layer.overlay(source);
    }
    layer.overlay(&flags);
    let is_present = |variable: &str| present(sources.environment, variable).is_some();
    if is_present(API_KEY_VARIABLE) && !is_present(BASE_URL_VARIABLE) {
        warnings.push(format!("`{API_KEY_VARIABLE}` has no effect without `{BASE_URL_VARIABLE}`"));
    }

    let mut config = fill(&layer)?;
    upstreams::choose_default(&mut config, &mut layer, &file)?;
    let named = {
        let targets = config.aliases.iter().map(|(_, target)| target);
        let targets = targets.chain(config.fallbacks.iter().flat_map(|(_, targets)| targets));
        let others = [&config.default_model, &config.vision_model, &sources.flags.model];
        targets.chain(others.into_iter().flatten()).map(String::as_str).collect()
    };
    let described = sources.flags.described.as_deref();
    let keys = upstreams::Keys {
        presets: &presets,
        environment: sources.environment,
        stored: &stored,
        named,
        described,
    };
    config.upstreams = upstreams::build(&mut layer, &keys, &mut warnings)?;
    upstreams::settle_default(&mut config);
    let models_folder = sources.paths.models().map(Path::to_path_buf);
    Ok(Resolved { config, warnings, rows, models_folder, paths: sources.paths.clone(), layer })
}

/// Puts what a layer says into the settings that stand once, or once for each pattern.
fn fill(layer: &Layer) -> Result<Config> {
    let mut config = Config::blank();
    let mut store = |setting: &Setting<Config>, given: &layer::Given| {
        let stored = setting.field.store(&mut config, &given.name, given.value.clone());
        stored.map(drop).map_err(|fault| fault.about(&format!("`{}`", given.name)))
    };
    for setting in SETTINGS {
        layer.get(setting.name).map_or(Ok(()), |given| store(setting, given))?;
    }
    for setting in PATTERN_SETTINGS {
        let table = format!("{}.", setting.table().unwrap_or_default());
        layer.below(&table).try_for_each(|given| store(setting, given))?;
    }
    for login in layer.logins() {
        let mut table = AuthTable::default();
        for given in layer.below(&format!("auth.{login}.")) {
            if let Some(keys::Place::Login(_, setting)) = keys::place(&given.name) {
                let stored = setting.field.store(&mut table, &given.name, given.value.clone());
                stored.map_err(|fault| fault.about(&format!("`{}`", given.name)))?;
            }
        }
        config.auth.logins.push((login.to_owned(), table));
    }
    Ok(config)
}
