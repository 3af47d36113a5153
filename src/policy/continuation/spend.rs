//! What an answer of several rounds has cost, told as one (F09).

use crate::wire::json::{Members, Raw};
use crate::wire::openai::Usage;

/// The counts that say something of the prompt, which are those of the first round: clients take them
/// for the size of the conversation.
const OF_THE_PROMPT: [&str; 5] = [
    "prompt_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "prompt_cache_hit_tokens",
    "prompt_cache_miss_tokens",
];

/// The rounds so far.
#[derive(Debug, Clone, Default)]
pub struct Spend {
    /// The counts of the first round as the upstream wrote them, where it did.
    first: Option<Members>,
    rounds: Vec<Usage>,
    /// Whether a round ended without its counts.
    estimated: bool,
}

impl Spend {
    /// Adds a round whose counts the upstream told.
    pub fn add(&mut self, usage: Usage, written: Option<Members>) {
        if self.rounds.is_empty() {
            self.first = written;
        }
        self.rounds.push(usage);
    }

    /// Adds a round that has no counts but ours, of its answer; `prompt` 0 is not known.
    pub fn add_estimate(&mut self, completion_tokens: u64) {
        self.estimated = true;
        self.rounds.push(Usage { completion_tokens, ..Usage::default() });
    }

    /// The tokens of the answer so far.
    pub fn completion(&self) -> u64 {
        self.rounds.iter().map(|usage| usage.completion_tokens).sum()
    }

    /// The tokens of the first prompt; 0 where nobody told.
    pub fn prompt(&self) -> u64 {
        match self.rounds.split_first() {
            Some((first, _)) if first.prompt_tokens > 0 => first.prompt_tokens,
            // A later prompt holds the answer before it.
            Some((first, later)) => {
                let mut before = first.completion_tokens;
                for usage in later {
                    if usage.prompt_tokens > 0 {
                        return usage.prompt_tokens.saturating_sub(before).max(1);
                    }
                    before += usage.completion_tokens;
                }
                0
            }
            None => 0,
        }
    }

    /// All rounds as one, in the form in which `written` tells the last one.
    pub fn total(&self, written: &Members, continuations: u32, rescues: u32) -> Members {
        let mut total = written.clone();
        if let Some(first) = &self.first {
            for key in OF_THE_PROMPT {
                match first.get(key) {
                    Some(raw) => total.set(key, raw.clone()),
                    None => drop(total.remove(key)),
                }
            }
        } else {
            OF_THE_PROMPT.iter().for_each(|key| drop(total.remove(key)));
            total.set("prompt_tokens", Raw::of(&self.prompt()));
        }
        let (prompt, completion) = (self.prompt(), self.completion());
        total.set("completion_tokens", Raw::of(&completion));
        total.set("total_tokens", Raw::of(&(prompt + completion)));
        let thought =
            |usage: &Usage| usage.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        if self.rounds.iter().any(|usage| thought(usage).is_some()) {
            let sum: u64 = self.rounds.iter().filter_map(thought).sum();
            let details = total.get("completion_tokens_details").and_then(Raw::members).unwrap_or_default();
            let details = details.with("reasoning_tokens", Raw::of(&sum));
            total.set("completion_tokens_details", details.to_raw());
        }
        total.set("iflow2api", self.told(continuations, rescues).to_raw());
        total
    }

    /// What was really spent.
    fn told(&self, continuations: u32, rescues: u32) -> Members {
        let billed: u64 = self.rounds.iter().map(|usage| usage.prompt_tokens).sum();
        let mut told = Members::new()
            .with("continuations", Raw::of(&continuations))
            .with("rescues", Raw::of(&rescues))
            .with("billed_prompt_tokens", Raw::of(&billed))
            .with("billed_completion_tokens", Raw::of(&self.completion()));
        if self.estimated {
            told.set("estimated", Raw::from_static("true"));
        }
        told
    }
}
