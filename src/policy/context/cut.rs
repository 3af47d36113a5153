//! Where a history is cut, and the cutting.

use super::shape::Shape;
use super::{Costs, Room, TooLong};
use crate::wire::json::{self, Members, Raw};
use crate::wire::openai::ChatRequest;

/// How many calls keep their results (G04).
const KEPT_CALLS: usize = 5;
/// What stands for a tool's result that was left out, as JSON.
const CLEARED: &str = "\"[cleared]\"";
/// What stands for an image that was left out.
const NO_IMAGE: &str = "[image left out]";

/// Up to which message each sort of trimming goes. A history that grows keeps its cut, and so its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Before it, tool results are cleared.
    pub cleared: usize,
    /// Before it, images are left out.
    pub blind: usize,
    /// Before it, all is left out but what comes first and what the system says.
    pub dropped: usize,
}

/// Chooses a cut behind which the history fits, going on from `begun`.
pub(super) fn choose(
    messages: &[Members],
    shape: &Shape,
    before: &[u64],
    room: Room,
    keep_turns: usize,
    begun: Cut,
    costs: &Costs<'_>,
) -> Result<Cut, TooLong> {
    let last_turn = shape.turn_from_end(1);
    let clearable = messages.len().min(shape.call_from_end(KEPT_CALLS));
    // A history that was shortened, or is another, has no use for the old cut.
    let fits = begun.dropped <= last_turn
        && (begun.dropped == 0 || shape.groups.contains(&begun.dropped))
        && begun.blind <= last_turn
        && begun.cleared <= clearable;
    let begun = if fits { begun } else { Cut::default() };
    let mut search = Search::new(messages, shape, before, costs, begun);
    if begun != Cut::default() && search.total() <= room.for_prompt() {
        return Ok(begun);
    }
    let target = room.target();
    search.advance(target, clearable, |cut| &mut cut.cleared);
    search.advance(target, last_turn, |cut| &mut cut.blind);
    search.drop_groups(target, shape.turn_from_end(keep_turns).min(last_turn));
    search.drop_groups(room.for_prompt(), last_turn);
    let tokens = search.total();
    if tokens <= room.for_prompt() { Ok(search.cut) } else { Err(TooLong { tokens }) }
}

struct Search<'a> {
    messages: &'a [Members],
    shape: &'a Shape,
    costs: &'a Costs<'a>,
    cut: Cut,
    /// The tokens of each message behind the cut: a message is counted again only when it changes.
    left: Vec<u64>,
    /// The sum of `left`, and what is never left out.
    sum: u64,
    /// What the note costs at the most.
    note: u64,
}

impl<'a> Search<'a> {
    fn new(
        messages: &'a [Members],
        shape: &'a Shape,
        before: &[u64],
        costs: &'a Costs<'a>,
        cut: Cut,
    ) -> Self {
        let left: Vec<u64> = messages
            .iter()
            .zip(before)
            .enumerate()
            .map(|(at, (message, &whole))| match is_dropped(shape, cut, at, message) {
                true => 0,
                false => shortened(cut, at, message).map_or(whole, |short| (costs.message)(&short)),
            })
            .collect();
        let sum = costs.fixed + left.iter().sum::<u64>();
        let note = (costs.message)(&said_note(messages.len()));
        Self { messages, shape, costs, cut, left, sum, note }
    }

    /// The tokens behind the cut as it stands, with the note.
    fn total(&self) -> u64 {
        self.sum + if self.cut.dropped > 0 { self.note } else { 0 }
    }

    /// Says what a message costs now.
    fn set(&mut self, at: usize, tokens: u64) {
        if let Some(left) = self.left.get_mut(at) {
            self.sum = self.sum.saturating_sub(*left) + tokens;
            *left = tokens;
        }
    }

    /// Moves one edge of the cut on, message by message, until what is left is `target` tokens, or `end`.
    fn advance(&mut self, target: u64, end: usize, edge: impl Fn(&mut Cut) -> &mut usize) {
        while self.total() > target && *edge(&mut self.cut) < end {
            let at = *edge(&mut self.cut);
            *edge(&mut self.cut) += 1;
            let Some(message) = self.messages.get(at) else { continue };
            if is_dropped(self.shape, self.cut, at, message) {
                continue;
            }
            if let Some(short) = shortened(self.cut, at, message) {
                self.set(at, (self.costs.message)(&short));
            }
        }
    }

