//! Each flow from its address to a call that is signed in, request by request.

use super::{ASK, Place, fetch};
use crate::support::login::{CLIENT, Form, SECRET};
use crate::support::program::setup_in;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

#[tokio::test]
async fn iflows_login_ends_in_its_own_file_with_the_key_that_calls_bear() {
    let place = Place::new(Form::Iflow).await;
    let said = place.log_in(&[]).await;
    let path = place.iflow_file();
    let expected = format!("Logged in at `iflow` as ada@example.com; stored in `{}`\n", path.display());
    assert!(said.ends_with(&expected), "{said}");
    // Its addresses are not those of the service that has ended, so nothing is said of that.
    assert!(!said.contains("2026-04-17"), "{said}");

    let [asked] = place.login.asked("/oauth/token").try_into().unwrap();
    assert_eq!(asked["grant_type"], "authorization_code");
    assert_eq!([&asked["client_id"], &asked["client_secret"]], [CLIENT, SECRET]);
    assert_eq!(asked["authorization"], format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}"))));
    let redirect = Url::parse(&asked["redirect_uri"]).unwrap();
    assert_eq!((redirect.host_str(), redirect.path()), (Some("localhost"), "/oauth2callback"));
    assert!(!asked.contains_key("code_verifier"));

    let good = place.login.good();
    let mut stored = place.stored();
    let stored = stored.as_object_mut().unwrap();
    let expiry = stored.remove("expiry_date").unwrap().as_i64().unwrap();
    let obtained = stored.remove("obtained_at").unwrap().as_i64().unwrap();
    assert_eq!(expiry - obtained, 172_800_000, "48 hours, in milliseconds");
    let expected = json!({"access_token": good.access_token, "refresh_token": good.refresh_token,
        "token_type": "bearer", "scope": "read", "apiKey": good.key, "account": "ada@example.com"});
    assert_eq!(Value::Object(stored.clone()), expected);
    assert!(!place.credentials().exists(), "nothing of it is elsewhere");

    let program = place.serve().await;
    assert_eq!(program.chat(ASK).await.status, 200);
    let call = &place.login.asked("/v1/chat/completions")[0];
    assert_eq!(call["authorization"], format!("Bearer {}", good.key));
}

#[tokio::test]
async fn without_its_secret_iflow_says_where_to_set_it_and_asks_nothing() {
    let place = Place::new(Form::Iflow).await;
    let (status, out, err) = setup_in(&place.home, &["auth", "login", "iflow", "--no-browser"]).run().await;
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    for text in ["IFLOW2API_AUTH_IFLOW_CLIENT_SECRET", "config set auth.iflow.client_secret -"] {
        assert!(err.contains(text), "{err}");
    }
    assert_eq!(place.login.asked("/oauth/token").len(), 0);
}

#[tokio::test]
async fn iflows_own_addresses_come_with_the_day_on_which_its_service_ended() {
    let home = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let (status, _, err) = setup_in(&home, &["auth", "login", "iflow"]).run().await;
    assert_eq!(status, 2);
    assert!(err.contains("the service of iFlow ended on 2026-04-17"), "{err}");
}

#[tokio::test]
async fn openrouters_login_ends_in_a_key() {
    let place = Place::new(Form::Openrouter).await;
    let said = place.log_in(&[]).await;
    assert!(said.contains("Logged in at `openrouter` as user_2ada; stored in"), "{said}");
    let [asked] = place.login.asked("/api/v1/auth/keys").try_into().unwrap();
    assert_eq!(asked["code_challenge_method"], "S256");
    // RFC 7636, section 4.1.
    let verifier = &asked["code_verifier"];
    assert!((43..=128).contains(&verifier.len()), "{verifier}");
    let key = place.login.good().key;
    let stored = place.stored();
    assert_eq!((&stored["key"], &stored["account"]), (&json!(key), &json!("user_2ada")));
    let (status, out, err) = place.run(&["chat", "-m", "m", "hi"]).await;
    assert_eq!((status, out.as_str()), (0, "Come in.\n"), "{err}");
    let (status, _, err) = place.run(&["auth", "refresh", "openrouter"]).await;
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("is a key, which needs no refresh"), "{err}");
}

