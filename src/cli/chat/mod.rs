//! `chat`: one answer, or a conversation, in the terminal.

mod kept;

use super::{exit, models, setup};
use crate::chat::archive::Kept;
use crate::chat::code::Which;
use crate::chat::{self, Chat, Look, Markdown, Wish, files, prompt};
use crate::cli::output::print;
use crate::config::{self, Flags, Resolved, Sources, resolve};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::near;
use clap::{Args as ClapArgs, ColorChoice, ValueEnum};
use dialoguer::console::Term;
use serde_json::Value;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  iflow2api chat -m glm-4.7 \"explain the borrow checker\"
  cat notes.txt | iflow2api chat -m glm-4.7 \"sum up\"
  git diff | iflow2api chat -s \"You review code\" - \"What may break?\"
  iflow2api chat --json \"hello\" | jq -r .text
  iflow2api chat -c \"and in French?\"
  iflow2api chat --demo";

/// Ask a model, or talk with it
///
/// The answer goes to stdout, all else to stderr. What stdin holds is put behind the prompt, unless
/// stdin is a terminal. Without a prompt, on a terminal, a conversation begins.
#[derive(Debug, ClapArgs)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// The prompt; several words are joined, `-` stands for what stdin holds
    prompt: Vec<String>,
    /// Ask this model [default: `default_model`, else the first that the upstream lists]
    #[arg(short, long)]
    model: Option<String>,
    /// Give the model this system prompt
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,
    /// Give the model the system prompt that the setting `prompt.NAME` holds
    #[arg(short = 'p', long = "prompt", value_name = "NAME", conflicts_with = "system")]
    named: Option<String>,
    /// Wait for the whole answer
    #[arg(long)]
    no_stream: bool,
    /// Print one JSON object: text, reasoning, usage, and how it came about
    #[arg(long)]
    json: bool,
    /// What to do with the model's thoughts; they go to stderr [default: show on a terminal, else hide]
    #[arg(long, value_enum, value_name = "WHAT")]
    thinking: Option<Thinking>,
    /// Whether Markdown is rendered [default: on a terminal]
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, hide_default_value = true)]
    render: Render,
    /// Bound the answer to this many tokens, thoughts included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// Put this file before the prompt: a text, or a PNG, JPEG, GIF or WebP image; can be repeated
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print only the first block of code of the answer
    #[arg(short = 'x', long, conflicts_with = "json")]
    extract: bool,
    /// Print only the last block of code of the answer
    #[arg(long, conflicts_with_all = ["json", "extract"])]
    extract_last: bool,
    /// Have the answer fit this JSON schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Say on stderr what each answer has cost
    #[arg(long)]
    usage: bool,
    /// Print what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on with the last conversation
    #[arg(short = 'c', long = "continue", conflicts_with = "conversation")]
    goes_on: bool,
    /// Go on with this conversation, by its id or the beginning of it
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// Do not keep this conversation
    #[arg(long)]
    no_save: bool,
    #[command(flatten)]
    kept: kept::Args,
    /// Ask this upstream: the name of one that is set up, or a base URL
    #[arg(long, value_name = "NAME|URL")]
    upstream: Option<String>,
    /// Ask the built-in demo upstream, without any account
    #[arg(long)]
    demo: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Render {
    /// On a terminal
    #[default]
    Auto,
    /// In a pipe too
    Always,
    /// Leave it as the model wrote it
    Never,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Thinking {
    /// Show them on stderr
    Show,
    /// Leave them out
    Hide,
    /// Ask the model not to think
    Off,
}

/// Runs `chat`.
///
/// # Errors
/// `Usage` without a prompt off a terminal and for settings that cannot work, and as
/// [`Chat::once`] and [`Chat::converse`].
pub fn run<'a>(
    args: Args,
    sources: impl FnOnce(Flags) -> Sources<'a>,
    color: bool,
    choice: ColorChoice,
) -> Result<()> {
    let flags = Flags { upstream: args.upstream.clone(), model: args.model.clone(), ..Flags::default() };
    let resolved = resolve(&sources(flags))?;
    if args.kept.is_meant() {
        return args.kept.run(&resolved, args.json);
    }
    setup::warn(&resolved);
    // Before the runtime takes interrupts for itself, so that one ends the wait for stdin.
    let prompt = prompt(&args)?;
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(talk(&args, &resolved, prompt, color, choice));
    // A read of the terminal that was given up would keep the runtime waiting.
    runtime.shutdown_background();
    outcome
}

/// The prompt of a single turn; `None` for a conversation.
fn prompt(args: &Args) -> Result<Option<String>> {
    let terminal = std::io::stdin().is_terminal();
    let is_for_scripts = args.json || args.extract || args.extract_last || args.dry_run;
    if args.prompt.is_empty() && terminal && !is_for_scripts {
        return Ok(None);
    }
    let reads = !terminal || prompt::names_stdin(&args.prompt);
    let stdin = if reads { Some(prompt::read_stdin()?) } else { None };
    prompt::join(&args.prompt, stdin.as_deref())?.map(Some).ok_or_else(|| {
        Error::new(ErrorKind::Usage, "there is no prompt")
            .with_hint("give one as an argument or on stdin, as in `iflow2api chat \"hello\"`")
    })
}

