//! `auth status`.

use super::store_of;
use crate::auth::credential::{Credential, Kind, Login};
use crate::auth::refresh::{Note, signed_out};
use crate::auth::store::{Entry, Kept, Store};
use crate::cli::logins;
use crate::cli::output::{print, say};
use crate::cli::setup;
use crate::config::{self, Origin, Resolved, Sources, Upstream};
use crate::error::{Error, ErrorKind, Result};
use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Show what is stored, and whether it is still good
///
/// Nothing is asked of any provider. The exit status is 4 where nobody is logged in.
#[derive(Debug, ClapArgs)]
#[command(before_help = "Examples:\n  iflow2api auth status\n  iflow2api auth status zai --json")]
pub struct Args {
    /// Only this one
    #[arg(value_name = "PROVIDER")]
    provider: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs `auth status`.
///
/// # Errors
/// `LoginRequired` where nothing that is asked for signs in; `Usage` where a file cannot be read.
pub fn run(args: &Args, sources: &Sources<'_>) -> Result<()> {
    let resolved = config::resolve(sources)?;
    let store = store_of(&resolved)?;
    let listing = store.list();
    listing.warnings.iter().for_each(|warning| say(&format!("iflow2api: warning: {warning}")));
    let wanted = |name: &str| args.provider.as_deref().is_none_or(|wanted| wanted == name);
    let mut seen: Vec<Seen> = Vec::new();
    for entry in listing.entries.iter().filter(|entry| wanted(&entry.account.upstream)) {
        seen.push(Seen::stored(entry, &resolved, &store)?);
    }
    let set = resolved.config.upstreams.iter().filter(|upstream| wanted(&upstream.name));
    seen.extend(set.filter_map(|upstream| Seen::set(upstream, &resolved)));
    seen.sort_by(|left, right| (&left.upstream, !left.in_use).cmp(&(&right.upstream, !right.in_use)));
    if args.json {
        let listed: Vec<Value> = seen.iter().map(Seen::json).collect();
        print(&format!("{:#}", Value::Array(listed)))?;
    } else if !seen.is_empty() {
        let texts: Vec<String> = seen.iter().map(Seen::text).collect();
        print(&texts.join("\n"))?;
    }
    if seen.iter().any(|seen| seen.signs_in) {
        return Ok(());
    }
    if let Some((_, fault)) = listing.faults.into_iter().next() {
        return Err(fault);
    }
    Err(match (&args.provider, seen.first()) {
        (Some(name), None) => signed_out(name),
        (None, None) => Error::new(ErrorKind::LoginRequired, "nobody is logged in anywhere")
            .with_hint("`iflow2api auth` logs in"),
        (_, Some(seen)) => {
            let name = &seen.upstream;
            Error::new(ErrorKind::LoginRequired, format!("the login at `{name}` is not good any more"))
                .with_hint(format!("`iflow2api auth login {name}` logs in anew"))
        }
    })
}

/// What there is to say of one account.
struct Seen {
    upstream: String,
    /// The account's name, where it is stored.
    profile: Option<String>,
    in_use: bool,
    method: &'static str,
    account: Option<String>,
    masked: String,
    source: String,
    signs_in: bool,
    login: Option<Lasting>,
}

/// How long a login lasts.
struct Lasting {
    expires: Option<Timestamp>,
    left: Option<Duration>,
    renews: bool,
    /// Whether the provider has refused it, and its renewal too.
    refused: bool,
    obtained: Option<Timestamp>,
    failed: Option<(Option<Timestamp>, String)>,
}

impl Seen {
    fn stored(entry: &Entry, resolved: &Resolved, store: &Store) -> Result<Self> {
        let Entry { account, is_current, credential, kept } = entry;
        let upstream = resolved.config.upstreams.iter().find(|upstream| upstream.name == account.upstream);
        let login = match (&credential.kind, upstream) {
            (Kind::Key(_), _) => None,
            (Kind::Login(login), upstream) => {
                let renews = match upstream {
                    Some(upstream) => renews(login, upstream, resolved, store)?,
                    None => false,
                };
                Some(Lasting::of(login, renews, Note::of(store, account)))
            }
        };
        let is_dead = login.as_ref().is_some_and(|login| !login.is_good(credential));
        Ok(Self {
            upstream: account.upstream.clone(),
            profile: Some(account.profile.clone()),
            in_use: *is_current && upstream.is_some_and(|upstream| upstream.stored),
            method: if login.is_some() { "login" } else { "key" },
            account: credential.account().map(str::to_owned),
            masked: credential.bearer().map(crate::secret::Secret::masked).unwrap_or_default(),
            source: match kept {
                Kept::File(path) => path.display().to_string(),
                Kept::Keyring(_) => "the system's keyring".to_owned(),
            },
            signs_in: !is_dead,
            login,
        })
    }

