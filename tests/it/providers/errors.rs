//! What each provider's errors mean, in the words of both faces.

use crate::program::{CHAT, MESSAGES_STREAM};
use crate::support::program::with_preset;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::Value;

/// The status of the answer, and its type on the Anthropic face.
type Expected = (u16, &'static str);

const LIMITED: Expected = (429, "rate_limit_error");
const BALANCE: Expected = (402, "billing_error");
const LOGIN: Expected = (401, "authentication_error");
const INVALID: Expected = (400, "invalid_request_error");
const UNKNOWN: Expected = (404, "not_found_error");

/// Each row is asked on both faces, of a program of its own: what blocks an upstream blocks no other row.
async fn mean(preset: &str, table: &[(u16, String, Expected)]) {
    for (status, body, (expected, kind)) in table {
        for (path, request) in [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES_STREAM)] {
            let upstream = Upstream::start([Exchange::answer(*status, body)]).await;
            let program = with_preset(preset, "", &upstream).start().await;
            let mut answer = program.post(path, request).await;
            let said: Value = answer.json().await;
            assert_eq!(answer.status, *expected, "{preset} {body}: {said}");
            if path == "/v1/messages" {
                assert_eq!(said["error"]["type"], *kind, "{preset} {body}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn the_codes_of_z_ai() {
    let error = |code: u16| format!(r#"{{"error":{{"code":"{code}","message":"that is how it is"}}}}"#);
    let table = [
        (429, error(1302), LIMITED),
        (429, error(1303), LIMITED),
        (429, error(1308), LIMITED),
        (429, error(1113), BALANCE),
        (400, error(1261), INVALID),
        (400, error(1301), INVALID),
        (400, error(1211), UNKNOWN),
    ];
    mean("zai", &table).await;
}

#[tokio::test]
async fn the_answers_of_minimax_that_are_none() {
    let error = |code: u16| {
        format!(r#"{{"base_resp":{{"status_code":{code},"status_msg":"that is how it is"}},"choices":null}}"#)
    };
    let table = [
        (200, error(1002), LIMITED),
        (200, error(1039), LIMITED),
        (200, error(1004), LOGIN),
        (200, error(2049), LOGIN),
        (200, error(1008), BALANCE),
        (200, error(1027), INVALID),
    ];
    mean("minimax", &table).await;
}

#[tokio::test]
async fn the_flat_errors_of_dashscope() {
    let error = |code: &str| format!(r#"{{"code":"{code}","message":"that is how it is","request_id":"r"}}"#);
    let table = [
        (429, error("Throttling.AllocationQuota"), LIMITED),
        (400, error("Arrearage"), BALANCE),
        (400, error("InvalidParameter"), INVALID),
        (200, error("Throttling.RateQuota"), LIMITED),
        (200, error("InvalidParameter"), INVALID),
    ];
    mean("dashscope", &table).await;
}

#[tokio::test]
async fn the_types_of_moonshot() {
    let error = |kind: &str| format!(r#"{{"error":{{"type":"{kind}","message":"that is how it is"}}}}"#);
    let table = [
        (429, error("rate_limit_reached_error"), LIMITED),
        (429, error("exceeded_current_quota_error"), BALANCE),
    ];
    mean("moonshot", &table).await;
}
