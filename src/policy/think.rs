//! How a model is asked to think: a wish becomes the provider's own members, by the rule of its profile.
//!
//! How thoughts are read from an answer is left to `thinking`, and which of them go back to `history`.

use super::presets::rows::{Budget, Patch, Thinks};
use super::profile::{Profile, Rule};
use crate::wire::json::{Kind, Members, Raw};
use crate::wire::openai::ChatRequest;
use crate::wish::{Level, Wish};
use serde_json::Value;

/// Members in which some provider or client says how to think.
const MEMBERS: [&str; 8] = [
    "reasoning_effort",
    "reasoning",
    "thinking",
    "enable_thinking",
    "thinking_budget",
    "thinking_mode",
    "reasoning_split",
    "preserve_thinking",
];
/// The object that OpenRouter and a few others take, and all others only stumble over.
const OBJECT: &str = "reasoning";
/// What a template of a local server is told; other members of it have nothing to do with thinking.
const TEMPLATE: &str = "chat_template_kwargs";
/// Those that have.
const OF_TEMPLATE: [&str; 3] = ["enable_thinking", "thinking", "clear_thinking"];

/// Where a wish was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// In the body, in whatever words; those that are the provider's own stay as they are.
    #[default]
    Body,
    /// In the words of another API.
    Translated,
    /// Behind the model's name, which wins over the body.
    Name,
}

/// What is wished of a request's thinking, and where that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// What is wished.
    pub wish: Option<Wish>,
    /// Where.
    pub source: Source,
}

impl Asked {
    /// The wish that counts: that behind the name first, then the request's own, then that of an alias.
    pub fn first_of(name: Option<Wish>, own: Option<Wish>, own_source: Source, alias: Option<Wish>) -> Self {
        if name.is_some() {
            return Self { wish: name, source: Source::Name };
        }
        match own {
            Some(_) => Self { wish: own, source: own_source },
            None => Self { wish: alias, source: if alias.is_some() { Source::Name } else { own_source } },
        }
    }
}

/// What was done about a wish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What the answer says of it (`x-iflow2api-thinking`); nothing where nothing was wished or is known.
    pub says: Option<String>,
    /// What was changed beside it, as a person would want to know.
    pub warning: Option<String>,
}

/// What is to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// The members.
    pub patch: Patch,
    /// Whether the model will think, as far as that is known.
    pub thinks: bool,
    /// What the answer says of it.
    pub says: Option<String>,
    /// Whether the caller's own words ask for what cannot be had, and so must go.
    pub overrules: bool,
}

/// Puts a wish into the provider's own words.
pub fn ask(request: &mut ChatRequest, profile: &Profile, asked: Asked) -> Outcome {
    if profile.thinks == Some(Thinks::Never) {
        return never(request, asked);
    }
    let Some(rule) = &profile.thinking else {
        return generic(request, asked);
    };
    let always_on = profile.thinks == Some(Thinks::Always);
    let mut decision = decide(rule, always_on, asked.wish);
    let mut warning = None;
    if is_forced(request) && decision.thinks && !rule.forced_tool_choice {
        // A choice that thinking forbids (A28): without a wish to think, the guarantee counts for more.
        let can_be_off = rule.off.is_some() && !always_on;
        if asked.wish.is_none_or(|wish| !wish.thinks()) && can_be_off {
            decision = Decision { says: None, ..decide(rule, always_on, Some(Wish::Off)) };
        } else {
            request.set("tool_choice", Raw::from_static("\"auto\""));
            warning = Some("tool_choice: this model cannot be forced to a tool while it thinks".to_owned());
        }
    }
    for path in &rule.clear {
        remove(request, path);
    }
    if !rule.uses(OBJECT) {
        request.remove(OBJECT);
    }
    if decision.overrules {
        // The caller's own word for "off", which would be refused.
        for (key, value) in rule.off.iter().flatten() {
            match value {
                Value::Object(inner) if key == TEMPLATE => {
                    inner.keys().for_each(|inner| remove(request, &format!("{key}.{inner}")));
                }
                _ => drop(request.remove(key)),
            }
        }
    }
    let wins = asked.source == Source::Name || decision.overrules;
    for (key, value) in &decision.patch {
        merge(request, key, value, wins);
    }
    if decision.thinks {
        for path in &rule.drop_on {
            remove(request, path);
        }
    }
    Outcome { says: decision.says, warning }
}