async fn talk(
    args: &Args,
    resolved: &Resolved,
    prompt: Option<String>,
    color: bool,
    choice: ColorChoice,
) -> Result<()> {
    let core = setup::core(resolved, args.demo).await?;
    let stdout_terminal = std::io::stdout().is_terminal();
    let stderr_terminal = std::io::stderr().is_terminal();
    let thinking = match args.thinking {
        Some(Thinking::Show) => chat::Thinking::Show,
        Some(Thinking::Off) => chat::Thinking::Off,
        None if stdout_terminal && !args.json && !args.extract && !args.extract_last => chat::Thinking::Show,
        Some(Thinking::Hide) | None => chat::Thinking::Hide,
    };
    let goes_on = goes_on(args, resolved)?;
    let wish = Wish {
        model: match goes_on.as_ref().and_then(|kept| kept.model.clone()) {
            // Who names another one wants another one.
            Some(before) if args.model.is_none() => before,
            _ => model(args, &core.gateway).await?,
        },
        system: match &args.named {
            Some(name) => Some(named(name, resolved)?),
            None => args.system.clone().or_else(|| goes_on.as_ref()?.system.clone()),
        },
        stream: !args.no_stream,
        thinking,
        max_tokens: args.max_tokens,
        schema: args.schema.as_deref().map(schema).transpose()?,
    };
    let which = match (args.extract, args.extract_last) {
        (true, _) => Some(Which::First),
        (_, true) => Some(Which::Last),
        _ => None,
    };
    let look = Look {
        text: !args.json && which.is_none(),
        thoughts: thinking == chat::Thinking::Show,
        stdout_terminal,
        stderr_terminal,
        color,
        spinner: stderr_terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        usage: args.usage,
        markdown: markdown(args.render, stdout_terminal, choice),
    };
    let chat = Chat::new(&core.gateway, wish, look);
    let saves = resolved.config.chat.save == "on" && !args.no_save;
    let mut chat = match (kept::archive(resolved).filter(|_| saves), goes_on) {
        (Some(archive), goes_on) => chat.kept(archive, goes_on),
        (None, Some(goes_on)) => chat.after(goes_on),
        (None, None) => chat,
    };
    let prompt = prompt.map(|prompt| files::content(&prompt, &args.files)).transpose()?;
    match (prompt, which) {
        (Some(prompt), _) if args.dry_run => print(&format!("{:#}", chat.rehearsed(prompt).await?)),
        (Some(prompt), _) if args.json => chat.once_as_json(prompt).await,
        (Some(prompt), Some(which)) => chat.once_as_code(prompt, which).await,
        (Some(prompt), None) => chat.once(prompt).await,
        (None, _) => {
            let report = |error: &Error| {
                exit::of_error(error, color);
            };
            chat.converse(args.files.clone(), report).await
        }
    }
}

/// The system prompt of a name.
fn named(name: &str, resolved: &Resolved) -> Result<String> {
    let prompts = &resolved.config.prompts;
    let found = prompts.iter().find(|(known, _)| known == name);
    found.map(|(_, text)| text.clone()).ok_or_else(|| {
        let shown = config::shown(name);
        let hint = near::hint(name, prompts.iter().map(|(known, _)| known.as_str()));
        let hint = hint.unwrap_or_else(|| format!("`iflow2api config set prompt.{shown} TEXT` makes one"));
        Error::new(ErrorKind::Usage, format!("there is no setting `prompt.{shown}`")).with_hint(hint)
    })
}

/// Reads a JSON schema.
fn schema(path: &Path) -> Result<Value> {
    let fault = |why: &str| Error::new(ErrorKind::Usage, format!("`{}` {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| fault("cannot be read").with_source(error))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| fault("is not JSON").with_source(error))?;
    if value.is_object() { Ok(value) } else { Err(fault("is no JSON schema, which is an object")) }
}

/// Whether and how Markdown is rendered.
fn markdown(render: Render, is_terminal: bool, choice: ColorChoice) -> Option<Markdown> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let renders = match render {
        Render::Auto => is_terminal && !dumb,
        Render::Always => true,
        Render::Never => false,
    };
    // What no locale says is UTF-8, as everything is today but for the oldest.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    renders.then(|| Markdown {
        color: exit::colors(choice, is_terminal),
        unicode: !dumb && !matches!(locale.as_deref(), Some("C" | "POSIX")),
        width: || Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)),
    })
}

/// The conversation to go on with, if one is wanted.
fn goes_on(args: &Args, resolved: &Resolved) -> Result<Option<Kept>> {
    let archive = || kept::archive(resolved).ok_or_else(kept::no_place);
    match &args.conversation {
        Some(id) => archive()?.find(id).map(Some),
        None if args.goes_on => archive()?.last().map(Some),
        None => Ok(None),
    }
}

/// The model to ask: the one that is said, else the one that is set up, else the first there is.
async fn model(args: &Args, gateway: &Gateway) -> Result<String> {
    if let Some(model) = args.model.as_deref().or(gateway.default_model()) {
        return Ok(model.to_owned());
    }
    let upstream = models::default_upstream(gateway)?;
    models::listed(gateway).await?.into_iter().next().map(|entry| entry.id).ok_or_else(|| {
        let message = format!("no model was named, and upstream `{upstream}` lists none");
        Error::new(ErrorKind::Usage, message)
            .with_hint("name one with -m, or run `iflow2api config set default_model NAME`")
    })
}
