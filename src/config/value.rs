//! What a setting can hold, and how a value finds its way into a field. Durations and sizes are
//! read in `units`.

use super::{base_url, keys, units};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use serde_json::json;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// One value of a setting, in the form in which it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text; addresses, durations and sizes are texts too, as they were written.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Texts in order.
    List(Vec<String>),
    /// A text that is not shown.
    Secret(Secret),
    /// Texts that are not shown.
    Secrets(Vec<Secret>),
}

impl Value {
    /// The same with its secrets in the open, for the one command that was asked to show them.
    #[must_use]
    pub fn revealed(&self) -> Self {
        match self {
            Self::Secret(secret) => Self::Text(secret.expose().to_owned()),
            Self::Secrets(secrets) => {
                Self::List(secrets.iter().map(|secret| secret.expose().to_owned()).collect())
            }
            Self::Text(_) | Self::Number(_) | Self::List(_) => self.clone(),
        }
    }

    /// The same as JSON, secrets masked.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::List(list) => json!(list),
            Self::Secret(secret) => json!(secret.masked()),
            Self::Secrets(secrets) => secrets.iter().map(Secret::masked).collect(),
        }
    }

    pub(super) fn holds_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Secrets(secrets) => !secrets.is_empty(),
            Self::Text(_) | Self::Number(_) | Self::List(_) => false,
        }
    }
}

/// One line for people: lists with commas, secrets masked.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::List(list) => f.write_str(&list.join(",")),
            Self::Secret(secret) => f.write_str(&secret.masked()),
            Self::Secrets(secrets) => {
                let masked: Vec<String> = secrets.iter().map(Secret::masked).collect();
                f.write_str(&masked.join(","))
            }
        }
    }
}

/// What is wrong with a value, said as `must be …`, before it is known where the value stands.
#[derive(Debug)]
pub(super) struct Fault {
    predicate: String,
    hint: Option<String>,
}

