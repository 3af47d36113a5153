//! A chat in the terminal, turn by turn. It goes through `gateway` in this process, and reads the
//! same frames as a client of the Anthropic face.

mod answer;
pub mod archive;
pub mod code;
mod command;
mod commands;
pub mod files;
pub mod history;
pub mod prompt;
pub mod render;
pub mod sanitiser;
mod screen;

pub use screen::{Look, Markdown};

use crate::error::{Error, ErrorKind, Result};
use crate::gateway::{self, Gateway};
use crate::wire::anthropic::MessagesRequest;
use answer::Answer;
use archive::{Archive, Kept, Writer};
use bytes::Bytes;
use commands::Obeyed;
use futures_util::stream::StreamExt as _;
use history::History;
use prompt::{Prompt, Turn};
use screen::Screen;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a reader of stdout that does not read may delay the end. Chosen: a terminal that was
/// stopped must not keep an interrupted program.
const END_WAIT: Duration = Duration::from_secs(1);

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
    /// The JSON schema that the answer is to fit.
    pub schema: Option<Value>,
}

impl Wish {
    fn request(&self, history: &History) -> Result<MessagesRequest> {
        MessagesRequest::parse(&Bytes::from(self.body(history).to_string()))
    }

    fn body(&self, history: &History) -> Value {
        let format = self.schema.as_ref().map(|schema| json!({"type": "json_schema", "schema": schema}));
        // Without a bound it is the model's own limit that is met; `null` says nothing.
        json!({
            "model": self.model,
            "system": self.system,
            "max_tokens": self.max_tokens,
            "messages": history.messages(),
            "stream": self.stream,
            "thinking": { "type": if self.thinking == Thinking::Off { "disabled" } else { "adaptive" } },
            "output_config": format.map(|format| json!({ "format": format })),
        })
    }
}

/// A chat: one turn, or many.
pub struct Chat<'a> {
    gateway: &'a Arc<Gateway>,
    wish: Wish,
    history: History,
    keeper: Option<Keeper>,
    screen: Screen,
    /// What all answers have cost: tokens in and out.
    cost: (u64, u64),
}

/// Keeps what is said.
struct Keeper {
    archive: Archive,
    writer: Writer,
    /// Whether it was said already that nothing can be kept.
    failed: bool,
}

impl<'a> Chat<'a> {
    /// A chat in which nothing was said yet.
    pub fn new(gateway: &'a Arc<Gateway>, wish: Wish, look: Look) -> Self {
        Self {
            gateway,
            wish,
            history: History::default(),
            keeper: None,
            screen: Screen::new(look),
            cost: (0, 0),
        }
    }

    /// The same, kept in an archive, as what goes on there.
    #[must_use]
    pub fn kept(mut self, archive: Archive, goes_on: Option<Kept>) -> Self {
        let writer = match &goes_on {
            Some(kept) => archive.go_on(kept),
            None => archive.begin(self.wish.system.as_deref()),
        };
        self.history = History::of(goes_on.map(|kept| kept.exchanges).unwrap_or_default());
        self.keeper = Some(Keeper { archive, writer, failed: false });
        self
    }

    /// The same, going on with a conversation, of which nothing more is kept.
    #[must_use]
    pub fn after(mut self, kept: Kept) -> Self {
        self.history = History::of(kept.exchanges);
        self
    }

    /// One turn, shown as it comes.
    ///
    /// # Errors
    /// What the call failed with, `BadAnswer` where the answer is empty or broke off, `Interrupted`,
    /// and `Internal` where stdout cannot be written. What came before stays on stdout.
    pub async fn once(&mut self, prompt: Value) -> Result<()> {
        self.turn(prompt).await.1
    }

    /// One turn, shown at its end as one JSON object.
    ///
    /// # Errors
    /// As [`Chat::once`]; nothing of the answer is on stdout then.
    pub async fn once_as_json(&mut self, prompt: Value) -> Result<()> {
        let (answer, outcome) = self.turn(prompt).await;
        outcome?;
        let conversation = self.keeper.as_ref().map(|keeper| keeper.writer.id());
        self.screen.data(&answer.to_json(conversation).to_string()).await
    }

