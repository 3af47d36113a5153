//! The way in over HTTP: routes, envelopes, limits, and who may call.

use crate::wire_client::{Server, keyed_settings, settings};
use iflow2api::error::ErrorKind;
use iflow2api::server::{self, Settings};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

#[tokio::test]
async fn localhost_means_both_loopback_addresses_on_one_port() {
    let bound = server::bind(&settings()).await.unwrap();
    let addresses = bound.addresses();
    assert_eq!(addresses[0].ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    assert!(addresses.iter().all(|address| address.port() == addresses[0].port()));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let bound = server::bind(&settings()).await.unwrap();
    let port = bound.addresses()[0].port();
    let error = server::bind(&Settings { port, ..settings() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.message(), format!("port {port} on 127.0.0.1 is taken"));
    assert_eq!(error.hint(), Some("choose another with --port, or --port 0 for a free one"));
}

#[tokio::test]
async fn beyond_loopback_a_key_is_needed() {
    let host = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let error = server::bind(&Settings { host, ..settings() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let hint = error.hint().unwrap();
    assert!(hint.contains("server.keys") && hint.contains("IFLOW2API_SERVER_KEYS"), "{hint}");
    assert!(server::bind(&Settings { host, ..keyed_settings() }).await.is_ok());
}

#[tokio::test]
async fn health_and_readiness_answer_without_a_key() {
    let server = Server::start(keyed_settings()).await;
    assert_eq!(server.get("/favicon.ico").await.status, 204);
    for path in ["/health", "/v1/health", "/readyz"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let mut expected = json!({ "status": "ok", "version": "1.2.3" });
        if path == "/readyz" {
            expected["upstreams"] = json!([]);
        }
        assert_eq!(answer.json(), expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn every_answer_bears_its_id_twice() {
    let server = Server::start(settings()).await;
    for path in ["/health", "/nowhere", "/v1/models", "/admin"] {
        let answer = server.get(path).await;
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert_eq!(answer.header("request-id"), Some(id.as_str()), "{path}");
        let letters = id.strip_prefix("req_").expect("the prefix");
        assert_eq!(letters.len(), 24);
        assert!(letters.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()), "{id}");
    }
    server.stop().await;
}

#[tokio::test]
async fn calls_reach_the_gateway_by_every_spelling_of_the_base_url() {
    let server = Server::start(settings()).await;
    for path in [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/messages",
        "/v1/v1/messages?beta=true",
        "/v1/chat/completions",
        "/chat/completions",
        "//v1/chat/completions",
        "/v1/embeddings",
        "/v1/completions",
    ] {
        let answer = server.post(path, "", r#"{"model":"m","messages":[],"input":"x"}"#).await;
        let body = answer.json();
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("no upstream is set up"), "{path}: {answer:?}");
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{path}");
        assert_eq!(answer.header("x-iflow2api-error"), Some("local"), "{path}");
        let anthropic = path.contains("messages");
        assert_eq!(body.get("type") == Some(&json!("error")), anthropic, "{path}");
        if anthropic {
            assert_eq!(body["request_id"].as_str(), answer.header("request-id"), "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn models_are_listed_and_an_unknown_one_is_not_found() {
    let server = Server::start(settings()).await;
    for path in ["/v1/models", "/models?limit=1000", "/v1/models?limit=20"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("list")), "{path}");
    }
    for path in ["/v1/models/no/such/model", "/models/no%2Fsuch%2Fmodel"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        let message = &answer.json()["error"]["message"];
        assert!(message.as_str().unwrap().starts_with("model `no/such/model` is not known"), "{message}");
        assert_eq!(answer.json()["error"]["code"], "model_not_found");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_poem_refuses_comes_in_the_envelope_of_the_face_that_was_asked() {
    let server = Server::start(settings()).await;
    let unknown = server.get("/v1/nowhere").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("route_not_found")));
    let unknown = server.get("/v1/messages/nowhere").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["type"]), (404, &json!("not_found_error")));
    for path in ["/v1/messages", "/v1/chat/completions"] {
        let method = server.get(path).await;
        assert_eq!(method.status, 405, "{path}");
        assert_eq!(method.json()["error"]["type"], "invalid_request_error");
        assert_eq!(method.header("x-iflow2api-error"), Some("request"));
        let packed = server.post(path, "Content-Encoding: gzip\r\n", "{}").await;
        assert_eq!(packed.status, 415, "{path}");
        assert!(packed.json()["error"]["message"].as_str().unwrap().contains("`gzip`"));
        let broken = server.post(path, "Content-Type: text/plain\r\n", r#"{"model": }"#).await;
        assert_eq!(broken.status, 400, "{path}");
        let message = broken.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("line 1 column 11"), "{message}");
    }
    let query = server.get("/v1/models?limit=many").await;
    assert_eq!((query.status, &query.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    server.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let server = Server::start(settings()).await;
    let piece = "x".repeat(64 * 1024);
    let announced = piece.repeat(40);
    for path in ["/v1/messages", "/v1/chat/completions"] {
        let answer = server.post(path, "", &announced).await;
        assert_eq!(answer.status, 413, "{path}");
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        for _ in 0..40 {
            request.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        request.push_str("0\r\n\r\n");
        let answer = server.ask(&request).await;
        assert_eq!(answer.status, 413, "{path}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("1048576 bytes") && message.contains("server.max_body"), "{message}");
        assert_eq!(answer.json().get("type").is_some(), path == "/v1/messages");
    }
    let asked_first = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
                       Connection: close\r\nContent-Length: 99999999\r\n\r\n";
    assert_eq!(server.ask(asked_first).await.status, 413);
    server.stop().await;
}

#[tokio::test]
async fn probes_are_answered() {
    let server = Server::start(settings()).await;
    let close = "Host: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.ask(&format!("HEAD / HTTP/1.1\r\n{close}")).await.status, 200);
    assert_eq!(server.ask(&format!("HEAD /api/hello HTTP/1.1\r\n{close}")).await.status, 200);
    assert_eq!(server.get("/api/hello").await.status, 200);
    for path in ["/api/event_logging/batch", "/api/event_logging/v2/batch"] {
        assert_eq!(server.post(path, "", r#"{"events":[]}"#).await.status, 204, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_root_sends_browsers_to_the_status_page_and_lists_the_routes_for_others() {
    let server = Server::start(settings()).await;
    let browser = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*\r\nConnection: close\r\n\r\n";
    let answer = server.ask(browser).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin")));
    let index = server.get("/").await.json();
    assert_eq!((&index["name"], &index["version"]), (&json!("iflow2api"), &json!("1.2.3")));
    let routes = index["routes"].as_array().unwrap();
    assert!(routes.contains(&json!("POST /v1/messages")), "{routes:?}");
    server.stop().await;
}

/// Each route of `product.md`'s table that is there, and how many statuses it describes at least.
const ROUTES: &[(&str, &str, usize)] = &[
    ("/v1/chat/completions", "post", 10),
    ("/v1/messages", "post", 10),
    ("/v1/messages/count_tokens", "post", 10),
    ("/v1/models", "get", 10),
    ("/v1/models/{id}", "get", 10),
    ("/v1/embeddings", "post", 10),
    ("/v1/completions", "post", 10),
    ("/health", "get", 2),
    ("/v1/health", "get", 2),
    ("/readyz", "get", 2),
    ("/", "get", 2),
    ("/", "head", 2),
    ("/api/hello", "get", 2),
    ("/api/hello", "head", 2),
    ("/api/event_logging/batch", "post", 2),
    ("/api/event_logging/v2/batch", "post", 2),
    ("/docs", "get", 2),
    ("/docs/rapidoc.js", "get", 2),
    ("/openapi.json", "get", 2),
    ("/admin", "get", 2),
    ("/admin/style.css", "get", 2),
];

#[tokio::test]
async fn the_specification_describes_every_route_with_its_failures() {
    let server = Server::start(settings()).await;
    let specification = server.get("/openapi.json").await.json();
    // Without a server RapiDoc shows nothing but a spinner.
    assert_eq!(specification["servers"][0]["url"], "/");
    let mut described = 0;
    for (path, methods) in specification["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let row = ROUTES.iter().find(|row| (row.0, row.1) == (path.as_str(), method.as_str()));
            let (_, _, least) = row.unwrap_or_else(|| panic!("{method} {path} is not in the table"));
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.len() >= *least, "{method} {path}: {responses:?}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            described += 1;
        }
    }
    assert_eq!(described, ROUTES.len());
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let content = &specification["paths"][path]["post"]["responses"]["200"]["content"];
        let types: Vec<_> = content.as_object().unwrap().keys().collect();
        assert_eq!(types, ["application/json", "text/event-stream"], "{path}");
    }
    references_resolve(&specification, &specification);
    server.stop().await;
}

fn references_resolve(value: &Value, root: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("a local reference");
                assert!(root.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            members.values().for_each(|member| references_resolve(member, root));
        }
        Value::Array(items) => items.iter().for_each(|item| references_resolve(item, root)),
        _ => {}
    }
}

#[tokio::test]
async fn pages_need_no_other_host_and_say_so_in_their_policy() {
    let server = Server::start(settings()).await;
    for path in ["/docs", "/admin"] {
        let page = server.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("http") && !policy.contains("'unsafe-eval'"), "{policy}");
        let loads = page.body.match_indices(" src=\"").chain(page.body.match_indices(" href=\""));
        for (start, name) in loads {
            let target = &page.body[start + name.len()..];
            assert!(target.starts_with('/') && !target.starts_with("//"), "{target:.60}");
        }
        assert!(!page.body.contains("<script>") && !page.body.contains(" style="), "{path}");
    }
    let script = server.get("/docs/rapidoc.js").await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.body.len() > 100_000 && script.body.contains("rapi-doc"), "RapiDoc was not found");
    server.stop().await;
}

#[tokio::test]
async fn the_status_page_says_where_we_are_and_how_to_get_here() {
    let server = Server::start(settings()).await;
    let page = server.get("/admin").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let base = format!("http://{}", server.address());
    for text in ["<td>1.2.3</td>", &base, &format!("ANTHROPIC_BASE_URL={base}"), "none yet"] {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    assert!(server.get("/admin/style.css").await.body.contains("main {"));
    server.stop().await;
}

#[tokio::test]
async fn a_connection_serves_several_calls_one_after_another() {
    let server = Server::start(settings()).await;
    let call = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = server.ask(&format!("{call}{call}{last}")).await;
    assert_eq!(answer.body.matches("HTTP/1.1 200 OK").count(), 2, "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn only_our_own_hosts_are_answered_on_every_route() {
    let server = Server::start(settings()).await;
    let passing = ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]", "[::1]:8000", "box.example:443"];
    let refused = [
        "evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "foo.local",
        "foo.internal",
        "localhost.",
        "user@localhost",
        "localhost:80@evil.com",
        "localhost:x",
        "[::1]evil.com",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "192.168.1.4",
        "",
    ];
    for (path, method, _) in ROUTES {
        let path = path.replace("{id}", "a/b");
        let method = method.to_ascii_uppercase();
        for (hosts, answered) in [(&passing[..], true), (&refused[..], false)] {
            for host in hosts {
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                );
                let status = server.ask(&request).await.status;
                assert_eq!(status != 403, answered, "{method} {path} at {host:?}: {status}");
            }
        }
    }
    for heads in ["", "Host: localhost\r\nHost: localhost\r\n"] {
        let request = format!("GET /health HTTP/1.1\r\n{heads}Connection: close\r\n\r\n");
        assert!(matches!(server.ask(&request).await.status, 400 | 403), "{heads:?}");
    }
    let absolute = "GET http://evil.com/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.ask(absolute).await.status, 403);
    server.stop().await;
}

#[tokio::test]
async fn beyond_loopback_addresses_pass_and_names_do_not() {
    let host = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let server = Server::start(Settings { host, ..keyed_settings() }).await;
    let port = server.address().port();
    let address = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for (host, status) in [
        ("192.168.1.4:8000", 200),
        ("[fe80::1]", 200),
        ("[::ffff:127.0.0.1]", 200),
        ("0.0.0.0", 403),
        ("[::]", 403),
        ("[::ffff:0.0.0.0]", 403),
        ("foo.local", 403),
    ] {
        let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = crate::wire_client::ask(address, request.as_bytes()).await;
        assert_eq!(answer.status, status, "{host}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_not_call() {
    let server = Server::start(settings()).await;
    for (path, method, _) in ROUTES {
        let path = path.replace("{id}", "a");
        let guarded = path.starts_with("/v1") || *method == "post";
        let method = method.to_ascii_uppercase();
        for (fields, refused) in [
            ("Origin: https://evil.com\r\n", guarded),
            ("Origin: null\r\n", guarded),
            ("Origin: http://localhost:3000\r\n", guarded),
            ("Sec-Fetch-Site: cross-site\r\n", true),
            ("Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n", false),
            ("Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n", false),
        ] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let answer = server.ask(&request).await;
            assert_eq!(answer.status == 403, refused, "{method} {path} {fields}: {answer:?}");
            let allowed = fields.contains("app.example").then_some("https://app.example");
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{method} {path} {fields}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_preflight_is_answered_to_allowed_origins_alone() {
    let server = Server::start(keyed_settings()).await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /v1/messages HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nConnection: close\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-api-key\r\n\r\n"
        )
    };
    let refused = server.ask(&preflight("https://evil.com")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{refused:?}");
    let allowed = server.ask(&preflight("https://app.example")).await;
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("x-api-key"));
    assert_eq!(allowed.header("vary"), Some("origin"));
    server.stop().await;
}

#[tokio::test]
async fn where_keys_are_set_calls_need_one_and_open_pages_do_not() {
    let server = Server::start(keyed_settings()).await;
    let body = r#"{"model":"m","messages":[]}"#;
    // 503: let through, to find that no upstream is set up.
    for (fields, status) in [
        ("", 401),
        ("x-api-key: wrong\r\n", 401),
        ("Authorization: Basic first-key-0001\r\n", 401),
        ("Authorization: Bearer first-key-000\r\n", 401),
        ("Authorization: Bearer first-key-0001\r\n", 503),
        ("authorization: bearer second-key-0002\r\n", 503),
        ("x-api-key: second-key-0002\r\n", 503),
        ("x-api-key: second-key-0002\r\nAuthorization: Bearer dummy\r\n", 503),
    ] {
        let answer = server.post("/v1/messages/count_tokens", fields, body).await;
        assert_eq!(answer.status, status, "{fields}");
        if status == 401 {
            assert_eq!(answer.json()["error"]["type"], "authentication_error");
            assert_eq!(answer.header("x-iflow2api-error"), Some("request"));
        }
    }
    for path in ["/v1/models", "/models", "/v1/models/a/b", "/v1/nowhere", "/%761/models", "/metrics"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
    for path in ["/", "/docs", "/openapi.json", "/admin"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = Server::start(settings()).await;
    let fields: String = (0..80).map(|number| format!("x-{number}: 1\r\n")).collect();
    let request = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(server.ask(&request).await.status, 431);
    let long = "x".repeat(80 * 1024);
    let request =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nx-long: {long}\r\n\r\n");
    assert_eq!(server.ask(&request).await.status, 431);
    server.stop().await;
}
