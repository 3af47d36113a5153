//! What users of a plan are told: its terms, once, and that a key looks like one of another plan.

use super::good;
use crate::support::program::setup;
use crate::support::upstream::{Exchange, Upstream};
use std::path::Path;

const MODELS: &str = "GET /v1/models";
const LIST: &str = r#"{"data":[{"id":"glm-4.7"}]}"#;

/// What `models` says on stderr of an upstream with these lines.
async fn said(lines: &str, cache: &Path) -> String {
    let upstream = Upstream::start([Exchange::answer(200, LIST).at(MODELS)]).await;
    let table = format!("[upstream.plan]\nbase_url = \"UPSTREAM\"\n{lines}\n");
    let program = setup(&["models"]).config(&table, &upstream).env("XDG_CACHE_HOME", cache.to_str().unwrap());
    let (code, _, stderr) = program.run().await;
    assert_eq!(code, 0, "{stderr}");
    let is_ours = |line: &&str| line.contains("plan") && !line.contains("chmod");
    stderr.lines().filter(is_ours).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_terms_of_a_plan_are_shown_once() {
    let cache = tempfile::tempdir().unwrap();
    let coding = "preset = \"zai-coding\"\nkey = \"k\"";
    let terms = "iflow2api: note: upstream `plan`: Coding plan: only for the tools that Z.AI lists; other use may \
                 be throttled or banned.\n";
    assert_eq!(said(coding, cache.path()).await, terms);
    assert_eq!(said(coding, cache.path()).await, "");
    assert_eq!(said("preset = \"zai\"\nkey = \"k\"", cache.path()).await, "");
}

#[tokio::test]
async fn a_key_that_looks_like_one_of_a_plan_is_worth_a_warning() {
    let cache = tempfile::tempdir().unwrap();
    let warning = "iflow2api: warning: the key of upstream `plan` begins like one of `alibaba-coding`, which may be \
                   another plan\n";
    assert_eq!(said("preset = \"dashscope\"\nkey = \"sk-sp-1\"", cache.path()).await, warning);
    assert_eq!(said("preset = \"dashscope\"\nkey = \"sk-1\"", cache.path()).await, "");
}

#[tokio::test]
async fn who_leaves_a_plan_for_another_upstream_is_told() {
    let spent = r#"{"error":{"code":"1308","message":"5 hour limit, reset at 2099-01-01 00:00:00"}}"#;
    let plan = Upstream::start([Exchange::answer(429, spent)]).await;
    let paid = Upstream::start([good(false)]).await;
    let table = format!(
        "[upstream.plan]\npreset = \"zai-coding\"\nbase_url = \"UPSTREAM\"\nkey = \"k\"\n\
         [upstream.paid]\npreset = \"zai\"\nbase_url = \"{}\"\nkey = \"k\"\n\
         [fallback]\n\"glm-*\" = [\"paid/glm-4.7\"]\n",
        paid.url()
    );
    let mut program = setup(&["serve", "--port", "0"]).config(&table, &plan).start().await;
    let mut answer = program.chat(r#"{"model":"glm-5.3","messages":[{"role":"user","content":"hi"}]}"#).await;
    assert_eq!(answer.status, 200);
    let header = |name: &str| answer.header(name).map(str::to_owned);
    assert_eq!(header("x-iflow2api-upstream").as_deref(), Some("paid"));
    let told = "`plan/glm-5.3` cannot be had now, so `paid/glm-4.7` answers";
    assert_eq!(header("x-iflow2api-warning").as_deref(), Some(told));
    assert!(program.line(&["asking another upstream", "from=\"plan\""]).await.contains("WARN"));
    answer.text().await;
}
