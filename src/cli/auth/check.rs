//! Whether a provider takes a key: one cheap call.

use super::Place;
use crate::cli::setup;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{Call, Mode};
use crate::policy::presets::rows::ModelList;
use crate::secret::Secret;
use crate::wire::openai::ChatRequest;
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;

/// How long the call may take. Chosen: somebody waits for it.
const LIMIT: Duration = Duration::from_secs(20);

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// The provider takes the key.
    Good,
    /// It does, or may, but this is worth knowing.
    But(String),
}

/// Asks the provider with this key: for what it is, where that can be asked, else for its models, else for one token.
///
/// # Errors
/// `LoginRequired` where the key is refused; what else the call fails with, and how to do without.
pub async fn check(place: &Place, key: &Secret) -> Result<Checked> {
    let name = place.name();
    let mut resolved = place.resolved.clone();
    let mut upstream = place.upstream.clone();
    (upstream.key, upstream.key_origin, upstream.named_only) = (Some(key.clone()), None, false);
    resolved.config.upstreams = vec![upstream];
    resolved.config.default_upstream = Some(name.to_owned());
    resolved.config.retry.retries = 0;
    resolved.config.aliases.clear();
    resolved.config.fallbacks.clear();
    resolved.config.vision_model = None;
    let asked = async {
        match (&place.row.key_check, place.row.models, place.row.known.iter().flatten().next()) {
            (None, Some(ModelList::Static), Some(model)) => {
                let body = serde_json::to_vec(&json!({
                    "model": format!("{name}/{model}"),
                    "messages": [{"role": "user", "content": "hi"}],
                    "max_tokens": 1,
                }));
                let request = ChatRequest::parse(&Bytes::from(body.unwrap_or_default()))?;
                let core = setup::core(&resolved, false).await?;
                let call = Call { continuation: Some(Mode::Off), ..Call::start() };
                core.gateway.chat(request, &call).await.map(drop)
            }
            (path, _, _) => {
                let upstream = setup::upstream(&resolved, name)?;
                upstream.get(path.as_deref().unwrap_or("/models"), LIMIT).await.map(drop)
            }
        }
    };
    let answer = tokio::time::timeout(LIMIT, asked).await.unwrap_or_else(|_| {
        let message = format!("`{name}` did not answer within {} s", LIMIT.as_secs());
        Err(Error::new(ErrorKind::TimedOut, message))
    });
    match answer {
        Ok(()) => Ok(Checked::Good),
        Err(error) => judged(name, error),
    }
}

/// What a failure says of the key.
fn judged(name: &str, error: Error) -> Result<Checked> {
    match error.kind() {
        // It was not the key.
        ErrorKind::RateLimited | ErrorKind::QuotaExhausted => {
            Ok(Checked::But(format!("the key is good, but {error}")))
        }
        ErrorKind::NotFound | ErrorKind::InvalidRequest | ErrorKind::PromptTooLong => {
            Ok(Checked::But(format!("the key could not be tried: {error}")))
        }
        ErrorKind::LoginRequired | ErrorKind::Forbidden => {
            let message = format!("the key is refused, and not stored: {error}");
            Err(Error::new(ErrorKind::LoginRequired, message)
                .with_hint("copy it whole, from the page of this plan"))
        }
        kind => {
            let message = format!("the key could not be tried, and is not stored: {error}");
            let error = Error::new(kind, message).with_source(error);
            Err(error.with_hint(format!(
                "try again, or `iflow2api auth login {name} --with-token --no-check` stores it untried"
            )))
        }
    }
}
