//! Where keys and logins are kept: `credentials.json` beside the configuration, by upstream and profile; iFlow's own
//! login in `~/.iflow/oauth_creds.json`, in the form that its other clients read and write.

use super::credential::Credential;
use super::document::{Document, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::private::{self, CORRUPT, Lock};
use crate::secret::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The profile of a login that was given no name.
pub const DEFAULT_PROFILE: &str = "default";
/// The upstream whose login has a file of its own.
pub const IFLOW: &str = "iflow";

/// How long somebody else may hold the lock of a file; writing takes milliseconds.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// One account of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The upstream's name.
    pub upstream: String,
    /// The account's name among those of the upstream.
    pub profile: String,
}

/// Where an account is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In this file.
    File(PathBuf),
    /// In the system's keyring, as this file says.
    Keyring(PathBuf),
}

impl Kept {
    fn new(path: &Path, in_keyring: bool) -> Self {
        let path = path.to_path_buf();
        if in_keyring { Self::Keyring(path) } else { Self::File(path) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Keyring(path) => path,
        }
    }
}

/// One account that is stored.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose it is.
    pub account: Account,
    /// Whether calls to the upstream use it.
    pub is_current: bool,
    /// What signs in.
    pub credential: Credential,
    /// Where it is kept.
    pub kept: Kept,
}

/// What is stored.
#[derive(Debug, Default)]
pub struct Listing {
    /// The accounts.
    pub entries: Vec<Entry>,
    /// What is worth a warning about the files.
    pub warnings: Vec<String>,
    /// The files that cannot be read, and why.
    pub faults: Vec<(PathBuf, Error)>,
}

/// The files. Nothing is kept in memory, since other processes write them too.
#[derive(Debug, Clone)]
pub struct Store {
    file: PathBuf,
    iflow: Option<PathBuf>,
    keyring: bool,
}

/// Something by which a change of the files is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<(Option<SystemTime>, u64, u64)>; 2]);

impl Store {
    /// The store in these files; neither has to exist.
    pub fn new(file: impl Into<PathBuf>, iflow: Option<PathBuf>) -> Self {
        Self { file: file.into(), iflow, keyring: false }
    }

    /// The same with what is written from now on in the system's keyring, but for iFlow's own login, which other
    /// programs look for in its file.
    #[must_use]
    pub fn with_keyring(self, keyring: bool) -> Self {
        Self { keyring, ..self }
    }

    /// The file of all but iFlow's own login.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the files look like from outside.
    pub fn stamp(&self) -> Stamp {
        Stamp([Some(&self.file), self.iflow.as_ref()].map(|path| path.and_then(|path| stamp_of(path))))
    }

    /// All that is stored, as far as it can be read.
    pub fn list(&self) -> Listing {
        let mut listing = Listing::default();
        let document = Document::read(&self.file).unwrap_or_else(|error| {
            listing.faults.push((self.file.clone(), error));
            Document::default()
        });
        listing.warnings.extend(document.warning.clone());
        let kept = Kept::new(&self.file, document.in_keyring);
        for upstream in document.upstreams().into_iter().flat_map(Map::keys) {
            for (profile, credential) in document.profiles(upstream) {
                let account = Account { upstream: upstream.clone(), profile: profile.clone() };
                let is_current = document.current(upstream) == profile;
                listing.entries.push(Entry { account, is_current, credential, kept: kept.clone() });
            }
        }
        // A key that was entered here goes before a login that another program may have left there.
        let has_key = listing.entries.iter().any(|entry| is_iflows(&entry.account));
        if let Some(path) = self.iflow.as_ref().filter(|_| !has_key) {
            match read_iflow(path) {
                Ok(Some((credential, warning))) => {
                    listing.warnings.extend(warning);
                    let account = Account { upstream: IFLOW.to_owned(), profile: DEFAULT_PROFILE.to_owned() };
                    let is_current = document.current(IFLOW) == DEFAULT_PROFILE;
                    listing.entries.push(Entry {
                        account,
                        is_current,
                        credential,
                        kept: Kept::new(path, false),
                    });
                }
                Ok(None) => {}
                Err(error) => listing.faults.push((path.clone(), error)),
            }
        }
        listing
    }