/// What is to be sent for a wish.
pub fn decide(rule: &Rule, always_on: bool, wish: Option<Wish>) -> Decision {
    let off = rule.off.as_ref().filter(|_| !always_on);
    let thinks_anyway = rule.default.is_some() || always_on;
    let decided = match wish {
        None => Decision { thinks: thinks_anyway, ..Decision::default() },
        Some(Wish::Off) => match off {
            Some(off) => said(off, false, "off"),
            None => Decision { overrules: true, ..lowest(rule) },
        },
        Some(Wish::On) => said(rule.on.as_ref().unwrap_or(&Patch::new()), true, "on"),
        Some(Wish::Level(level)) => of_level(rule, level, &Wish::Level(level)),
        Some(Wish::Budget(tokens)) => match &rule.budget {
            Some(budget) => of_budget(rule, budget, tokens, &Wish::Budget(tokens)),
            None => of_level(rule, Level::of_budget(tokens), &Wish::Budget(tokens)),
        },
    };
    let mut patch = rule.always.clone();
    for (key, value) in decided.patch {
        merge_value(patch.entry(key).or_insert(Value::Null), value);
    }
    Decision { patch, ..decided }
}

fn said(patch: &Patch, thinks: bool, says: impl Into<String>) -> Decision {
    Decision { patch: patch.clone(), thinks, says: Some(says.into()), overrules: false }
}

/// The least that a model thinks which cannot be stopped.
fn lowest(rule: &Rule) -> Decision {
    match rule.levels.iter().next() {
        Some((level, patch)) => said(patch, true, format!("{} (cannot be off)", level.as_str())),
        None => said(&Patch::new(), true, "on (cannot be off)"),
    }
}

/// The level that was asked, else the next higher one, else the highest.
fn of_level(rule: &Rule, asked: Level, wish: &Wish) -> Decision {
    if let Some((_, patch)) = rule.levels.range(asked..).next().or_else(|| rule.levels.iter().next_back()) {
        // Some providers know two words for one level: it is named as what it is.
        let level = rule.levels.iter().find(|(_, same)| *same == patch).map_or(asked, |(level, _)| *level);
        let says = if *wish == Wish::Level(level) {
            level.as_str().to_owned()
        } else {
            format!("{} (asked for {wish})", level.as_str())
        };
        return said(patch, true, says);
    }
    if let Some((budget, tokens)) = rule.budget.as_ref().zip(asked.budget()) {
        return of_budget(rule, budget, tokens, wish);
    }
    said(rule.on.as_ref().unwrap_or(&Patch::new()), true, format!("on (asked for {wish})"))
}

/// So many tokens, within what the provider takes.
fn of_budget(rule: &Rule, budget: &Budget, tokens: u64, wish: &Wish) -> Decision {
    let sent = tokens.max(budget.min).min(budget.max.unwrap_or(u64::MAX));
    let mut patch = if budget.bare { Patch::new() } else { rule.on.clone().unwrap_or_default() };
    put(&mut patch, &budget.path, sent.into());
    let says = if *wish == Wish::Budget(sent) {
        format!("{sent} tokens")
    } else {
        format!("{sent} tokens (asked for {wish})")
    };
    said(&patch, true, says)
}

