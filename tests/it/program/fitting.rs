//! What a rule does change on the OpenAI face, and nothing beside it (D04, D09, D10, D11).

use super::WHOLE;
use crate::support::program::serve;
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

const HI: &str = r#"{"role":"user","content":"hi"}"#;

/// What reaches the upstream of a request.
async fn sent(request: &str) -> String {
    let upstream = Upstream::start([Exchange::answer(200, WHOLE)]).await;
    let program = serve(&upstream).start().await;
    let mut answer = program.chat(request).await;
    let json = answer.json().await;
    assert_eq!(answer.status, 200, "{json}");
    upstream.request().text()
}

#[tokio::test]
async fn a_developer_becomes_the_system_where_the_role_is_not_known() {
    let request =
        format!(r#"{{"seed":1E5,"model":"m","messages":[{{"role":"developer","content":"brief"}},{HI}]}}"#);
    assert_eq!(sent(&request).await, request.replace("developer", "system"));
}

#[tokio::test]
async fn empty_tools_are_left_out_with_the_choice_among_them() {
    let request = format!(
        r#"{{"model":"m","tools":[],"messages":[{HI}],"tool_choice":"auto","parallel_tool_calls":true,"seed":1E5}}"#
    );
    assert_eq!(sent(&request).await, format!(r#"{{"model":"m","messages":[{HI}],"seed":1E5}}"#));
}

#[tokio::test]
async fn tools_in_the_shape_of_the_other_api_are_understood() {
    let request = format!(
        r#"{{"model":"m","messages":[{HI}],"tools":[{{"name":"f","description":"d","input_schema":{{"type":"object","properties":{{"z":{{}},"a":{{}}}}}}}}]}}"#
    );
    let text = sent(&request).await;
    let tools: Value = serde_json::from_str::<Value>(&text).unwrap()["tools"].take();
    let parameters = json!({"type": "object", "properties": {"z": {}, "a": {}}});
    let function = json!({"name": "f", "description": "d", "parameters": parameters});
    assert_eq!(tools, json!([{"type": "function", "function": function}]));
    assert!(text.find("\"z\"") < text.find("\"a\""), "the order of a schema stays: {text}");
}

#[tokio::test]
async fn usage_that_is_missing_is_estimated_and_said_to_be() {
    for usage in
        ["", r#","usage":null"#, r#","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#]
    {
        let (head, _) = WHOLE.split_once(",\"usage\"").unwrap();
        let upstream = Upstream::start([Exchange::answer(200, format!("{head}{usage}}}"))]).await;
        let program = serve(&upstream).start().await;
        let answer = program.chat(super::CHAT).await.json().await;
        let [prompt, completion, total] = ["prompt_tokens", "completion_tokens", "total_tokens"]
            .map(|key| answer["usage"][key].as_u64().unwrap());
        assert!(prompt > 0 && completion > 0 && total == prompt + completion, "{answer}");
        assert_eq!(answer["usage"]["estimated"], json!(true), "{answer}");
        assert_eq!(answer["choices"][0]["message"]["content"], "Hello!");
    }
}
