//! What would become of a call, without sending it: `models resolve`.

use super::ask::{Face as _, Prepared, Question};
use super::chat::ChatFace;
use super::messages::MessagesFace;
use super::route::Route;
use super::{Call, Gateway};
use crate::error::Result;
use crate::policy::request;
use crate::wire::anthropic::MessagesRequest;
use crate::wire::openai::ChatRequest;
use crate::wish::Wish;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The API that a caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `/v1/chat/completions`
    Openai,
    /// `/v1/messages`
    Anthropic,
}

/// Where a name leads, and what would be sent there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resolution {
    /// The name as it was said.
    pub asked: String,
    /// The API of the request that was tried.
    pub face: Api,
    /// How the name was understood.
    pub how: String,
    /// The upstream's name.
    pub upstream: String,
    /// Its preset.
    pub provider: String,
    /// The provider's own name.
    pub provider_name: String,
    /// The day on which the provider's service ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<String>,
    /// The day on which the preset was last held against the provider's documentation.
    pub checked: String,
    /// What users of this plan have agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// The model's name there.
    pub model: String,
    /// Where the request would go.
    pub url: String,
    /// The API that is spoken there.
    pub wire: Api,
    /// What would become of the wish to think.
    pub thinking: Option<String>,
    /// What the answer would warn of.
    pub warnings: Vec<String>,
    /// Who would be asked where this one cannot be had, in order.
    pub fallbacks: Vec<String>,
    /// Members of the request that the caller did not send.
    pub added: Map<String, Value>,
    /// Members that the caller sent otherwise.
    pub changed: BTreeMap<String, Change>,
    /// Members of the caller's that are not sent on.
    pub removed: Map<String, Value>,
    /// The request that was tried.
    pub request: Value,
    /// What would be sent for it.
    pub sent: Value,
}

/// A member that is sent otherwise than it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What the caller sent.
    pub from: Value,
    /// What is sent.
    pub to: Value,
}

/// The bound of the request that is tried on the Anthropic face. Chosen: as small as those of most callers.
const MAX_TOKENS: u64 = 4096;

impl Gateway {
    /// Makes a small request with this name and this wish ready as any call is, and tells what would be sent.
    /// Nothing is: upstreams are not even asked for their models.
    ///
    /// # Errors
    /// As [`Gateway::route`]; `InvalidRequest` where the wish cannot be said.
    pub async fn resolve(&self, name: &str, face: Api, wish: Option<Wish>) -> Result<Resolution> {
        self.rehearse(name, face, request_of(name, face, wish), &Call::start()).await
    }

    /// The same for a request of a caller's own.
    ///
    /// # Errors
    /// As [`Gateway::resolve`], and where the request is not one of this API.
    pub async fn rehearse(&self, name: &str, face: Api, request: Value, call: &Call) -> Result<Resolution> {
        let route = self.route(name)?;
        let fallbacks = self.fallbacks(name, &route).iter().map(Route::full_name).collect();
        let body = Bytes::from(request.to_string());
        let (question, route, thinking, warnings) = match face {
            Api::Openai => {
                let tried = ChatFace::new(ChatRequest::parse(&body)?, name);
                let Prepared { question, route, rest } = tried.prepare(self, route, call).await?;
                (question, route, rest.thinking, rest.warnings)
            }
            Api::Anthropic => {
                let tried = MessagesFace::new(MessagesRequest::parse(&body)?, name);
                let Prepared { question, route, rest } = tried.prepare(self, route, call).await?;
                (question, route, rest.thinking, rest.warnings)
            }
        };
        let upstream = &route.upstream;
        let (sent, url, wire) = match &question {
            Question::Chat(chat) => {
                (value_of(&chat.to_bytes()), upstream.url(request::path(chat)), Api::Openai)
            }
            Question::Native(native) => {
                let url = upstream.native_url("/v1/messages").unwrap_or_default();
                (value_of(&native.to_bytes()), url, Api::Anthropic)
            }
            Question::Raw(..) => unreachable!("neither face asks with a body that it has not read"),
        };
        let provider = upstream.provider();
        let Difference { added, changed, removed } = Difference::of(&request, &sent);
        Ok(Resolution {
            asked: name.to_owned(),
            face,
            how: route.how.to_string(),
            upstream: upstream.name().to_owned(),
            provider: provider.id().to_owned(),
            provider_name: provider.name().to_owned(),
            retired: provider.retired().map(str::to_owned),
            checked: provider.checked().to_owned(),
            terms: provider.terms().map(str::to_owned),
            model: route.model.clone(),
            url,
            wire,
            thinking,
            warnings,
            fallbacks,
            added,
            changed,
            removed,
            request,
            sent,
        })
    }
}

/// A request as a caller of this API says it.
fn request_of(name: &str, face: Api, wish: Option<Wish>) -> Value {
    let budget = match wish {
        Some(Wish::Budget(tokens)) => tokens,
        _ => 0,
    };
    let (bound, wished) = match face {
        Api::Openai => (None, wish.map(openai_words)),
        // The API wants room beside the budget.
        Api::Anthropic => (Some(budget.saturating_add(MAX_TOKENS)), wish.map(anthropic_words)),
    };
    let mut request = Map::new();
    request.insert("model".to_owned(), json!(name));
    request.insert("messages".to_owned(), json!([{ "role": "user", "content": "hi" }]));
    request.insert("stream".to_owned(), json!(true));
    request.extend(bound.map(|bound| ("max_tokens".to_owned(), json!(bound))));
    if let Some(Value::Object(wished)) = wished {
        request.extend(wished);
    }
    Value::Object(request)
}

fn openai_words(wish: Wish) -> Value {
    match wish {
        Wish::Off => json!({ "reasoning_effort": "none" }),
        Wish::On => json!({ "thinking": { "type": "enabled" } }),
        Wish::Level(level) => json!({ "reasoning_effort": level.as_str() }),
        Wish::Budget(tokens) => json!({ "thinking": { "type": "enabled", "budget_tokens": tokens } }),
    }
}

fn anthropic_words(wish: Wish) -> Value {
    match wish {
        Wish::Off => json!({ "thinking": { "type": "disabled" } }),
        Wish::On => json!({ "thinking": { "type": "adaptive" } }),
        Wish::Level(level) => json!({
            "thinking": { "type": "adaptive" },
            "output_config": { "effort": level.as_str() },
        }),
        Wish::Budget(tokens) => json!({ "thinking": { "type": "enabled", "budget_tokens": tokens } }),
    }
}

fn value_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Between two objects, member by member.
struct Difference {
    added: Map<String, Value>,
    changed: BTreeMap<String, Change>,
    removed: Map<String, Value>,
}

impl Difference {
    fn of(before: &Value, after: &Value) -> Self {
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let (mut removed, after) = (members(before), members(after));
        let (mut added, mut changed) = (Map::new(), BTreeMap::new());
        for (key, to) in after {
            match removed.remove(&key) {
                None => drop(added.insert(key, to)),
                Some(from) if from != to => drop(changed.insert(key, Change { from, to })),
                Some(_) => {}
            }
        }
        Self { added, changed, removed }
    }
}
