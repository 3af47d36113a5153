//! From settings to logins: where they are kept, and how one logs in at an upstream.

use crate::auth::http::Http;
use crate::auth::method::{ClientAuth, Flow, Method};
use crate::auth::session::Session;
use crate::auth::store::Store;
use crate::config::keys::{ANY_PORT, AuthTable};
use crate::config::{Paths, Resolved, Stored, Upstream};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::presets::rows::{Login, LoginFlow, Provider as Row, Status};
use crate::upstream::{Clients, Way};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where browsers are sent back to, unless something else is said.
const REDIRECT: &str = "http://127.0.0.1/oauth2callback";
/// The port that the Python original used, and so what may be registered somewhere.
const PORT: u16 = 8087;

/// Where keys and logins are kept; `None` on a system without a home.
pub fn store(paths: &Paths) -> Option<Store> {
    Some(Store::new(paths.credentials()?, paths.iflow_login().map(Path::to_path_buf)))
}

/// The same, written as the settings say.
pub fn store_of(resolved: &Resolved) -> Option<Store> {
    Some(store(&resolved.paths)?.with_keyring(resolved.config.auth.store == "keyring"))
}

/// What is stored, as far as settings depend on it, and what is worth a warning.
pub fn stored(paths: &Paths) -> (Vec<Stored>, Vec<String>) {
    let Some(store) = store(paths) else { return (Vec::new(), Vec::new()) };
    let listing = store.list();
    let mut warnings = listing.warnings;
    warnings.extend(listing.faults.iter().map(|(_, fault)| format!("{fault}; what it holds is left out")));
    let entries = listing.entries.into_iter().filter(|entry| entry.is_current);
    let stored = entries.map(|entry| Stored {
        key: entry.credential.bearer().cloned(),
        upstream: entry.account.upstream,
        path: entry.kept.path().to_path_buf(),
    });
    (stored.collect(), warnings)
}

/// The way to the login server of an upstream: the same as to itself.
pub fn http(upstream: &str, way: &Way, connect: Duration) -> Http {
    let (name, way, clients) = (upstream.to_owned(), way.clone(), Mutex::new(Clients::default()));
    Http::new(move |address| {
        clients.lock().unwrap_or_else(PoisonError::into_inner).get(&name, address, &way, connect)
    })
}

/// What is stored for an upstream, and how it is renewed; `None` on a system without a home.
///
/// # Errors
/// `Usage` where a setting of its login is wrong.
pub fn session(
    resolved: &Resolved,
    upstream: &Upstream,
    row: &Row,
    way: &Way,
) -> Result<Option<Arc<Session>>> {
    let Some(store) = store_of(resolved) else { return Ok(None) };
    let method = method(resolved, upstream, row, &store)?;
    let http = http(&upstream.name, way, resolved.config.timeout.connect);
    let lead = resolved.config.auth.refresh_before;
    Ok(Some(Arc::new(Session::new(Arc::new(store), &upstream.name, method, http, lead))))
}

/// How one logs in at an upstream: what its preset says, and over it the settings; `None` where neither says anything.
///
/// # Errors
/// `Usage` where a port is none.
pub fn method(resolved: &Resolved, upstream: &Upstream, row: &Row, store: &Store) -> Result<Option<Method>> {
    let name = &upstream.name;
    let table = resolved.config.auth.of(name);
    let said = row.login.clone();
    if said.is_none() && table == AuthTable::default() {
        return Ok(None);
    }
    let preset = said.unwrap_or_default();
    let Login { flow, needs_secret, .. } = preset;
    let is_own = table.authorize_url.is_none() && table.token_url.is_none();
    let client_auth = match table.client_auth.or(preset.client_auth).as_deref() {
        Some("body") => ClientAuth::Body,
        Some("both") => ClientAuth::Both,
        _ => ClientAuth::Basic,
    };
    let chosen = [table.ports, preset.ports].into_iter().find(|ports| !ports.is_empty());
    let (ports, any_port) = match &chosen {
        None => (vec![PORT], true),
        Some(ports) => ports_of(name, ports)?,
    };
    let scopes = if table.scopes.is_empty() { preset.scopes } else { table.scopes };
    Ok(Some(Method {
        upstream: name.clone(),
        flow: match flow {
            LoginFlow::Standard => Flow::Standard,
            LoginFlow::Iflow => Flow::Iflow,
            LoginFlow::Openrouter => Flow::Openrouter,
        },
        issuer: table.issuer.or(preset.issuer),
        authorize_url: table.authorize_url.or(preset.authorize_url),
        token_url: table.token_url.or(preset.token_url),
        device_url: table.device_url.or(preset.device_url),
        revoke_url: table.revoke_url.or(preset.revoke_url),
        userinfo_url: table.userinfo_url.or(preset.userinfo_url),
        client_id: table.client_id.or(preset.client_id),
        // Only such a login asks for one, and has it stored.
        client_secret: table
            .client_secret
            .or_else(|| needs_secret.then(|| store.client_secret(name)).flatten()),
        needs_secret,
        client_auth,
        scopes,
        redirect_url: table.redirect_url.or(preset.redirect_url).unwrap_or_else(|| REDIRECT.to_owned()),
        ports,
        any_port,
        names_itself: false,
        retired: row.retired.clone().filter(|_| is_own && row.status == Some(Status::Retired)),
    }))
}

/// The ports of a list, and whether any other will do.
fn ports_of(name: &str, list: &[String]) -> Result<(Vec<u16>, bool)> {
    let (any, numbers): (Vec<_>, Vec<_>) = list.iter().partition(|port| *port == ANY_PORT);
    let ports = numbers.into_iter().map(|port| {
        port.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
            let message = format!("`auth.{name}.ports` must hold ports and `{ANY_PORT}`, not `{port}`");
            Error::new(ErrorKind::Usage, message)
        })
    });
    Ok((ports.collect::<Result<_>>()?, !any.is_empty()))
}