    /// A key from the settings.
    fn set(upstream: &Upstream, resolved: &Resolved) -> Option<Self> {
        let key = upstream.key.as_ref()?;
        let origin = resolved.origin(&format!("upstream.{}.key", upstream.name));
        Some(Self {
            upstream: upstream.name.clone(),
            profile: None,
            in_use: true,
            method: match origin {
                Origin::Environment(_) => "environment",
                Origin::Default | Origin::File(_) | Origin::Flag(_) => "config",
            },
            account: None,
            masked: key.masked(),
            source: origin.source().unwrap_or_default(),
            signs_in: true,
            login: None,
        })
    }

    fn json(&self) -> Value {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let login = self.login.as_ref();
        json!({
            "upstream": self.upstream,
            "profile": self.profile,
            "in_use": self.in_use,
            "method": self.method,
            "account": self.account,
            "token": self.masked,
            "source": self.source,
            "signed_in": self.signs_in,
            "expires_at": time(login.and_then(|login| login.expires)),
            "renewable": login.map(|login| login.renews),
            "last_refresh": login.map(|login| json!({
                "at": time(match &login.failed {
                    Some((at, _)) => *at,
                    None => login.obtained,
                }),
                "ok": login.failed.is_none(),
                "error": login.failed.as_ref().map(|(_, why)| why),
            })),
        })
    }

    fn text(&self) -> String {
        let profile = self.profile.as_deref().filter(|profile| *profile != "default");
        let profile = profile.map(|profile| format!(" [{profile}]")).unwrap_or_default();
        let who = self.account.as_ref().map(|who| format!(" of {who}")).unwrap_or_default();
        let what = match self.method {
            "login" => "login",
            _ => "key",
        };
        let state = match (self.signs_in, self.in_use) {
            (false, _) => " - not good any more",
            (true, false) => " - not in use",
            (true, true) => "",
        };
        let mut lines = vec![format!("{}{profile}: {what}{who} {}{state}", self.upstream, self.masked)];
        if let Some(login) = &self.login {
            lines.push(format!("  {}", login.text()));
            if let Some((at, why)) = &login.failed {
                let at = at.map(|at| format!(" ({})", shown(at))).unwrap_or_default();
                lines.push(format!("  last refresh failed{at}: {why}"));
            } else if let Some(at) = login.obtained {
                lines.push(format!("  last refreshed {}", shown(at)));
            }
        }
        lines.push(format!("  from {}", self.source));
        lines.join("\n")
    }
}

/// Whether a login can be renewed, as it is set up.
fn renews(login: &Login, upstream: &Upstream, resolved: &Resolved, store: &Store) -> Result<bool> {
    let row = setup::catalogue(resolved.rows.as_ref())?.row(&upstream.preset)?;
    let method = logins::method(resolved, upstream, &row, store)?;
    Ok(login.refresh_token.is_some() && method.is_some_and(|method| !method.lacks_secret()))
}

impl Lasting {
    fn of(login: &Login, renews: bool, note: Option<Note>) -> Self {
        let failed = note.filter(|note| note.is_about(login)).and_then(|note| {
            let at = Timestamp::from_millisecond(note.at).ok();
            Some((at, note.failed?, note.is_final, note.is_final && note.refused))
        });
        let is_dead = failed.as_ref().is_some_and(|(_, _, is_final, _)| *is_final);
        Self {
            expires: login.expires,
            left: login.left(Timestamp::now()),
            renews: renews && !is_dead,
            obtained: login.obtained,
            refused: failed.as_ref().is_some_and(|(.., refused)| *refused),
            failed: failed.map(|(at, why, ..)| (at, why)),
        }
    }

    /// Whether calls can be signed in with it, renewed or not.
    fn is_good(&self, credential: &Credential) -> bool {
        let lives = self.left.is_none_or(|left| !left.is_zero());
        let has_key = credential.as_login().is_some_and(|login| login.api_key.is_some());
        self.renews || !self.refused && credential.bearer().is_some() && (lives || has_key)
    }

    fn text(&self) -> String {
        let renews = if self.renews { "renewed by itself" } else { "cannot be renewed" };
        match (self.expires, self.left) {
            (Some(end), Some(left)) if left.is_zero() => format!("ended {}, {renews}", shown(end)),
            (Some(end), Some(left)) => format!("good until {} ({}), {renews}", shown(end), rough(left)),
            _ => format!("no end known, {renews}"),
        }
    }
}

/// A time for people, to the minute.
fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A length of time in its largest units.
fn rough(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) if hours < 48 => format!("{hours} h {minutes} min"),
        (hours, _) => format!("{} days", hours / 24),
    }
}
