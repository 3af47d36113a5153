//! The files: whole at any moment, for their owner alone, and nothing lost of one that cannot be understood.

use super::{ASK, Place, mode, wait_for_change, write_private};
use crate::support::login::Form;
use crate::support::program::setup_in;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_iflow2api");

/// Starts the program over a home, outside the runtime.
fn start(home: &Path, arguments: &[&str], stdin: &str) -> std::process::Child {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, stdin.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env("HOME", home).env("XDG_CONFIG_HOME", home.join("config"));
    command.env("XDG_CACHE_HOME", home.join("cache")).stdin(file).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The files below a directory whose name holds this text.
fn named(directory: &Path, text: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(text)).collect()
}

#[test]
fn f11_killed_at_200_moments_of_a_save_a_file_is_the_old_one_or_the_new_one() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("config/iflow2api");
    // A large neighbour makes the time of writing long enough to be met.
    let padding: String = "x".repeat(250_000);
    let other = json!({"current": "default", "profiles": {"default": {"key": padding}}});
    let keys = |index: usize| format!("sk-{index:04}-{}", "k".repeat(40));
    let credentials = folder.join("credentials.json");
    let config = folder.join("config.toml");
    write_private(&credentials, &json!({"version": 1, "upstreams": {"groq": other}}).to_string());
    write_private(&config, &format!("# {padding}\ndefault_model = \"m-0000\"\n"));
    let (mut seen_key, mut seen_model) = (None::<usize>, 0);
    let mut killed = 0;
    let begin = Instant::now();
    assert!(start(home.path(), &["config", "set", "default_model", "m-0000"], "").wait().unwrap().success());
    let whole = u64::try_from(begin.elapsed().as_micros()).unwrap();
    for index in 1..=200 {
        let is_key = index % 2 == 0;
        let (key, model) = (keys(index), format!("m-{index:04}"));
        let mut child = if is_key {
            start(home.path(), &["auth", "login", "zai", "--with-token", "--no-check"], &key)
        } else {
            start(home.path(), &["config", "set", "default_model", &model], "")
        };
        if index % 8 < 2 {
            // From before it has read anything to after it has ended.
            std::thread::sleep(Duration::from_micros(fastrand::u64(0..whole * 3 / 2)));
        } else {
            // In the midst of writing, which is a small part of all that.
            let path = if is_key { &credentials } else { &config };
            wait_for_change(path, || child.try_wait().unwrap().is_some());
            std::thread::sleep(Duration::from_micros(
                [0, fastrand::u64(0..300), fastrand::u64(0..5000)][index % 3],
            ));
        }
        killed += usize::from(child.kill().is_ok() && child.wait().unwrap().code().is_none());
        let whole: Value = serde_json::from_slice(&fs::read(&credentials).unwrap()).unwrap();
        assert_eq!(whole["upstreams"]["groq"], other, "{index}");
        match whole.pointer("/upstreams/zai/profiles/default/key").and_then(Value::as_str) {
            None => assert_eq!(seen_key, None),
            Some(now) if is_key && now == key => seen_key = Some(index),
            Some(now) => assert_eq!(Some(now), seen_key.map(keys).as_deref(), "{index}"),
        }
        let text = fs::read_to_string(&config).unwrap();
        let now = text.strip_prefix(&format!("# {padding}\ndefault_model = \"")).unwrap();
        if !is_key && now == format!("{model}\"\n") {
            seen_model = index;
        } else {
            assert_eq!(now, format!("m-{seen_model:04}\"\n"), "{index}");
        }
        assert_eq!((mode(&credentials), mode(&config)), (0o600, 0o600), "{index}");
    }
    assert!(killed > 20, "only {killed} were killed before their end");
    assert!(seen_key.is_some() && seen_model > 0, "none came to its end");
    // What the killed ones have left is swept by the next one that writes.
    let mut child =
        start(home.path(), &["auth", "login", "zai", "--with-token", "--no-check"], "sk-the-last-one-01234");
    assert!(child.wait().unwrap().success());
    let left = named(&folder, ".credentials.json");
    assert!(left.iter().all(|path| !path.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

/// Runs the rest of a test on a file system of this size that nobody else sees, where the system allows that.
fn on_a_small_disk(script: &str) -> Option<(i32, String)> {
    let shell = format!("mount -t tmpfs -o size=64k,mode=0700 tmpfs /mnt && {script}");
    let probe =
        Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output().ok()?;
    if !probe.status.success() {
        println!("skipped: this system lets nobody mount a file system");
        return None;
    }
    let output =
        Command::new("unshare").args(["-rm", "sh", "-c", &shell]).env("PROGRAM", PROGRAM).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn f11_on_a_full_disk_the_old_file_stays() {
    let script = r#"
        export HOME=/mnt XDG_CONFIG_HOME=/mnt/c
        mkdir -m 700 -p /mnt/c/iflow2api
        echo sk-the-old-one-0123456789 | "$PROGRAM" auth login zai --with-token --no-check || exit 90
        "$PROGRAM" config set default_model old || exit 91
        before=$(cat /mnt/c/iflow2api/credentials.json /mnt/c/iflow2api/config.toml | cksum)
        head -c 1000000 /dev/zero > /mnt/full 2>/dev/null
        echo sk-the-new-one-0123456789 | "$PROGRAM" auth login zai --with-token --no-check; status=$?
        "$PROGRAM" config set default_model new; config=$?
        [ "$before" = "$(cat /mnt/c/iflow2api/credentials.json /mnt/c/iflow2api/config.toml | cksum)" ] || exit 92
        [ $status = 2 ] && [ $config = 2 ] || exit 93
        rm /mnt/full
        echo sk-the-new-one-0123456789 | "$PROGRAM" auth login zai --with-token --no-check || exit 94
        ls -A /mnt/c/iflow2api | grep -q 'tmp$' && exit 95
        exit 0"#;
    let Some((status, said)) = on_a_small_disk(script) else { return };
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("cannot be written") && said.contains("No space left on device"), "{said}");
}

#[tokio::test]
async fn f11_where_nothing_can_be_written_the_new_tokens_are_used_from_memory() {
    let place = Place::new(Form::Standard).await;
    place.store(&place.login.grant(), -1);
    // A directory in the place of the lock, and of the temporary file, cannot be had by anybody, root included.
    let folder = place.home.path().join("config/iflow2api");
    fs::create_dir(folder.join("credentials.json.lock")).unwrap();
    let before = fs::read(place.credentials()).unwrap();
    let mut program = place.serve().await;
    for _ in 0..5 {
        assert_eq!(program.chat(ASK).await.status, 200);
    }
    program.line(&["WARN the new tokens are only in memory"]).await;
    assert_eq!(place.login.asked("/oauth/token").len(), 1);
    assert_eq!(fs::read(place.credentials()).unwrap(), before);
}

#[tokio::test]
async fn f13_a_file_that_cannot_be_understood_is_named_set_aside_and_kept() {
    for form in [Form::Standard, Form::Iflow] {
        let place = Place::new(form).await;
        let path = if form == Form::Iflow { place.iflow_file() } else { place.credentials() };
        let broken = "{\"access_token\": \"access-never-shown\", \"refresh_token\": \"refr";
        write_private(&path, broken);
        let shown = path.display().to_string();
        // It stops neither a server nor what needs none of it.
        let mut program = place.serve().await;
        program.line(&["warning", &shown, "what it holds is left out"]).await;
        let mut answer = program.chat(ASK).await;
        let json = answer.json().await;
        assert_eq!((answer.status, answer.header("x-iflow2api-error")), (500, Some("local")), "{json}");
        assert!(json["error"]["message"].as_str().unwrap().contains("not the JSON expected"), "{json}");
        let (status, out, err) = place.run(&["auth", "status"]).await;
        assert_eq!((status, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(&format!("`{shown}` line 1, column ")) && !err.contains("never-shown"), "{err}");
        assert_eq!(fs::read_to_string(&path).unwrap(), broken, "reading changes nothing");
        let said = place.log_in(&[]).await;
        assert!(said.contains("could not be understood; it is kept as"), "{said}");
        let aside = named(path.parent().unwrap(), ".corrupt-");
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), broken);
        assert_eq!(place.run(&["auth", "status"]).await.0, 0);
    }
}

#[tokio::test]
async fn f13_settings_that_cannot_be_understood_stop_it_with_the_place_and_stay() {
    let place = Place::new(Form::Standard).await;
    fs::write(place.config(), "default_model = \"a\nkey = 1").unwrap();
    for arguments in [&["serve", "--port", "0"][..], &["auth", "status"], &["chat", "hi"]] {
        let (status, _, err) = place.run(arguments).await;
        assert_eq!(status, 2, "{err}");
        assert!(err.contains(&format!("`{}` line 1", place.config().display())), "{err}");
    }
    assert_eq!(fs::read_to_string(place.config()).unwrap(), "default_model = \"a\nkey = 1");
}

#[tokio::test]
async fn a_file_of_another_version_is_not_touched() {
    let place = Place::new(Form::Openrouter).await;
    let text = r#"{"version": 2, "upstreams": {}}"#;
    write_private(&place.credentials(), text);
    let login = ["auth", "login", "openrouter", "--with-token", "--no-check"];
    for setup in [place.setup(&["auth", "status"]), place.setup(&login).stdin("sk-0123456789ab")] {
        let (status, _, err) = setup.run().await;
        assert_eq!(status, 2, "{err}");
        assert!(err.contains("was written by another version of iflow2api"), "{err}");
    }
    assert_eq!(fs::read_to_string(place.credentials()).unwrap(), text);
}

async fn enter(home: &Arc<TempDir>) -> (i32, String, String) {
    let login = ["auth", "login", "zai", "--with-token", "--no-check"];
    setup_in(home, &login).stdin("sk-entered-0123456789").run().await
}

#[test]
fn s8_files_are_their_owners_alone_even_where_the_umask_lets_everybody_in() {
    let home = tempfile::tempdir().unwrap();
    let script = format!(
        "umask 000; echo sk-entered-0123456789 | '{PROGRAM}' auth login zai --with-token --no-check && \
         '{PROGRAM}' config set default_model m"
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap());
    assert!(command.env("XDG_CONFIG_HOME", home.path().join("config")).status().unwrap().success());
    let folder = home.path().join("config/iflow2api");
    assert_eq!((mode(&home.path().join("config")), mode(&folder)), (0o700, 0o700));
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn s8_a_link_a_pipe_and_another_users_file_are_refused() {
    let secret = json!({"version": 1, "upstreams": {"zai": {"profiles": {"default": {"key": "sk-elsewhere-0123456789"}}}}});
    type Make = fn(&Path, &Path);
    let mut cases: Vec<(&str, Make)> = vec![
        ("is a symbolic link", |elsewhere, path| symlink(elsewhere, path).unwrap()),
        ("is no file", |_, path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("is no file", |_, path| fs::create_dir(path).unwrap()),
    ];
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        cases.push(("belongs to another user (uid 65534; this program runs as 0)", |elsewhere, path| {
            fs::copy(elsewhere, path).unwrap();
            std::os::unix::fs::chown(path, Some(65534), None).unwrap();
        }));
    } else {
        println!("skipped: only root can make another user's file");
    }
    for (words, make) in cases {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let (elsewhere, path) =
            (home.path().join("elsewhere.json"), home.path().join("config/iflow2api/credentials.json"));
        write_private(&elsewhere, &secret.to_string());
        write_private(&path.with_file_name("other"), "");
        make(&elsewhere, &path);
        let before = fs::symlink_metadata(&path).unwrap().ino();
        // Neither read …
        let (status, out, err) = setup_in(&home, &["config", "show"]).run().await;
        assert_eq!(status, 0, "{err}");
        assert!(!out.contains("upstream.zai") && err.contains(words), "{words}: {out}{err}");
        let (status, _, err) = setup_in(&home, &["auth", "status"]).run().await;
        assert!(status == 2 && err.contains(words), "{words}: {err}");
        // … nor written.
        let (status, _, err) = enter(&home).await;
        assert!(status == 2 && err.contains(words), "{words}: {err}");
        assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), before, "{words}");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), secret.to_string(), "{words}");
    }
}

