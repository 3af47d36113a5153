//! Which tool call a fragment belongs to: makes of every provider's habit the API's own form.
//!
//! Behind this step a call has one number, one id and one name, each said once and before its
//! arguments, which are pieces of one JSON text (B12–B14, D06). What is broken in that text is
//! [`repair`](super::repair)'s to know (B18).

use super::repair::Arguments;
use crate::error::{Error, ErrorKind};
use crate::wire::openai::{Choice, Chunk, Content, FunctionDelta, ToolCallDelta};
use crate::wire::scan::Scanner;
use std::hash::Hasher as _;

/// Numbers the calls of every answer of a stream.
pub struct CallFilter {
    answers: Vec<Answer>,
    mint: Mint,
    repairs: bool,
}

/// Makes ids for calls that come without one; the same answer always gets the same ones.
struct Mint {
    seed: String,
    count: u32,
}

/// The calls of one answer.
#[derive(Default)]
struct Answer {
    index: u32,
    repairs: bool,
    calls: Vec<Call>,
}

/// One call as far as it is known.
#[derive(Default)]
struct Call {
    /// The number that the provider gave it.
    key: Option<u32>,
    id: Option<String>,
    name: Option<String>,
    /// Whether id and name were passed on.
    announced: bool,
    /// Arguments that came before the name.
    held: String,
    arguments: Scanner,
    /// Length and hash of the arguments so far, to know them again when they are sent once more.
    length: usize,
    hash: fnv::FnvHasher,
    /// Repairs the arguments, where that is wanted.
    repair: Option<Arguments>,
}

impl CallFilter {
    /// A filter for one stream that passes arguments on as they came; `seed` makes minted ids its
    /// own, as `[a-zA-Z0-9]+`.
    pub fn new(seed: impl Into<String>) -> Self {
        Self { answers: Vec::new(), mint: Mint { seed: seed.into(), count: 0 }, repairs: false }
    }

    /// The same, but arguments that are wrapped into a string, repeat themselves or hold escapes
    /// that JSON does not know are repaired as they pass.
    pub fn repairing(seed: impl Into<String>) -> Self {
        Self { repairs: true, ..Self::new(seed) }
    }

    /// Puts the tool calls of one chunk into the API's own form. A chunk that says why the answer
    /// ended holds nothing back.
    pub fn normalise(&mut self, chunk: &mut Chunk) {
        for choice in chunk.choices.iter_mut().flatten() {
            let ends = choice.finish_reason.as_deref().is_some_and(|reason| !reason.is_empty());
            if choice.delta.tool_calls.is_empty() && !(ends && self.repairs) {
                continue;
            }
            let fragments = std::mem::take(&mut choice.delta.tool_calls);
            let several = fragments.len() > 1;
            let answer = find_answer(&mut self.answers, choice.index, self.repairs);
            let out = &mut choice.delta.tool_calls;
            for (position, fragment) in fragments.into_iter().enumerate() {
                let position = several.then(|| u32::try_from(position).unwrap_or(u32::MAX));
                answer.take(fragment, position, &mut self.mint, out);
            }
            if ends {
                answer.release(&mut self.mint, out);
            }
        }
    }

    /// What is still held back at the end, as a chunk of its own.
    pub fn rest(&mut self) -> Option<Chunk> {
        let mut choices = Vec::new();
        for answer in &mut self.answers {
            let mut choice = Choice { index: answer.index, ..Choice::default() };
            answer.release(&mut self.mint, &mut choice.delta.tool_calls);
            choices.extend(Some(choice).filter(|choice| !choice.delta.tool_calls.is_empty()));
        }
        (!choices.is_empty()).then_some(Chunk { choices: Some(choices), usage: None })
    }

    /// How many calls had arguments that were repaired so far.
    pub fn repaired(&self) -> u32 {
        let calls = self.answers.iter().flat_map(|answer| &answer.calls);
        let repaired = calls.filter_map(|call| call.repair.as_ref()).filter(|repair| repair.is_repaired());
        u32::try_from(repaired.count()).unwrap_or(u32::MAX)
    }

