//! What the OpenAPI page says: of answers and failures here, of the wire types in the mirrors
//! below. The wire types themselves stay free of the web framework.

pub mod anthropic;
pub mod model;
pub mod openai;
mod specification;

use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::ResponseContent;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use std::marker::PhantomData;

pub use specification::complete;

/// A response whose content and failures the page describes. It is described, not typed, since
/// bodies come from the gateway as bytes.
pub struct Described<C, F> {
    response: Response,
    described: PhantomData<fn() -> (C, F)>,
}

impl<C, F> Described<C, F> {
    /// Takes a response; that it is what `C` says, the handler answers for.
    pub fn new(response: Response) -> Self {
        Self { response, described: PhantomData }
    }
}

impl<C, F> IntoResponse for Described<C, F>
where
    Self: Send,
{
    fn into_response(self) -> Response {
        self.response
    }
}

impl<C: ResponseContent, F: Failures> ApiResponse for Described<C, F> {
    fn meta() -> MetaResponses {
        let answer = MetaResponse {
            description: "The answer",
            status: Some(200),
            status_range: None,
            content: C::media_types(),
            headers: vec![header("x-request-id", "The call's id, also in the log")],
        };
        let failures = F::STATUSES.iter().map(|&(status, description)| {
            let mut headers = vec![
                header("x-request-id", "The call's id, also in the log"),
                header("x-iflow2api-error", "Whose it is: `request`, `upstream` or `local`"),
            ];
            if matches!(status, 429 | 503 | 529) {
                headers.push(header("retry-after", "When to try again, in seconds, where known"));
            }
            let schema = F::Doc::schema_ref();
            let content = vec![MetaMediaType { content_type: "application/json", schema }];
            MetaResponse { description, status: Some(status), status_range: None, content, headers }
        });
        MetaResponses { responses: std::iter::once(answer).chain(failures).collect() }
    }

    fn register(registry: &mut Registry) {
        C::register(registry);
        F::Doc::register(registry);
    }
}

fn header(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        schema: String::schema_ref(),
    }
}

/// How the routes of a face fail.
pub trait Failures {
    /// The envelope.
    type Doc: Type;
    /// Each status and what it means.
    const STATUSES: &'static [(u16, &'static str)];
}

/// The failures of a call, the same on both faces (T3).
const CALL_STATUSES: &[(u16, &str)] = &[
    (400, "The request cannot be carried out as written, or does not fit the model's window"),
    (401, "The caller's key to us, or our key to the provider, is missing or refused"),
    (402, "Nothing is left to spend at the provider"),
    (403, "The host, the origin or the account is refused"),
    (404, "There is no such model or route"),
    (405, "The route does not take this method"),
    (413, "The body is over `server.max_body`"),
    (415, "The body is packed"),
    (429, "A limit of the provider's or of our own queue"),
    (500, "Our own mistake"),
    (502, "The upstream failed, or its answer was not understood"),
    (503, "No upstream is set up, the provider is full, or we are draining"),
    (504, "No byte of the upstream came within the limit"),
    (529, "The provider is overloaded"),
];

/// A call on the OpenAI face.
pub struct OpenAiCall;

impl Failures for OpenAiCall {
    type Doc = model::ErrorEnvelope;
    const STATUSES: &'static [(u16, &'static str)] = CALL_STATUSES;
}

/// A call on the Anthropic face.
pub struct AnthropicCall;

impl Failures for AnthropicCall {
    type Doc = anthropic::ErrorEnvelope;
    const STATUSES: &'static [(u16, &'static str)] = CALL_STATUSES;
}

/// A route that asks no upstream.
pub struct Plain;

impl Failures for Plain {
    type Doc = model::ErrorEnvelope;
    const STATUSES: &'static [(u16, &'static str)] = &[
        (401, "A caller's key is needed"),
        (403, "The host or the origin is refused"),
        (405, "The route does not take this method"),
        (500, "Our own mistake"),
    ];
}

/// One JSON text.
pub struct Whole<T>(PhantomData<fn() -> T>);

impl<T: Type> ResponseContent for Whole<T> {
    fn media_types() -> Vec<MetaMediaType> {
        vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }]
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// One JSON text, or events: one status with two media types, since two answers of one status would
/// be a duplicate key in the specification.
pub struct WholeOrEvents<T, E>(PhantomData<fn() -> (T, E)>);

impl<T: Type, E: Type> ResponseContent for WholeOrEvents<T, E> {
    fn media_types() -> Vec<MetaMediaType> {
        let mut events = MetaSchema::new_with_format("array", "event-stream");
        events.items = Some(Box::new(E::schema_ref()));
        let schema = MetaSchemaRef::Inline(Box::new(events));
        let mut types = Whole::<T>::media_types();
        types.push(MetaMediaType { content_type: "text/event-stream", schema });
        types
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        E::register(registry);
    }
}

/// No content.
pub struct Nothing;

impl ResponseContent for Nothing {
    fn media_types() -> Vec<MetaMediaType> {
        Vec::new()
    }
}

macro_rules! text_content {
    ($(#[$doc:meta])* $name:ident, $content_type:literal) => {
        $(#[$doc])*
        pub struct $name;

        impl ResponseContent for $name {
            fn media_types() -> Vec<MetaMediaType> {
                vec![MetaMediaType { content_type: $content_type, schema: String::schema_ref() }]
            }
        }
    };
}

text_content!(
    /// A page.
    Html,
    "text/html"
);
text_content!(
    /// A page's script.
    Script,
    "text/javascript"
);
text_content!(
    /// A page's style.
    Style,
    "text/css"
);
