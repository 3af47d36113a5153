//! What is done with conversations that are kept, in the place of asking.

use crate::chat::archive::{Archive, Kept};
use crate::cli::output::{print, print_text, say};
use crate::config::Resolved;
use crate::error::{Error, ErrorKind, Result};
use clap::Args as ClapArgs;
use serde_json::{Value, json};

#[derive(Debug, ClapArgs)]
#[group(id = "kept", multiple = false, conflicts_with_all = ["prompt", "goes_on", "conversation"])]
pub struct Args {
    /// List the conversations that are kept, the newest first
    #[arg(long)]
    list: bool,
    /// Print a conversation
    #[arg(long, value_name = "ID")]
    show: Option<String>,
    /// Forget a conversation
    #[arg(long, value_name = "ID")]
    rm: Option<String>,
    /// Print a conversation as Markdown, or with --json as JSON
    #[arg(long, value_name = "ID")]
    export: Option<String>,
}

impl Args {
    /// Whether one of these is wanted.
    pub fn is_meant(&self) -> bool {
        self.list || self.show.is_some() || self.rm.is_some() || self.export.is_some()
    }

    /// Does it.
    ///
    /// # Errors
    /// `NotFound` where there is no such conversation, `Usage` where it cannot be read or removed.
    pub fn run(&self, resolved: &Resolved, as_json: bool) -> Result<()> {
        let archive = archive(resolved).ok_or_else(no_place)?;
        if let Some(id) = self.show.as_ref().or(self.export.as_ref()) {
            let kept = archive.find(id)?;
            return match (as_json, &self.show) {
                (true, _) => print(&format!("{:#}", whole(&kept))),
                (false, Some(_)) => print_text(&kept.to_markdown()),
                (false, None) => print(&kept.to_markdown()),
            };
        }
        if let Some(id) = &self.rm {
            let kept = archive.find(id)?;
            archive.remove(&kept)?;
            say(&format!("Conversation `{}` is forgotten", kept.id));
            return Ok(());
        }
        let (kept, faults) = archive.list();
        faults.iter().for_each(|fault| say(&format!("iflow2api: warning: {fault}; it is left out")));
        if as_json {
            return print(&format!("{:#}", Value::Array(kept.iter().map(head).collect())));
        }
        if kept.is_empty() {
            say("no conversation is kept");
            return Ok(());
        }
        print_text(&table(&kept))
    }
}

/// Id, time, turns, model and title in columns.
fn table(kept: &[Kept]) -> String {
    let model = |kept: &Kept| kept.model.clone().unwrap_or_default();
    let models = kept.iter().map(|kept| model(kept).chars().count()).max().unwrap_or(0);
    let line = |kept: &Kept| {
        let title: String = kept.title().chars().take(60).collect();
        let (when, turns, model) =
            (kept.changed.strftime("%Y-%m-%d %H:%M"), kept.exchanges.len(), model(kept));
        format!("{}  {when}  {turns:>3}  {model:models$}  {title}", kept.id)
    };
    kept.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Where conversations are kept; `None` on a system without a home.
pub fn archive(resolved: &Resolved) -> Option<Archive> {
    resolved.paths.chats().map(Archive::at)
}

/// That there is no place to keep any.
pub fn no_place() -> Error {
    Error::new(ErrorKind::Usage, "there is no home directory to keep conversations in")
}

fn head(kept: &Kept) -> Value {
    json!({
        "id": kept.id,
        "created_at": kept.created.to_string(),
        "changed_at": kept.changed.to_string(),
        "model": kept.model,
        "turns": kept.exchanges.len(),
        "title": kept.title(),
    })
}

fn whole(kept: &Kept) -> Value {
    let messages = kept.exchanges.iter().flat_map(|exchange| {
        [
            json!({"role": "user", "content": exchange.prompt}),
            json!({"role": "assistant", "content": exchange.answer, "model": exchange.model}),
        ]
    });
    json!({
        "id": kept.id,
        "created_at": kept.created.to_string(),
        "changed_at": kept.changed.to_string(),
        "model": kept.model,
        "system": kept.system,
        "messages": messages.collect::<Vec<Value>>(),
    })
}
