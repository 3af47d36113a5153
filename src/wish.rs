//! What a caller wishes of a model's thinking, in whatever words it was said: one normal form between the
//! APIs, which say it in many ways, and the providers, which take it in as many.

/// How hard to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// As little as can be.
    Minimal,
    /// A little.
    Low,
    /// Somewhat.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as can be.
    Max,
}

impl Level {
    /// All levels, from the lowest.
    pub const ALL: [Self; 6] = [Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// The level of this name; `ultra` is Ollama's word for the highest.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(name))
            .or_else(|| name.eq_ignore_ascii_case("ultra").then_some(Self::Max))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level that a budget of tokens means. The bounds are those of CLIProxyAPI, so that users' habits hold.
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0..=512 => Self::Minimal,
            513..=1024 => Self::Low,
            1025..=8192 => Self::Medium,
            8193..=24576 => Self::High,
            24577..=32768 => Self::Xhigh,
            _ => Self::Max,
        }
    }

    /// The budget of tokens that a level means, by the same table; nothing for the highest, which has no bound.
    pub fn budget(self) -> Option<u64> {
        match self {
            Self::Minimal => Some(512),
            Self::Low => Some(1024),
            Self::Medium => Some(8192),
            Self::High => Some(24576),
            Self::Xhigh => Some(32768),
            Self::Max => None,
        }
    }
}

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// No thinking.
    Off,
    /// Thinking, however hard the model likes.
    On,
    /// Thinking this hard.
    Level(Level),
    /// Thinking for so many tokens.
    Budget(u64),
}

impl Wish {
    /// Reads a word as people and clients write it: `none`, `off`, `auto`, `on`, a level, or a number of tokens.
    pub fn of(word: &str) -> Option<Self> {
        let word = word.trim();
        match word.to_ascii_lowercase().as_str() {
            "none" | "off" | "disabled" => return Some(Self::Off),
            "auto" | "on" | "enabled" | "adaptive" | "default" => return Some(Self::On),
            _ => {}
        }
        let budget = || word.parse().ok().map(Self::of_tokens);
        Level::of(word).map(Self::Level).or_else(budget)
    }

    /// A budget; none at all is no thinking.
    pub fn of_tokens(tokens: u64) -> Self {
        if tokens == 0 { Self::Off } else { Self::Budget(tokens) }
    }

    /// Whether it is a wish to think.
    pub fn thinks(self) -> bool {
        self != Self::Off
    }
}

impl std::fmt::Display for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::On => f.write_str("on"),
            Self::Level(level) => f.write_str(level.as_str()),
            Self::Budget(tokens) => write!(f, "{tokens} tokens"),
        }
    }
}

/// Takes the wish off a model's name: `glm-4.7(high)`, `(none)`, `(auto)`, `(8192)`. A name that ends in
/// anything else in brackets is a name.
pub fn of_name(name: &str) -> (&str, Option<Wish>) {
    let split = name.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
    match split.and_then(|(model, word)| Some((model.trim_end(), Wish::of(word)?))) {
        Some((model, wish)) if !model.is_empty() => (model, Some(wish)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_behind_a_name_is_taken_off() {
        for (name, expected) in [
            ("glm-4.7(high)", ("glm-4.7", Some(Wish::Level(Level::High)))),
            ("glm-4.7(none)", ("glm-4.7", Some(Wish::Off))),
            ("glm-4.7(auto)", ("glm-4.7", Some(Wish::On))),
            ("zai/glm-4.7(8192)", ("zai/glm-4.7", Some(Wish::Budget(8192)))),
            ("glm-4.7(0)", ("glm-4.7", Some(Wish::Off))),
            ("glm-4.7 (MAX)", ("glm-4.7", Some(Wish::Level(Level::Max)))),
            ("glm-4.7(beta)", ("glm-4.7(beta)", None)),
            ("(high)", ("(high)", None)),
            ("glm-4.7", ("glm-4.7", None)),
        ] {
            assert_eq!(of_name(name), expected, "{name}");
        }
    }
}
