//! Reads `~/.iflow/settings.json`, the file of the iFlow CLI, as the upstream `iflow`. It belongs
//! to another program: it is never written, and what is wrong with it is a warning.

use super::layer::{Layer, Origin, present};
use serde::Deserialize;
use std::fs;
use std::io;
use std::path::Path;

/// The last parts of the path of the file.
pub(super) const FILE: &str = ".iflow/settings.json";

/// The upstream that the file is about.
pub(super) const UPSTREAM: &str = "iflow";

/// What `selectedAuthType` says where the key of the file is meant, and no login.
const BY_KEY: [&str; 3] = ["api-key", "api_key", OTHER];
/// What `selectedAuthType` says of an endpoint that is not iFlow's.
const OTHER: &str = "openai-compatible";
/// The preset of such an endpoint.
const GENERIC_PRESET: &str = "openai";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    api_key: Option<String>,
    base_url: Option<String>,
    selected_auth_type: Option<String>,
}

/// Reads the file, if it is there. `has_login` says that there is a login beside it. A file with a fault is left out whole: a key that was meant for
/// another address must not go to the default one.
pub(super) fn layer(
    path: &Path,
    has_login: bool,
    environment: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Layer {
    read(path, has_login, environment).unwrap_or_else(|fault| {
        warnings.push(format!("`{}` is left out: {fault}", path.display()));
        Layer::default()
    })
}

fn read(path: &Path, has_login: bool, environment: &dyn Fn(&str) -> Option<String>) -> Result<Layer, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Layer::default()),
        Err(error) => return Err(error.to_string()),
    };
    // A byte order mark is what editors on Windows put first. serde's message of a wrong type repeats
    // the value, which may be a key, so only the place is told.
    let settings: Settings = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        format!("line {}, column {}: not the JSON expected", error.line(), error.column())
    })?;
    let mut layer = Layer::default();
    let is_other = settings.selected_auth_type.as_deref() == Some(OTHER) && settings.base_url.is_some();
    // Beside a login the key in this file is a copy, which is not renewed with it.
    let by_key = settings.selected_auth_type.as_deref().is_some_and(|kind| BY_KEY.contains(&kind));
    let api_key = settings.api_key.filter(|_| by_key || !has_login);
    let preset = is_other.then(|| GENERIC_PRESET.to_owned());
    for (name, member, text) in [
        ("upstream.iflow.base_url", "baseUrl", settings.base_url),
        ("upstream.iflow.key", "apiKey", api_key),
        ("upstream.iflow.preset", "selectedAuthType", preset),
    ] {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { continue };
        let text = expand(text.trim(), environment)?;
        layer
            .read(name, &text, Origin::File(path.to_path_buf()))
            .map_err(|fault| fault.about(&format!("`{member}`")).to_string())?;
    }
    Ok(layer)
}

/// A value that is `$VAR` or `${VAR}` as a whole stands for that variable.
fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('$') else { return Ok(text.to_owned()) };
    let braced = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let variable = braced.unwrap_or(rest);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if variable.is_empty() || !variable.chars().all(is_name) {
        return Ok(text.to_owned());
    }
    present(environment, variable).ok_or_else(|| format!("the variable `{variable}` it names is not set"))
}
