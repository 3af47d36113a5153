//! What one source says, and how one source lies over another. Values in a layer were judged
//! when they were read, so an error names the source that made it.

use super::Flags;
use super::keys::{self, API_KEY_VARIABLE, AUTH_SETTINGS, BASE_URL_VARIABLE, Place, SETTINGS};
use super::value::{Fault, Value};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::path::PathBuf;

/// Which source spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// None: it is the default.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl Origin {
    /// The kind of source, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(_) => "file",
            Self::Environment(_) => "environment",
            Self::Flag(_) => "flag",
        }
    }

    /// Which one of its kind.
    pub fn source(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::File(path) => Some(path.display().to_string()),
            Self::Environment(variable) => Some(variable.clone()),
            Self::Flag(flag) => Some((*flag).to_owned()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source() {
            Some(source) => write!(f, "{} {source}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

/// One value and the source it has from.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What one source says, or several that were laid over each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    given: Vec<Given>,
    upstreams: Vec<String>,
}

impl Layer {
    /// The lowest layer.
    pub(super) fn defaults() -> Result<Self> {
        let mut layer = Self::default();
        for setting in SETTINGS {
            if let Some(text) = setting.default {
                layer.read(setting.name, text, Origin::Default).map_err(|fault| fault.about(setting.name))?;
            }
        }
        Ok(layer)
    }

    /// What the environment says; an empty variable counts as one that is not set.
    /// Of logins only those of these names can be looked for.
    pub(super) fn of_environment(
        environment: &dyn Fn(&str) -> Option<String>,
        logins: &[&str],
    ) -> Result<Self> {
        let mut layer = Self::default();
        let mut read = |name: &str, variable: &str| match present(environment, variable) {
            Some(text) => layer
                .read(name, &text, Origin::Environment(variable.to_owned()))
                .map_err(|fault| fault.about(&format!("`{variable}`"))),
            None => Ok(()),
        };
        for setting in SETTINGS {
            read(setting.name, &setting.variable())?;
        }
        for login in logins {
            for setting in AUTH_SETTINGS {
                read(&format!("auth.{login}.{}", setting.name), &setting.variable_of(login))?;
            }
        }
        if present(environment, BASE_URL_VARIABLE).is_some() {
            read("upstream.env.base_url", BASE_URL_VARIABLE)?;
            read("upstream.env.key", API_KEY_VARIABLE)?;
        }
        Ok(layer)
    }

    /// What the command line says; a URL as `--upstream` makes an upstream called `flag`.
    pub(super) fn of_flags(flags: &Flags) -> Result<Self> {
        let mut layer = Self::default();
        let mut read = |name: &str, flag: &'static str, text: &str| {
            layer.read(name, text, Origin::Flag(flag)).map_err(|fault| fault.about(&format!("`{flag}`")))
        };
        if let Some(host) = &flags.host {
            read("server.host", "--host", host)?;
        }
        if let Some(port) = flags.port {
            read("server.port", "--port", &port.to_string())?;
        }
        match flags.upstream.as_deref() {
            Some(address) if address.contains([':', '/']) => {
                read("upstream.flag.base_url", "--upstream", address)?;
                read("default_upstream", "--upstream", "flag")?;
            }
            Some(name) => read("default_upstream", "--upstream", name)?,
            None => {}
        }
        Ok(layer)
    }

    /// Reads a line of text as the value of a setting that exists.
    pub(super) fn read(&mut self, name: &str, text: &str, origin: Origin) -> Result<(), Fault> {
        let place = known(name)?;
        let value = place.read(name, text)?;
        self.put(name, value, origin);
        Ok(())
    }

    /// Judges a value of a setting that exists, and takes it.
    pub(super) fn check(&mut self, name: &str, value: Value, origin: Origin) -> Result<(), Fault> {
        let value = known(name)?.check(name, value)?;
        self.put(name, value, origin);
        Ok(())
    }

    /// Takes a value that was judged, in place of the one that was there.
    pub(super) fn put(&mut self, name: &str, value: Value, origin: Origin) {
        if let Some(Place::Upstream(upstream, _)) = keys::place(name) {
            self.declare(upstream);
        }
        match self.given.iter_mut().find(|given| given.name == name) {
            Some(given) => (given.value, given.origin) = (value, origin),
            None => self.given.push(Given { name: name.to_owned(), value, origin }),
        }
    }

    /// Notes that there is an upstream, even if nothing is said about it.
    pub(super) fn declare(&mut self, upstream: &str) {
        if !self.upstreams.iter().any(|name| name == upstream) {
            self.upstreams.push(upstream.to_owned());
        }
    }

    /// The logins about which something is said.
    pub(super) fn logins(&self) -> Vec<&str> {
        let names = self.given.iter().filter_map(|given| match keys::place(&given.name) {
            Some(Place::Login(login, _)) => Some(login),
            Some(Place::Section | Place::Once(_) | Place::Upstream(..)) | None => None,
        });
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The upstreams, in the order in which they were first named.
    pub(super) fn upstreams(&self) -> &[String] {
        &self.upstreams
    }

    /// Lays another layer over this one, value by value. Where the upper names another place for an
    /// upstream's key, the lower key goes.
    pub(super) fn overlay(&mut self, upper: &Self) {
        for given in &upper.given {
            if let Some(table) = given.name.strip_suffix(".key_env") {
                self.given.retain(|lower| lower.name.strip_suffix(".key") != Some(table));
            }
        }
        for given in &upper.given {
            self.put(&given.name, given.value.clone(), given.origin.clone());
        }
        upper.upstreams.iter().for_each(|name| self.declare(name));
    }

    /// What is said about one setting.
    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }

    /// What is said about the settings whose names begin so.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Given> {
        self.given.iter().filter(move |given| given.name.starts_with(prefix))
    }

    /// Whether there is a secret among the values.
    pub(super) fn holds_secret(&self) -> bool {
        self.given.iter().any(|given| given.value.holds_secret())
    }
}

fn known(name: &str) -> Result<Place<'_>, Fault> {
    keys::place(name).ok_or_else(|| Fault::new("is not a setting"))
}

/// The value of a variable, unless it is empty: `NAME=` is how many tools leave one out.
pub(super) fn present(environment: &dyn Fn(&str) -> Option<String>, variable: &str) -> Option<String> {
    environment(variable).filter(|text| !text.trim().is_empty())
}

/// The error of a setting that holds what it may not, for the sources that can name a place.
pub(super) fn usage(message: String, hint: Option<String>) -> Error {
    let error = Error::new(ErrorKind::Usage, message);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
