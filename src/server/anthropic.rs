//! The Anthropic face: messages and the count of their tokens.

use super::State;
use super::answer;
use super::doc::anthropic as doc;
use super::doc::{AnthropicCall, Described, Whole, WholeOrEvents};
use super::payload::{Wire, WireJson};
use crate::error::Result;
use crate::gateway::Call;
use crate::wire::anthropic::MessagesRequest;
use bytes::Bytes;
use poem::web::Data;
use poem_openapi::OpenApi;
use serde_json::json;
use std::sync::Arc;

/// The routes of the Anthropic face.
pub struct Anthropic(pub Arc<State>);

impl Wire for MessagesRequest {
    type Doc = doc::MessagesRequest;

    fn parse(body: &Bytes) -> Result<Self> {
        MessagesRequest::parse(body)
    }
}

#[OpenApi]
impl Anthropic {
    /// Create a message
    ///
    /// With `stream: true` the answer is events. `anthropic-version` and `anthropic-beta` are
    /// not needed; an upstream that speaks this API itself gets them.
    #[oai(path = "/v1/messages", method = "post", operation_id = "createMessage")]
    async fn messages(
        &self,
        call: Data<&Call>,
        body: WireJson<MessagesRequest>,
    ) -> poem::Result<Described<WholeOrEvents<doc::Message, doc::Event>, AnthropicCall>> {
        Ok(Described::new(answer::response(self.0.gateway.messages(body.0, &call).await?)))
    }

    /// Count the input tokens of a message
    ///
    /// An estimate of our own, over the request as the upstream would get it.
    #[oai(path = "/v1/messages/count_tokens", method = "post", operation_id = "countTokens")]
    async fn count_tokens(
        &self,
        call: Data<&Call>,
        body: WireJson<MessagesRequest>,
    ) -> poem::Result<Described<Whole<doc::TokenCount>, AnthropicCall>> {
        let input_tokens = self.0.gateway.count_tokens(body.0, &call).await?;
        Ok(Described::new(answer::json(json!({ "input_tokens": input_tokens }).to_string())))
    }
}