    /// A call that has arguments and no name, at the end of a stream.
    pub fn nameless(&self) -> Option<Error> {
        let mut calls = self.answers.iter().flat_map(|answer| &answer.calls);
        let nameless = calls.any(|call| !call.announced && !call.held.is_empty());
        nameless.then(|| Error::new(ErrorKind::BadAnswer, "upstream sent a tool call without a name"))
    }
}

fn find_answer(answers: &mut Vec<Answer>, index: u32, repairs: bool) -> &mut Answer {
    let at = answers.iter().position(|answer| answer.index == index).unwrap_or_else(|| {
        answers.push(Answer { index, repairs, calls: Vec::new() });
        answers.len() - 1
    });
    let Some(answer) = answers.get_mut(at) else { unreachable!("the position was just found or made") };
    answer
}

impl Answer {
    fn take(
        &mut self,
        fragment: ToolCallDelta,
        position: Option<u32>,
        mint: &mut Mint,
        out: &mut Vec<ToolCallDelta>,
    ) {
        let at = self.locate(&fragment, position);
        let at = at.unwrap_or_else(|| {
            self.calls.push(Call::new(fragment.index.or(position), self.repairs));
            self.calls.len() - 1
        });
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.id.is_none() {
            call.id = fragment.id.filter(|id| !id.is_empty());
        }
        if call.name.is_none() {
            call.name = fragment.function.name.filter(|name| !name.is_empty());
        }
        let piece = fragment.function.arguments.map(Content::into_text).unwrap_or_default();
        let piece = match &mut call.repair {
            Some(repair) => repair.unwrap(piece).unwrap_or_default(),
            None => piece,
        };
        self.append(at, piece, mint, out);
    }

    /// Passes on what is held back of every call.
    fn release(&mut self, mint: &mut Mint, out: &mut Vec<ToolCallDelta>) {
        for at in 0..self.calls.len() {
            let repair = self.calls.get_mut(at).and_then(|call| call.repair.as_mut());
            if let Some(wrapped) = repair.and_then(Arguments::still_wrapped) {
                self.append(at, wrapped, mint, out);
            }
            let repair = self.calls.get_mut(at).and_then(|call| call.repair.as_mut());
            if let Some(doubtful) = repair.and_then(Arguments::still_doubtful) {
                self.extend(at, doubtful, mint, out);
            }
            if let Some(call) = self.calls.get_mut(at)
                && let Some(rest) = call.repair.as_mut().map(Arguments::rest).filter(|rest| !rest.is_empty())
            {
                call.announce(at, rest, mint, out);
            }
        }
    }

    /// The call that a fragment belongs to; absent where it starts one (B12).
    fn locate(&self, fragment: &ToolCallDelta, position: Option<u32>) -> Option<usize> {
        let id = fragment.id.as_deref().filter(|id| !id.is_empty());
        let name = fragment.function.name.as_deref().filter(|name| !name.is_empty());
        let at = match (fragment.index, id) {
            (Some(index), _) => self.calls.iter().rposition(|call| call.key == Some(index)),
            (None, Some(id)) => return self.calls.iter().rposition(|call| call.id.as_deref() == Some(id)),
            (None, None) => match position {
                Some(_) => self.calls.iter().rposition(|call| call.key == position),
                None => self.calls.len().checked_sub(1),
            },
        }?;
        let call = self.calls.get(at)?;
        let other_id = matches!((id, call.id.as_deref()), (Some(new), Some(old)) if new != old);
        let over = call.arguments.is_complete();
        // Without a number, every whole call says its name; with one, only another name tells.
        let other_name = match (name, call.name.as_deref()) {
            (Some(new), Some(old)) if over && id.is_none() => fragment.index.is_none() || new != old,
            _ => false,
        };
        (!other_id && !other_name).then_some(at)
    }

