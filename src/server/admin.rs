//! The status page: where we listen, what we lend, how to point clients at it. It is made here
//! whole; it has no script and takes no input.

use super::State;
use crate::gateway::{Health, ModelEntry};
use std::fmt::Write as _;

/// What the page may load: its own style, nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
/// The page's style.
pub const STYLE: &str = include_str!("admin.css");
/// How many models are named. Chosen: a screen or two.
const MAX_MODELS: usize = 200;

/// The page.
pub fn page(state: &State, models: &[ModelEntry]) -> String {
    let base = state.addresses.first().map(|address| format!("http://{address}")).unwrap_or_default();
    let addresses: Vec<String> =
        state.addresses.iter().map(|address| format!("<code>http://{address}</code>")).collect();
    let info = &state.info;
    let names: Vec<String> =
        state.gateway.upstreams().map(|name| format!("<code>{}</code>", escape(name))).collect();
    let upstreams = match names.as_slice() {
        [_, ..] => names.join(", "),
        [] => "none yet: log in with <code>iflow2api auth</code>, start with <code>--upstream URL</code> or \
            <code>--demo</code>, set \
            <code>IFLOW2API_BASE_URL</code> and <code>IFLOW2API_API_KEY</code>, or run \
            <code>iflow2api config set upstream.NAME.base_url URL</code>"
            .to_owned(),
    };
    let model = info.model.as_deref().or_else(|| models.first().map(|model| model.id.as_str()));
    let model = model.unwrap_or("MODEL");
    let rows = [
        ("Version", escape(&info.version)),
        ("Listening on", addresses.join("<br>")),
        ("Upstreams", upstreams),
        ("Default model", info.model.as_deref().map_or_else(|| "–".to_owned(), escape)),
        ("Callers' keys", if state.settings.keys.is_empty() { "not needed" } else { "needed" }.to_owned()),
    ];
    let mut html = String::with_capacity(8 * 1024);
    html.push_str(HEAD);
    for (name, value) in rows {
        // Writing to a `String` cannot fail.
        let _ = writeln!(html, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    for upstream in state.gateway.health().iter().filter(|upstream| upstream.is_troubled()) {
        let _ = writeln!(html, "<tr><th scope=\"row\">Left alone</th><td>{}</td></tr>", trouble(upstream));
    }
    html.push_str("</table>\n<h2>Point a client here</h2>\n");
    for (name, text) in clients(&base, model, !state.settings.keys.is_empty()) {
        let _ = write!(html, "<h3>{name}</h3>\n<pre>{}</pre>\n", escape(&text));
    }
    list_models(models, &mut html);
    html.push_str(
        "<p><a href=\"/docs\">API documentation</a> · <a href=\"/openapi.json\">specification</a></p>\n",
    );
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>iflow2api</title>
<link rel=\"stylesheet\" href=\"/admin/style.css\">
</head>
<body>
<main>
<h1>iflow2api</h1>
<table>
";

/// What keeps calls from an upstream or its models, in words.
fn trouble(upstream: &Health) -> String {
    let troubled =
        std::iter::once(upstream).chain(&upstream.models).filter(|health| health.state != "closed");
    let words = troubled.map(|health| {
        let next = health.retry_in_seconds.map(|seconds| format!(", tried again in {seconds} s"));
        let why = match health.state {
            "resting" => "its quota is used up".to_owned(),
            state => format!("circuit {state}"),
        };
        format!("<code>{}</code>: {why}{}", escape(&health.name), next.unwrap_or_default())
    });
    words.collect::<Vec<_>>().join("<br>")
}

/// What to set in each client.
fn clients(base: &str, model: &str, keyed: bool) -> [(&'static str, String); 3] {
    let key = if keyed { "YOUR-CALLER-KEY" } else { "any" };
    [
        (
            "Claude Code",
            format!(
                "export ANTHROPIC_BASE_URL={base}\nexport ANTHROPIC_AUTH_TOKEN={key}\n\
                 export ANTHROPIC_MODEL='{model}'\nclaude"
            ),
        ),
        (
            "OpenAI and Anthropic SDKs",
            format!(
                "export OPENAI_BASE_URL={base}/v1\nexport OPENAI_API_KEY={key}\n\
                 export ANTHROPIC_BASE_URL={base}\nexport ANTHROPIC_API_KEY={key}"
            ),
        ),
        (
            "curl",
            format!(
                "curl {base}/v1/chat/completions -H 'authorization: Bearer {key}' \\\n  \
                 -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"hello\"}}]}}'"
            ),
        ),
    ]
}

fn list_models(models: &[ModelEntry], html: &mut String) {
    if models.is_empty() {
        return;
    }
    let _ = write!(html, "<h2>Models ({})</h2>\n<ul>\n", models.len());
    for model in models.iter().take(MAX_MODELS) {
        let owner = match &model.alias_of {
            Some(target) => format!("alias of {}", escape(target)),
            None => escape(&model.owned_by),
        };
        let _ = writeln!(html, "<li><code>{}</code> <small>{owner}</small></li>", escape(&model.id));
    }
    html.push_str("</ul>\n");
}

/// A text inside an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_text() {
        assert_eq!(
            escape("<img src=x onerror='a&b'>\""),
            "&lt;img src=x onerror=&#39;a&amp;b&#39;&gt;&quot;"
        );
        let model = ModelEntry::new("<script>alert(1)</script>", "\"><b>");
        let mut html = String::new();
        list_models(&[model], &mut html);
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
    }
}