#[tokio::test]
async fn a_standard_login_ends_in_an_access_token() {
    let place = Place::new(Form::Standard).await;
    let said = place.log_in(&[]).await;
    assert!(said.contains("Logged in at `corp`; stored in"), "{said}");
    let [asked] = place.login.asked("/oauth/token").try_into().unwrap();
    let redirect = Url::parse(&asked["redirect_uri"]).unwrap();
    assert_eq!((redirect.host_str(), redirect.path()), (Some("127.0.0.1"), "/oauth2callback"));
    let good = place.login.good();
    assert_eq!(place.stored()["access_token"], json!(good.access_token));
    let program = place.serve().await;
    let answer = program.messages(ASK.replace("}]}", "}],\"max_tokens\":9}")).await;
    assert_eq!(answer.status, 200);
    let call = &place.login.asked("/v1/chat/completions")[0];
    assert_eq!(call["authorization"], format!("Bearer {}", good.access_token));
}

#[tokio::test]
async fn a_code_that_the_server_refuses_ends_the_login_with_4_and_stores_nothing() {
    for form in [Form::Standard, Form::Iflow, Form::Openrouter] {
        let place = Place::new(form).await;
        let (mut program, address) = place.begin(&[]).await;
        let mut back = place.login.visit(&address);
        let query = back.query().unwrap().replace("-never-shown", "-of-another");
        back.set_query(Some(&query));
        assert_eq!(fetch(&back).await.status, 200);
        let (code, said) = program.ended().await;
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("iflow2api: error: "), "{said}");
        assert!(!place.credentials().exists() && !place.iflow_file().exists());
    }
}

#[tokio::test]
async fn what_is_no_login_is_a_usage_error() {
    let place = Place::new(Form::Standard).await;
    let cases: [(&[&str], &str); 6] = [
        (&["auth"], "name it: `iflow2api auth login PROVIDER`"),
        (&["auth", "login", "crop"], "did you mean `corp`?"),
        (&["auth", "login", "groq", "--device"], "describe its login in `[auth.groq]`"),
        (&["auth", "login", "corp", "--device"], "set `auth.corp.device_url`"),
        (&["auth", "login", "corp", "--profile", "a b"], "letters, digits, `-` and `_`"),
        (&["auth", "login", "groq"], "auth login groq --with-token < FILE"),
    ];
    for (arguments, hint) in cases {
        let (status, out, err) = place.run(arguments).await;
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(hint), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_asked_is_said_before_anybody_logs_in() {
    for (form, setting) in [
        (Form::Standard, "authorize_url"),
        (Form::Standard, "token_url"),
        (Form::Iflow, "authorize_url"),
        (Form::Iflow, "token_url"),
        (Form::Iflow, "userinfo_url"),
        (Form::Openrouter, "token_url"),
    ] {
        for (value, words) in [
            (Some("http://login.example/x"), "must begin with `https://`"),
            // A preset has its own.
            (None, "is not set"),
        ] {
            if value.is_none() && form != Form::Standard {
                continue;
            }
            let place = Place::new(form).await;
            let text = std::fs::read_to_string(place.config()).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with(setting));
            let mut text = lines.collect::<Vec<_>>().join("\n");
            if let Some(value) = value {
                text += &format!("\n{setting} = \"{value}\"\n");
            }
            std::fs::write(place.config(), text).unwrap();
            let (status, out, err) = place.run(&["auth", "login", place.name(), "--no-browser"]).await;
            assert_eq!((status, out.as_str()), (2, ""), "{form:?} {setting} {value:?}: {err}");
            let name = format!("`auth.{}.{setting}`", place.name());
            assert!(err.contains(&name) && err.contains(words), "{form:?} {setting} {value:?}: {err}");
            assert!(!err.contains("  http") && place.server.requests().is_empty(), "{err}");
        }
    }
}

#[tokio::test]
async fn a_login_server_is_not_asked_in_the_open() {
    let place = Place::new(Form::Standard).await;
    place.write(&place.config(), "revoke_url = \"http://login.example/revoke\"\n");
    place.store(&place.login.grant(), 40);
    // The tokens stay where they are said to be good; nothing is sent to where anybody could listen.
    let (status, _, err) = place.run(&["auth", "logout", "corp"]).await;
    assert_eq!(status, 0, "{err}");
    assert!(err.contains("`auth.corp.revoke_url` must begin with `https://`"), "{err}");
}
