//! All settings as the program works with them: complete, judged, and without an `Option` that means "default".

use super::Upstream;
use super::keys::AuthTable;
use crate::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// All settings, complete and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How callers reach us.
    pub server: Server,
    /// Whether and when upstreams are asked again.
    pub retry: Retry,
    /// When an upstream that fails is left alone.
    pub circuit: Circuit,
    /// Whether answers that were cut go on.
    pub continuation: Continuation,
    /// Whether history is left out.
    pub context: Context,
    /// How long each wait may be.
    pub timeout: Timeouts,
    /// How `chat` behaves.
    pub chat: Chat,
    /// How one logs in at upstreams.
    pub auth: Auth,
    /// Those of the file in its order, then `env`, `iflow`, `flag`, the default one if it is nothing but the
    /// name of a preset, and those that a key in the environment sets up.
    pub upstreams: Vec<Upstream>,
    /// The name of one of `upstreams`; `None` if none is set up.
    pub default_upstream: Option<String>,
    /// The model of calls that name none; `None` leaves it to the default upstream.
    pub default_model: Option<String>,
    /// The model that answers requests with images in the place of one that sees none.
    pub vision_model: Option<String>,
    /// The models that names mean, by patterns, in order.
    pub aliases: Vec<(String, String)>,
    /// System prompts by their names.
    pub prompts: Vec<(String, String)>,
    /// The models that are asked where one cannot be had, by patterns of names, in order.
    pub fallbacks: Vec<(String, Vec<String>)>,
}

/// How callers reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Keys that callers must show; with none, none is asked for.
    pub keys: Vec<Secret>,
    /// Host names other than localhost under which callers may reach us.
    pub allowed_hosts: Vec<String>,
    /// Browser origins that may call.
    pub allowed_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub max_body: u64,
    /// How long open streams may go on after an interrupt.
    pub drain: Duration,
    /// How long a request body may take to arrive.
    pub body_time: Duration,
    /// How much longer for each mebibyte of it.
    pub body_time_per_mib: Duration,
    /// How long a caller may take nothing of what is ready for it.
    pub stall: Duration,
}

/// When an upstream that fails is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// After how many failures in a row; 0 for never.
    pub failures: u32,
    /// How long before one call tries it.
    pub wait: Duration,
    /// What that doubles to at the most.
    pub longest_wait: Duration,
}

/// Whether answers that were cut go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// One of [`super::keys::CONTINUATION_MODES`].
    pub mode: String,
    /// How often an answer goes on at the most.
    pub rounds: u32,
    /// One of [`super::keys::SWITCH`].
    pub rescue: String,
}

/// Whether history is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// One of [`super::keys::CONTEXT_MODES`].
    pub mode: String,
    /// How many turns are kept.
    pub keep_turns: u32,
}

/// Whether and when upstreams are asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often; 0 for never.
    pub retries: u32,
    /// The waits before each retry; the last one repeats.
    pub delays: Vec<Duration>,
    /// How many retries every 100 requests allow, beside 3 a second.
    pub budget: u32,
}

/// How `chat` behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// One of [`super::keys::SWITCH`].
    pub save: String,
}

/// How one logs in at upstreams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// How long before its end a login is renewed.
    pub refresh_before: Duration,
    /// One of [`super::keys::STORES`].
    pub store: String,
    /// What is said of the login at each upstream, by its name.
    pub logins: Vec<(String, AuthTable)>,
}

impl Auth {
    /// What is said of the login at one upstream.
    pub fn of(&self, upstream: &str) -> AuthTable {
        let found = self.logins.iter().find(|(name, _)| name == upstream);
        found.map(|(_, table)| table.clone()).unwrap_or_default()
    }
}

/// How long each wait may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting to an upstream.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// How long the head of a stream is held for the upstream's first frame.
    pub hold: Duration,
    /// How long a stream is silent before the caller gets a sign of life.
    pub ping: Duration,
}

impl Config {
    /// Every field empty, for [`Field`]s to be filled; nobody may see it in this state.
    pub(crate) fn blank() -> Self {
        Self {
            server: Server {
                host: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: 0,
                keys: Vec::new(),
                allowed_hosts: Vec::new(),
                allowed_origins: Vec::new(),
                max_body: 0,
                drain: Duration::ZERO,
                body_time: Duration::ZERO,
                body_time_per_mib: Duration::ZERO,
                stall: Duration::ZERO,
            },
            retry: Retry { retries: 0, delays: Vec::new(), budget: 0 },
            circuit: Circuit { failures: 0, wait: Duration::ZERO, longest_wait: Duration::ZERO },
            continuation: Continuation { mode: String::new(), rounds: 0, rescue: String::new() },
            context: Context { mode: String::new(), keep_turns: 0 },
            timeout: Timeouts {
                connect: Duration::ZERO,
                first_byte: Duration::ZERO,
                idle: Duration::ZERO,
                hold: Duration::ZERO,
                ping: Duration::ZERO,
            },
            chat: Chat { save: String::new() },
            auth: Auth { refresh_before: Duration::ZERO, store: String::new(), logins: Vec::new() },
            upstreams: Vec::new(),
            default_upstream: None,
            default_model: None,
            vision_model: None,
            aliases: Vec::new(),
            prompts: Vec::new(),
            fallbacks: Vec::new(),
        }
    }
}