    /// The account that calls to an upstream use.
    ///
    /// # Errors
    /// `Usage` where a file that may hold it cannot be read.
    pub fn current(&self, upstream: &str) -> Result<Option<Entry>> {
        self.find(upstream, |entry| entry.account.upstream == upstream && entry.is_current)
    }

    /// One account.
    ///
    /// # Errors
    /// As [`Store::current`].
    pub fn account(&self, account: &Account) -> Result<Option<Entry>> {
        self.find(&account.upstream, |entry| entry.account == *account)
    }

    fn find(&self, upstream: &str, is_it: impl Fn(&Entry) -> bool) -> Result<Option<Entry>> {
        let Listing { entries, faults, .. } = self.list();
        if let Some(entry) = entries.into_iter().find(is_it) {
            return Ok(Some(entry));
        }
        let mut faults = faults.into_iter().filter(|(path, _)| *path == self.file || upstream == IFLOW);
        faults.next().map_or(Ok(None), |(_, error)| Err(error))
    }

    /// Stores an account, which calls use from now on, and returns where it is kept. A file that cannot be understood is
    /// kept beside the new one.
    ///
    /// # Errors
    /// `Usage` where a file is a link, is another's, or cannot be written; it is then as it was.
    pub fn put(&self, account: &Account, credential: &Credential) -> Result<Kept> {
        if let Some(path) = self.own_file(account, credential) {
            self.put_own(path, credential, |_| true)?;
            self.change(true, |document| {
                // A key that was entered here would go before it.
                document.remove(account);
                document.choose(account);
            })?;
            return Ok(Kept::new(path, false));
        }
        let in_keyring = self.change(false, |document| {
            document.put(account, credential.members().clone());
            document.choose(account);
        })?;
        Ok(Kept::new(&self.file, in_keyring))
    }

    /// Stores an account's next tokens; `false` where it is not as it was expected any more, and so stays as it is. Of a
    /// file that cannot be understood nothing is expected.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn renew(
        &self,
        account: &Account,
        credential: &Credential,
        is_expected: impl Fn(&Credential) -> bool,
    ) -> Result<bool> {
        if let Some(path) = self.own_file(account, credential) {
            return self.put_own(path, credential, |old| old.is_some_and(&is_expected));
        }
        let mut renewed = false;
        self.change(false, |document| {
            let old = document.profiles(&account.upstream).find(|(name, _)| **name == account.profile);
            renewed = old.map_or(document.is_new, |(_, old)| is_expected(&old));
            if renewed {
                document.put(account, credential.members().clone());
            }
        })?;
        Ok(renewed)
    }

    /// Puts a login into iFlow's own file, where what it holds may be replaced.
    fn put_own(
        &self,
        path: &Path,
        credential: &Credential,
        may_replace: impl Fn(Option<&Credential>) -> bool,
    ) -> Result<bool> {
        let _lock = write_lock(path)?;
        private::check_target(path)?;
        let merged = match read_iflow(path) {
            Ok(old) => {
                let old = old.map(|(old, _)| old);
                if !may_replace(old.as_ref()) {
                    return Ok(false);
                }
                old.zip(credential.as_login()).map(|(old, login)| old.with_login(login.clone()))
            }
            Err(error) => {
                set_aside(path, &error)?;
                None
            }
        };
        write(path, merged.as_ref().unwrap_or(credential).members())?;
        Ok(true)
    }

    /// Forgets an account; `false` if there was none.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn remove(&self, account: &Account) -> Result<bool> {
        let mut removed = false;
        self.change(true, |document| removed = document.remove(account))?;
        if let Some(path) = self.iflow.as_ref().filter(|_| is_iflows(account)) {
            let _lock = write_lock(path)?;
            private::check_target(path)?;
            match fs::remove_file(path) {
                Ok(()) => removed = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unwritable(path, error)),
            }
        }
        let upstream = &account.upstream;
        if !self.list().entries.iter().any(|entry| entry.account.upstream == *upstream) {
            self.change(true, |document| document.forget_client(upstream))?;
        }
        Ok(removed)
    }

    /// Has calls to an upstream use this account from now on.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn select(&self, account: &Account) -> Result<()> {
        self.change(false, |document| document.choose(account)).map(drop)
    }

    /// The secret of the client that logs in at an upstream, if one was entered here.
    pub fn client_secret(&self, upstream: &str) -> Option<Secret> {
        let document = Document::read(&self.file).ok()?;
        let secret = document.upstream(upstream)?.get("client_secret")?.as_str()?;
        Some(Secret::new(secret))
    }

    /// Stores that secret.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_client_secret(&self, upstream: &str, secret: &Secret) -> Result<()> {
        self.change(false, |document| {
            document.upstream_mut(upstream).insert("client_secret".to_owned(), secret.expose().into());
        })
        .map(drop)
    }

    /// The file whose lock is held by the one who refreshes an account.
    pub fn refresh_lock(&self, account: &Account) -> PathBuf {
        let Account { upstream, profile } = account;
        private::beside(&self.file, &format!(".{upstream}.{profile}.lock"))
    }

    /// The file of its own that a credential belongs into.
    fn own_file(&self, account: &Account, credential: &Credential) -> Option<&Path> {
        let own = is_iflows(account) && credential.as_login().is_some();
        self.iflow.as_deref().filter(|_| own)
    }

    /// Changes the document under its lock; whether it is in the keyring then. Where nothing is there and
    /// `only_if_there`, nothing is made.
    fn change(&self, only_if_there: bool, change: impl FnOnce(&mut Document)) -> Result<bool> {
        if only_if_there && !fs::exists(&self.file).unwrap_or(true) {
            change(&mut Document::default());
            return Ok(false);
        }
        let _lock = write_lock(&self.file)?;
        private::check_target(&self.file)?;
        let mut document = match Document::read(&self.file) {
            Ok(document) => document,
            Err(error) => {
                set_aside(&self.file, &error)?;
                Document { is_new: true, ..Document::default() }
            }
        };
        let before = document.members.clone();
        change(&mut document);
        if document.members == before {
            return Ok(document.in_keyring);
        }
        document.write(&self.file, self.keyring)?;
        Ok(document.in_keyring)
    }
}

