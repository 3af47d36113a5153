//! The OpenAI face: chat completions, the model list that both SDKs read, and what is passed
//! through as it is.

use super::State;
use super::answer;
use super::doc::{Described, OpenAiCall, Whole, WholeOrEvents};
use super::doc::{model, openai as doc};
use super::payload::{Wire, WireJson};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Call, ModelEntry, Passthrough};
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use jiff::Timestamp;
use poem::web::Data;
use poem::{Endpoint, Request, Response};
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Type;
use serde_json::{Value, json};
use std::marker::PhantomData;
use std::sync::Arc;

/// The routes of the OpenAI face.
pub struct OpenAi(pub Arc<State>);

impl Wire for ChatRequest {
    type Doc = doc::ChatCompletionRequest;

    fn parse(body: &Bytes) -> Result<Self> {
        ChatRequest::parse(body)
    }
}

/// A body that goes on as it came; `D` is what the page says of it.
pub struct Untouched<D>(Bytes, PhantomData<fn() -> D>);

impl<D: Type> Wire for Untouched<D> {
    type Doc = D;

    fn parse(body: &Bytes) -> Result<Self> {
        Ok(Self(body.clone(), PhantomData))
    }
}

#[OpenApi]
impl OpenAi {
    /// Create a chat completion
    ///
    /// With `stream: true` the answer is chunks as events, and `[DONE]` at the end.
    #[oai(path = "/v1/chat/completions", method = "post", operation_id = "createChatCompletion")]
    async fn chat(
        &self,
        call: Data<&Call>,
        body: WireJson<ChatRequest>,
    ) -> poem::Result<Described<WholeOrEvents<doc::ChatCompletion, doc::ChatCompletionChunk>, OpenAiCall>>
    {
        Ok(Described::new(answer::response(self.0.gateway.chat(body.0, &call).await?)))
    }

    /// List the models on offer
    ///
    /// One body that the SDKs of both APIs read.
    #[oai(path = "/v1/models", method = "get", operation_id = "listModels")]
    async fn models(
        &self,
        /// The longest list to answer with; all by default.
        limit: Query<Option<usize>>,
        /// Begin behind the model of this id.
        after_id: Query<Option<String>>,
    ) -> poem::Result<Described<Whole<model::ModelList>, OpenAiCall>> {
        let models = self.0.gateway.models().await;
        let page = model_list(&models, limit.0, after_id.0.as_deref())?;
        Ok(Described::new(answer::json(page.to_string())))
    }

    /// Look at one model
    ///
    /// Ids with slashes are taken as they are.
    #[oai(path = "/v1/models/:id", method = "get", operation_id = "retrieveModel")]
    async fn model(
        &self,
        /// The model's id.
        id: Path<String>,
    ) -> poem::Result<Described<Whole<model::Model>, OpenAiCall>> {
        Ok(Described::new(one_model(&self.0, &id).await?))
    }

    /// Create embeddings
    ///
    /// Passed through to the upstream.
    #[oai(path = "/v1/embeddings", method = "post", operation_id = "createEmbedding")]
    async fn embeddings(
        &self,
        call: Data<&Call>,
        body: WireJson<Untouched<model::EmbeddingRequest>>,
    ) -> poem::Result<Described<Whole<model::EmbeddingList>, OpenAiCall>> {
        let reply = self.0.gateway.pass(Passthrough::Embeddings, body.0.0, &call).await?;
        Ok(Described::new(answer::response(reply)))
    }

    /// Create a plain completion
    ///
    /// Passed through to the upstream.
    #[oai(path = "/v1/completions", method = "post", operation_id = "createCompletion")]
    async fn completions(
        &self,
        call: Data<&Call>,
        body: WireJson<Untouched<model::CompletionRequest>>,
    ) -> poem::Result<Described<WholeOrEvents<model::Completion, model::Completion>, OpenAiCall>> {
        let reply = self.0.gateway.pass(Passthrough::Completions, body.0.0, &call).await?;
        Ok(Described::new(answer::response(reply)))
    }
}

/// `GET /v1/models/{id}` for ids with slashes, which no path of a specification can say.
pub struct ModelRoute(pub Arc<State>);

impl Endpoint for ModelRoute {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let id: String = request.path_params()?;
        Ok(one_model(&self.0, &id).await?)
    }
}

async fn one_model(state: &State, id: &str) -> Result<Response> {
    let models = state.gateway.models().await;
    let Some(model) = models.iter().find(|model| model.id == id) else {
        let error = Error::new(ErrorKind::NotFound, format!("model `{id}` is not known"));
        return Err(error.with_hint("`GET /v1/models` lists those that are"));
    };
    Ok(answer::json(model_body(model).to_string()))
}

/// The list in the words of both APIs (H04).
fn model_list(models: &[ModelEntry], limit: Option<usize>, after_id: Option<&str>) -> Result<Value> {
    let start = match after_id {
        None => 0,
        Some(id) => {
            let position = models.iter().position(|model| model.id == id);
            let unknown = || Error::invalid("after_id", format!("model `{id}` is not known"));
            position.ok_or_else(unknown)? + 1
        }
    };
    let rest = models.get(start..).unwrap_or_default();
    let page = rest.get(..limit.unwrap_or(usize::MAX).min(rest.len())).unwrap_or_default();
    Ok(json!({
        "object": "list",
        "data": page.iter().map(model_body).collect::<Vec<_>>(),
        "has_more": page.len() < rest.len(),
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    }))
}

fn model_body(model: &ModelEntry) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": model.created_unix_seconds,
        "owned_by": model.owned_by,
        "type": "model",
        "display_name": model.id,
        "created_at": rfc3339(model.created_unix_seconds),
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
    })
}

/// A time as RFC 3339 has it.
fn rfc3339(unix_seconds: u64) -> String {
    let time = i64::try_from(unix_seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> ModelEntry {
        ModelEntry {
            created_unix_seconds: 1_700_000_000,
            max_input_tokens: Some(200_000),
            ..ModelEntry::new(id, "zai")
        }
    }

    #[test]
    fn one_model_has_the_words_of_both_apis() {
        let expected = json!({
            "id": "glm-4.7", "object": "model", "created": 1_700_000_000, "owned_by": "zai",
            "type": "model", "display_name": "glm-4.7", "created_at": "2023-11-14T22:13:20Z",
            "max_input_tokens": 200_000, "max_tokens": null,
        });
        assert_eq!(model_body(&entry("glm-4.7")), expected);
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_overlap() {
        let models = ["a", "b/c", "d"].map(entry);
        let page = |limit, after| {
            let page = model_list(&models, limit, after).unwrap();
            let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
            (ids, page["has_more"].clone(), page["first_id"].clone(), page["last_id"].clone())
        };
        assert_eq!(
            page(None, None),
            (vec![json!("a"), json!("b/c"), json!("d")], json!(false), json!("a"), json!("d"))
        );
        assert_eq!(
            page(Some(2), None),
            (vec![json!("a"), json!("b/c")], json!(true), json!("a"), json!("b/c"))
        );
        assert_eq!(page(Some(2), Some("b/c")), (vec![json!("d")], json!(false), json!("d"), json!("d")));
        assert_eq!(page(Some(1000), Some("d")), (vec![], json!(false), Value::Null, Value::Null));
        assert_eq!(model_list(&models, None, Some("x")).unwrap_err().param(), Some("after_id"));
    }

    #[test]
    fn times_are_said_as_rfc_3339_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
