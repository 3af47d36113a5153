//! Where the files are that settings come from.

use super::keys::CONFIG_VARIABLE;
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The files that settings come from. Nothing here touches the disk.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    config: Option<PathBuf>,
    named: bool,
    iflow_settings: Option<PathBuf>,
    iflow_login: Option<PathBuf>,
    models: Option<PathBuf>,
    chats: Option<PathBuf>,
}

impl Paths {
    /// The files below a home directory and a directory for configurations, as far as there are such.
    pub fn new(home: Option<&Path>, config_directory: Option<&Path>) -> Self {
        Self {
            config: config_directory.map(|directory| directory.join("iflow2api").join("config.toml")),
            named: false,
            iflow_settings: home.map(|home| home.join(".iflow").join("settings.json")),
            iflow_login: home.map(|home| home.join(".iflow").join("oauth_creds.json")),
            models: None,
            chats: None,
        }
    }

    /// The user's own files; `--config`, else `IFLOW2API_CONFIG`, names another configuration.
    pub fn of_user(flag: Option<&Path>, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut paths = Self::new(dirs::home_dir().as_deref(), dirs::config_dir().as_deref());
        paths.models = dirs::cache_dir().map(|cache| cache.join("iflow2api").join("models"));
        paths.chats = dirs::data_dir().map(|data| data.join("iflow2api").join("chats"));
        let variable = || environment(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        match flag.map(Path::to_path_buf).or_else(variable) {
            Some(path) => paths.with_config(path),
            None => paths,
        }
    }

    /// The same with a configuration that was named, which therefore has to exist to be read.
    #[must_use]
    pub fn with_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self.named = true;
        self
    }

    /// The configuration, whether or not it exists.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if none was named and the system knows no directory for it.
    pub fn config(&self) -> Result<&Path> {
        self.config.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Usage, "there is no home directory to keep the configuration in")
                .with_hint(format!("name a file with `--config` or `{CONFIG_VARIABLE}`"))
        })
    }

    /// The configuration and whether it was named, if there is a place for it.
    pub(super) fn to_read(&self) -> Option<(&Path, bool)> {
        Some((self.config.as_deref()?, self.named))
    }

    /// The folder in which model lists are kept, if there is a place for it. Only a cache.
    pub fn models(&self) -> Option<&Path> {
        self.models.as_deref()
    }

    /// The folder in which conversations are kept, if there is a place for it.
    pub fn chats(&self) -> Option<&Path> {
        self.chats.as_deref()
    }

    /// Where keys and logins are kept, if there is a place for them: beside the configuration.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|config| config.with_file_name("credentials.json"))
    }

    /// The login of iFlow's clients, which is read and written.
    pub fn iflow_login(&self) -> Option<&Path> {
        self.iflow_login.as_deref()
    }

    /// The settings of the iFlow CLI, which are read and never written.
    pub fn iflow_settings(&self) -> Option<&Path> {
        self.iflow_settings.as_deref()
    }
}
