//! S-15, S-7: who comes to the listener beside the browser, and what a server says back of what it was shown.

use super::{Place, ask, fetch};
use crate::support::client::{Answer, connect};
use crate::support::login::Form;
use crate::support::upstream::Exchange;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;
use std::net::{Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "/oauth/token";

#[tokio::test]
async fn s15_a_second_answer_is_not_taken() {
    for form in [Form::Standard, Form::Iflow] {
        let place = Place::new(form).await;
        let (mut program, address) = place.begin(&[]).await;
        let (first, second) = (place.login.visit(&address), place.login.visit(&address));
        let port = first.port().unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], port));
        // One is connected before the browser's answer, and asks after it.
        let early = TcpStream::connect(here).await.unwrap();
        // The login is not over: its server takes its time.
        place.login.instead(TOKEN, Exchange::answer(400, r#"{"error":"invalid_grant"}"#).late());
        assert_eq!(fetch(&first).await.status, 200);
        place.server.asked().await;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n",
            &second[url::Position::BeforePath..]
        );
        let status = late(early, &request).await;
        assert!(matches!(status, None | Some(410)), "{form:?}: {status:?}");
        assert!(TcpStream::connect(here).await.is_err(), "{form:?}: it listens no more");
        place.server.go();
        let (code, said) = program.ended().await;
        assert_eq!(code, Some(4), "{form:?}: {said}");
        let [asked] = place.login.asked(TOKEN).try_into().unwrap();
        let code = first.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        assert_eq!(asked["code"], code, "{form:?}");
    }
}

/// Asks on a connection that may be closed already; the status, if there is an answer.
async fn late(mut stream: TcpStream, request: &str) -> Option<u16> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut answer = Vec::new();
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn s15_an_idle_connection_and_half_a_request_keep_nobody_out() {
    let place = Place::new(Form::Standard).await;
    let (mut program, address) = place.begin(&[]).await;
    let good = place.login.visit(&address);
    let here = SocketAddr::from(([127, 0, 0, 1], good.port().unwrap()));
    // Browsers connect ahead; a few do, and say nothing, or not all.
    let mut idle = Vec::new();
    for at in 0..8 {
        idle.push(connect(here, if at % 2 == 0 { b"" } else { b"GET /oauth2callback?co" }).await);
    }
    assert_eq!(fetch(&good).await.status, 200);
    assert_eq!(program.end().await, Some(0), "{}", program.said());
}

#[tokio::test]
async fn s15_the_browser_may_come_by_either_loopback_address() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let place = Place::new(Form::Iflow).await;
    let (mut program, address) = place.begin(&[]).await;
    let good = place.login.visit(&address);
    let port = good.port().unwrap();
    let target = &good[url::Position::BeforePath..];
    let at = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let refused = format!("GET {target} HTTP/1.1\r\nhost: [::2]:{port}\r\n\r\n");
    assert_eq!(Answer::of(connect(at, refused.as_bytes()).await).await.status, 403);
    assert_eq!(ask(port, &format!("GET {target} HTTP/1.1\r\nhost: \r\n\r\n")).await.status, 403);
    let request = format!("GET {target} HTTP/1.1\r\nhost: [::1]:{port}\r\n\r\n");
    assert_eq!(Answer::of(connect(at, request.as_bytes()).await).await.status, 200);
    assert_eq!(program.end().await, Some(0), "{}", program.said());
}

#[tokio::test]
async fn s15_a_provider_that_refuses_in_markup_is_told_in_one_printable_line() {
    let place = Place::new(Form::Iflow).await;
    let (mut program, address) = place.begin(&[]).await;
    let good = place.login.visit(&address);
    let state = good.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let mut refused = good.clone();
    let words = format!("<img src=x onerror=alert(1)>\u{9b}31m\u{7}\u{202e}{}", "long ".repeat(500));
    refused
        .query_pairs_mut()
        .clear()
        .append_pair("error", "access_denied\r\nset-cookie: a=b")
        .append_pair("error_description", &words)
        .append_pair("state", &state);
    let mut page = fetch(&refused).await;
    let names: Vec<String> = page.head.headers.iter().map(|(name, _)| name.clone()).collect();
    let text = page.text().await;
    assert!(!text.contains("onerror") && !text.contains("access_denied"), "{text}");
    assert!(!names.contains(&"set-cookie".to_owned()), "{names:?}");
    let (code, said) = program.ended().await;
    assert_eq!(code, Some(4), "{said}");
    let line = said.lines().find(|line| line.contains("the login at `iflow` was refused")).unwrap();
    assert!(line.contains("<img src=x onerror=alert(1)>") && line.chars().count() < 800, "{line}");
    for c in said.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control() && c != '\u{202e}', "{c:?} in {said:?}");
    }
    assert!(!place.iflow_file().exists());
}

