//! iFlow's own host after its end: the error says that it is over, and what there is instead. The host is
//! asked through a proxy of the test's, so that nothing leaves the loopback.

use crate::program::WAYS;
use crate::support::fakes::{Iflow, Mode};
use crate::support::program::{KEY, Setup, setup, with_preset};
use crate::support::story::Story;
use crate::support::upstream::Upstream;
use serde_json::Value;

async fn gone() -> Upstream {
    Upstream::strict(Iflow::answering(Mode::Gone, &Story::default())).await
}

fn through(proxy: &str) -> Setup {
    let setup = setup(&["serve", "--port", "0"]);
    setup.env("http_proxy", proxy).env("https_proxy", proxy)
}

fn address(upstream: &Upstream) -> String {
    format!("http://{}", upstream.address())
}

/// Each way of asking is told that the service ended, and of a provider that lives.
async fn says_that_it_ended(setup: Setup, upstream: Option<&Upstream>) {
    let program = setup.start().await;
    for (path, body, _) in WAYS {
        let mut answer = program.post(path, body).await;
        let said: Value = answer.json().await;
        let message = said["error"]["message"].as_str().unwrap();
        assert!(message.contains("2026-04-17"), "{path}: {said}");
        let living = ["zai", "deepseek", "dashscope", "moonshot", "minimax"];
        assert!(living.iter().any(|preset| message.contains(preset)), "{path}: {said}");
    }
    if let Some(upstream) = upstream {
        let lines = upstream.requests().into_iter().map(|request| request.head.line);
        assert!(lines.into_iter().any(|line| line.contains("apis.iflow.cn")), "it went through the proxy");
    }
}

#[tokio::test]
async fn a_host_that_answers_404_has_ended() {
    let upstream = gone().await;
    let table = format!("[upstream.iflow]\nbase_url = \"http://apis.iflow.cn/v1\"\nkey = \"{KEY}\"\n");
    let setup = through(&address(&upstream)).config(&table, &upstream);
    says_that_it_ended(setup, Some(&upstream)).await;
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_has_ended() {
    let upstream = gone().await;
    let settings = format!(r#"{{"apiKey":"{KEY}"}}"#);
    let setup = through(&address(&upstream)).home_file(".iflow/settings.json", &settings, &upstream);
    says_that_it_ended(setup, Some(&upstream)).await;
}

#[tokio::test]
async fn a_host_that_nobody_answers_for_has_ended() {
    let upstream = gone().await;
    let proxy = address(&upstream);
    let settings = format!(r#"{{"apiKey":"{KEY}"}}"#);
    let setup = through(&proxy).home_file(".iflow/settings.json", &settings, &upstream);
    drop(upstream);
    says_that_it_ended(setup, None).await;
}

#[tokio::test]
async fn an_endpoint_of_the_users_own_has_not_ended() {
    let upstream = gone().await;
    let program = with_preset("iflow", "", &upstream).start().await;
    let mut answer = program.chat(crate::program::CHAT).await;
    let text = answer.text().await;
    assert!(answer.status == 404 && !text.contains("2026-04-17"), "{text}");
}
