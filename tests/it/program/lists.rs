//! Models, and the routes that are only passed through.

use super::{CHAT, MESSAGES};
use crate::support::program::{Program, serve, setup};
use crate::support::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

const MODELS: &str = "GET /v1/models";

async fn ids(program: &Program, path: &str) -> Vec<String> {
    let list = program.get(path).await.json().await;
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_upstreams_models_are_listed_in_the_words_of_both_apis_and_asked_for_once() {
    let body = r#"{"object":"list","data":[{"id":"glm-4.7","object":"model","created":1700000000,"owned_by":"z","context_length":200000},{"id":"org/qwen3:8b","object":"model"}]}"#;
    let upstream = Upstream::start([Exchange::answer(200, body).at(MODELS)]).await;
    let program = serve(&upstream).start().await;
    let list = program.get("/v1/models").await.json().await;
    let first = json!({"id": "glm-4.7", "object": "model", "created": 1_700_000_000, "owned_by": "z", "type": "model",
        "display_name": "glm-4.7", "created_at": "2023-11-14T22:13:20Z", "max_input_tokens": 200_000, "max_tokens": null});
    assert_eq!(list["data"][0], first);
    let outer = ["object", "has_more", "first_id", "last_id"].map(|key| list[key].clone());
    assert_eq!(outer, [json!("list"), json!(false), json!("glm-4.7"), json!("org/qwen3:8b")]);
    assert_eq!(program.get("/v1/models/glm-4.7").await.json().await, first);
    assert_eq!(program.get("/v1/models/org/qwen3:8b").await.json().await["id"], "org/qwen3:8b");
    assert_eq!(ids(&program, "/v1/models?limit=1").await, ["glm-4.7"]);
    assert_eq!(ids(&program, "/v1/models?after_id=glm-4.7").await, ["org/qwen3:8b"]);
    let mut answer = program.get("/v1/models/none").await;
    assert_eq!((answer.status, &answer.json().await["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn what_the_user_and_the_preset_name_stands_in_for_a_list_that_the_upstream_has_not() {
    let upstream = Upstream::start(vec![Exchange::answer(404, "{}").at(MODELS); 3]).await;
    let program = serve(&upstream).start().await;
    assert_eq!(ids(&program, "/v1/models").await, Vec::<String>::new());

    let named = setup(&["serve", "--port", "0"])
        .config("[upstream.office]\nbase_url = \"UPSTREAM\"\nmodels = [\"a\", \"b/c\"]\n", &upstream)
        .start()
        .await;
    assert_eq!(ids(&named, "/v1/models").await, ["a", "b/c"]);

    let iflow = setup(&["serve", "--port", "0"])
        .config("[upstream.iflow]\nbase_url = \"UPSTREAM\"\nkey = \"k\"\n", &upstream)
        .start()
        .await;
    let ids = ids(&iflow, "/v1/models").await;
    assert!(ids.contains(&"glm-4.7".to_owned()) && ids.len() > 5, "{ids:?}");
}

#[tokio::test]
async fn a_model_goes_to_the_upstream_that_names_it_and_claude_to_the_default_model() {
    let office = Upstream::start(vec![Exchange::answer(200, super::WHOLE); 3]).await;
    let other = Upstream::start(vec![Exchange::answer(200, super::WHOLE); 2]).await;
    let config = format!(
        "default_model = \"glm-4.7\"\n[upstream.office]\nbase_url = \"UPSTREAM\"\nmodels = [\"glm-4.7\"]\n\
         [upstream.other]\nbase_url = \"{}\"\nmodels = [\"qwen\"]\n",
        other.url()
    );
    let program = setup(&["serve", "--port", "0"]).config(&config, &office).start().await;
    for (asked, upstream, model) in [
        ("glm-4.7", "office", "glm-4.7"),
        ("qwen", "other", "qwen"),
        ("other/new", "other", "new"),
        ("new/one", "office", "new/one"),
        ("claude-sonnet-4-5", "office", "glm-4.7"),
    ] {
        let mut answer = program.messages(MESSAGES.replace("\"m\"", &format!("\"{asked}\""))).await;
        assert_eq!(answer.header("x-iflow2api-upstream"), Some(upstream), "{asked}");
        assert_eq!(answer.header("x-iflow2api-model"), Some(model), "{asked}");
        assert_eq!(answer.json().await["model"], asked);
    }
    let sent = |upstream: &Upstream| -> Vec<Value> {
        upstream.requests().iter().map(|sent| sent.json()["model"].clone()).collect()
    };
    assert_eq!(sent(&office), [json!("glm-4.7"), json!("new/one"), json!("glm-4.7")]);
    assert_eq!(sent(&other), [json!("qwen"), json!("new")]);
}

#[tokio::test]
async fn the_upstreams_404_for_a_model_comes_back_as_one() {
    let refusal = Exchange::answer(
        404,
        r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#,
    );
    let upstream = Upstream::start([refusal.clone(), refusal]).await;
    let program = serve(&upstream).start().await;
    let mut answer = program.chat(CHAT).await;
    let json = answer.json().await;
    assert_eq!((answer.status, &json["error"]["code"]), (404, &json!("model_not_found")));
    assert!(json["error"]["message"].as_str().unwrap().contains("The model `m` does not exist"), "{json}");
    let mut answer = program.messages(MESSAGES).await;
    assert_eq!((answer.status, &answer.json().await["error"]["type"]), (404, &json!("not_found_error")));
}

#[tokio::test]
async fn embeddings_and_completions_pass_as_they_are() {
    let request = "{ \"input\":[\"a\\u00e9\", 1.10],\"model\":\"m\",\"big\":12345678901234567890123}";
    let answer =
        "{\"data\":[{\"embedding\":[1E-5,-0.0,1.10],\"index\":0}],\"object\":\"list\",\"model\":\"m\"}\n";
    let stream = "data: {\"choices\":[{\"text\":\"a\",\"index\":0}]}\n\ndata: [DONE]\n\n";
    let (embed, complete) = ("POST /v1/embeddings", "POST /v1/completions");
    let upstream = Upstream::start([
        Exchange::answer(200, answer).at(embed),
        Exchange::answer(200, answer).at(complete),
        Exchange::stream(stream).at(complete),
        Exchange::answer(400, r#"{"error":{"message":"no"}}"#).at(embed),
    ])
    .await;
    let program = serve(&upstream).start().await;
    for path in ["/v1/embeddings", "/v1/completions"] {
        assert_eq!(program.post(path, request).await.text().await, answer, "{path}");
    }
    let streamed = request.replace('}', ",\"stream\":true}");
    assert_eq!(program.post("/v1/completions", &streamed).await.text().await, stream);
    assert_eq!(program.post("/v1/embeddings", request).await.status, 400);
    let sent: Vec<String> = upstream.requests().iter().map(|sent| sent.text()).collect();
    assert_eq!(sent, [request, request, &streamed, request]);
}

#[tokio::test]
async fn an_unknown_path_or_method_is_refused_in_the_envelope_of_its_face() {
    let upstream = Upstream::start([]).await;
    let program = serve(&upstream).start().await;
    for (line, status) in [("POST /v1/none", 404), ("GET /v1/chat/completions", 405)] {
        let mut answer = program.ask(line, "", "").await;
        let json = answer.json().await;
        assert_eq!(
            (answer.status, &json["error"]["type"]),
            (status, &json!("invalid_request_error")),
            "{line}: {json}"
        );
        assert!(json["error"].get("param").is_some() && json.get("type").is_none(), "{line}: {json}");
    }
    for (line, status, kind) in [
        ("POST /v1/messages/none", 404, "not_found_error"),
        ("GET /v1/messages", 405, "invalid_request_error"),
    ] {
        let mut answer = program.ask(line, "", "").await;
        let json = answer.json().await;
        assert_eq!(
            (answer.status, &json["type"], &json["error"]["type"]),
            (status, &json!("error"), &json!(kind)),
            "{line}"
        );
    }
}
