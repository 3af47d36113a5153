//! What is not a call: health, readiness, the list of routes, the documentation, and the probes that
//! clients send before they begin.

use super::answer;
use super::doc::{Described, Html, Nothing, Plain, Script, Style, Whole};
use super::payload::{self, BoxBody};
use super::{State, admin};
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::web::Redirect;
use poem::{IntoResponse as _, Request, Response};
use poem_openapi::{Object, OpenApi, OpenApiService};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// The documentation page. Its script is a file of our own, so that the page needs no other host
/// and no inline script.
const DOCS_PAGE: &str = include_str!("docs.html");
/// What the documentation page may load. Its script sets styles on elements, which no hash covers.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Requests that are answered and not logged, unless they go wrong: H06's probes, and what monitors
/// and browsers ask all the time.
pub fn is_quiet(method: &Method, path: &str) -> bool {
    let probe = *method == Method::HEAD && path == "/";
    probe || !path.starts_with("/v1") || path == "/v1/health"
}

/// The texts of `/docs` and `/openapi.json`, made once.
#[derive(Default)]
pub struct Documents {
    specification: OnceLock<String>,
    script: OnceLock<String>,
}

impl Documents {
    /// Keeps the specification; the first one counts.
    pub fn set_specification(&self, text: String) {
        self.specification.get_or_init(|| text);
    }

    fn specification(&self) -> String {
        self.specification.get().cloned().unwrap_or_default()
    }

    /// RapiDoc as poem-openapi embeds it, cut out of the page that it makes.
    fn script(&self) -> String {
        let cut = || {
            let page = OpenApiService::new((), "", "").rapidoc_html();
            let (_, rest) = page.split_once("<script charset=\"UTF-8\">").unwrap_or_default();
            rest.split("</script>").next().unwrap_or_default().to_owned()
        };
        self.script.get_or_init(cut).clone()
    }
}

/// The routes beside the two faces.
pub struct Ops {
    state: Arc<State>,
    documents: Arc<Documents>,
}

impl Ops {
    /// Routes over this state.
    pub fn new(state: Arc<State>, documents: Arc<Documents>) -> Self {
        Self { state, documents }
    }
}

/// Whether the server lives.
#[derive(Debug, Object)]
pub struct Health {
    /// `ok`
    pub status: String,
    /// The version of iflow2api.
    pub version: String,
}

/// Whether the server takes calls, and where they may go.
#[derive(Debug, Object)]
pub struct Readiness {
    /// `ok`, or `draining` after the stop was asked for.
    pub status: String,
    /// The version of iflow2api.
    pub version: String,
    /// The upstreams.
    pub upstreams: Vec<Circuit>,
}

/// Whether calls may go to an upstream or a model now.
#[derive(Debug, Object)]
pub struct Circuit {
    /// Its name.
    pub name: String,
    /// `closed` where they may, `open` where they may not, `probing` while one call tries.
    pub state: String,
    /// In how many seconds one may try next.
    pub retry_in_seconds: Option<u64>,
    /// The models to which they may not go.
    pub models: Option<Vec<Circuit>>,
}

/// What this server is.
#[derive(Debug, Object)]
pub struct Index {
    /// `iflow2api`
    pub name: String,
    /// The version of iflow2api.
    pub version: String,
    /// The routes, each as method and path.
    pub routes: Vec<String>,
}

