//! What models thought, across calls: kept when an answer ends, looked up when its conversation goes on (E06).

use super::{Call, Gateway};
use crate::dialect::Replay;
use crate::error::Error;
use crate::policy::profile::Profile;
use crate::policy::recall::{Conversation, Listener, Recall, Thoughts};
use crate::step::{Ending, Step};
use crate::wire::json::Members;
use crate::wire::openai::{ChatRequest, Reading};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The memory of all conversations. Cloning shares it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Recall>>);

/// Listens to one answer; keeps what it thought when it has ended well.
pub struct Ear {
    memory: Memory,
    conversation: Conversation,
    /// What was heard.
    pub listener: Listener,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Recall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a message's thoughts.
    pub fn of_message(&self, conversation: Option<Conversation>, message: &Members) -> Option<Arc<Thoughts>> {
        self.lock().of_message(conversation?, message)
    }

    /// An ear for the answer to a request of this conversation.
    pub fn ear(&self, conversation: Option<Conversation>) -> Option<Ear> {
        let conversation = conversation?;
        Some(Ear { memory: self.clone(), conversation, listener: Listener::default() })
    }
}

/// The conversation of a request, where its provider wants thoughts back.
pub fn conversation(request: &ChatRequest, profile: &Profile) -> Option<Conversation> {
    let wants = profile.thinking.is_some() && profile.dialect.replay != Replay::Never;
    wants.then(|| Conversation::of(request))
}

impl Ear {
    /// The answer has ended.
    pub fn ended(&self) {
        if let Some(remembered) = self.listener.remembered() {
            self.memory.lock().keep(self.conversation, remembered);
        }
    }
}

/// Lets an answer pass, and listens to it where its thoughts are wanted back.
pub struct Hearing(pub Option<Ear>);

impl Hearing {
    /// The answer has ended well.
    pub fn ended(&self) {
        self.0.iter().for_each(Ear::ended);
    }
}

impl Step for Hearing {
    type In = Reading;
    type Out = Reading;

    fn push(&mut self, item: Reading, out: &mut Vec<Reading>) -> Result<(), Error> {
        if let (Some(ear), Reading::Chunk(chunk)) = (&mut self.0, &item) {
            ear.listener.hear(chunk);
        }
        out.push(item);
        Ok(())
    }

    fn finish(&mut self, _ending: Ending<'_>, _out: &mut Vec<Reading>) -> Option<Error> {
        None
    }
}

impl Gateway {
    /// Forgets the thoughts of a conversation that were refused.
    pub(super) fn forget_thoughts(&self, call: &Call) {
        if let Some(conversation) = call.meter.record().conversation {
            self.memory.lock().clear(conversation);
        }
    }
}
