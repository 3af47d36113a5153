//! The built-in profiles. Each is from documentation, not tried, unless it says otherwise.

use super::profile::Profile;
use crate::dialect::{Dialect, Prefix};

/// The names of all presets.
pub const NAMES: [&str; 4] = ["openai", "iflow", "llamacpp", "demo"];

/// Whether there is a preset of this name.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The profile of a preset; the generic one for a name that is none.
pub fn profile(name: &str) -> Profile {
    match name {
        "iflow" => iflow(),
        "llamacpp" => Profile {
            id: "llamacpp",
            base_url: Some("http://127.0.0.1:8080/v1"),
            dialect: Dialect { prefix: Prefix::Trailing, ..Dialect::default() },
            ..Profile::default()
        },
        "demo" => Profile { id: "demo", ..Profile::default() },
        _ => Profile::default(),
    }
}

/// iFlow, whose service ended on 2026-04-17; kept for whoever runs an endpoint like it.
fn iflow() -> Profile {
    Profile {
        id: "iflow",
        base_url: Some("https://apis.iflow.cn/v1"),
        // It had no list of its own: `GET /models` answered 404 to the end.
        known_models: &[
            "glm-4.7",
            "glm-5",
            "glm-4.6",
            "deepseek-v3.2",
            "deepseek-r1",
            "qwen3-coder-plus",
            "qwen3-max",
            "qwen3-235b-a22b-thinking-2507",
            "kimi-k2.5",
            "kimi-k2-thinking",
            "minimax-m2.5",
        ],
        ..Profile::default()
    }
}