impl Fault {
    pub(super) fn new(predicate: impl Into<String>) -> Self {
        Self { predicate: predicate.into(), hint: None }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error once the subject is known.
    pub(super) fn about(self, subject: &str) -> Error {
        let error = Error::new(ErrorKind::Usage, format!("{subject} {}", self.predicate));
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// A text for a message: in backticks, on one line, not endless.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// A pattern of names, and the models that are asked where none of those names can be had.
pub type Fallback = (String, Vec<String>);

/// The field of `T` that a setting fills; its variant says what the setting may hold.
#[derive(Debug)]
pub enum Field<T> {
    /// Any text that is not empty.
    Text(fn(&mut T) -> &mut Option<String>),
    /// The name of an upstream.
    Name(fn(&mut T) -> &mut Option<String>),
    /// An http or https address; see [`base_url::normalise`].
    BaseUrl(fn(&mut T) -> &mut Option<String>),
    /// An http or https address, kept as it was written.
    Url(fn(&mut T) -> &mut Option<String>),
    /// A key or token.
    Secret(fn(&mut T) -> &mut Option<Secret>),
    /// Keys or tokens.
    Secrets(fn(&mut T) -> &mut Vec<Secret>),
    /// Texts.
    List(fn(&mut T) -> &mut Vec<String>),
    /// HTTP headers; each is a setting of its own, named after the header.
    Headers(fn(&mut T) -> &mut Vec<(String, Secret)>),
    /// An IP address.
    Address(fn(&mut T) -> &mut IpAddr),
    /// A TCP port; 0 lets the system choose.
    Port(fn(&mut T) -> &mut u16),
    /// A number of at least 1.
    Count(fn(&mut T) -> &mut Option<u64>),
    /// Bytes, as a text with a unit.
    Size(fn(&mut T) -> &mut u64),
    /// A length of time, as a text with a unit.
    Duration(fn(&mut T) -> &mut Duration),
    /// Lengths of time.
    Durations(fn(&mut T) -> &mut Vec<Duration>),
    /// A number from 0 up.
    Number(fn(&mut T) -> &mut u32),
    /// One of these words.
    Choice(fn(&mut T) -> &mut String, &'static [&'static str]),
    /// One of these words, where one was said.
    Chosen(fn(&mut T) -> &mut Option<String>, &'static [&'static str]),
    /// `env`, `none`, or the address of a proxy.
    Proxy(fn(&mut T) -> &mut Option<String>),
    /// Models by the patterns of the names that mean them.
    Alias(fn(&mut T) -> &mut Vec<(String, String)>),
    /// Lists of models by patterns of names.
    Fallback(fn(&mut T) -> &mut Vec<Fallback>),
}

impl<T> Field<T> {
    /// What the setting holds, in a word or two.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Name(_) => "upstream",
            Self::BaseUrl(_) => "base URL",
            Self::Url(_) => "address",
            Self::Secret(_) => "secret",
            Self::Secrets(_) => "list of secrets",
            Self::List(_) => "list",
            Self::Headers(_) => "secret text",
            Self::Address(_) => "IP address",
            Self::Port(_) => "port",
            Self::Count(_) => "number",
            Self::Size(_) => "size",
            Self::Duration(_) => "duration",
            Self::Durations(_) => "list of durations",
            Self::Number(_) => "number",
            Self::Choice(..) | Self::Chosen(..) => "word",
            Self::Proxy(_) => "word or address",
            Self::Alias(_) => "model",
            Self::Fallback(_) => "list of models",
        }
    }

    /// Turns one line of text, as a variable or an argument holds it, into a value of the right
    /// shape; what it says is judged by [`Field::store`].
    pub(super) fn read(&self, text: &str) -> Result<Value, Fault> {
        match self {
            Self::List(_) | Self::Secrets(_) | Self::Durations(_) | Self::Fallback(_) => {
                let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
                Ok(Value::List(elements.map(str::to_owned).collect()))
            }
            Self::Port(_) | Self::Count(_) | Self::Number(_) => match text.trim().parse() {
                Ok(number) => Ok(Value::Number(number)),
                Err(_) => Err(Fault::new(format!("must be {}, not {}", self.shape(), quoted(text)))),
            },
            Self::Text(_)
            | Self::Name(_)
            | Self::BaseUrl(_)
            | Self::Url(_)
            | Self::Secret(_)
            | Self::Headers(_)
            | Self::Address(_)
            | Self::Size(_)
            | Self::Duration(_)
            | Self::Choice(..)
            | Self::Chosen(..)
            | Self::Proxy(_)
            | Self::Alias(_) => Ok(Value::Text(text.trim().to_owned())),
        }
    }

    /// Judges a value, puts it into its field and returns it in the form in which it is kept.
    pub(super) fn store(&self, target: &mut T, name: &str, value: Value) -> Result<Value, Fault> {
        match (self, value) {
            (Self::Text(field), Value::Text(text)) => keep(field(target), present(text)?),
            (Self::Name(field), Value::Text(text)) => keep(field(target), upstream_name(text)?),
            (Self::BaseUrl(field), Value::Text(text)) => keep(field(target), base_url::check(&text)?),
            (Self::Url(field), Value::Text(text)) => keep(field(target), web_address(text)?),
            (Self::Secret(field), Value::Secret(secret)) => {
                *field(target) = Some(secret.clone());
                Ok(Value::Secret(secret))
            }
            (Self::Secrets(field), Value::Secrets(secrets)) => {
                field(target).clone_from(&secrets);
                Ok(Value::Secrets(secrets))
            }
            (Self::List(field), Value::List(list)) => {
                let list = list.into_iter().map(present).collect::<Result<Vec<_>, _>>()?;
                field(target).clone_from(&list);
                Ok(Value::List(list))
            }
            (Self::Headers(field), Value::Secret(secret)) => {
                let header = keys::header_of(name)?;
                field(target).push((header.to_owned(), secret.clone()));
                Ok(Value::Secret(secret))
            }
            (Self::Proxy(field), Value::Text(text)) => keep(field(target), proxy(text)?),
            (Self::Alias(field), Value::Text(text)) => {
                let text = present(text)?;
                field(target).push((keys::pattern_of(name).to_owned(), text.clone()));
                Ok(Value::Text(text))
            }
            // A single model needs no list.
            (Self::Fallback(_), Value::Text(text)) => self.store(target, name, Value::List(vec![text])),
            (Self::Fallback(field), Value::List(list)) => {
                let list = list.into_iter().map(present).collect::<Result<Vec<_>, _>>()?;
                field(target).push((keys::pattern_of(name).to_owned(), list.clone()));
                Ok(Value::List(list))
            }
            (Self::Secret(_) | Self::Headers(_), Value::Text(text)) => {
                self.store(target, name, Value::Secret(sendable(text)?))
            }
            (Self::Secrets(_), Value::List(list)) => {
                let secrets = list.into_iter().map(sendable).collect::<Result<Vec<_>, _>>()?;
                self.store(target, name, Value::Secrets(secrets))
            }
            (_, value) => self.store_parsed(target, value),
        }
    }

    /// The kinds whose text or number is parsed into another type.
    fn store_parsed(&self, target: &mut T, value: Value) -> Result<Value, Fault> {
        match (self, &value) {
            (Self::Address(field), Value::Text(text)) => match text.parse() {
                Ok(address) => *field(target) = address,
                Err(_) => {
                    let fault = Fault::new(format!("must be an IP address, not {}", quoted(text)));
                    return Err(fault.with_hint("for example `127.0.0.1`, `::1`, or `0.0.0.0` for all"));
                }
            },
            (Self::Port(field), Value::Number(number)) => match u16::try_from(*number) {
                Ok(port) => *field(target) = port,
                Err(_) => return Err(Fault::new(format!("must be {}, not {number}", self.shape()))),
            },
            (Self::Count(_), Value::Number(0)) => return Err(Fault::new("must be at least 1")),
            (Self::Count(field), Value::Number(number)) => *field(target) = Some(*number),
            (Self::Size(field), Value::Text(text)) => *field(target) = units::size(text)?,
            (Self::Size(field), Value::Number(bytes)) => *field(target) = *bytes,
            (Self::Duration(field), Value::Text(text)) => *field(target) = units::duration(text)?,
            (Self::Durations(field), Value::List(list)) => {
                *field(target) = list.iter().map(|text| units::duration(text)).collect::<Result<_, _>>()?;
            }
            (Self::Number(field), Value::Number(number)) => match u32::try_from(*number) {
                Ok(number) => *field(target) = number,
                Err(_) => return Err(Fault::new(format!("must be {}, not {number}", self.shape()))),
            },
            (Self::Choice(field, among), Value::Text(text)) => {
                let word = one_of(text, among)?;
                field(target).clone_from(&word);
                return Ok(Value::Text(word));
            }
            (Self::Chosen(field, among), Value::Text(text)) => *field(target) = Some(one_of(text, among)?),
            _ => return Err(Fault::new(format!("must be {}", self.shape()))),
        }
        Ok(value)
    }

    /// What the setting takes, as it would be written in the file.
    pub(super) fn shape(&self) -> &'static str {
        match self {
            Self::Text(_)
            | Self::Name(_)
            | Self::BaseUrl(_)
            | Self::Url(_)
            | Self::Secret(_)
            | Self::Headers(_)
            | Self::Choice(..)
            | Self::Chosen(..)
            | Self::Proxy(_)
            | Self::Alias(_) => "a text",
            Self::Secrets(_) | Self::List(_) | Self::Fallback(_) => "a list of texts",
            Self::Address(_) => "an IP address as a text",
            Self::Port(_) => "a number from 0 to 65535",
            Self::Count(_) => "a number",
            Self::Number(_) => "a number from 0 up",
            Self::Size(_) => "a size as a text, such as \"32MiB\"",
            Self::Duration(_) => "a duration as a text with a unit, such as \"30s\"",
            Self::Durations(_) => "a list of durations as texts with units, such as [\"1s\", \"2s\"]",
        }
    }
}