    /// Leaves groups out, oldest first.
    fn drop_groups(&mut self, target: u64, end: usize) {
        while self.cut.dropped < end && self.total() > target {
            let next = self.shape.groups.iter().copied().find(|&group| {
                group > self.cut.dropped && self.shape.task.is_none_or(|task| group > task + 1)
            });
            let from = self.cut.dropped;
            self.cut.dropped = next.unwrap_or(end).min(end);
            for at in from..self.cut.dropped {
                if self.messages.get(at).is_some_and(|message| is_dropped(self.shape, self.cut, at, message))
                {
                    self.set(at, 0);
                }
            }
        }
    }
}

/// Whether a message is left out: all between the task and the cut, but what the system says.
fn is_dropped(shape: &Shape, cut: Cut, at: usize, message: &Members) -> bool {
    let kept = message.is("role", "system") || message.is("role", "developer");
    at < cut.dropped && !kept && shape.task.is_some_and(|task| at > task)
}

/// A message without what the cut takes from it; nothing where that is nothing.
fn shortened(cut: Cut, at: usize, message: &Members) -> Option<Members> {
    if at < cut.cleared && message.is("role", "tool") {
        // What is as short already would only grow.
        let longer = message.get("content").is_some_and(|said| said.as_bytes().len() > CLEARED.len());
        return longer.then(|| message.clone().with("content", Raw::from_static(CLEARED)));
    }
    if at >= cut.blind || !message.is("role", "user") {
        return None;
    }
    let mut parts = message.get("content").and_then(Raw::objects)?;
    let is_image = |part: &Members| part.is("type", "image_url");
    if !parts.iter().any(is_image) {
        return None;
    }
    for part in parts.iter_mut().filter(|part| is_image(part)) {
        *part = Members::new().with("type", Raw::from_static("\"text\"")).with("text", Raw::of(NO_IMAGE));
    }
    Some(message.clone().with("content", json::array(&parts)))
}

/// Cuts a history; returns how many messages were left out or shortened.
pub(super) fn apply(request: &mut ChatRequest, shape: &Shape, cut: Cut) -> usize {
    let mut kept = Vec::with_capacity(request.messages().len());
    let (mut dropped, mut changed) = (0, 0);
    for (at, message) in request.messages().iter().enumerate() {
        if is_dropped(shape, cut, at, message) {
            dropped += 1;
            continue;
        }
        let short = shortened(cut, at, message);
        changed += usize::from(short.is_some());
        kept.push(short.unwrap_or_else(|| message.clone()));
    }
    if dropped + changed > 0 {
        if let Some(task) = shape.task.filter(|_| dropped > 0) {
            note(&mut kept, task, dropped);
        }
        *request.messages_mut() = kept;
    }
    dropped + changed
}

/// What tells that there was more.
fn note_text(dropped: usize) -> String {
    let plural = if dropped == 1 { "" } else { "s" };
    format!("[{dropped} earlier message{plural} left out here to fit the context window]")
}

/// The note as a message of its own.
fn said_note(dropped: usize) -> Members {
    Members::new()
        .with("role", Raw::from_static("\"assistant\""))
        .with("content", Raw::of(&note_text(dropped)))
}

/// Tells the model, where the cut is, that there was more: in the task where an assistant goes on behind
/// it, and else in a message of the assistant's, since many templates want the two to alternate.
fn note(messages: &mut Vec<Members>, task: usize, dropped: usize) {
    let behind = messages.iter().skip(task + 1).find(|message| !message.is("role", "system"));
    if behind.is_some_and(|message| message.is("role", "user")) {
        return messages.insert(task + 1, said_note(dropped));
    }
    let Some(message) = messages.get_mut(task) else { return };
    let text = note_text(dropped);
    let content = message.get("content");
    let with_note = match content.and_then(Raw::text) {
        Some(said) => Raw::of(&format!("{said}\n\n{text}")),
        None => {
            let mut parts = content.and_then(Raw::objects).unwrap_or_default();
            parts
                .push(Members::new().with("type", Raw::from_static("\"text\"")).with("text", Raw::of(&text)));
            json::array(&parts)
        }
    };
    message.set("content", with_note);
}
