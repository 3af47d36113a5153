//! Several accounts of one provider: one is used, and only a person says which.

use super::{ASK, Place};
use crate::support::login::Form;
use crate::support::program::Program;
use serde_json::{Value, json};
use std::time::Duration;

async fn enter(place: &Place, profile: &str, key: &str) {
    let arguments = ["auth", "login", "openrouter", "--with-token", "--no-check", "--profile", profile];
    let (status, _, err) = place.setup(&arguments).stdin(key).run().await;
    assert_eq!(status, 0, "{err}");
    let name = if profile == "default" { String::new() } else { format!(" (profile `{profile}`)") };
    assert!(err.contains(&format!("Logged in at `openrouter`{name}; stored in")), "{err}");
}

async fn listed(place: &Place) -> Vec<(String, bool)> {
    let (_, out, _) = place.run(&["auth", "status", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_str(&out).unwrap();
    let one = |entry: &Value| (entry["profile"].as_str().unwrap().to_owned(), entry["in_use"] == true);
    listed.iter().map(one).collect()
}

/// The key that the next call bears, waiting for a server that runs to notice.
async fn used(place: &Place, program: &Program, expected: &str) {
    for _ in 0..40 {
        program.chat(ASK).await;
        let calls = place.login.asked("/v1/chat/completions");
        let shown = calls.last().and_then(|call| call.get("authorization"));
        if shown == Some(&format!("Bearer {expected}")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("`{expected}` is not used");
}

#[tokio::test]
async fn one_account_is_used_and_switching_is_noticed_by_a_server_that_runs() {
    let place = Place::new(Form::Openrouter).await;
    let program = place.serve().await;
    let mut answer = program.chat(ASK).await;
    let json = answer.json().await;
    assert_eq!((answer.status, &json["error"]["code"]), (401, &json!("login_required")), "{json}");
    assert!(
        json["error"]["message"].as_str().unwrap().contains("nobody is logged in at `openrouter`"),
        "{json}"
    );

    enter(&place, "default", "sk-first-0123456789").await;
    used(&place, &program, "sk-first-0123456789").await;
    enter(&place, "work", "sk-second-0123456789").await;
    assert_eq!(listed(&place).await, [("work".to_owned(), true), ("default".to_owned(), false)]);
    used(&place, &program, "sk-second-0123456789").await;

    let (status, _, err) = place.run(&["auth", "switch", "openrouter"]).await;
    assert_eq!((status, err.as_str()), (0, "Calls to `openrouter` use the account `default` now\n"));
    used(&place, &program, "sk-first-0123456789").await;
    // A refusal is no reason to take the other one.
    assert_eq!(program.chat(ASK).await.status, 401);
    assert_eq!(listed(&place).await, [("default".to_owned(), true), ("work".to_owned(), false)]);

    enter(&place, "third", "sk-third-0123456789").await;
    let (status, _, err) = place.run(&["auth", "switch", "openrouter"]).await;
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("there are `default`, `work`, `third`"), "{err}");
    let (status, _, err) = place.run(&["auth", "switch", "openrouter", "wrok"]).await;
    assert!(status == 2 && err.contains("did you mean `work`?"), "{err}");
    let (status, _, err) = place.run(&["auth", "switch", "openrouter", "work"]).await;
    assert_eq!(status, 0, "{err}");

    let (status, _, err) = place.run(&["auth", "logout", "openrouter", "--profile", "third"]).await;
    assert_eq!(status, 0, "{err}");
    let (status, _, err) = place.run(&["auth", "logout"]).await;
    assert_eq!(status, 0, "{err}");
    assert!(err.contains("Logged out at `openrouter` (profile `work`)\n"), "{err}");
    assert!(err.contains("Calls to `openrouter` use the account `default` now"), "{err}");
    used(&place, &program, "sk-first-0123456789").await;
    let (status, _, err) = place.run(&["auth", "logout", "--all"]).await;
    assert_eq!(status, 0, "{err}");
    let (status, out, _) = place.run(&["auth", "status"]).await;
    assert_eq!((status, out.as_str()), (4, ""));
    for _ in 0..40 {
        let json = program.chat(ASK).await.json().await;
        if json["error"]["message"].as_str().unwrap().contains("nobody is logged in") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the logout is not noticed");
}

#[tokio::test]
async fn status_tells_programs_all_that_may_be_told() {
    let place = Place::new(Form::Standard).await;
    place.log_in(&[]).await;
    place.log_in(&["--profile", "work"]).await;
    let whole: Value = serde_json::from_slice(&std::fs::read(place.credentials()).unwrap()).unwrap();
    let login = ["auth", "login", "zai", "--with-token", "--no-check"];
    assert_eq!(place.setup(&login).stdin("sk-zai-0123456789abcd").run().await.0, 0);
    let setup = place.setup(&["auth", "status", "--json"]).env("DEEPSEEK_API_KEY", "sk-of-a-variable-wxyz");
    let (status, out, err) = setup.run().await;
    assert_eq!((status, err.as_str()), (0, ""));
    let time = |profile: &str, name: &str| {
        let value = &whole["upstreams"]["corp"]["profiles"][profile][name];
        let time = jiff::Timestamp::from_millisecond(value.as_i64().unwrap()).unwrap();
        json!(time.to_string())
    };
    let of_corp = |profile: &str, in_use: bool| {
        json!({"upstream": "corp", "profile": profile, "in_use": in_use, "method": "login", "account": null,
            "token": "…hown", "source": place.credentials(), "signed_in": true,
            "expires_at": time(profile, "expiry_date"), "renewable": true,
            "last_refresh": {"at": time(profile, "obtained_at"), "ok": true, "error": null}})
    };
    let of_key = |upstream: &str, profile: Value, method: &str, token: &str, source: Value| {
        json!({"upstream": upstream, "profile": profile, "in_use": true, "method": method, "account": null,
            "token": token, "source": source, "signed_in": true, "expires_at": null, "renewable": null,
            "last_refresh": null})
    };
    let expected = json!([
        of_corp("work", true),
        of_corp("default", false),
        of_key("deepseek", Value::Null, "environment", "…wxyz", json!("DEEPSEEK_API_KEY")),
        of_key("zai", json!("default"), "key", "…abcd", json!(place.credentials())),
    ]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    let (status, out, err) = place.run(&["auth", "status", "corp"]).await;
    assert_eq!((status, err.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("corp [work]: login") && lines[0].contains("…hown"), "{out}");
    assert!(
        lines.iter().any(|line| line.starts_with("corp: login") && line.ends_with(" - not in use")),
        "{out}"
    );
    let (status, out, err) = place.run(&["auth", "status", "groq", "--json"]).await;
    assert_eq!((status, out.trim()), (4, "[]"), "{err}");
}

#[tokio::test]
async fn iflows_other_accounts_are_ours_and_its_file_stays() {
    let place = Place::new(Form::Iflow).await;
    place.log_in(&[]).await;
    let own = std::fs::read(place.iflow_file()).unwrap();
    let said = place.log_in(&["--profile", "work"]).await;
    assert!(said.contains("(profile `work`); stored in") && said.contains("credentials.json"), "{said}");
    assert_eq!(std::fs::read(place.iflow_file()).unwrap(), own);
    assert_eq!(listed(&place).await, [("work".to_owned(), true), ("default".to_owned(), false)]);
    let (status, out, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!((status, out.as_str()), (0, "Come in.\n"), "{err}");
    // A login refreshes where it is kept.
    let (status, _, err) = place.run(&["auth", "refresh", "iflow"]).await;
    assert_eq!(status, 0, "{err}");
    assert_eq!(std::fs::read(place.iflow_file()).unwrap(), own);
    let (status, _, err) = place.run(&["auth", "logout", "iflow"]).await;
    assert_eq!(status, 0, "{err}");
    assert_eq!(listed(&place).await, [("default".to_owned(), true)]);
    let (status, _, err) = place.run(&["auth", "logout", "iflow"]).await;
    assert_eq!(status, 0, "{err}");
    assert!(!place.iflow_file().exists());
}

#[tokio::test]
async fn a_switch_loses_no_key() {
    let place = Place::new(Form::Iflow).await;
    for (profile, key) in [("default", "sk-iflow-first-01234"), ("work", "sk-iflow-second-0123")] {
        let arguments = ["auth", "login", "iflow", "--with-token", "--no-check", "--profile", profile];
        assert_eq!(place.setup(&arguments).stdin(key).run().await.0, 0);
    }
    for expected in ["sk-iflow-first-01234", "sk-iflow-second-0123", "sk-iflow-first-01234"] {
        assert_eq!(place.run(&["auth", "switch", "iflow"]).await.0, 0);
        let (_, out, _) = place.run(&["config", "get", "--show-key", "upstream.iflow.key"]).await;
        assert_eq!(out.trim(), expected);
    }
}