/// Sets the value at a path with dots.
fn put(patch: &mut Patch, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            patch.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = patch.entry(first).or_insert_with(|| Value::Object(Patch::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// A model that does not think gets no word of it.
fn never(request: &mut ChatRequest, asked: Asked) -> Outcome {
    silence(request);
    let says = asked.wish.map(|wish| if wish.thinks() { "off (this model does not think)" } else { "off" });
    Outcome { says: says.map(str::to_owned), warning: None }
}

/// Takes all words about thinking out of a request; says whether there were any.
pub fn silence(request: &mut ChatRequest) -> bool {
    let before = request.iter().count();
    let template = request.get(TEMPLATE).map(|raw| raw.as_bytes().len());
    for member in MEMBERS {
        request.remove(member);
    }
    for member in OF_TEMPLATE {
        remove(request, &format!("{TEMPLATE}.{member}"));
    }
    before != request.iter().count() || template != request.get(TEMPLATE).map(|raw| raw.as_bytes().len())
}

/// The first row of T1, for a server of which nothing is known. What the body itself says stays.
fn generic(request: &mut ChatRequest, asked: Asked) -> Outcome {
    let Some(wish) = asked.wish.filter(|_| asked.source != Source::Body) else { return Outcome::default() };
    let level = match wish {
        Wish::Off => "none",
        Wish::On => return Outcome::default(),
        Wish::Level(level) => generic_level(level),
        Wish::Budget(tokens) => generic_level(Level::of_budget(tokens)),
    };
    request.set("reasoning_effort", Raw::of(level));
    Outcome::default()
}

/// `minimal` and `max` are words of a few servers only.
fn generic_level(level: Level) -> &'static str {
    match level {
        Level::Minimal | Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Xhigh | Level::Max => "xhigh",
    }
}

/// What the body of a chat request wishes, in whatever words (section 3.2 of the providers' facts).
pub fn wish_of(request: &ChatRequest) -> Option<Wish> {
    let effort = |raw: &Raw| raw.text().and_then(|text| Wish::of(&text));
    let switch = |raw: &Raw| Some(if raw.bool()? { Wish::On } else { Wish::Off });
    let members = |key: &str| request.get(key).and_then(Raw::members);
    let reasoning = members("reasoning").unwrap_or_default();
    let thinking = members("thinking").unwrap_or_default();
    let template = members(TEMPLATE).unwrap_or_default();
    let tokens = |raw: &Raw| raw.u64().map(Wish::of_tokens);
    let off_or_more = |switch: Option<Wish>, more: Option<Wish>| match switch {
        Some(Wish::Off) => switch,
        _ => more.or(switch),
    };
    request
        .get("reasoning_effort")
        .and_then(effort)
        .or_else(|| {
            let more =
                reasoning.some("effort").and_then(effort).or(reasoning.some("max_tokens").and_then(tokens));
            off_or_more(reasoning.some("enabled").and_then(switch), more)
        })
        .or_else(|| {
            let more = thinking.some("effort").and_then(effort);
            let more = more.or(thinking.some("budget_tokens").and_then(tokens));
            off_or_more(thinking.some("type").and_then(effort), more)
        })
        .or_else(|| {
            let budget = request.get("thinking_budget").and_then(tokens);
            off_or_more(request.get("enable_thinking").and_then(switch), budget)
        })
        .or_else(|| {
            ["enable_thinking", "thinking"].iter().find_map(|key| template.some(key).and_then(switch))
        })
}

/// Whether one tool, or any, must be called.
fn is_forced(request: &ChatRequest) -> bool {
    request.get("tool_choice").is_some_and(|choice| match choice.kind() {
        Kind::String => choice.text().as_deref() == Some("required"),
        Kind::Object => true,
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => false,
    })
}

/// Removes the member at a path with dots.
fn remove(request: &mut ChatRequest, path: &str) {
    let Some((first, rest)) = path.split_once('.') else {
        request.remove(path);
        return;
    };
    let Some(mut inner) = request.get(first).and_then(Raw::members) else { return };
    if inner.remove(rest).is_some() {
        if inner.is_empty() {
            request.remove(first);
        } else {
            request.set(first.to_owned(), inner.to_raw());
        }
    }
}

/// Merges one member. Where both say something, the caller's own words stay, unless they must not.
fn merge(request: &mut ChatRequest, key: &str, value: &Value, wins: bool) {
    let old = request.get(key);
    let new = match (old.and_then(Raw::members), value) {
        // What else a template is told has nothing to do with thinking; a `thinking` object has.
        (Some(old), Value::Object(patch)) if key == TEMPLATE || !wins => merged(old, patch, wins),
        _ if old.is_some() && !wins => None,
        _ => Some(Raw::of(value)),
    };
    if let Some(new) = new {
        request.set(key.to_owned(), new);
    }
}

/// An object with what it lacked, or with all of the patch where that wins; nothing where it stays as it is.
fn merged(mut old: Members, patch: &Patch, wins: bool) -> Option<Raw> {
    let lacks = |old: &Members, key: &str| wins || old.some(key).is_none();
    let news: Vec<_> = patch.iter().filter(|(key, _)| lacks(&old, key)).collect();
    for (key, value) in &news {
        old.set((*key).clone(), Raw::of(*value));
    }
    (!news.is_empty()).then(|| old.to_raw())
}

/// Merges one value of patches; the later wins.
fn merge_value(old: &mut Value, new: Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                merge_value(old.entry(key).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new,
    }
}

#[cfg(test)]
#[path = "think_tests.rs"]
mod tests;
