//! F-11, F-13 and S-8 of the files that `files.rs` leaves out: iFlow's own, those of locks, a disk that nobody can
//! write, and every other way in which a file can be broken.

use super::{ASK, Place, fetch, mode, wait_for_change, write_private};
use crate::support::login::Form;
use crate::support::program::{Program, Setup, setup_in};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const TOKEN: &str = "/oauth/token";

/// The names in a directory that hold this text.
fn named(directory: &Path, text: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(text)).collect()
}

#[tokio::test]
async fn f11_killed_at_any_moment_of_a_refresh_iflows_file_is_the_old_one_or_the_new_one() {
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), 47);
    // Long enough that its writing can be met.
    let padding = "x".repeat(300_000);
    let mut file = place.stored();
    file["padding"] = json!(padding);
    write_private(&place.iflow_file(), &file.to_string());
    let begin = Instant::now();
    assert_eq!(place.run(&["auth", "refresh", "iflow"]).await.0, 0);
    let whole = u64::try_from(begin.elapsed().as_micros()).unwrap();
    let (mut old, mut new, mut killed) = (0, 0, 0);
    for index in 0..60 {
        let before = place.stored();
        // What a killed one got and did not store is lost; its login server knows nothing of that.
        place.login.accept(before["refresh_token"].as_str().unwrap());
        let mut program = place.setup(&["auth", "refresh", "iflow"]).launch();
        if index % 4 == 0 {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(whole / 4..whole * 3 / 2))).await;
        } else {
            // In the midst of writing, once the new tokens are there, or their key.
            let (path, id) = (place.iflow_file(), program.id());
            let watch = tokio::task::spawn_blocking(move || {
                for _ in 0..=index % 2 {
                    wait_for_change(&path, || !is_alive(id));
                    std::thread::sleep(Duration::from_micros([0, fastrand::u64(0..500)][index / 4 % 2]));
                }
            });
            watch.await.unwrap();
        }
        killed += usize::from(program.kill().await);
        // It is read as anybody reads it who comes at this moment.
        let now = place.stored();
        assert_eq!(
            (now["padding"].as_str().unwrap().len(), &now["theirs"]),
            (300_000, &json!({"x": 1})),
            "{index}"
        );
        assert_eq!(mode(&place.iflow_file()), 0o600, "{index}");
        if now == before {
            old += 1;
        } else {
            // Tokens belong together, and a key that is not theirs yet says so.
            let number = |name: &str| {
                now[name].as_str().unwrap().chars().filter(char::is_ascii_digit).collect::<String>()
            };
            assert_eq!(number("access_token"), number("refresh_token"), "{index}");
            let is_theirs = now["apiKey_pending"] == Value::Null;
            assert!(!is_theirs || number("apiKey") == number("access_token"), "{index}");
            new += 1;
        }
    }
    assert!(old > 2 && new > 2 && killed > 5, "nothing was met: {old} old, {new} new, {killed} killed");
    place.login.accept(place.stored()["refresh_token"].as_str().unwrap());
    let (status, _, err) = place.run(&["auth", "refresh", "iflow"]).await;
    assert_eq!(status, 0, "{err}");
    let left = named(place.iflow_file().parent().unwrap(), "/.oauth_creds.json.");
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(place.stored()["apiKey"], json!(place.login.good().key));
}

#[tokio::test]
async fn f11_what_killed_ones_have_left_beside_the_settings_is_swept_in_time() {
    let place = Place::new(Form::Standard).await;
    let folder = place.config().parent().unwrap().to_path_buf();
    let leftover = |name: &str, minutes: u64| {
        let path = folder.join(name);
        write_private(&path, "half of");
        let when = SystemTime::now() - Duration::from_secs(60 * minutes);
        fs::File::options().write(true).open(&path).unwrap().set_modified(when).unwrap();
        path
    };
    let (old, new) = (leftover(".config.toml.aB3dE6.tmp", 30), leftover(".config.toml.xY9zW1.tmp", 0));
    let theirs = leftover(".config.toml.swp", 30);
    let (status, _, err) = place.run(&["config", "set", "default_model", "m"]).await;
    assert_eq!(status, 0, "{err}");
    assert!(!old.exists(), "nobody writes it any more");
    assert!(new.exists() && theirs.exists(), "somebody may be writing it, and the other is none of ours");
}