fn one_of(text: &str, among: &[&str]) -> Result<String, Fault> {
    let text = match text {
        "true" | "yes" if among == keys::SWITCH => "on",
        "false" | "no" if among == keys::SWITCH => "off",
        _ => text,
    };
    if among.contains(&text) {
        return Ok(text.to_owned());
    }
    let all: Vec<String> = among.iter().map(|word| format!("`{word}`")).collect();
    Err(Fault::new(format!("must be one of {}, not {}", all.join(", "), quoted(text))))
}

/// An address of the web.
fn web_address(text: String) -> Result<String, Fault> {
    let text = present(text)?;
    let is_web =
        url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_web {
        return Ok(text);
    }
    Err(Fault::new(format!("must be an http or https address, not {}", quoted(&text))))
}

/// A proxy that a client can go through. Its password is no secret here: it stands in the file in the open.
fn proxy(text: String) -> Result<String, Fault> {
    let text = present(text)?.trim().to_owned();
    let schemes = ["http://", "https://", "socks5://", "socks5h://"];
    let is_address =
        schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|host| !host.is_empty()));
    if is_address || matches!(text.as_str(), "env" | "none") {
        return Ok(text);
    }
    Err(Fault::new("must be `env`, `none`, or the address of a proxy")
        .with_hint("write an address like `http://127.0.0.1:3128` or `socks5h://127.0.0.1:1080`"))
}

fn keep(field: &mut Option<String>, text: String) -> Result<Value, Fault> {
    *field = Some(text.clone());
    Ok(Value::Text(text))
}

fn present(text: String) -> Result<String, Fault> {
    if text.trim().is_empty() { Err(Fault::new("must not be empty")) } else { Ok(text) }
}

fn upstream_name(text: String) -> Result<String, Fault> {
    if keys::is_upstream_name(&text) {
        return Ok(text);
    }
    Err(Fault::new(format!("must be an upstream's name, not {}", quoted(&text)))
        .with_hint("a name is made of letters, digits, `-` and `_`"))
}

/// Keys and header values go out in headers, which take no control characters; the value itself
/// is never repeated in a message.
fn sendable(text: String) -> Result<Secret, Fault> {
    let text = present(text)?;
    if text.chars().any(char::is_control) {
        return Err(Fault::new("must be one line without control characters"));
    }
    Ok(Secret::new(text.trim()))
}
