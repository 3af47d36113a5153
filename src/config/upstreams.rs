//! The upstreams that are set up, and which of them is the default.

use super::keys::{BASE_URL_VARIABLE, UpstreamTable};
use super::layer::{Layer, Origin, present, usage};
use super::value::{Value, quoted};
use super::{Config, Stored, iflow, keys};
use crate::error::Result;
use crate::secret::Secret;

const GENERIC_PRESET: &str = "openai";

/// What a preset says that settings depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: String,
    /// Where its API is.
    pub base_url: Option<String>,
    /// The variables that usually hold a key of it, the first before the others.
    pub variables: Vec<String>,
    /// Whether a key in one of them sets it up.
    pub alone: bool,
    /// Whether its service has ended, so that any other goes first.
    pub retired: bool,
    /// Whether it runs on the user's own machine, where it needs no key.
    pub local: bool,
    /// Whether one can log in there.
    pub login: bool,
}

/// Where keys are looked for that no setting names.
pub(super) struct Keys<'a> {
    pub(super) presets: &'a [Preset],
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// The keys and logins that are stored.
    pub(super) stored: &'a [Stored],
    /// The models that settings and flags name.
    pub(super) named: Vec<&'a str>,
    /// A model that is only talked about.
    pub(super) described: Option<&'a str>,
}

impl Keys<'_> {
    /// Whether a preset is an upstream for no more than being named. An engine on this machine is, and any that is
    /// only talked about.
    fn is_named(&self, preset: &Preset) -> bool {
        let is_prefix = |model: &&str| model.split_once('/').is_some_and(|(prefix, _)| prefix == preset.name);
        self.described.iter().any(is_prefix) || preset.local && self.named.iter().any(is_prefix)
    }

    fn preset(&self, name: &str) -> Option<&Preset> {
        self.presets.iter().find(|preset| preset.name == name)
    }

    /// The key in the first variable of a preset that is set, and that variable.
    fn of_preset(&self, preset: &Preset) -> Option<(String, Secret)> {
        preset.variables.iter().find_map(|variable| {
            let key = present(self.environment, variable)?;
            Some((variable.clone(), Secret::new(key.trim())))
        })
    }
}

/// One upstream that is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// The preset: the one that was given, else that of the upstream's name, else `openai`.
    pub preset: String,
    /// Where its API is, in the form of [`normalise`](super::base_url::normalise); `None` where neither a
    /// setting nor a preset says it.
    pub base_url: Option<String>,
    /// Whether a user said where that is, and so the preset's other addresses are not meant.
    pub elsewhere: bool,
    /// The key, wherever it was; `None` leaves it to what is stored.
    pub key: Option<Secret>,
    /// Whether a key or a login is stored for it, and used.
    pub stored: bool,
    /// The variable that the key comes from, if it does, for messages.
    pub key_origin: Option<String>,
    /// Whether only a call that names it goes to it: the key in the environment is another preset's as well.
    pub named_only: bool,
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
    /// Where it speaks the Anthropic API; `None` leaves it to the preset.
    pub anthropic_base_url: Option<String>,
    /// One of [`keys::WIRES`].
    pub wire: Option<String>,
    /// `env`, `none` or the address of a proxy; `None` is `env`.
    pub proxy: Option<String>,
    /// A file of CA certificates that are trusted beside the system's.
    pub ca_file: Option<String>,
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

/// The last resort: the first that a key sets up.
pub(super) fn settle_default(config: &mut Config) {
    if config.default_upstream.is_none() {
        let has_key =
            |upstream: &&Upstream| (upstream.key.is_some() || upstream.stored) && !upstream.named_only;
        config.default_upstream = config.upstreams.iter().find(has_key).map(|upstream| upstream.name.clone());
    }
}

/// Builds the upstreams that a layer declares, and those that a key in the environment sets up; notes in the
/// layer what was derived.
pub(super) fn build(layer: &mut Layer, keys: &Keys<'_>, warnings: &mut Vec<String>) -> Result<Vec<Upstream>> {
    let declared = layer.upstreams().to_vec();
    let mut built = Vec::new();
    for name in declared {
        built.push(build_one(name, layer, keys, warnings)?);
    }
    let mut added = Vec::new();
    // What somebody has logged in at goes before what happens to be in the environment.
    for stored in keys.stored {
        let Some(preset) = keys.preset(&stored.upstream) else { continue };
        if !built.iter().any(|upstream| upstream.name == preset.name) {
            layer.declare(&preset.name);
            added.push((preset.retired, build_one(preset.name.clone(), layer, keys, warnings)?));
        }
    }
    let mut used: Vec<String> = built.iter().filter_map(|upstream| upstream.key_origin.clone()).collect();
    for preset in keys.presets.iter().filter(|preset| preset.alone) {
        let mut others = built.iter().chain(added.iter().map(|(_, upstream)| upstream));
        if others.any(|upstream| upstream.name == preset.name) {
            continue;
        }
        let Some((variable, _)) = keys.of_preset(preset) else { continue };
        layer.declare(&preset.name);
        let mut upstream = build_one(preset.name.clone(), layer, keys, warnings)?;
        upstream.named_only = used.contains(&variable);
        used.push(variable);
        added.push((preset.retired, upstream));
    }
    for preset in keys.presets.iter().filter(|preset| keys.is_named(preset)) {
        let others = built.iter().chain(added.iter().map(|(_, upstream)| upstream));
        if others.into_iter().any(|upstream: &Upstream| upstream.name == preset.name) {
            continue;
        }
        layer.declare(&preset.name);
        let named = build_one(preset.name.clone(), layer, keys, warnings)?;
        added.push((false, Upstream { named_only: true, ..named }));
    }
    // What has ended stands last, and so does `iflow` where only its own file speaks of it.
    let is_retired = |name: &str| keys.preset(name).is_some_and(|preset| preset.retired);
    let of_file = |upstream: &Upstream| match layer.get(&format!("upstream.{}.key", upstream.name)) {
        Some(given) => matches!(&given.origin, Origin::File(path) if path.ends_with(iflow::FILE)),
        None => false,
    };
    let (last, mut first): (Vec<_>, Vec<_>) =
        built.into_iter().partition(|upstream| is_retired(&upstream.preset) && of_file(upstream));
    let (retired, live): (Vec<_>, Vec<_>) = added.into_iter().partition(|(retired, _)| *retired);
    first.extend(live.into_iter().map(|(_, upstream)| upstream));
    first.extend(last);
    first.extend(retired.into_iter().map(|(_, upstream)| upstream));
    Ok(first)
}