    /// Appends arguments to a call, and starts another where they hold a second value (B14).
    fn append(&mut self, at: usize, piece: String, mint: &mut Mint, out: &mut Vec<ToolCallDelta>) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let was_complete = call.arguments.is_complete();
        if was_complete && (piece.trim().is_empty() || call.is_repeated_by(&piece)) {
            call.announce(at, String::new(), mint, out);
            return;
        }
        let piece = if was_complete { piece } else { call.news_of(piece) };
        self.extend(at, piece, mint, out);
    }

    /// Appends what is new.
    fn extend(&mut self, at: usize, piece: String, mint: &mut Mint, out: &mut Vec<ToolCallDelta>) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let was_complete = call.arguments.is_complete();
        let end = if was_complete { Some(0) } else { call.arguments.feed(&piece) };
        let second =
            end.filter(|&end| piece.get(end..).is_some_and(|rest| rest.trim_start().starts_with('{')));
        let Some(end) = second else {
            call.remember(&piece);
            call.pass(at, piece, mint, out);
            return;
        };
        let (first, rest) = piece.split_at(end);
        call.remember(first);
        call.pass(at, first.to_owned(), mint, out);
        let next = Call { name: call.name.clone(), ..Call::new(call.key, self.repairs) };
        let rest = rest.trim_start().to_owned();
        self.calls.push(next);
        self.append(self.calls.len() - 1, rest, mint, out);
    }
}

impl Call {
    fn new(key: Option<u32>, repairs: bool) -> Self {
        Self { key, repair: repairs.then(Arguments::default), ..Self::default() }
    }

    /// What is new in a piece of arguments that are not complete.
    fn news_of(&mut self, piece: String) -> String {
        let repeats = self.repair.is_some() && self.is_repeated_by(&piece);
        match &mut self.repair {
            Some(repair) => repair.news_of(piece, repeats.then_some(self.length)),
            None => piece,
        }
    }

    fn remember(&mut self, piece: &str) {
        self.length += piece.len();
        self.hash.write(piece.as_bytes());
        if let Some(repair) = &mut self.repair {
            repair.read(piece);
        }
    }

    /// Whether a piece starts with all that came before.
    fn is_repeated_by(&self, piece: &str) -> bool {
        let Some(head) = piece.get(..self.length) else { return false };
        let mut hash = fnv::FnvHasher::default();
        hash.write(head.as_bytes());
        hash.finish() == self.hash.finish()
    }

    /// Passes a piece on, repaired where that is wanted.
    fn pass(&mut self, at: usize, piece: String, mint: &mut Mint, out: &mut Vec<ToolCallDelta>) {
        let piece = match &mut self.repair {
            Some(repair) => repair.legal(piece),
            None => piece,
        };
        self.announce(at, piece, mint, out);
    }

    /// Passes a piece on, with id and name if they were not said yet; holds it until the name is known.
    fn announce(&mut self, at: usize, piece: String, mint: &mut Mint, out: &mut Vec<ToolCallDelta>) {
        let index = u32::try_from(at).ok();
        if self.announced {
            if !piece.is_empty() {
                let function = FunctionDelta { name: None, arguments: Some(Content::Text(piece)) };
                out.push(ToolCallDelta { index, id: None, function });
            }
            return;
        }
        self.held.push_str(&piece);
        let Some(name) = &self.name else { return };
        self.announced = true;
        let id = self.id.get_or_insert_with(|| mint.next()).clone();
        let arguments = Some(Content::Text(std::mem::take(&mut self.held)));
        let function = FunctionDelta { name: Some(name.clone()), arguments };
        out.push(ToolCallDelta { index, id: Some(id), function });
    }
}

impl Mint {
    fn next(&mut self) -> String {
        self.count += 1;
        format!("call_{}{:02}", self.seed, self.count)
    }
}
