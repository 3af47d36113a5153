//! A chat in the terminal, turn by turn. It goes through `gateway` in this process, and reads the
//! same frames as a client of the Anthropic face.

mod answer;
mod history;
pub mod prompt;
pub mod render;
pub mod sanitiser;
mod screen;

pub use screen::Look;

use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{self, Gateway};
use crate::wire::anthropic::MessagesRequest;
use answer::Answer;
use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use history::History;
use prompt::{Prompt, Turn};
use screen::Screen;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long a reader of stdout that does not read may delay the end. Chosen: a terminal that was
/// stopped must not keep an interrupted program.
const END_WAIT: Duration = Duration::from_secs(1);

const HELP: &str = "\
/clear   start a new conversation
/exit    leave, as Ctrl-D does
/help    this list
Ctrl-C stops an answer; once more leaves.";

/// What is wished of a model's thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// Show them.
    Show,
    /// Do not show them. The request is the same.
    Hide,
    /// Ask the model not to think.
    Off,
}

/// What each call of a chat asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The model's name.
    pub model: String,
    /// The system prompt.
    pub system: Option<String>,
    /// Whether the answer is wanted piece by piece.
    pub stream: bool,
    /// What is wished of its thoughts.
    pub thinking: Thinking,
    /// The most tokens that an answer may have.
    pub max_tokens: Option<u32>,
}

impl Wish {
    fn request(&self, history: &History) -> Result<MessagesRequest> {
        // Without a bound it is the model's own limit that is met; `null` says nothing.
        let body = json!({
            "model": self.model,
            "system": self.system,
            "max_tokens": self.max_tokens,
            "messages": history.messages(),
            "stream": self.stream,
            "thinking": { "type": if self.thinking == Thinking::Off { "disabled" } else { "adaptive" } },
        });
        MessagesRequest::parse(&Bytes::from(body.to_string()))
    }
}

/// A chat: one turn, or many.
pub struct Chat<'a> {
    gateway: &'a Arc<Gateway>,
    wish: Wish,
    history: History,
    screen: Screen,
}

impl<'a> Chat<'a> {
    /// A chat in which nothing was said yet.
    pub fn new(gateway: &'a Arc<Gateway>, wish: Wish, look: Look) -> Self {
        Self { gateway, wish, history: History::default(), screen: Screen::new(look) }
    }

    /// One turn, shown as it comes.
    ///
    /// # Errors
    /// What the call failed with, `BadAnswer` where the answer is empty or broke off, `Interrupted`,
    /// and `Internal` where stdout cannot be written. What came before stays on stdout.
    pub async fn once(&mut self, prompt: String) -> Result<()> {
        self.turn(prompt).await.1
    }

    /// One turn, shown at its end as one JSON object.
    ///
    /// # Errors
    /// As [`Chat::once`]; nothing of the answer is on stdout then.
    pub async fn once_as_json(&mut self, prompt: String) -> Result<()> {
        let (answer, outcome) = self.turn(prompt).await;
        outcome?;
        self.screen.data(&answer.to_json().to_string()).await
    }

    /// Turn after turn, until the user leaves. `report` shows what a turn failed with.
    ///
    /// # Errors
    /// `Interrupted` where the user interrupts twice, `Usage` where stdin cannot be read, and
    /// `Internal` where stdout cannot be written.
    pub async fn converse(&mut self, report: impl Fn(&Error)) -> Result<()> {
        self.screen.notice(&format!("{}: /help shows commands, Ctrl-D leaves", self.wish.model));
        let mut prompt = Prompt::default();
        let mut interrupted_before = false;
        loop {
            let turn = tokio::select! {
                // First, so that no interrupt is missed once the prompt is seen.
                biased;
                () = interrupted() => {
                    self.screen.notice("");
                    if interrupted_before {
                        return Err(interruption());
                    }
                    self.screen.notice("interrupt again, or press Ctrl-D, to leave");
                    interrupted_before = true;
                    continue;
                }
                turn = prompt.read() => turn?,
            };
            interrupted_before = false;
            match turn {
                Turn::Nothing => {}
                Turn::Exit => return Ok(()),
                Turn::Clear => self.history.clear(),
                Turn::Help => self.screen.notice(HELP),
                Turn::Unknown(command) => {
                    self.screen.notice(&format!("there is no command `{command}`: /help shows all"));
                }
                Turn::Said(text) => match self.turn(text).await.1 {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {
                        self.screen.notice("");
                        interrupted_before = true;
                    }
                    // Without a stdout there is no conversation.
                    Err(error) if error.kind() == ErrorKind::Internal => return Err(error),
                    Err(error) => report(&error),
                },
            }
        }
    }

    /// Asks, shows what comes, and keeps it. An interrupt, or a reader of stdout that leaves, drops
    /// the call, and with it the upstream's request.
    async fn turn(&mut self, prompt: String) -> (Answer, Result<()>) {
        self.history.ask(prompt);
        self.screen.wait();
        let mut answer = Answer::begin();
        let received = tokio::select! {
            biased;
            () = interrupted() => Err(interruption()),
            error = screen::reader_left() => Err(error),
            received = self.receive(&mut answer) => received,
        };
        self.history.answer(&answer.text);
        // Only a reader that reads nothing makes this wait.
        let ended = tokio::time::timeout(END_WAIT, self.screen.end()).await.unwrap_or(Ok(()));
        if answer.is_cut() && received.is_ok() {
            self.screen.notice("(the answer was cut at the limit of tokens; --max-tokens allows more)");
        }
        if let Some(count) = answer.trimmed {
            let (were, s) = if count == 1 { ("was", "") } else { ("were", "s") };
            self.screen.notice(&format!("({count} earlier message{s} {were} left out: see `context.mode`)"));
        }
        (answer, received.and(ended))
    }

    async fn receive(&mut self, answer: &mut Answer) -> Result<()> {
        let request = self.wish.request(&self.history)?;
        let call = answer.call.clone();
        let reply = self.gateway.messages(request, &call).await?;
        answer.trimmed = reply.trimmed.map(|(messages, _)| messages);
        answer.model = reply.model;
        answer.upstream = reply.upstream;
        match reply.answer {
            gateway::Answer::Whole(body) => {
                for piece in answer.whole(&body)? {
                    self.screen.show(piece).await?;
                }
            }
            gateway::Answer::Stream(mut frames) => {
                while !answer.is_over()
                    && let Some(frame) = frames.next().await
                {
                    if let Some(piece) = answer.frame(&frame)? {
                        self.screen.show(piece).await?;
                    }
                }
            }
        }
        answer.check()
    }
}

fn interruption() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted")
}

/// Waits for an interrupt.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