fn build_one(
    name: String,
    layer: &mut Layer,
    keys: &Keys<'_>,
    warnings: &mut Vec<String>,
) -> Result<Upstream> {
    let mut table = table_of(&name, layer)?;
    let preset = preset_of(&name, &table, layer, keys)?;
    let stored = find_key(&name, &mut table, &preset, layer, keys, warnings);
    let elsewhere = table.base_url.is_some();
    let base_url = table.base_url.or_else(|| {
        let base_url = preset.base_url.clone()?;
        layer.put(&format!("upstream.{name}.base_url"), Value::Text(base_url.clone()), Origin::Default);
        Some(base_url)
    });
    let key_origin = match layer.get(&format!("upstream.{name}.key")).map(|given| &given.origin) {
        Some(Origin::Environment(variable)) if table.key.is_some() => Some(variable.clone()),
        _ => None,
    };
    Ok(Upstream {
        key_origin,
        preset: preset.name,
        name,
        base_url,
        elsewhere,
        key: table.key,
        stored,
        named_only: false,
        headers: table.headers,
        models: table.models,
        max_output: table.max_output,
        context_window: table.context_window,
        prefix: table.prefix,
        max_concurrent: table.max_concurrent,
        max_queue: table.max_queue,
        anthropic_base_url: table.anthropic_base_url,
        wire: table.wire,
        proxy: table.proxy,
        ca_file: table.ca_file,
    })
}

/// The preset of an upstream: the one that was given; without one, that of the upstream's name; where there is
/// none of that name, the generic one, whose own address is nobody's.
fn preset_of(name: &str, table: &UpstreamTable, layer: &mut Layer, keys: &Keys<'_>) -> Result<Preset> {
    let generic = || Preset { name: GENERIC_PRESET.to_owned(), ..Preset::default() };
    match &table.preset {
        Some(given) => keys.preset(given).cloned().ok_or_else(|| {
            let message = format!("`upstream.{name}.preset` must be a preset, not {}", quoted(given));
            let names = keys.presets.iter().map(|preset| preset.name.as_str());
            usage(message, crate::near::hint(given, names))
        }),
        None => {
            let own = keys.preset(name).filter(|_| !matches!(name, "env" | "flag")).cloned();
            let preset = own.unwrap_or_else(generic);
            let value = Value::Text(preset.name.clone());
            layer.put(&format!("upstream.{name}.preset"), value, Origin::Default);
            Ok(preset)
        }
    }
}

/// Looks for the key in the variable that is named for it, or else in those of the preset, and last among what is
/// stored; whether it is there.
fn find_key(
    name: &str,
    table: &mut UpstreamTable,
    preset: &Preset,
    layer: &mut Layer,
    keys: &Keys<'_>,
    warnings: &mut Vec<String>,
) -> bool {
    if table.key.is_some() {
        return false;
    }
    let found = match &table.key_env {
        Some(variable) => {
            let key = present(keys.environment, variable).map(|key| Secret::new(key.trim()));
            if key.is_none() {
                warnings.push(format!(
                    "the variable {} with the key of the upstream `{name}` is not set",
                    quoted(variable)
                ));
            }
            key.map(|key| (variable.clone(), key))
        }
        // A key of OpenAI's is not meant for any other server that speaks its wire.
        None if preset.name == GENERIC_PRESET && table.base_url.is_some() => None,
        None => keys.of_preset(preset),
    };
    if let Some((variable, key)) = found {
        let value = Value::Secret(key.clone());
        layer.put(&format!("upstream.{name}.key"), value, Origin::Environment(variable));
        table.key = Some(key);
        return false;
    }
    let Some(stored) = keys.stored.iter().find(|stored| stored.upstream == name) else { return false };
    if let Some(key) = &stored.key {
        let origin = Origin::File(stored.path.clone());
        layer.put(&format!("upstream.{name}.key"), Value::Secret(key.clone()), origin);
    }
    true
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