#[OpenApi]
impl Ops {
    /// See whether the server lives
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self) -> Described<Whole<Health>, Plain> {
        Described::new(self.status("ok"))
    }

    /// See whether the server lives
    #[oai(path = "/v1/health", method = "get", operation_id = "healthBesideTheApis")]
    async fn health_beside_the_apis(&self) -> Described<Whole<Health>, Plain> {
        Described::new(self.status("ok"))
    }

    /// See whether the server takes calls
    ///
    /// 503 while it drains. An upstream that is left alone for a while because it failed is shown, and
    /// changes nothing else: the server itself is ready.
    #[oai(path = "/readyz", method = "get", operation_id = "readiness")]
    async fn readiness(&self) -> Described<Whole<Readiness>, Plain> {
        let draining = self.state.is_draining();
        let body = json!({
            "status": if draining { "draining" } else { "ok" },
            "version": self.state.info.version,
            "upstreams": self.state.gateway.health(),
        });
        let mut response = answer::json(body.to_string());
        if draining {
            response.set_status(StatusCode::SERVICE_UNAVAILABLE);
        }
        Described::new(response)
    }

    /// List the routes
    ///
    /// A browser is sent on to `/admin`.
    #[oai(path = "/", method = "get", operation_id = "index")]
    async fn index(&self, request: &Request) -> Described<Whole<Index>, Plain> {
        if request.header("accept").is_some_and(|accept| accept.contains("text/html")) {
            return Described::new(Redirect::see_other("/admin").into_response());
        }
        let routes = routes_of(&self.documents.specification());
        let index = json!({ "name": "iflow2api", "version": self.state.info.version, "routes": routes });
        Described::new(answer::json(index.to_string()))
    }

    /// Probe the server, as Claude Code does first
    #[oai(path = "/", method = "head", operation_id = "probe")]
    async fn probe(&self) -> Described<Nothing, Plain> {
        Described::new(StatusCode::OK.into_response())
    }

    /// Probe the server
    #[oai(path = "/api/hello", method = "get", operation_id = "hello")]
    async fn hello(&self) -> Described<Whole<Health>, Plain> {
        Described::new(self.status("ok"))
    }

    /// Probe the server
    #[oai(path = "/api/hello", method = "head", operation_id = "helloHead")]
    async fn hello_head(&self) -> Described<Nothing, Plain> {
        Described::new(StatusCode::OK.into_response())
    }

    /// Take a client's telemetry, and forget it
    #[oai(path = "/api/event_logging/batch", method = "post", operation_id = "eventLogging")]
    async fn event_logging(&self, body: poem::Body) -> Described<Nothing, Plain> {
        forget(body).await
    }

    /// Take a client's telemetry, and forget it
    #[oai(path = "/api/event_logging/v2/batch", method = "post", operation_id = "eventLoggingV2")]
    async fn event_logging_v2(&self, body: poem::Body) -> Described<Nothing, Plain> {
        forget(body).await
    }

    /// Read this documentation
    #[oai(path = "/docs", method = "get", operation_id = "docs")]
    async fn docs(&self) -> Described<Html, Plain> {
        Described::new(page(DOCS_PAGE.to_owned(), DOCS_POLICY))
    }

    /// Load the documentation's script
    #[oai(path = "/docs/rapidoc.js", method = "get", operation_id = "docsScript")]
    async fn docs_script(&self) -> Described<Script, Plain> {
        let mut response = self.documents.script().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Described::new(response)
    }

    /// Read the specification
    #[oai(path = "/openapi.json", method = "get", operation_id = "specification")]
    async fn specification(&self) -> Described<Whole<Value>, Plain> {
        Described::new(answer::json(self.documents.specification()))
    }

    /// See the status page
    #[oai(path = "/admin", method = "get", operation_id = "admin")]
    async fn admin(&self) -> Described<Html, Plain> {
        let models = self.state.gateway.models().await;
        Described::new(page(admin::page(&self.state, &models), admin::POLICY))
    }

    /// Load the status page's style
    #[oai(path = "/admin/style.css", method = "get", operation_id = "adminStyle")]
    async fn admin_style(&self) -> Described<Style, Plain> {
        let mut response = admin::STYLE.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Described::new(response)
    }
}

impl Ops {
    fn status(&self, status: &str) -> Response {
        let body = json!({ "status": status, "version": self.state.info.version });
        answer::json(body.to_string())
    }
}

async fn forget(body: poem::Body) -> Described<Nothing, Plain> {
    payload::discard(&mut BoxBody::from(body)).await;
    Described::new(StatusCode::NO_CONTENT.into_response())
}

/// A page of ours, with what it may load.
fn page(html: String, policy: &'static str) -> Response {
    let mut response = html.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The routes that a specification describes, each as method and path.
fn routes_of(specification: &str) -> Vec<String> {
    let parsed: Value = serde_json::from_str(specification).unwrap_or_default();
    let paths = parsed.get("paths").and_then(Value::as_object);
    let operations = paths.into_iter().flatten().flat_map(|(path, operations)| {
        let methods = operations.as_object().into_iter().flatten();
        methods.map(move |(method, _)| format!("{} {path}", method.to_ascii_uppercase()))
    });
    operations.collect()
}
