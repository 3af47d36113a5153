//! What a history is made of: turns, and in them the groups that live and die together (G02, G03).

use crate::wire::json::Members;

/// The places in a history that matter to a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The first user message: the task.
    pub task: Option<usize>,
    /// Where turns begin: at what a user said, not at what a tool returned.
    turns: Vec<usize>,
    /// Where groups begin: user text, or an assistant with its tool results.
    pub groups: Vec<usize>,
    /// Where groups begin that hold tool results.
    calls: Vec<usize>,
}

impl Shape {
    /// The shape of these messages.
    pub fn of(messages: &[Members]) -> Self {
        let role = |at: usize| messages.get(at).and_then(|message| message.text("role"));
        let is = |at: usize, wanted: &str| role(at).is_some_and(|role| role == wanted);
        let mut shape = Self { task: None, turns: Vec::new(), groups: Vec::new(), calls: Vec::new() };
        for at in 0..messages.len() {
            let follows_tool = at > 0 && is(at - 1, "tool");
            // What a user adds behind tool results belongs to them: their images stand there.
            let speaks = is(at, "user") && !follows_tool;
            if speaks {
                shape.task = shape.task.or(Some(at));
                shape.turns.push(at);
            }
            if speaks || is(at, "assistant") {
                shape.groups.push(at);
            }
            if is(at, "tool") && !follows_tool {
                shape.calls.extend(shape.groups.last());
            }
        }
        shape
    }

    /// Where the last `count` turns begin; the last one is always among them.
    pub fn turn_from_end(&self, count: usize) -> usize {
        let at = self.turns.len().saturating_sub(count.max(1));
        self.turns.get(at).copied().unwrap_or(0)
    }

    /// Where the last `count` calls begin with their results.
    pub fn call_from_end(&self, count: usize) -> usize {
        let at = self.calls.len().saturating_sub(count);
        self.calls.get(at).copied().unwrap_or(usize::MAX)
    }
}
