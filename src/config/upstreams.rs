//! The upstreams that are set up, and which of them is the default.

use super::keys::{BASE_URL_VARIABLE, UpstreamTable};
use super::layer::{Layer, Origin, present, usage};
use super::value::{Value, quoted};
use super::{Config, iflow, keys};
use crate::error::Result;
use crate::secret::Secret;

const GENERIC_PRESET: &str = "openai";

/// One upstream that is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// The preset as given, else the upstream's own name; see [`Upstream::preset_among`].
    pub preset: String,
    /// Where its API is, in the form of [`normalise`](super::base_url::normalise); `None` leaves it
    /// to the preset.
    pub base_url: Option<String>,
    /// The key, wherever it was; `None` leaves it to the preset's own variables and the stored login.
    pub key: Option<Secret>,
    /// Headers to send with each request.
    pub headers: Vec<(String, Secret)>,
    /// Its models, where it cannot list them itself.
    pub models: Vec<String>,
    /// The most tokens an answer may have; `None` leaves it to the preset and the model.
    pub max_output: Option<u64>,
    /// How many tokens prompt and answer may have together; `None` leaves it to its model list.
    pub context_window: Option<u64>,
    /// One of [`keys::PREFIXES`]; `None` leaves it to the preset.
    pub prefix: Option<String>,
    /// How many calls it gets at once; `None` for any number.
    pub max_concurrent: Option<u64>,
    /// How many calls may wait for their turn; `None` for the usual number.
    pub max_queue: Option<u64>,
}

impl Upstream {
    /// The preset to use, where `is_known` says which there are: the one that was given; without one,
    /// that of the upstream's name; where there is none of that name, `openai`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) if no such preset is known and it cannot
    /// be the generic one, which needs a base URL.
    pub fn preset_among(&self, is_known: impl Fn(&str) -> bool) -> Result<&str> {
        if is_known(&self.preset) {
            return Ok(&self.preset);
        }
        let preset = quoted(&self.preset);
        if self.preset != self.name {
            let message = format!("`upstream.{}.preset` must be a preset, not {preset}", self.name);
            return Err(usage(message, None));
        }
        if self.base_url.is_some() {
            return Ok(GENERIC_PRESET);
        }
        let message = format!("the upstream {preset} has no base URL, and no preset bears its name");
        let hint = format!("set `upstream.{0}.base_url` or `upstream.{0}.preset`", self.name);
        Err(usage(message, Some(hint)))
    }
}

/// Names the default upstream as far as it can be told before the keys are known. A default that has
/// no table is set up by its name alone, which the presets know.
pub(super) fn choose_default(config: &mut Config, layer: &mut Layer, file: &Layer) -> Result<()> {
    let first_of_file = || file.upstreams().first().cloned();
    let of_environment = || layer.upstreams().iter().find(|name| *name == "env").cloned();
    let Some(chosen) = &config.default_upstream else {
        config.default_upstream = first_of_file().or_else(of_environment);
        return Ok(());
    };
    if chosen == "env" && of_environment().is_none() {
        let message = format!("the default upstream is `env`, but `{BASE_URL_VARIABLE}` is not set");
        return Err(usage(message, None));
    }
    layer.declare(chosen);
    Ok(())
}

/// The last resort: `iflow`, if it has a key.
pub(super) fn settle_default(config: &mut Config) {
    if config.default_upstream.is_none() {
        let has_key = |upstream: &&Upstream| upstream.name == iflow::NAME && upstream.key.is_some();
        config.default_upstream = config.upstreams.iter().find(has_key).map(|upstream| upstream.name.clone());
    }
}

/// Builds the upstreams that a layer declares, and notes in it what was derived.
pub(super) fn build(
    layer: &mut Layer,
    environment: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Upstream>> {
    let names = layer.upstreams().to_vec();
    names.into_iter().map(|name| build_one(name, layer, environment, warnings)).collect()
}

fn build_one(
    name: String,
    layer: &mut Layer,
    environment: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Upstream> {
    let mut table = table_of(&name, layer)?;
    if table.key.is_none()
        && let Some(variable) = &table.key_env
    {
        table.key = present(environment, variable).map(|key| Secret::new(key.trim()));
        match &table.key {
            Some(key) => layer.put(
                &format!("upstream.{name}.key"),
                Value::Secret(key.clone()),
                Origin::Environment(variable.clone()),
            ),
            None => warnings.push(format!(
                "the variable {} with the key of the upstream `{name}` is not set",
                quoted(variable)
            )),
        }
    }
    let preset = table.preset.unwrap_or_else(|| {
        let preset = if matches!(name.as_str(), "env" | "flag") { GENERIC_PRESET } else { &name };
        layer.put(&format!("upstream.{name}.preset"), Value::Text(preset.to_owned()), Origin::Default);
        preset.to_owned()
    });
    if table.base_url.is_none() && name == iflow::NAME && preset == iflow::NAME {
        let base_url = Value::Text(iflow::BASE_URL.to_owned());
        layer.put(&format!("upstream.{name}.base_url"), base_url, Origin::Default);
        table.base_url = Some(iflow::BASE_URL.to_owned());
    }
    Ok(Upstream {
        name,
        preset,
        base_url: table.base_url,
        key: table.key,
        headers: table.headers,
        models: table.models,
        max_output: table.max_output,
        context_window: table.context_window,
        prefix: table.prefix,
        max_concurrent: table.max_concurrent,
        max_queue: table.max_queue,
    })
}

fn table_of(upstream: &str, layer: &Layer) -> Result<UpstreamTable> {
    let mut table = UpstreamTable::default();
    let prefix = format!("upstream.{upstream}.");
    for given in layer.below(&prefix) {
        if let Some(keys::Place::Upstream(_, setting)) = keys::place(&given.name) {
            let stored = setting.field.store(&mut table, &given.name, given.value.clone());
            stored.map_err(|fault| fault.about(&format!("`{}`", given.name)))?;
        }
    }
    Ok(table)
}
