//! Settings: layers and origins, what each source may say, and how the file is written.

mod base_url;
mod file;
mod layers;
mod upstreams;
mod writing;

use iflow2api::config::{self, Flags, Paths, Preset, Resolved, Rows, Sources, Stored};
use iflow2api::error::{Error, ErrorKind};
use iflow2api::secret::Secret;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A home of its own, with whatever sources a test gives it.
struct Home {
    directory: TempDir,
    variables: Vec<(&'static str, &'static str)>,
    flags: Flags,
}

impl Home {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), variables: Vec::new(), flags: Flags::default() }
    }

    fn file(self, text: &str) -> Self {
        fs::create_dir_all(self.path().parent().unwrap()).unwrap();
        fs::write(self.path(), text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(self.path(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        self
    }

    fn iflow_settings(self, text: &str) -> Self {
        fs::create_dir_all(self.directory.path().join(".iflow")).unwrap();
        fs::write(self.settings_path(), text).unwrap();
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn upstream_flag(mut self, upstream: &str) -> Self {
        self.flags.upstream = Some(upstream.to_owned());
        self
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("config/iflow2api/config.toml")
    }

    fn settings_path(&self) -> PathBuf {
        self.directory.path().join(".iflow/settings.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn paths(&self) -> Paths {
        let home = self.directory.path();
        Paths::new(Some(home), Some(&home.join("config")))
    }

    fn try_resolve(&self) -> Result<Resolved, Error> {
        let environment = |name: &str| {
            let found = self.variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let (paths, flags) = (self.paths(), self.flags.clone());
        let sources = Sources { paths, environment: &environment, flags, presets, stored };
        config::resolve(&sources)
    }

    fn resolve(&self) -> Resolved {
        self.try_resolve().unwrap()
    }

    /// The message and the hint of a usage error, the path of the file cut to its name.
    fn refusal(&self) -> (String, String) {
        said(&self.try_resolve().unwrap_err(), self)
    }
}

/// What is stored in these tests: a line `UPSTREAM KEY` for each, in a file beside the configuration.
fn stored(paths: &Paths) -> (Vec<Stored>, Vec<String>) {
    let path = paths.credentials().unwrap();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let stored = text.lines().filter_map(|line| line.split_once(' ')).map(|(upstream, key)| Stored {
        upstream: upstream.to_owned(),
        key: Some(Secret::new(key)),
        path: path.clone(),
    });
    (stored.collect(), Vec::new())
}

/// The presets of these tests.
fn presets(_rows: Option<&Rows>) -> Result<Vec<Preset>, Error> {
    let preset = |name: &str, base_url: &str, variables: &[&str], alone: bool, retired: bool| Preset {
        name: name.to_owned(),
        base_url: Some(base_url.to_owned()),
        variables: variables.iter().map(|name| (*name).to_owned()).collect(),
        alone,
        retired,
        local: name == "ollama",
        login: name == "iflow",
    };
    Ok(vec![
        preset("zai", "https://zai.test/v4", &["ZAI_API_KEY", "ZHIPU_API_KEY"], true, false),
        preset("bigmodel", "https://bigmodel.test/v4", &["ZHIPU_API_KEY"], true, false),
        preset("deepseek", "https://deepseek.test/v1", &["DEEPSEEK_API_KEY"], true, false),
        preset("openai", "https://openai.test/v1", &["OPENAI_API_KEY"], false, false),
        preset("ollama", "http://127.0.0.1:11434/v1", &[], true, false),
        preset("iflow", "https://apis.iflow.cn/v1", &["IFLOW_API_KEY"], true, true),
    ])
}

fn said(error: &Error, home: &Home) -> (String, String) {
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    let directory = format!("{}/", home.path().parent().unwrap().display());
    let short = |text: &str| text.replace(&directory, "");
    (short(error.message()), short(error.hint().unwrap_or("")))
}

/// What `config show` prints of one setting.
fn shown(resolved: &Resolved, name: &str) -> (String, String) {
    let entry = config::get(resolved, name).unwrap();
    (entry.value.map(|value| value.to_string()).unwrap_or_default(), entry.origin.to_string())
}
