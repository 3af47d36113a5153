//! The one table of settings: name, field, default, flag, help. The reader of files, of the
//! environment, `config get` and `set`, the manual and the README take all they know from here.

use super::Config;
use super::value::Field;
use crate::secret::Secret;

/// One setting: a field of `T`, and all that is said about it.
#[derive(Debug)]
pub struct Setting<T: 'static> {
    /// The name as in the file, with dots; in a table of an upstream, what follows the table's name.
    pub name: &'static str,
    /// Where it goes and what it may hold.
    pub field: Field<T>,
    /// The default, as it would be written in the environment; `None` is unset, `""` an empty list.
    pub default: Option<&'static str>,
    /// The flag of the command line that sets it.
    pub flag: Option<&'static str>,
    /// One clause for the manual.
    pub help: &'static str,
}

impl Setting<Config> {
    /// The variable of the environment that sets it.
    pub fn variable(&self) -> String {
        format!("IFLOW2API_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The table that it stands in, if it does.
    pub fn table(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(table, _)| table)
    }
}

impl Setting<AuthTable> {
    /// The variable of the environment that sets it for one login.
    pub fn variable_of(&self, login: &str) -> String {
        let name = format!("IFLOW2API_AUTH_{login}_{}", self.name);
        name.replace('-', "_").to_ascii_uppercase()
    }
}

/// One `[upstream.NAME]` table as it was written.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "each field is a row of `UPSTREAM_SETTINGS`, which says what it is")]
pub struct UpstreamTable {
    pub preset: Option<String>,
    pub base_url: Option<String>,
    pub key: Option<Secret>,
    pub key_env: Option<String>,
    pub headers: Vec<(String, Secret)>,
    pub models: Vec<String>,
    pub max_output: Option<u64>,
    pub context_window: Option<u64>,
    pub prefix: Option<String>,
    pub max_concurrent: Option<u64>,
    pub max_queue: Option<u64>,
    pub anthropic_base_url: Option<String>,
    pub wire: Option<String>,
    pub proxy: Option<String>,
    pub ca_file: Option<String>,
}

/// One `[auth.NAME]` table as it was written: how one logs in at the upstream of that name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is a row of `AUTH_SETTINGS`, which says what it is")]
pub struct AuthTable {
    pub issuer: Option<String>,
    pub authorize_url: Option<String>,
    pub token_url: Option<String>,
    pub device_url: Option<String>,
    pub revoke_url: Option<String>,
    pub userinfo_url: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub client_auth: Option<String>,
    pub scopes: Vec<String>,
    pub redirect_url: Option<String>,
    pub ports: Vec<String>,
}

/// What `continuation.mode` may be.
pub const CONTINUATION_MODES: &[&str] = &["auto", "always", "off"];
/// What `context.mode` may be.
pub const CONTEXT_MODES: &[&str] = &["auto", "window", "off"];
/// What an upstream's `prefix` may be.
pub const PREFIXES: &[&str] = &["none", "deepseek", "partial", "vllm", "trailing"];
/// What an upstream's `wire` may be.
pub const WIRES: &[&str] = &["auto", "openai"];
/// What `auth.store` may be.
pub const STORES: &[&str] = &["file", "keyring"];
/// What `client_auth` may be.
pub const CLIENT_AUTHS: &[&str] = &["basic", "body", "both"];
/// The word among the ports of a login that stands for any other.
pub const ANY_PORT: &str = "any";
/// What a setting that is one or the other may be.
pub const SWITCH: &[&str] = &["on", "off"];

const fn row(
    name: &'static str,
    field: Field<Config>,
    default: Option<&'static str>,
    flag: Option<&'static str>,
    help: &'static str,
) -> Setting<Config> {
    Setting { name, field, default, flag, help }
}

const fn upstream_row(
    name: &'static str,
    field: Field<UpstreamTable>,
    help: &'static str,
) -> Setting<UpstreamTable> {
    Setting { name, field, default: None, flag: None, help }
}

const fn auth_row(name: &'static str, field: Field<AuthTable>, help: &'static str) -> Setting<AuthTable> {
    Setting { name, field, default: None, flag: None, help }
}

/// The settings that stand once.
#[rustfmt::skip]
pub static SETTINGS: &[Setting<Config>] = &[
    row("default_upstream", Field::Name(|config| &mut config.default_upstream), None, Some("--upstream"),
        "the upstream of models that no other is known for; without it the first one"),
    row("default_model", Field::Text(|config| &mut config.default_model), None, None,
        "the model of calls that name none, or one that no upstream has"),
    row("vision_model", Field::Text(|config| &mut config.vision_model), None, None,
        "the model that answers requests with images in the place of one that sees none"),
    row("server.host", Field::Address(|config| &mut config.server.host), Some("127.0.0.1"), Some("--host"),
        "the IP address to listen on"),
    row("server.port", Field::Port(|config| &mut config.server.port), Some("8000"), Some("--port"),
        "the port to listen on; 0 takes a free one"),
    row("server.keys", Field::Secrets(|config| &mut config.server.keys), Some(""), None,
        "keys that callers must show; needed to listen beyond loopback"),
    row("server.allowed_hosts", Field::List(|config| &mut config.server.allowed_hosts), Some(""), None,
        "host names other than localhost under which callers may reach the server"),
    row("server.allowed_origins", Field::List(|config| &mut config.server.allowed_origins), Some(""), None,
        "browser origins that may call; none by default"),
    row("server.max_body", Field::Size(|config| &mut config.server.max_body), Some("32MiB"), None,
        "the largest request body"),
    row("server.drain", Field::Duration(|config| &mut config.server.drain), Some("30s"), None,
        "how long open streams may go on after an interrupt"),
    row("server.body_time", Field::Duration(|config| &mut config.server.body_time), Some("30s"), None,
        "how long a request body may take to arrive"),
    row("server.body_time_per_mib", Field::Duration(|config| &mut config.server.body_time_per_mib), Some("1s"), None,
        "how much longer for each MiB of it"),
    row("server.stall", Field::Duration(|config| &mut config.server.stall), Some("60s"), None,
        "how long a caller may take nothing of what is ready for it"),
    row("retry.retries", Field::Number(|config| &mut config.retry.retries), Some("3"), None,
        "how often an upstream is asked again before anything of its answer came; 0 for never"),
    row("retry.delays", Field::Durations(|config| &mut config.retry.delays), Some("1s,2s,3s"), None,
        "the waits before each retry; the last one repeats"),
    row("retry.budget", Field::Number(|config| &mut config.retry.budget), Some("20"), None,
        "how many retries every 100 requests allow, beside 3 a second"),
    row("circuit.failures", Field::Number(|config| &mut config.circuit.failures), Some("5"), None,
        "after how many failures in a row an upstream is left alone; 0 for never"),
    row("circuit.wait", Field::Duration(|config| &mut config.circuit.wait), Some("5s"), None,
        "how long it is left alone before one call tries it; doubles with each failure of that"),
    row("circuit.longest_wait", Field::Duration(|config| &mut config.circuit.longest_wait), Some("60s"), None,
        "how long it is left alone at the most"),
    row("continuation.mode", Field::Choice(|config| &mut config.continuation.mode, CONTINUATION_MODES), Some("auto"), None,
        "whether an answer that was cut goes on by itself: below the caller's `max_tokens`, beyond it, or never"),
    row("continuation.rounds", Field::Number(|config| &mut config.continuation.rounds), Some("5"), None,
        "how often an answer goes on at the most"),
    row("continuation.rescue", Field::Choice(|config| &mut config.continuation.rescue, SWITCH), Some("on"), None,
        "whether a text whose stream breaks off is continued in the same way"),
    row("context.mode", Field::Choice(|config| &mut config.context.mode, CONTEXT_MODES), Some("auto"), None,
        "whether history is left out: only what does not fit the model's window, all but the last turns, or nothing"),
    row("context.keep_turns", Field::Number(|config| &mut config.context.keep_turns), Some("10"), None,
        "how many turns the mode `window` keeps, and `auto` trims last"),
    row("timeout.connect", Field::Duration(|config| &mut config.timeout.connect), Some("10s"), None,
        "how long connecting to an upstream may take"),
    row("timeout.first_byte", Field::Duration(|config| &mut config.timeout.first_byte), Some("600s"), None,
        "how long an upstream may take until it begins to answer"),
    row("timeout.idle", Field::Duration(|config| &mut config.timeout.idle), Some("300s"), None,
        "how long an upstream may be silent within an answer"),
    row("timeout.hold", Field::Duration(|config| &mut config.timeout.hold), Some("8s"), None,
        "how long the head of a stream waits for the upstream's first frame"),
    row("timeout.ping", Field::Duration(|config| &mut config.timeout.ping), Some("10s"), None,
        "how long a stream is silent before the caller gets a sign of life"),
    row("chat.save", Field::Choice(|config| &mut config.chat.save, SWITCH), Some("on"), None,
        "whether conversations of `chat` are kept, in the user's data directory"),
    row("auth.refresh_before", Field::Duration(|config| &mut config.auth.refresh_before), Some("45h"), None,
        "how long before its end a login is renewed, but never more than 15/16 of its life"),
    row("auth.store", Field::Choice(|config| &mut config.auth.store, STORES), Some("file"), None,
        "where keys and logins are kept: `file`, or `keyring` for the system's, in a build with that feature"),
];

/// The settings of each `[auth.NAME]` table; `NAME` is the upstream's.
#[rustfmt::skip]
pub static AUTH_SETTINGS: &[Setting<AuthTable>] = &[
    auth_row("issuer", Field::Url(|table| &mut table.issuer),
        "the login server, where it tells the addresses below itself (OpenID Connect Discovery, RFC 8414)"),
    auth_row("authorize_url", Field::Url(|table| &mut table.authorize_url),
        "where the browser is sent; a query is kept, as in `?prompt=consent`"),
    auth_row("token_url", Field::Url(|table| &mut table.token_url),
        "where codes and refresh tokens are exchanged"),
    auth_row("device_url", Field::Url(|table| &mut table.device_url),
        "where a login without a browser on this machine begins (RFC 8628)"),
    auth_row("revoke_url", Field::Url(|table| &mut table.revoke_url),
        "where a logout takes tokens back (RFC 7009)"),
    auth_row("userinfo_url", Field::Url(|table| &mut table.userinfo_url),
        "where iFlow tells the key of a login"),
    auth_row("client_id", Field::Text(|table| &mut table.client_id),
        "who this program is at the login server"),
    auth_row("client_secret", Field::Secret(|table| &mut table.client_secret),
        "what proves that, for clients that have a secret"),
    auth_row("client_auth", Field::Chosen(|table| &mut table.client_auth, CLIENT_AUTHS),
        "where the secret is shown: in the header, the body, or both; `basic` by default"),
    auth_row("scopes", Field::List(|table| &mut table.scopes),
        "what a login asks for, such as `openid,offline_access`"),
    auth_row("redirect_url", Field::Url(|table| &mut table.redirect_url),
        "where the browser is sent back to, without the port; `http://127.0.0.1/oauth2callback` by default"),
    auth_row("ports", Field::List(|table| &mut table.ports),
        "the ports that are tried for that, in order, and `any` for a free one; `8087,any` by default"),
];

/// The settings of each `[upstream.NAME]` table.
#[rustfmt::skip]
pub static UPSTREAM_SETTINGS: &[Setting<UpstreamTable>] = &[
    upstream_row("preset", Field::Text(|table| &mut table.preset),
        "the provider whose habits it has; by default the one of the table's name, else `openai`"),
    upstream_row("base_url", Field::BaseUrl(|table| &mut table.base_url),
        "where its API is, with or without `/v1`; by default the preset's"),
    upstream_row("key", Field::Secret(|table| &mut table.key),
        "the key to sign in with"),
    upstream_row("key_env", Field::Text(|table| &mut table.key_env),
        "the variable of the environment that holds the key"),
    upstream_row("models", Field::List(|table| &mut table.models),
        "its models, where it cannot list them itself"),
    upstream_row("max_output", Field::Count(|table| &mut table.max_output),
        "the most tokens an answer of it may have"),
    upstream_row("context_window", Field::Count(|table| &mut table.context_window),
        "how many tokens prompt and answer may have together; by default what its model list says"),
    upstream_row("prefix", Field::Chosen(|table| &mut table.prefix, PREFIXES),
        "how it goes on with an answer that was begun; by default the preset's way"),
    upstream_row("max_concurrent", Field::Count(|table| &mut table.max_concurrent),
        "how many calls it gets at once; by default any number"),
    upstream_row("max_queue", Field::Count(|table| &mut table.max_queue),
        "how many calls may wait for their turn; 100 by default"),
    upstream_row("anthropic_base_url", Field::BaseUrl(|table| &mut table.anthropic_base_url),
        "where it speaks the Anthropic API, to which `/v1/messages` is then passed on; by default the preset's"),
    upstream_row("wire", Field::Chosen(|table| &mut table.wire, WIRES),
        "`openai` has `/v1/messages` translated even where it speaks the Anthropic API; `auto` by default"),
    upstream_row("proxy", Field::Proxy(|table| &mut table.proxy),
        "`env` for the proxy of the environment, `none`, or the address of one; this machine is reached without"),
    upstream_row("ca_file", Field::Text(|table| &mut table.ca_file),
        "a file of CA certificates in PEM that are trusted beside the system's"),
    upstream_row("headers.NAME", Field::Headers(|table| &mut table.headers),
        "a header to send with each request"),
];

/// The settings of which there is one for each pattern of a model's name, or for each name.
#[rustfmt::skip]
pub static PATTERN_SETTINGS: &[Setting<Config>] = &[
    row("alias.PATTERN", Field::Alias(|config| &mut config.aliases), None, None,
        "the model that names of this pattern mean, such as `zai/glm-4.7(high)`; `*` stands for any text"),
    row("fallback.PATTERN", Field::Fallback(|config| &mut config.fallbacks), None, None,
        "the models that are asked, in order, where one of this pattern cannot be had"),
    row("prompt.NAME", Field::Alias(|config| &mut config.prompts), None, None,
        "a system prompt that `chat --prompt NAME` gives the model"),
];

/// A variable of the environment that is more than the value of one setting.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// One clause for the manual.
    pub help: &'static str,
}

pub(super) const CONFIG_VARIABLE: &str = "IFLOW2API_CONFIG";
pub(super) const BASE_URL_VARIABLE: &str = "IFLOW2API_BASE_URL";
pub(super) const API_KEY_VARIABLE: &str = "IFLOW2API_API_KEY";

/// The variables beside those of [`SETTINGS`].
pub static VARIABLES: &[Variable] = &[
    Variable { name: CONFIG_VARIABLE, help: "the configuration file, as `--config`" },
    Variable { name: BASE_URL_VARIABLE, help: "the base URL of an upstream called `env`" },
    Variable { name: API_KEY_VARIABLE, help: "the key of the upstream `env`" },
];