fn is_iflows(account: &Account) -> bool {
    account.upstream == IFLOW && account.profile == DEFAULT_PROFILE
}

/// Reads the login of iFlow's clients, and what is worth a warning.
fn read_iflow(path: &Path) -> Result<Option<(Credential, Option<String>)>> {
    let Some(private::Read { text, warning }) = private::read(path)? else { return Ok(None) };
    let members = parse(path, &text)?;
    Ok(Credential::read(members).map(|credential| (credential, warning)))
}

/// Moves a file that cannot be understood out of the way. Nothing of it is lost.
fn set_aside(path: &Path, error: &Error) -> Result<()> {
    if error.code() != Some(CORRUPT) {
        let message = error.message().to_owned();
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let stem = format!(".corrupt-{}", Timestamp::now().as_second());
    let names = std::iter::once(stem.clone()).chain((2..).map(|number| format!("{stem}-{number}")));
    let free =
        names.map(|name| private::beside(path, &name)).find(|aside| !fs::exists(aside).unwrap_or(false));
    let Some(aside) = free else { unreachable!("there is always another number") };
    fs::rename(path, &aside).map_err(|error| unwritable(path, error))?;
    tracing::warn!("`{}` could not be understood; it is kept as `{}`", path.display(), aside.display());
    Ok(())
}

fn write_lock(path: &Path) -> Result<Option<Lock>> {
    match Lock::take(&private::beside(path, ".lock"), WRITE_WAIT) {
        Ok(lock) => {
            private::sweep(path);
            Ok(Some(lock))
        }
        // Some file systems know no locks. Renames are whole there too.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(unwritable(path, error)),
    }
}

fn write(path: &Path, members: &Map<String, Value>) -> Result<()> {
    replace(path, &format!("{:#}\n", Value::Object(members.clone())))
}

pub(super) fn replace(path: &Path, text: &str) -> Result<()> {
    private::replace(path, text.as_bytes()).map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Usage, format!("`{}` cannot be written", path.display())).with_source(error)
}

#[cfg(unix)]
fn stamp_of(path: &Path) -> Option<(Option<SystemTime>, u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len(), metadata.ino()))
}

#[cfg(not(unix))]
fn stamp_of(path: &Path) -> Option<(Option<SystemTime>, u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len(), 0))
}
