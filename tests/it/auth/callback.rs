//! S-15: what comes to the listener and is not the answer that it waits for.

use super::{Place, ask, fetch};
use crate::support::login::Form;
use crate::support::program::setup_in;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use tokio::net::TcpStream;

#[tokio::test]
async fn s15_nothing_but_the_answer_is_taken_and_nothing_is_reflected() {
    for form in [Form::Standard, Form::Iflow, Form::Openrouter] {
        let place = Place::new(form).await;
        let (mut program, address) = place.begin(&[]).await;
        let good = place.login.visit(&address);
        let port = good.port().unwrap();
        let target = &good[url::Position::BeforePath..];
        let host = format!("host: localhost:{port}\r\n");
        let evil = "%3Cscript%3Ealert(1)%3C/script%3E";
        let of_another = match form {
            Form::Openrouter => target.replace("/oauth2callback/", "/oauth2callback/x"),
            Form::Standard | Form::Iflow => target.replace("state=", "state=x"),
        };
        let stateless = match form {
            Form::Openrouter => "/oauth2callback?code=x".to_owned(),
            Form::Standard | Form::Iflow => format!("{}?code=x", good.path()),
        };
        let denied = match form {
            Form::Openrouter => format!("{}x?error={evil}", good.path()),
            Form::Standard | Form::Iflow => format!("{}?error={evil}&state=x", good.path()),
        };
        let codeless =
            target.split("code=").next().unwrap().to_owned() + "kode=x&" + target.rsplit('&').next().unwrap();
        let refused = |status: u16, request: String| (status, request);
        for (status, request) in [
            refused(403, format!("GET {target} HTTP/1.1\r\nhost: evil.example:{port}\r\n\r\n")),
            refused(403, format!("GET {target} HTTP/1.1\r\nhost: localhost.evil.example:{port}\r\n\r\n")),
            refused(403, format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n")),
            refused(403, format!("GET {target} HTTP/1.1\r\nhost: localhost:1\r\n\r\n")),
            refused(403, format!("GET {target} HTTP/1.0\r\n\r\n")),
            refused(403, format!("GET {target} HTTP/1.1\r\n{host}{host}\r\n")),
            refused(404, format!("POST {target} HTTP/1.1\r\n{host}content-length: 0\r\n\r\n")),
            refused(404, format!("GET /favicon.ico HTTP/1.1\r\n{host}\r\n")),
            refused(404, format!("GET /{evil} HTTP/1.1\r\n{host}\r\n")),
            refused(
                if form == Form::Openrouter { 404 } else { 400 },
                format!("GET {of_another} HTTP/1.1\r\n{host}\r\n"),
            ),
            refused(
                if form == Form::Openrouter { 404 } else { 400 },
                format!("GET {stateless} HTTP/1.1\r\n{host}\r\n"),
            ),
            refused(
                if form == Form::Openrouter { 404 } else { 400 },
                format!("GET {denied} HTTP/1.1\r\n{host}\r\n"),
            ),
            refused(400, format!("GET {target}&code=y HTTP/1.1\r\n{host}\r\n")),
            refused(400, format!("GET {codeless} HTTP/1.1\r\n{host}\r\n")),
        ] {
            let mut answer = ask(port, &request).await;
            assert_eq!(answer.status, status, "{form:?}: {request}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'"), "{policy}");
            let page = answer.text().await;
            for text in ["alert", "evil", "code-", "never-shown"] {
                assert!(!page.contains(text), "{form:?}: {request}: {page}");
            }
        }
        assert_eq!(place.login.asked("/oauth/token").len(), 0, "nothing was exchanged");
        let mut page = fetch(&good).await;
        assert_eq!(page.status, 200);
        let page = page.text().await;
        assert!(page.contains("lang=\"zh-CN\"") && page.contains("You can close this page"), "{page}");
        assert!(!page.contains("never-shown"), "{page}");
        assert_eq!(program.end().await, Some(0), "{}", program.said());
        // It listens no more.
        assert!(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.is_err());
    }
}

#[tokio::test]
async fn s15_who_is_refused_at_the_provider_is_told_in_words_that_a_terminal_can_show() {
    let place = Place::new(Form::Standard).await;
    let (mut program, address) = place.begin(&[]).await;
    let good = place.login.visit(&address);
    let state = good.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let mut refused = good.clone();
    refused
        .query_pairs_mut()
        .clear()
        .append_pair("error", "access_denied")
        .append_pair("error_description", "<b>no\u{1b}[2Jway</b>\r\nsecond line")
        .append_pair("state", &state);
    let mut page = fetch(&refused).await;
    let text = page.text().await;
    assert!(page.status == 200 && !text.contains("way") && !text.contains("access_denied"), "{text}");
    let (code, said) = program.ended().await;
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("the login at `corp` was refused: access_denied: <b>no [2Jway</b>  second line"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(!place.credentials().exists());
}

#[tokio::test]
async fn s15_it_listens_on_loopback_alone() {
    let place = Place::new(Form::Standard).await;
    let (_program, address) = place.begin(&[]).await;
    let port = place.login.visit(&address).port().unwrap();
    // The address that leads out of this machine, if there is one; nothing is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let outward =
        socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|address| address.ip());
    match outward {
        Ok(ip) if !ip.is_loopback() => {
            assert!(TcpStream::connect(SocketAddr::from((ip, port))).await.is_err())
        }
        _ => println!("skipped: this machine has no other address"),
    }
}

#[tokio::test]
async fn a_taken_port_is_said_and_another_one_taken_where_that_will_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let place = Place::new(Form::Standard).await;
    // Only this one will do, and nobody can paste the answer.
    let begin = |arguments: &[&str], ports: &str| {
        let arguments = [&["auth", "login", "corp", "--no-browser"], arguments].concat();
        setup_in(&place.home, &arguments).env("IFLOW2API_AUTH_CORP_PORTS", ports)
    };
    for setup in [begin(&["--port", &port], "any"), begin(&[], &port)] {
        let (status, _, err) = setup.run().await;
        assert_eq!(status, 2, "{err}");
        let us = format!("port {port} is taken by it-");
        assert!(err.contains(&us) || cfg!(not(target_os = "linux")), "{err}");
        assert!(err.contains(&format!("(process {})", std::process::id())), "{err}");
    }
    let mut program = begin(&[], &format!("{port},any")).launch();
    let address = program.line(&["  http"]).await;
    let good = place.login.visit(address.trim());
    assert_ne!(good.port().unwrap().to_string(), port);
    assert_eq!(fetch(&good).await.status, 200);
    assert_eq!(program.end().await, Some(0), "{}", program.said());
}
