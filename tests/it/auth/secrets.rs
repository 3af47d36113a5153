//! S-7: what must not be seen is nowhere to be seen, in whatever form.

use super::{ASK, Place, fetch};
use crate::support::login::{Form, SECRET};
use crate::support::upstream::Exchange;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The mark of all secrets of these tests, whichever way it is written.
const MARK: &str = "never-shown";

/// Panics where a text shows one of these, or anything that bears the mark.
fn check(what: &str, text: &str, secrets: &[String]) {
    assert!(!text.contains(MARK), "{what} shows a secret:\n{text}");
    for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
        let encoded = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
        let mut forms = vec![secret.clone(), encoded];
        // In base64 it depends on what stands before it; the middle of each of the three is the same for all.
        for before in ["", "x", "xx"] {
            for coded in [
                STANDARD.encode(format!("{before}{secret}")),
                URL_SAFE_NO_PAD.encode(format!("{before}{secret}")),
            ] {
                forms.push(coded[4..coded.len() - 4].to_owned());
            }
        }
        for form in forms {
            assert!(!text.contains(&form), "{what} shows a secret as {form}:\n{text}");
        }
    }
}

/// All that the fake has granted and was shown.
fn secrets(place: &Place) -> Vec<String> {
    let good = place.login.good();
    let mut all = vec![SECRET.to_owned(), good.access_token, good.refresh_token, good.key];
    for path in ["/oauth/token", "/api/v1/auth/keys", "/api/oauth/getUserInfo", "/v1/chat/completions"] {
        for asked in place.login.asked(path) {
            for name in
                ["code", "code_verifier", "refresh_token", "client_secret", "accessToken", "authorization"]
            {
                all.extend(asked.get(name).cloned());
            }
        }
    }
    all.retain(|secret| !secret.is_empty());
    all
}

/// The arguments that every program of this machine was started with.
#[cfg(target_os = "linux")]
fn arguments_of(id: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[cfg(not(target_os = "linux"))]
fn arguments_of(_: u32) -> String {
    String::new()
}

#[tokio::test]
async fn s7_no_secret_of_a_login_is_printed_logged_or_listed() {
    for form in [Form::Standard, Form::Iflow, Form::Openrouter] {
        let place = Place::new(form).await;
        let name = place.name();
        let mut said = Vec::new();
        // The address that is shown bears the state, which is of no use to anybody once it was answered.
        let arguments = ["-vv", "auth", "login", name, "--no-browser"];
        let mut program = place.setup(&arguments).env("RUST_LOG", "trace").launch();
        let address = program.line(&["  http"]).await.trim().to_owned();
        check("ps", &arguments_of(program.id()), &secrets(&place));
        assert_eq!(fetch(&place.login.visit(&address)).await.status, 200);
        let (code, text) = program.ended().await;
        assert_eq!(code, Some(0), "{text}");
        said.push(("auth login", text));

        let mut program =
            place.setup(&["serve", "--port", "0", "-vv"]).env("RUST_LOG", "trace").start().await;
        assert_eq!(program.chat(ASK).await.status, 200);
        check("ps", &arguments_of(program.id()), &secrets(&place));
        // A provider and a login server that repeat what they were shown, in every form.
        let good = place.login.good();
        let token = if good.key.is_empty() { &good.access_token } else { &good.key };
        let echo = |secret: &str| {
            let coded = STANDARD.encode(secret);
            format!(
                "you said {secret} and {coded} and {}",
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>()
            )
        };
        let refusal =
            serde_json::json!({"error": {"message": format!("you said {token}"), "code": "invalid_api_key"}});
        place.login.instead("/v1/chat/completions", Exchange::answer(401, refusal.to_string()));
        let html = format!("<html>{}</html>", echo(&good.refresh_token));
        place.login.instead("/oauth/token", Exchange::answer_with(500, "content-type: text/html\r\n", html));
        let mut answer = program.chat(ASK).await;
        said.push(("an answer", answer.text().await));
        let words = serde_json::json!({"error": "invalid_grant", "error_description": format!("no {}", good.refresh_token)});
        place.login.instead("/oauth/token", Exchange::answer(400, words.to_string()));
        let (_, out, err) = place.run(&["-vv", "auth", "refresh", name]).await;
        said.push(("auth refresh", out + &err));
        let refused =
            serde_json::json!({"success": false, "code": good.refresh_token, "message": good.access_token});
        place.login.instead("/oauth/token", Exchange::answer(200, refused.to_string()));
        let (_, out, err) = place.run(&["-vv", "auth", "refresh", name]).await;
        said.push(("auth refresh at 200", out + &err));
        for arguments in [
            &["auth", "status"][..],
            &["auth", "status", "--json"],
            &["config", "show"],
            &["config", "show", "--json"],
            &["models", "resolve", "m", "--json"],
            &["-vv", "auth", "logout", name],
        ] {
            let (_, out, err) = place.run(arguments).await;
            said.push((arguments[arguments.len() - 1], out + &err));
        }
        for path in ["/admin", "/openapi.json", "/v1/models", "/readyz", "/health"] {
            said.push((path, program.get(path).await.text().await));
        }
        program.terminate().await;
        said.push(("serve", program.ended().await.1));
        let secrets = secrets(&place);
        assert!(secrets.len() >= 4, "{secrets:?}");
        for (what, text) in said {
            check(what, &text, &secrets);
        }
    }
}
