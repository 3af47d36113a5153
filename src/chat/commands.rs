//! What the commands of a conversation do.

use super::archive::to_markdown;
use super::command::{Command, HELP};
use super::{Chat, Thinking};
use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::io::{Read as _, Seek as _, Write as _};

/// What follows from a command.
pub(super) enum Obeyed {
    /// Nothing more.
    Done,
    /// The conversation ends.
    Leave,
    /// This is asked.
    Ask(Value),
}

impl Chat<'_> {
    /// Does what a command says. What cannot be done is said.
    pub(super) fn obey(&mut self, command: Command) -> Obeyed {
        match self.try_to_obey(command) {
            Ok(obeyed) => obeyed,
            Err(error) => {
                let hint = error.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
                self.screen.notice(&format!("{error}{hint}"));
                Obeyed::Done
            }
        }
    }

    fn try_to_obey(&mut self, command: Command) -> Result<Obeyed> {
        match command {
            Command::Exit => return Ok(Obeyed::Leave),
            Command::Help => self.screen.notice(HELP),
            Command::Clear => self.clear(),
            Command::Model(None) => self.screen.notice(&self.wish.model.clone()),
            Command::Model(Some(model)) => {
                self.gateway.route(&model)?;
                self.wish.model = model;
            }
            Command::System(None) => {
                let system = self.wish.system.clone();
                self.screen.notice(system.as_deref().unwrap_or("there is no system prompt"));
            }
            Command::System(Some(text)) => self.wish.system = Some(text).filter(|text| text != "none"),
            Command::Thinking(wish) => self.think(wish.as_deref())?,
            Command::Retry => return self.last_prompt().map(Obeyed::Ask),
            Command::Edit => return self.edited().map(Obeyed::Ask),
            Command::Save(None) => return Err(usage("name a file", "as in `/save answer.md`")),
            Command::Save(Some(path)) => {
                let text = to_markdown(self.wish.system.as_deref(), self.history.exchanges());
                std::fs::write(&path, text + "\n").map_err(|error| {
                    Error::new(ErrorKind::Usage, format!("`{path}` cannot be written: {error}"))
                })?;
                self.screen.notice(&format!("written to `{path}`"));
            }
            Command::Copy => self.copy()?,
            Command::Tokens => {
                let (tokens_in, tokens_out) = self.cost;
                self.screen.notice(&format!("{tokens_in} tokens in, {tokens_out} out"));
            }
        }
        Ok(Obeyed::Done)
    }

    fn clear(&mut self) {
        self.history.clear();
        self.cost = (0, 0);
        if let Some(keeper) = &mut self.keeper {
            keeper.writer = keeper.archive.begin(self.wish.system.as_deref());
        }
    }

    fn think(&mut self, wish: Option<&str>) -> Result<()> {
        self.wish.thinking = match wish {
            None => {
                let word = match self.wish.thinking {
                    Thinking::Show => "show",
                    Thinking::Hide => "hide",
                    Thinking::Off => "off",
                };
                self.screen.notice(word);
                return Ok(());
            }
            Some("show") => Thinking::Show,
            Some("hide") => Thinking::Hide,
            Some("off") => Thinking::Off,
            Some(_) => {
                return Err(usage(
                    "thoughts can be shown, hidden, or switched off",
                    "`show`, `hide` or `off`",
                ));
            }
        };
        self.screen.show_thoughts(self.wish.thinking == Thinking::Show);
        Ok(())
    }

    /// Takes the last exchange back, and gives its prompt.
    fn last_prompt(&mut self) -> Result<Value> {
        let prompt = self.history.take_back().ok_or_else(nothing_was_said)?;
        if let Some(keeper) = &mut self.keeper {
            // What cannot be kept was said already.
            let _ = keeper.writer.take_back();
        }
        Ok(prompt)
    }

    /// Has the last prompt changed in the user's editor. Where nothing is left of it, nothing is asked.
    fn edited(&mut self) -> Result<Value> {
        let before = self.history.last().ok_or_else(nothing_was_said)?.prompt_text();
        let fault = |why: &str| Error::new(ErrorKind::Usage, why.to_owned());
        let mut file = tempfile::Builder::new().prefix("iflow2api-").suffix(".md").tempfile();
        let file = file.as_mut().map_err(|error| fault(&format!("no file can be made to edit: {error}")))?;
        file.write_all(before.as_bytes())
            .map_err(|error| fault(&format!("nothing can be written: {error}")))?;
        let editor = ["VISUAL", "EDITOR"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()));
        let editor = editor.unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.to_owned());
        let mut words = editor.split_whitespace();
        let program = words.next().unwrap_or_default();
        let status = std::process::Command::new(program).args(words).arg(file.path()).status();
        let status = status.map_err(|error| {
            usage(&format!("the editor `{program}` cannot be started ({error})"), "set EDITOR to another one")
        })?;
        if !status.success() {
            return Err(fault("the editor has failed; nothing was asked"));
        }
        // Some editors put a new file in the place of the old one.
        let mut after = String::new();
        let read = std::fs::read_to_string(file.path()).map(|text| after = text);
        let read = read.or_else(|_| file.rewind().and_then(|()| file.read_to_string(&mut after)).map(drop));
        read.map_err(|error| fault(&format!("what was edited cannot be read: {error}")))?;
        let after = after.trim();
        if after.is_empty() {
            return Err(fault("nothing is left of the prompt; nothing was asked"));
        }
        self.last_prompt()?;
        Ok(after.into())
    }

    /// Hands the last answer to the terminal's clipboard (OSC 52), which the terminal may refuse.
    fn copy(&self) -> Result<()> {
        let answer = &self.history.last().ok_or_else(nothing_was_said)?.answer;
        if !self.screen.to_clipboard(&BASE64.encode(answer)) {
            return Err(usage("there is no terminal to copy to", "`/save FILE` writes to a file"));
        }
        self.screen.notice("copied, if the terminal allows it");
        Ok(())
    }
}

fn usage(message: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Usage, message.to_owned()).with_hint(hint.to_owned())
}

fn nothing_was_said() -> Error {
    Error::new(ErrorKind::Usage, "nothing was said yet")
}