/// A secret as a server may say it back: as it is, as a URL has it, and in base64 wherever it begins.
fn echoes(secret: &str) -> Vec<String> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let small = encoded.replace("%2B", "%2b").replace("%2F", "%2f").replace("%7E", "~").replace("%3D", "%3d");
    let mut all = vec![secret.to_owned(), encoded, small];
    for before in ["", "a", "ab"] {
        let text = format!("{before}{secret}");
        all.extend([
            STANDARD.encode(&text),
            URL_SAFE.encode(&text),
            URL_SAFE_NO_PAD.encode(format!("{text}:x")),
        ]);
    }
    all
}

/// As much of a secret as nobody may see, in every form of it.
fn check(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        for echo in echoes(secret) {
            let core: String = echo.trim_end_matches('=').chars().skip(4).collect();
            let core = &core[..core.len().min(16)];
            assert!(!text.contains(core), "{what} shows `{secret}` as `{core}`:\n{text}");
        }
    }
}

#[tokio::test]
async fn s7_what_a_login_server_says_back_is_shown_in_no_form() {
    let place = Place::new(Form::Standard).await;
    let granted = place.login.grant();
    place.store(&granted, 47);
    // The last is cut by us, since it is more than anybody wants to read.
    let cut = format!("{}{}", "long ".repeat(56), granted.refresh_token);
    for echo in echoes(&granted.refresh_token).into_iter().chain([cut]) {
        let words = json!({"error": "invalid_request", "error_description": format!("not <{echo}>")});
        place.login.instead(TOKEN, Exchange::answer(400, words.to_string()));
        let (status, out, err) = place.run(&["-vv", "auth", "refresh", "corp"]).await;
        assert_eq!(status, 4, "{err}");
        assert!(err.contains("not <"), "{err}");
        check("auth refresh", &(out + &err), &[&granted.refresh_token, &granted.access_token]);
        let (_, out, err) = place.run(&["auth", "status", "--json"]).await;
        check("auth status", &(out + &err), &[&granted.refresh_token, &granted.access_token]);
        let note =
            std::fs::read_to_string(place.credentials().with_file_name("credentials.json.corp.default.lock"));
        check("the note", &note.unwrap(), &[&granted.refresh_token, &granted.access_token]);
    }
}

#[tokio::test]
async fn s7_what_a_provider_says_back_is_shown_in_no_form() {
    let place = Place::new(Form::Standard).await;
    let granted = place.login.grant();
    place.store(&granted, 47);
    let program = place.setup(&["serve", "--port", "0", "-vv"]).env("RUST_LOG", "trace").start().await;
    let secrets = [&*granted.refresh_token, &*granted.access_token];
    let cut = format!("{}{}", "long ".repeat(405), granted.access_token);
    for echo in echoes(&granted.access_token).into_iter().chain([cut]) {
        let words = json!({"error": {"message": format!("not <{echo}>"), "code": "invalid_parameter"}});
        place.login.instead("/v1/chat/completions", Exchange::answer(400, words.to_string()));
        let mut answer = program.chat(super::ASK).await;
        let text = answer.text().await;
        assert!(answer.status == 400 && text.contains("not <"), "{text}");
        check("an answer", &text, &secrets);
    }
    // It may stand where nobody expects it.
    for member in ["code", "type", "param", "status"] {
        let mut words = json!({"error": {"message": "no", "code": "no"}});
        words["error"][member] = json!(granted.access_token);
        place.login.instead("/v1/chat/completions", Exchange::answer(400, words.to_string()));
        let mut answer = program.chat(super::ASK).await;
        check(member, &answer.text().await, &secrets);
        place.login.instead("/v1/chat/completions", Exchange::answer(400, words.to_string()));
        let mut answer = program.messages(super::ASK.replace("}]}", "}],\"max_tokens\":9}")).await;
        check(member, &answer.text().await, &secrets);
    }
    check("serve", &program.said(), &secrets);
}

#[tokio::test]
async fn s7_the_state_of_a_login_is_nowhere_but_in_its_address() {
    for form in [Form::Standard, Form::Iflow, Form::Openrouter] {
        let place = Place::new(form).await;
        let arguments = ["-vv", "auth", "login", place.name(), "--no-browser"];
        let mut program = place.setup(&arguments).env("RUST_LOG", "trace").launch();
        let address = program.line(&["  http"]).await.trim().to_owned();
        let good = place.login.visit(&address);
        let state = match form {
            Form::Openrouter => good.path().rsplit('/').next().unwrap().to_owned(),
            Form::Standard | Form::Iflow => {
                good.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
            }
        };
        // RFC 6749, section 10.10: nobody guesses it.
        assert!(state.len() >= 43, "{state}");
        // Somebody without it is refused, which is worth a line.
        let mut other = good.clone();
        match form {
            Form::Openrouter => other.set_path("/oauth2callback/of-another"),
            Form::Standard | Form::Iflow => other.set_query(Some("state=of-another&code=never-shown")),
        }
        assert!(matches!(fetch(&other).await.status, 400 | 404), "{form:?}");
        assert_eq!(fetch(&good).await.status, 200);
        let (code, said) = program.ended().await;
        assert_eq!(code, Some(0), "{said}");
        let rest = said.replace(&address, "");
        assert!(!rest.contains(&state) && !rest.contains("never-shown"), "{form:?}: {rest}");
    }
}
