//! Files for their owner's eyes alone: written all at once or not at all, and read only where nobody else can have
//! put them there.

use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How large such a file may be. Chosen: far above any number of keys.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// How often a lock is tried for.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Replaces a file, so that a crash at any point leaves the old or the new one whole: a temporary file beside it, made
/// with mode 0600, synchronised, renamed. A directory that is missing is made with mode 0700.
///
/// # Errors
/// Whatever the system says; the file is then as it was.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    make_directory(directory)?;
    // `tempfile` creates with mode 0600 where there are modes.
    let mut temporary =
        tempfile::Builder::new().prefix(&prefix_of(path)).suffix(SUFFIX).tempfile_in(directory)?;
    temporary.write_all(text)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Adds to the end of a file, which is made with mode 0600 where it is not there; its directory with mode 0700. A line
/// that a crash has left unfinished is ended first.
///
/// # Errors
/// Whatever the system says, also where the file is a link.
pub fn append(path: &Path, text: &[u8]) -> io::Result<()> {
    make_directory(directory_of(path))?;
    let mut file = create(path)?;
    let length = file.seek(io::SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let gap: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    file.write_all(&[gap, text].concat())?;
    file.sync_data()
}

/// Removes what writers of a file left behind that were killed. Only for the one who holds its lock.
pub fn sweep(path: &Path) {
    sweep_where(path, |_| true);
}

/// Removes the same where nobody holds a lock: only what is older than any writing takes.
pub fn sweep_old(path: &Path) {
    /// Chosen: a file is written within milliseconds.
    const OLD: Duration = Duration::from_secs(5 * 60);
    let is_old = |entry: &fs::DirEntry| {
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        age.is_some_and(|age| age > OLD)
    };
    sweep_where(path, is_old);
}

fn sweep_where(path: &Path, is_left: impl Fn(&fs::DirEntry) -> bool) {
    let prefix = prefix_of(path);
    let entries = fs::read_dir(directory_of(path)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok().map(|name| (name, entry)));
    for (_, entry) in names.filter(|(name, _)| name.starts_with(&prefix) && name.ends_with(SUFFIX)) {
        if is_left(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

const SUFFIX: &str = ".tmp";

fn prefix_of(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// The code of an error about a file that cannot be understood.
pub const CORRUPT: &str = "corrupt";

/// What was read, and what is worth a warning about the file.
#[derive(Debug)]
pub struct Read {
    /// All of the file.
    pub text: String,
    /// That others can read it, or write into its directory.
    pub warning: Option<String>,
}

/// Reads a file; `None` if it is not there.
///
/// # Errors
/// `Usage` where it is a symbolic link, belongs to somebody else, is no file or no text, or cannot be read.
pub fn read(path: &Path) -> Result<Option<Read>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if is_link(path) => return Err(a_link(path)),
        Err(error) => return Err(unreadable(path).with_source(error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(path).with_source(error))?;
    if !metadata.is_file() {
        return Err(refused(path, "is no file"));
    }
    check_owner(path, &metadata)?;
    let mut text = String::new();
    let read = (&file).take(MAX_BYTES).read_to_string(&mut text);
    let read = read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => refused(path, "is no text").with_code(CORRUPT),
        _ => unreadable(path).with_source(error),
    })?;
    if u64::try_from(read).is_ok_and(|read| read == MAX_BYTES) {
        return Err(refused(path, "is larger than any file of ours"));
    }
    Ok(Some(Read { text, warning: openness(path, &metadata) }))
}

/// Whether a file may be replaced by one of ours.
///
/// # Errors
/// `Usage` where it is a symbolic link or belongs to somebody else.
pub fn check_target(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(a_link(path)),
        Ok(metadata) => check_owner(path, &metadata),
        Err(_) => Ok(()),
    }
}

fn a_link(path: &Path) -> Error {
    refused(path, "is a symbolic link").with_hint("put the file itself there: a link could lead anywhere")
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("`{}` {why}", path.display()))
}

fn unreadable(path: &Path) -> Error {
    refused(path, "cannot be read")
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    // Not waiting: a pipe in its place must not hold us.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    File::options().read(true).custom_flags(flags.cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    if is_link(path) { Err(io::ErrorKind::InvalidInput.into()) } else { File::open(path) }
}

#[cfg(unix)]
fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (owner, ours) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == ours {
        return Ok(());
    }
    let path = path.display();
    let message = format!("`{path}` belongs to another user (uid {owner}; this program runs as {ours})");
    Err(Error::new(ErrorKind::Usage, message).with_hint(format!("`chown` it, or run as its owner: {path}")))
}

#[cfg(not(unix))]
fn check_owner(_: &Path, _: &fs::Metadata) -> Result<()> {
    Ok(())
}

/// That a file is open to more than its owner, or its directory writable by others, as `ssh` says it.
#[cfg(unix)]
fn openness(path: &Path, metadata: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |metadata: &fs::Metadata| metadata.permissions().mode() & 0o777;
    let (own, directory) = (mode(metadata), directory_of(path));
    if own & 0o077 != 0 {
        let path = path.display();
        return Some(format!("`{path}` is open to others (mode {own:04o}); `chmod 600 {path}` helps"));
    }
    // Whoever may write there may put another file in its place.
    let around =
        fs::metadata(directory).map(|metadata| mode(&metadata)).ok().filter(|mode| mode & 0o022 != 0)?;
    let directory = directory.display();
    Some(format!("others can write in `{directory}` (mode {around:04o}); `chmod 700 {directory}` helps"))
}

#[cfg(not(unix))]
fn openness(_: &Path, _: &fs::Metadata) -> Option<String> {
    None
}

/// Makes a directory, with those above it, for its owner alone. One that is there stays as it is.
///
/// # Errors
/// Whatever the system says.
#[cfg(unix)]
pub fn make_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Makes a directory, with those above it.
///
/// # Errors
/// Whatever the system says.
#[cfg(not(unix))]
pub fn make_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// Makes the rename itself survive a crash.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A lock among all processes, let go when it is dropped, or when its process ends in whatever way.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Waits for the lock of a name, at most `limit`. Its file stays: removing it would give two processes a lock each.
    /// Blocks.
    ///
    /// # Errors
    /// What the system says; `TimedOut` where others hold it for longer.
    pub fn take(path: &Path, limit: Duration) -> io::Result<Self> {
        make_directory(directory_of(path))?;
        let file = create(path)?;
        let until = Instant::now() + limit;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCK_PAUSE),
                Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// What the one who held it last has noted.
    pub fn note(&mut self) -> String {
        let mut text = String::new();
        let read = self.0.rewind().and_then(|()| (&self.0).take(64 * 1024).read_to_string(&mut text));
        read.map(|_| text).unwrap_or_default()
    }

    /// Notes something for the next one. It is no more than a note: where it cannot be written, it is not there.
    pub fn set_note(&mut self, text: &str) {
        let _ =
            self.0.set_len(0).and_then(|()| self.0.rewind()).and_then(|()| self.0.write_all(text.as_bytes()));
    }
}

/// Opens a file for reading and writing, and makes it where it is not there.
#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// A file beside another, whose name is longer by this.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}