#[tokio::test]
async fn s8_a_link_in_the_place_of_iflows_file_or_of_a_lock_is_not_followed() {
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), 44);
    let elsewhere = place.home.path().join("elsewhere.json");
    fs::rename(place.iflow_file(), &elsewhere).unwrap();
    symlink(&elsewhere, place.iflow_file()).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    let (status, _, err) = place.run(&["auth", "refresh", "iflow"]).await;
    assert!(status == 2 && err.contains("is a symbolic link"), "{err}");
    assert_eq!((fs::read(&elsewhere).unwrap(), place.login.asked("/oauth/token").len()), (before, 0));
    // A lock is a file of ours too.
    let home = Arc::new(tempfile::tempdir().unwrap());
    let target = home.path().join("target");
    fs::write(&target, "not ours").unwrap();
    fs::create_dir_all(home.path().join("config/iflow2api")).unwrap();
    symlink(&target, home.path().join("config/iflow2api/credentials.json.lock")).unwrap();
    let (status, _, err) = enter(&home).await;
    assert_eq!(status, 2, "{err}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "not ours");
}

#[tokio::test]
async fn s8_a_file_that_is_open_to_others_is_worth_a_warning() {
    let place = Place::new(Form::Openrouter).await;
    let login = ["auth", "login", "openrouter", "--with-token", "--no-check"];
    assert_eq!(place.setup(&login).stdin("sk-0123456789ab").run().await.0, 0);
    fs::set_permissions(place.credentials(), fs::Permissions::from_mode(0o644)).unwrap();
    let shown = place.credentials().display().to_string();
    for arguments in [&["auth", "status"][..], &["chat", "-m", "m", "hi"], &["config", "show"]] {
        let (_, _, err) = place.run(arguments).await;
        let words = format!("`{shown}` is open to others (mode 0644); `chmod 600 {shown}` helps");
        assert_eq!(err.matches(&words).count(), 1, "{arguments:?}: {err}");
    }
    // Nor may others write where it is.
    fs::set_permissions(place.credentials(), fs::Permissions::from_mode(0o600)).unwrap();
    let folder = place.credentials().parent().unwrap().to_path_buf();
    for (mode, warns) in [(0o777, true), (0o770, true), (0o755, false), (0o700, false)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let (_, _, err) = place.run(&["auth", "status"]).await;
        let words = format!("others can write in `{}` (mode {mode:04o})", folder.display());
        assert_eq!(err.contains(&words), warns, "{mode:o}: {err}");
    }
    fs::set_permissions(place.credentials(), fs::Permissions::from_mode(0o644)).unwrap();
    // What is written anew is not.
    assert_eq!(place.setup(&login).stdin("sk-0123456789ab-new").run().await.0, 0);
    assert_eq!(mode(&place.credentials()), 0o600);
}
