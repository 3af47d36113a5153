//! The whole URL space in one function.

use super::State;
use super::anthropic::Anthropic;
use super::doc;
use super::openai::{ModelRoute, OpenAi};
use super::ops::{Documents, Ops};
use poem::{Route, get};
use poem_openapi::OpenApiService;
use std::sync::Arc;

/// All routes: what the specification describes, and beside it the one path that it cannot say,
/// since ids of models hold slashes. Failures stay errors, for `front` to put them into the
/// envelope of the face that was asked.
pub fn routes(state: &Arc<State>) -> Route {
    let documents = Arc::new(Documents::default());
    let apis = (
        OpenAi(Arc::clone(state)),
        Anthropic(Arc::clone(state)),
        Ops::new(Arc::clone(state), Arc::clone(&documents)),
    );
    let service = OpenApiService::new(apis, "iflow2api", state.info.version.clone()).description(
        "OpenAI chat completions and Anthropic messages over the same upstreams. Every answer bears \
             `x-request-id`; every error says in `x-iflow2api-error` whose it is: `request`, `upstream` or \
             `local`. Where callers' keys are set, the routes under `/v1` need one, as \
             `Authorization: Bearer KEY` or `x-api-key: KEY`.",
    );
    documents.set_specification(doc::complete(&service.spec()));
    Route::new().at("/v1/models/*id", get(ModelRoute(Arc::clone(state)))).nest("/", service)
}