fn is_alive(id: u32) -> bool {
    // A program that nobody has waited for is there, but without arguments.
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}

/// Has the program find its home as it is now, on a disk that nobody can write, where the system allows that.
fn read_only(setup: Setup, home: &Path) -> Option<Setup> {
    let home = home.display();
    let script =
        format!("mount --bind '{home}' '{home}' && mount -o remount,bind,ro '{home}' && exec \"$0\" \"$@\"");
    let probe = Command::new("unshare").args(["-rm", "sh", "-c", &script, "true"]).output().ok();
    if probe.is_none_or(|probe| !probe.status.success()) {
        println!("skipped: this system lets nobody mount a file system");
        return None;
    }
    Some(setup.through(&["unshare", "-rm", "sh", "-c", &script]))
}

#[tokio::test]
async fn f11_on_a_disk_that_nobody_can_write_a_login_is_renewed_in_memory() {
    for form in [Form::Standard, Form::Iflow] {
        let place = Place::new(form).await;
        place.store(&place.login.grant(), 47);
        let path = if form == Form::Iflow { place.iflow_file() } else { place.credentials() };
        let before = fs::read(&path).unwrap();
        let setup = place.setup(&["serve", "--port", "0"]);
        let Some(setup) = read_only(setup, place.home.path()) else { return };
        let mut program = setup.start().await;
        place.login.expire();
        for _ in 0..5 {
            let mut answer = program.chat(ASK).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 200, "{form:?}: {text}\n{}", program.said());
        }
        program.line(&["WARN", "the new tokens are only in memory", "Read-only file system"]).await;
        assert_eq!(place.login.asked(TOKEN).len(), 1, "{form:?}");
        assert_eq!(fs::read(&path).unwrap(), before, "{form:?}");
        assert!(!program.said().contains("never-shown"), "{}", program.said());
    }
}

#[tokio::test]
async fn f11_tokens_that_could_not_be_stored_are_renewed_by_themselves_and_not_by_the_old_ones() {
    for form in [Form::Standard, Form::Iflow] {
        let place = Place::new(form).await;
        // They live for so short a time that each call finds them ended.
        place.login.life(0);
        place.store(&place.login.grant(), if form == Form::Iflow { 1 } else { -1 });
        let setup = place.setup(&["serve", "--port", "0"]);
        let Some(setup) = read_only(setup, place.home.path()) else { return };
        let program = setup.start().await;
        for at in 0..4 {
            let mut answer = program.chat(ASK).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 200, "{form:?} {at}: {text}\n{}", program.said());
        }
        let asked = place.login.asked(TOKEN);
        let tokens: std::collections::BTreeSet<&String> =
            asked.iter().map(|form| &form["refresh_token"]).collect();
        assert_eq!(tokens.len(), asked.len(), "{form:?}: none is used twice");
        assert!(form == Form::Iflow || asked.len() > 1, "{form:?}: {asked:?}");
    }
}

#[tokio::test]
async fn f11_another_file_that_changes_does_not_bring_old_tokens_back() {
    let place = Place::new(Form::Iflow).await;
    place.store(&place.login.grant(), 44);
    // iFlow's own file cannot be written; `credentials.json` beside the settings can.
    fs::create_dir(place.home.path().join(".iflow/oauth_creds.json.lock")).unwrap();
    let mut program = place.serve().await;
    program.line(&["WARN", "the new tokens are only in memory"]).await;
    assert_eq!(program.chat(ASK).await.status, 200);
    let login = ["auth", "login", "groq", "--with-token", "--no-check"];
    let (status, _, err) = place.setup(&login).stdin("sk-of-another-01234567").run().await;
    assert_eq!(status, 0, "{err}");
    // It is looked at once a second at the most, and each time at a refusal.
    place.login.refuse_all();
    program.chat(ASK).await;
    let good = place.login.good().key;
    let calls = place.login.asked("/v1/chat/completions");
    assert!(calls.iter().all(|call| call["authorization"] == format!("Bearer {good}")), "{calls:?}");
    assert_eq!(place.login.asked(TOKEN).len(), 1);
}

