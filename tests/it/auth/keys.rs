//! Keys that somebody enters: tried with one cheap call, and stored where the provider takes them.

use super::{Place, mode, write_private};
use crate::support::login::Form;
use crate::support::program::setup_in;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

const KEY: &str = "sk-entered-2Wd8-never-shown";

/// A home with an upstream called `mine`, of which this is said beside its address.
fn home(upstream: &Upstream, more: &str) -> Arc<TempDir> {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let text = format!("[upstream.mine]\nbase_url = \"{}\"\n{more}", upstream.url());
    write_private(&home.path().join("config/iflow2api/config.toml"), &text);
    home
}

async fn enter(home: &Arc<TempDir>, more: &[&str], key: &str) -> (i32, String, String) {
    let arguments = [&["auth", "login", "mine", "--with-token"], more].concat();
    setup_in(home, &arguments).stdin(key).run().await
}

fn stored(home: &TempDir) -> Option<Value> {
    let text = std::fs::read(home.path().join("config/iflow2api/credentials.json")).ok()?;
    let whole: Value = serde_json::from_slice(&text).unwrap();
    Some(whole["upstreams"]["mine"]["profiles"]["default"]["key"].clone())
}

#[tokio::test]
async fn a_key_that_the_provider_takes_is_stored_and_used() {
    for text in [format!("{KEY}\n"), KEY.to_owned(), format!("  Bearer {KEY}\r\n")] {
        let list = || Exchange::answer(200, r#"{"data":[{"id":"m"}]}"#).at("GET /v1/models");
        let upstream = Upstream::start([list(), list()]).await;
        let home = home(&upstream, "");
        let (status, out, err) = enter(&home, &[], &text).await;
        let file = home.path().join("config/iflow2api/credentials.json");
        assert_eq!((status, out.as_str()), (0, ""), "{err}");
        assert_eq!(err, format!("Logged in at `mine`; stored in `{}`\n", file.display()));
        assert_eq!((stored(&home), mode(&file)), (Some(json!(KEY)), 0o600));
        let (status, out, err) = setup_in(&home, &["models", "--json"]).run().await;
        assert_eq!(status, 0, "{err}");
        assert!(out.contains("\"m\""), "{out}");
        for request in upstream.requests() {
            assert_eq!(request.head.get("authorization"), Some(&*format!("Bearer {KEY}")));
        }
    }
}

#[tokio::test]
async fn what_the_provider_says_decides_whether_a_key_is_stored() {
    let refusal = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    for (status, ended, is_stored, words) in [
        (401, 4, false, "the key is refused, and not stored"),
        (403, 4, false, "the key is refused, and not stored"),
        (429, 0, true, "note: the key is good, but "),
        (402, 0, true, "note: the key is good, but "),
        (404, 0, true, "note: the key could not be tried"),
        (500, 5, false, "the key could not be tried, and is not stored"),
        (302, 5, false, "the key could not be tried, and is not stored"),
    ] {
        let upstream = Upstream::start([Exchange::answer(status, &refusal).at("GET /v1/models")]).await;
        let home = home(&upstream, "");
        let (code, out, err) = enter(&home, &[], KEY).await;
        assert_eq!((code, out.as_str()), (ended, ""), "{status}: {err}");
        assert!(err.contains(words) && !err.contains(KEY), "{status}: {err}");
        assert_eq!(stored(&home).is_some(), is_stored, "{status}");
    }
}

#[tokio::test]
async fn without_a_way_to_the_provider_a_key_is_stored_only_untried() {
    let upstream = Upstream::start([]).await;
    let home = home(&upstream, "");
    drop(upstream);
    let (status, _, err) = enter(&home, &[], KEY).await;
    assert_eq!((status, stored(&home)), (5, None), "{err}");
    assert!(err.contains("`iflow2api auth login mine --with-token --no-check`"), "{err}");
    let (status, _, err) = enter(&home, &["--no-check"], KEY).await;
    assert_eq!((status, stored(&home)), (0, Some(json!(KEY))), "{err}");
}

#[tokio::test]
async fn what_is_no_key_is_refused_before_anything_is_sent() {
    let upstream = Upstream::start([]).await;
    let home = home(&upstream, "");
    for text in ["", " \n", "two words", "sk-one\nsk-two", "sk-\u{fffd}", "密钥-123456"] {
        let (status, _, err) = enter(&home, &[], text).await;
        assert_eq!((status, stored(&home)), (2, None), "{text:?}: {err}");
        assert!(text.trim().is_empty() || !err.contains(text.trim()), "{err}");
    }
}

#[tokio::test]
async fn openrouters_key_is_tried_where_it_says_what_a_key_is() {
    let place = Place::new(Form::Openrouter).await;
    let key = json!({"data": {"label": "sk-or-v1-9Qx…", "usage": 0, "limit": null}});
    for exchange in
        [Exchange::answer(200, key.to_string()), Exchange::answer(429, r#"{"error":{"message":"slow"}}"#)]
    {
        place.login.instead("/v1/key", exchange);
    }
    let login = ["auth", "login", "openrouter", "--with-token"];
    let (status, out, err) = place.setup(&login).stdin(KEY).run().await;
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    assert_eq!(err, format!("Logged in at `openrouter`; stored in `{}`\n", place.credentials().display()));
    let (status, _, err) = place.setup(&login).stdin(&format!("{KEY}-2")).run().await;
    assert!(status == 0 && err.contains("note: the key is good, but "), "{err}");
    assert_eq!(place.stored()["key"], json!(format!("{KEY}-2")));
    let asked = place.login.asked("/v1/key");
    let shown: Vec<&str> = asked.iter().map(|asked| asked["authorization"].as_str()).collect();
    assert_eq!(shown, [format!("Bearer {KEY}"), format!("Bearer {KEY}-2")]);
    assert_eq!(place.server.requests().len(), 2, "nothing else is asked");
}

#[tokio::test]
async fn where_the_list_says_nothing_of_a_key_something_else_is_asked() {
    // OpenRouter's list is public.
    let place = Place::new(Form::Openrouter).await;
    place
        .login
        .instead("/v1/key", Exchange::answer(401, r#"{"error":{"message":"No auth credentials found"}}"#));
    let login = ["auth", "login", "openrouter", "--with-token"];
    let (status, _, err) = place.setup(&login).stdin(KEY).run().await;
    assert_eq!(status, 4, "{err}");
    assert_eq!(place.login.asked("/v1/key")[0]["authorization"], format!("Bearer {KEY}"));
    assert_eq!(place.login.asked("/v1/models").len(), 0);
    // iFlow has no list: one token is asked for.
    let place = Place::new(Form::Iflow).await;
    let (status, _, err) = place.setup(&["auth", "login", "iflow", "--with-token"]).stdin(KEY).run().await;
    assert_eq!(status, 4, "{err}");
    let asked = &place.login.asked("/v1/chat/completions")[0];
    assert_eq!(asked["authorization"], format!("Bearer {KEY}"));
}

#[tokio::test]
async fn a_stored_key_sets_a_provider_up_and_goes_behind_the_environment_and_the_settings() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let login = ["auth", "login", "deepseek", "--with-token", "--no-check"];
    let (status, _, err) = setup_in(&home, &login).stdin(KEY).run().await;
    assert_eq!(status, 0, "{err}");
    let file = home.path().join("config/iflow2api/credentials.json");
    let get = |name: &'static str| setup_in(&home, &["config", "get", "--json", "--show-key", name]);
    let value = |out: &str| serde_json::from_str::<Value>(out).unwrap();
    let (_, out, _) = get("upstream.deepseek.key").run().await;
    let expected = json!({"name": "upstream.deepseek.key", "value": KEY, "origin": "file", "source": file});
    assert_eq!(value(&out), expected);
    let (_, out, _) = get("default_upstream").run().await;
    assert_eq!(value(&out)["value"], "deepseek");
    // Another provider's variable does not take its place.
    let (_, out, _) = get("default_upstream").env("ZAI_API_KEY", "sk-z").run().await;
    assert_eq!(value(&out)["value"], "deepseek");
    let (_, out, _) = get("upstream.deepseek.key").env("DEEPSEEK_API_KEY", "sk-variable").run().await;
    assert_eq!(value(&out)["value"], "sk-variable");
    // Which is said to whoever logs in.
    let (status, _, err) =
        setup_in(&home, &login).stdin(KEY).env("DEEPSEEK_API_KEY", "sk-variable").run().await;
    assert_eq!(status, 0);
    assert!(
        err.contains("warning: calls use the key from environment DEEPSEEK_API_KEY all the same"),
        "{err}"
    );
}

#[tokio::test]
async fn the_terms_of_a_plan_and_a_key_of_another_plan_are_said() {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let login = ["auth", "login", "zai-coding", "--with-token", "--no-check"];
    let (status, _, err) = setup_in(&home, &login).stdin(KEY).run().await;
    assert_eq!(status, 0, "{err}");
    assert!(err.contains("note: upstream `zai-coding`: "), "{err}");
    let (_, _, err) = setup_in(&home, &login).stdin(KEY).run().await;
    assert!(!err.contains("note: upstream"), "once: {err}");
}