    /// One turn, of whose answer only a block of code is shown, at its end.
    ///
    /// # Errors
    /// As [`Chat::once`], and `BadAnswer` where there is no such block; nothing is on stdout then.
    pub async fn once_as_code(&mut self, prompt: Value, which: code::Which) -> Result<()> {
        let (answer, outcome) = self.turn(prompt).await;
        outcome?;
        match code::extract(&answer.text, which) {
            Some(code) => self.screen.data(&code).await,
            None => Err(Error::new(ErrorKind::BadAnswer, "the answer holds no block of code")
                .with_hint("see it without --extract; `iflow2api chat -c` goes on with it")),
        }
    }

    /// What would be sent for a turn, and where to. Nothing is.
    ///
    /// # Errors
    /// As [`Gateway::resolve`].
    pub async fn rehearsed(&mut self, prompt: Value) -> Result<Value> {
        self.history.ask(prompt);
        let (model, body) = (&self.wish.model, self.wish.body(&self.history));
        let call = Answer::begin().call;
        let tried = self.gateway.rehearse(model, gateway::Api::Anthropic, body, &call).await?;
        Ok(json!({"upstream": tried.upstream, "url": tried.url, "body": tried.sent}))
    }

    /// Turn after turn, until the user leaves. These files go with the first one. `report` shows what a turn failed with.
    ///
    /// # Errors
    /// `Interrupted` where the user interrupts twice, `Usage` where stdin cannot be read, and
    /// `Internal` where stdout cannot be written.
    pub async fn converse(&mut self, mut files: Vec<PathBuf>, report: impl Fn(&Error)) -> Result<()> {
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
            let said = match turn {
                Turn::Nothing => continue,
                Turn::Unknown(command) => {
                    self.screen.notice(&format!("there is no command `{command}`: /help shows all"));
                    continue;
                }
                Turn::Command(command) => match self.obey(command) {
                    Obeyed::Done => continue,
                    Obeyed::Leave => return Ok(()),
                    Obeyed::Ask(prompt) => prompt,
                },
                Turn::Said(text) => match files::content(&text, &std::mem::take(&mut files)) {
                    Ok(prompt) => prompt,
                    Err(error) => {
                        report(&error);
                        continue;
                    }
                },
            };
            match self.turn(said).await.1 {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    self.screen.notice("");
                    interrupted_before = true;
                }
                // Without a stdout there is no conversation.
                Err(error) if error.kind() == ErrorKind::Internal => return Err(error),
                Err(error) => report(&error),
            }
        }
    }

    /// Asks, shows what comes, and keeps it. An interrupt, or a reader of stdout that leaves, drops
    /// the call, and with it the upstream's request.
    async fn turn(&mut self, prompt: Value) -> (Answer, Result<()>) {
        self.history.ask(prompt);
        self.screen.wait();
        let mut answer = Answer::begin();
        let received = tokio::select! {
            biased;
            () = interrupted() => Err(interruption()),
            error = screen::reader_left() => Err(error),
            received = self.receive(&mut answer) => received,
        };
        let exchange = self.history.answer(&answer.text, &self.wish.model);
        if let (Some(exchange), Some(keeper)) = (exchange, &mut self.keeper)
            && let Err(error) = keeper.writer.add(exchange)
            && !std::mem::replace(&mut keeper.failed, true)
        {
            tracing::warn!(%error, "this conversation cannot be kept");
        }
        // Only a reader that reads nothing makes this wait.
        let ended = tokio::time::timeout(END_WAIT, self.screen.end()).await.unwrap_or(Ok(()));
        let (tokens_in, tokens_out) = answer.tokens();
        self.cost = (self.cost.0 + tokens_in, self.cost.1 + tokens_out);
        if received.is_ok() {
            self.screen.show_usage(|| answer.usage_line());
        }
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
