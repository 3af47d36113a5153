//! Whether this machine can show a browser, how one is opened, and what to do where there is none.

use std::thread;

/// Why no browser is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Headless {
    /// Somebody is logged in from another machine: how they got here.
    Ssh(Hop),
    /// It is a container.
    Container,
    /// There is no screen.
    NoDisplay,
}

/// How somebody got here from another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    host: String,
    port: u16,
    user: Option<String>,
}

impl Hop {
    /// The command that brings a port of that machine to this one.
    pub fn forward(&self, port: u16) -> String {
        let at = if self.port == 22 { String::new() } else { format!("-p {} ", self.port) };
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("ssh -N -L {port}:127.0.0.1:{port} {at}{user}{host}")
    }
}

/// Whether a browser would be seen by anybody; `None` where it would.
pub fn headless(
    environment: &dyn Fn(&str) -> Option<String>,
    exists: &dyn Fn(&str) -> bool,
) -> Option<Headless> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    // Whoever names a browser knows that it can be seen: editors do so for terminals on other machines.
    if set("BROWSER").is_some() {
        return None;
    }
    if let Some(hop) = set("SSH_CONNECTION").and_then(|text| hop(&text, set("USER").or(set("LOGNAME")))) {
        return Some(Headless::Ssh(hop));
    }
    if set("SSH_TTY").is_some() || set("SSH_CLIENT").is_some() {
        return Some(Headless::NoDisplay);
    }
    let files = ["/.dockerenv", "/run/.containerenv"];
    let has_screen =
        set("DISPLAY").is_some() || set("WAYLAND_DISPLAY").is_some() || set("WSL_DISTRO_NAME").is_some();
    if (set("container").is_some()
        || set("KUBERNETES_SERVICE_HOST").is_some()
        || files.into_iter().any(exists))
        && !has_screen
    {
        return Some(Headless::Container);
    }
    (cfg!(all(unix, not(target_os = "macos"))) && !has_screen).then_some(Headless::NoDisplay)
}

/// Reads `client-address client-port server-address server-port`.
fn hop(text: &str, user: Option<String>) -> Option<Hop> {
    let mut words = text.split_whitespace().skip(2);
    let (host, port) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    Some(Hop { host, port, user })
}

/// Opens the user's browser. Nobody waits for it: some browsers stay in the foreground.
pub fn open(address: &str) {
    let address = address.to_owned();
    thread::spawn(move || {
        if let Err(error) = webbrowser::open(&address) {
            tracing::debug!(%error, "no browser could be opened");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_opened_only_where_it_would_be_seen() {
        let ssh = ("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.7 22");
        let seen =
            |port| Headless::Ssh(Hop { host: "10.0.0.7".to_owned(), port, user: Some("ada".to_owned()) });
        for (variables, file, expected) in [
            (vec![("DISPLAY", ":0")], "", None),
            (vec![("WAYLAND_DISPLAY", "wayland-0")], "", None),
            (vec![], "", Some(Headless::NoDisplay)),
            (vec![("DISPLAY", "")], "", Some(Headless::NoDisplay)),
            (vec![], "/.dockerenv", Some(Headless::Container)),
            (vec![("container", "podman")], "", Some(Headless::Container)),
            (vec![("DISPLAY", ":0")], "/.dockerenv", None),
            (vec![ssh, ("USER", "ada"), ("DISPLAY", "localhost:10")], "", Some(seen(22))),
            (vec![("SSH_CONNECTION", "a 1 10.0.0.7 2222"), ("LOGNAME", "ada")], "", Some(seen(2222))),
            (vec![("SSH_TTY", "/dev/pts/1"), ("DISPLAY", ":0")], "", Some(Headless::NoDisplay)),
            (vec![ssh, ("BROWSER", "code-browser")], "", None),
        ] {
            let environment = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(headless(&environment, &|path| path == file), expected, "{variables:?} {file}");
        }
    }

    #[test]
    fn a_port_is_brought_here_by_the_way_somebody_came() {
        let hop = |text, user: Option<&str>| hop(text, user.map(str::to_owned)).unwrap().forward(8087);
        assert_eq!(hop("a 1 10.0.0.7 22", Some("ada")), "ssh -N -L 8087:127.0.0.1:8087 ada@10.0.0.7");
        assert_eq!(hop("a 1 fe80::1 2222", None), "ssh -N -L 8087:127.0.0.1:8087 -p 2222 [fe80::1]");
    }
}