#[tokio::test]
async fn f13_beside_a_broken_file_other_upstreams_go_on() {
    let place = Place::new(Form::Standard).await;
    let granted = place.login.grant();
    let other = format!(
        "[upstream.other]\nbase_url = \"{}\"\nkey = \"{}\"\n",
        place.server.url(),
        granted.access_token
    );
    place.write(&place.config(), &other);
    write_private(&place.credentials(), "{\"version\": 1,");
    let mut program = place.serve().await;
    program.line(&["warning", &place.credentials().display().to_string()]).await;
    let call = ASK.replace("\"m\"", "\"other/m\"");
    assert_eq!(program.chat(&call).await.status, 200);
    assert_eq!(program.chat(ASK).await.status, 500);
    // It is mended under a server that runs: a login moves the broken one away.
    let said = place.log_in(&[]).await;
    assert!(said.contains("it is kept as"), "{said}");
    used(&place, &program).await;
    assert_eq!(
        fs::read_to_string(&named(&place.config().with_file_name(""), ".corrupt-")[0]).unwrap(),
        "{\"version\": 1,"
    );
}

/// Waits until a server that runs has noticed.
async fn used(place: &Place, program: &Program) {
    for _ in 0..100 {
        if program.chat(ASK).await.status == 200 {
            let calls = place.login.asked("/v1/chat/completions");
            assert_eq!(
                calls.last().unwrap()["authorization"],
                format!("Bearer {}", place.login.good().access_token)
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is not noticed: {}", program.said());
}

#[tokio::test]
async fn f13_however_a_file_is_broken_nothing_of_it_is_lost() {
    let broken: [(&str, &[u8]); 9] = [
        ("nothing", b""),
        ("zeros, as after a power cut", &[0; 64]),
        ("cut in a character", b"{\"account\": \"\xe5\xbf"),
        ("no text", b"\xff\xfe{\x00}\x00"),
        ("an array", b"[1]"),
        ("a text", b"\"never-shown\""),
        ("upstreams that are none", br#"{"version": 1, "upstreams": [{"key": "sk-never-shown"}]}"#),
        ("an upstream that is none", br#"{"version": 1, "upstreams": {"zai": "sk-never-shown"}}"#),
        (
            "profiles that are none",
            br#"{"version": 1, "upstreams": {"zai": {"profiles": ["sk-never-shown"]}}}"#,
        ),
    ];
    for (name, text) in broken {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let path = home.path().join("config/iflow2api/credentials.json");
        write_private(&path, "");
        fs::write(&path, text).unwrap();
        let (status, out, err) = setup_in(&home, &["auth", "status"]).run().await;
        assert_eq!((status, out.as_str()), (2, ""), "{name}: {err}");
        assert!(err.contains(&path.display().to_string()) && !err.contains("never-shown"), "{name}: {err}");
        assert_eq!(fs::read(&path).unwrap(), text, "{name}: reading changes nothing");
        let login = ["auth", "login", "zai", "--with-token", "--no-check"];
        let (status, _, err) = setup_in(&home, &login).stdin("sk-entered-0123456789").run().await;
        assert_eq!(status, 0, "{name}: {err}");
        let aside = named(path.parent().unwrap(), ".corrupt-");
        assert_eq!(aside.len(), 1, "{name}: {err}");
        assert_eq!(fs::read(&aside[0]).unwrap(), text, "{name}");
        assert_eq!((mode(&path), setup_in(&home, &["auth", "status"]).run().await.0), (0o600, 0), "{name}");
    }
}

#[tokio::test]
async fn f13_two_broken_files_within_a_second_are_both_kept() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let path = home.path().join("config/iflow2api/credentials.json");
    for index in 0..5 {
        write_private(&path, &format!("broken {index}"));
        let login = ["auth", "login", "zai", "--with-token", "--no-check"];
        assert_eq!(setup_in(&home, &login).stdin("sk-entered-0123456789").run().await.0, 0);
    }
    let kept = named(path.parent().unwrap(), ".corrupt-");
    let mut texts: Vec<String> = kept.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.sort();
    assert_eq!(texts, (0..5).map(|index| format!("broken {index}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn s8_a_pipe_and_a_directory_in_the_place_of_iflows_file_are_refused() {
    type Make = fn(&Path);
    let cases: [Make; 2] = [
        |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path| fs::create_dir(path).unwrap(),
    ];
    for make in cases {
        let place = Place::new(Form::Iflow).await;
        fs::create_dir(place.home.path().join(".iflow")).unwrap();
        make(&place.iflow_file());
        let kind = fs::symlink_metadata(place.iflow_file()).unwrap().file_type();
        let (status, _, err) = place.run(&["auth", "status"]).await;
        assert!(status == 2 && err.contains("is no file"), "{err}");
        let mut program = place.serve().await;
        program.line(&["warning", "is no file"]).await;
        assert_ne!(program.chat(ASK).await.status, 200);
        // A login is not put in its place.
        let (mut program, address) = place.begin(&[]).await;
        assert_eq!(fetch(&place.login.visit(&address)).await.status, 200);
        let (status, said) = program.ended().await;
        assert!(status == Some(2) && said.contains("is no file"), "{said}");
        assert_eq!(fs::symlink_metadata(place.iflow_file()).unwrap().file_type(), kind);
    }
}

#[tokio::test]
async fn s8_a_link_in_the_place_of_a_refreshs_lock_is_not_written_through() {
    let place = Place::new(Form::Standard).await;
    place.store(&place.login.grant(), 44);
    let target = place.home.path().join("target");
    fs::write(&target, "not ours").unwrap();
    symlink(&target, place.credentials().with_file_name("credentials.json.corp.default.lock")).unwrap();
    let (status, out, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!((status, out.as_str()), (0, "Come in.\n"), "{err}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "not ours");
}

#[tokio::test]
async fn s8_all_that_a_login_and_its_refresh_make_is_its_owners_alone_whatever_the_umask() {
    for form in [Form::Standard, Form::Iflow] {
        let place = Place::new(form).await;
        fs::remove_dir_all(place.home.path().join("config")).unwrap();
        let elsewhere = place.home.path().join("settings/config.toml");
        place.write(&elsewhere, "");
        let open = ["sh", "-c", "umask 000; exec \"$0\" \"$@\""];
        let arguments = ["auth", "login", place.name(), "--no-browser"];
        let settings = elsewhere.to_str().unwrap();
        let setup = place.setup(&arguments).arguments(&["--config", settings]).through(&open);
        let mut program = setup.launch();
        let address = program.line(&["  http"]).await.trim().to_owned();
        assert_eq!(fetch(&place.login.visit(&address)).await.status, 200);
        assert_eq!(program.end().await, Some(0), "{}", program.said());
        let refresh = ["auth", "refresh", "--config", settings];
        let (status, _, err) = place.setup(&refresh).through(&open).run().await;
        assert_eq!(status, 0, "{err}");
        let folder = elsewhere.parent().unwrap().to_path_buf();
        let mut seen = 0;
        for directory in [place.home.path().join(".iflow"), folder] {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                if entry.path() != elsewhere {
                    seen += 1;
                    assert_eq!(mode(&entry.path()), 0o600, "{form:?}: {}", entry.path().display());
                }
            }
        }
        assert!(seen >= 3, "{form:?}: a file, and the locks: {seen}");
        if form == Form::Iflow {
            assert_eq!(mode(&place.home.path().join(".iflow")), 0o700);
        }
    }
}
