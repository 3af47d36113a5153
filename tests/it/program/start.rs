//! How `serve` starts and ends: without an upstream, with the demo, around a command, and not at all.

use super::{CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, STREAM, WHOLE, delta};
use crate::support::PATIENCE;
use crate::support::client::names;
use crate::support::program::{serve, setup};
use crate::support::upstream::{Exchange, Step, Upstream, begin, send};
use serde_json::json;
use std::net::TcpListener;
use tokio::time::timeout;

#[tokio::test]
async fn without_an_upstream_it_starts_and_says_what_to_do() {
    let mut program = setup(&["serve", "--port", "0"]).start().await;
    let line = program.line(&["none yet"]).await;
    assert!(line.contains("`iflow2api auth`") && line.contains("ZAI_API_KEY"), "{line}");
    program.line(&["--upstream URL or --demo"]).await;
    for (path, body, anthropic) in [
        ("/v1/chat/completions", CHAT, false),
        ("/v1/chat/completions", CHAT_STREAM, false),
        ("/v1/messages", MESSAGES, true),
        ("/v1/messages", MESSAGES_STREAM, true),
    ] {
        let mut answer = program.post(path, body).await;
        let json = answer.json().await;
        assert_eq!((answer.status, answer.header("x-should-retry")), (503, Some("false")), "{json}");
        assert_eq!(answer.header("x-iflow2api-error"), Some("local"), "{json}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains("no upstream") && message.contains("--demo"), "{message}");
        if anthropic {
            assert_eq!((&json["type"], &json["error"]["type"]), (&json!("error"), &json!("api_error")));
        } else {
            assert_eq!(
                (&json["error"]["type"], &json["error"]["code"]),
                (&json!("server_error"), &json!("not_configured"))
            );
        }
    }
    assert_eq!(program.get("/health").await.status, 200);
    assert_eq!(program.get("/admin").await.status, 200);
}

#[tokio::test]
async fn the_demo_works_on_a_machine_without_certificates() {
    let program = setup(&["serve", "--port", "0", "--demo"])
        .env("SSL_CERT_FILE", "/nowhere/cert.pem")
        .env("SSL_CERT_DIR", "/nowhere")
        .start()
        .await;
    let message = program.messages(MESSAGES.replace("\"m\"", "\"claude-sonnet-4-5\"")).await.json().await;
    assert_eq!(
        (&message["type"], &message["stop_reason"]),
        (&json!("message"), &json!("end_turn")),
        "{message}"
    );
    let text = program.messages(MESSAGES_STREAM).await.text().await;
    assert_eq!(names(&text).last(), Some(&"message_stop"), "{text}");
    assert!(program.chat(CHAT_STREAM).await.text().await.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_command_gets_an_environment_that_points_here_and_its_exit_status_is_ours() {
    let upstream = Upstream::start([]).await;
    let script = "echo $ANTHROPIC_BASE_URL; echo $OPENAI_BASE_URL; echo $ANTHROPIC_AUTH_TOKEN; echo $OPENAI_API_KEY; \
        echo \"[$ANTHROPIC_API_KEY]\"; echo $NO_PROXY; exit 7";
    let (code, out, err) = setup(&["serve"])
        .env("IFLOW2API_BASE_URL", &upstream.url())
        .env("IFLOW2API_SERVER_KEYS", "caller-key")
        .env("ANTHROPIC_API_KEY", "sk-of-the-user")
        .env("NO_PROXY", "example.com")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .arguments(&["--", "sh", "-c", script])
        .run()
        .await;
    assert_eq!(code, 7, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    let url = lines[0];
    let port = url.strip_prefix("http://127.0.0.1:").unwrap();
    assert_ne!(port, "8000", "a port of its own");
    let openai = format!("{url}/v1");
    assert_eq!(
        lines[1..],
        [openai.as_str(), "caller-key", "caller-key", "[]", "example.com,localhost,127.0.0.1,::1"]
    );
    assert_eq!(err, "", "the screen is the command's");
}

#[tokio::test]
async fn a_command_that_cannot_be_started_or_is_killed_says_so() {
    let run = async |command: &[&str]| {
        let upstream = Upstream::start([]).await;
        let setup = setup(&["serve"]).env("IFLOW2API_BASE_URL", &upstream.url()).env("PATH", "/usr/bin:/bin");
        setup.arguments(&["--"]).arguments(command).run().await
    };
    let (code, _, err) = run(&["no-such-command-here"]).await;
    assert!(code == 2 && err.contains("no-such-command-here"), "{code}: {err}");
    assert_eq!(run(&["sh", "-c", "kill -TERM $$"]).await.0, 128 + 15);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, _, err) = setup(&["serve", "--demo", "--port", &port]).run().await;
    assert!(code == 1 && err.contains(&format!("port {port}")) && err.contains("--port"), "{code}: {err}");
}

#[tokio::test]
async fn a_base_url_that_leads_back_is_refused() {
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "0.0.0.0"] {
        for path in ["", "/", "/v1", "/v1/"] {
            // A test beside this one may be faster to take the port.
            let (url, code, err) = loop {
                let (url, code, err) = leading_back(host, path).await;
                if !err.contains("is taken") {
                    break (url, code, err);
                }
            };
            assert!(code == 2 && err.contains("leads back"), "{url}: {code}: {err}");
        }
    }
}

/// Runs a server whose upstream is its own address.
async fn leading_back(host: &str, path: &str) -> (String, i32, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let url = format!("http://{host}:{port}{path}");
    let (code, _, err) = setup(&["serve", "--port", &port, "--upstream", &url]).run().await;
    (url, code, err)
}

#[tokio::test]
async fn a_reader_of_stderr_that_leaves_does_not_end_it() {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let mut program = serve(&upstream).start_and_look_away().await;
    assert_eq!(program.chat(CHAT).await.status, 200);
    program.terminate().await;
    assert_eq!(program.end().await, Some(0));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_by_name() {
    for (arguments, name, value, said) in [
        (["serve", "--port", "70000"], "X", "", "70000"),
        (["serve", "--port", "0"], "IFLOW2API_TIMEOUT_HOLD", "soon", "IFLOW2API_TIMEOUT_HOLD"),
        (["serve", "--port", "0"], "IFLOW2API_BASE_URL", "nonsense", "IFLOW2API_BASE_URL"),
    ] {
        let (code, _, err) = setup(&arguments).env(name, value).run().await;
        assert!(code == 2 && err.contains(said), "{name}: {code}: {err}");
    }
}

#[tokio::test]
async fn a_stop_lets_open_answers_end_and_nobody_new_in() {
    let first = delta("{\"content\":\"Hel\"}");
    let upstream =
        Upstream::start([Exchange::steps([begin(&first), Step::Pause, send(STREAM), Step::Close])]).await;
    let mut program = serve(&upstream).start().await;
    let mut answer = program.chat(CHAT_STREAM).await;
    answer.until("Hel").await;
    program.terminate().await;
    program.line(&["finishing open answers"]).await;
    let entering = async { while tokio::net::TcpStream::connect(program.address).await.is_ok() {} };
    timeout(PATIENCE, entering).await.expect("nobody new is let in");
    upstream.go();
    assert!(answer.text().await.ends_with("data: [DONE]\n\n"));
    assert_eq!(program.end().await, Some(0));
}

#[tokio::test]
async fn a_second_stop_ends_at_once() {
    let upstream =
        Upstream::start([Exchange::steps([begin(delta("{\"content\":\"Hel\"}")), Step::Hang])]).await;
    let mut program = serve(&upstream).start().await;
    let mut answer = program.chat(CHAT_STREAM).await;
    answer.until("Hel").await;
    program.terminate().await;
    program.line(&["finishing open answers"]).await;
    program.terminate().await;
    assert_eq!(program.end().await, Some(130));
    upstream.left().await;
}

#[tokio::test]
async fn all_upstreams_and_aliases_are_named() {
    let upstream = Upstream::start(vec![Exchange::answer(404, "{}").at("GET /v1/models"); 2]).await;
    let config = "[upstream.one]\nbase_url = \"UPSTREAM\"\nmodels = [\"m\"]\n[upstream.two]\nbase_url = \"UPSTREAM\"\n\
                  [alias]\nfast = \"one/m(low)\"\n";
    let mut program = setup(&["serve", "--port", "0"]).config(config, &upstream).start().await;
    program.line(&["upstreams    one, two"]).await;
    let page = program.get("/admin").await.text().await;
    assert!(page.contains("<code>one</code>, <code>two</code>"), "{page}");
    assert!(page.contains("<code>fast</code> <small>alias of one/m(low)</small>"), "{page}");
}
