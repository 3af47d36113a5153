//! The one error type: what failed, whose fault it is, and what the reader can do about it.
//!
//! How a kind becomes a status, an envelope or an exit status is left to the three tables that
//! match it: two in `translate::failure`, one in `cli::exit`.

mod echoes;

use serde::Deserialize;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// `std`'s result with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What decides the fate of a failure. Every `match` on it is exhaustive, so that a new kind does
/// not compile until each table knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A setting or an argument is wrong.
    Usage,
    /// No upstream is set up.
    NotConfigured,
    /// The request cannot be carried out as written.
    InvalidRequest,
    /// The request does not fit the model's window.
    PromptTooLong,
    /// The caller's key to us is wrong, or its `Host`, its origin, or what the key may not do.
    AccessDenied,
    /// Our key or login to the provider is missing, refused or dead.
    LoginRequired,
    /// Nothing is left to spend at the provider.
    QuotaExhausted,
    /// The provider refuses this account.
    Forbidden,
    /// There is no such model or route.
    NotFound,
    /// The body is over the limit.
    TooLarge,
    /// Later, by the provider's limit, the caller key's, or our full queue.
    RateLimited,
    /// The provider is full, its circuit is open, or we are draining.
    Overloaded,
    /// No connection, TLS or name resolution.
    Unreachable,
    /// No byte came within the limit.
    TimedOut,
    /// The upstream failed, or its answer was empty, broken off or not understood.
    BadAnswer,
    /// The caller left; there is nobody to tell.
    Interrupted,
    /// Our own mistake.
    Internal,
}

/// What a provider's refusal is, finer than its kind: what is done about it beside telling the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The key or token has expired: it is renewed once.
    AuthExpired,
    /// The key is wrong.
    Auth,
    /// The key or account is shut out until its owner acts.
    Blocked,
    /// The account may not do this.
    Permission,
    /// There is no money left.
    Balance,
    /// A plan's share is used up until a stated time.
    Quota,
    /// Too many requests for a moment.
    Rate,
    /// Too many at once: fewer are sent.
    Concurrency,
    /// The provider is full.
    Overload,
    /// There is no such model there.
    Model,
    /// The request does not fit the model's window.
    Context,
    /// The text is refused.
    Filter,
    /// The request is wrong.
    Param,
    /// Thoughts of earlier turns are missing: it is asked once more, with what can be had of them.
    ReasoningMissing,
    /// The model does not think, and refuses to be asked to: it is asked once more without.
    ThinkingUnsupported,
    /// It may be gone the next time.
    Transient,
}

/// Whose fault a failure is; goes out as `x-iflow2api-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller must change something, whoever found it.
    Request,
    /// The provider, or the way to it.
    Upstream,
    /// This program or its configuration.
    Local,
}

impl Fault {
    /// The word used in headers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Upstream => "upstream",
            Self::Local => "local",
        }
    }
}

/// One failure: eight bytes, made where it is understood.
///
/// `Display` is one level: what failed, in one clause, with no secret and no URL. Causes are in
/// [`source`](StdError::source).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    param: Option<String>,
    code: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    status: Option<u16>,
    fault: Option<Fault>,
    limits: Vec<(String, String)>,
    retries_at_most: Option<u32>,
    room: Option<u64>,
    class: Option<Class>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of this kind; `message` is a lower-case clause that names the thing and the value.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            param: None,
            code: None,
            retry_after: None,
            status: None,
            fault: None,
            limits: Vec::new(),
            retries_at_most: None,
            room: None,
            class: None,
            source: None,
        }))
    }

    /// A request that cannot be carried out, with the path of the member at fault, as in
    /// `messages[3].content[0].source`.
    pub fn invalid(param: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).with_param(param)
    }

    /// Adds what the reader can do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the path of the request's member at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// Adds a machine-readable code, the provider's or ours.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Adds the HTTP status that was met, or that is to be answered where the kind leaves a choice.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Says whose fault it is where the kind's own answer would be wrong.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.0.fault = Some(fault);
        self
    }

    /// Adds what the provider's headers say of its limits, name by name (C05).
    #[must_use]
    pub fn with_limits(mut self, limits: Vec<(String, String)>) -> Self {
        self.0.limits = limits;
        self
    }

    /// Says that asking again is worth less than the usual number of tries.
    #[must_use]
    pub fn with_retries_at_most(mut self, retries: u32) -> Self {
        self.0.retries_at_most = Some(retries);
        self
    }

    /// Says how many tokens of an answer would fit, where only the answer was too long.
    #[must_use]
    pub fn with_room(mut self, tokens: u64) -> Self {
        self.0.room = Some(tokens);
        self
    }

    /// Says what it is, finer than its kind.
    #[must_use]
    pub fn with_class(mut self, class: Class) -> Self {
        self.0.class = Some(class);
        self
    }

    /// Adds to the message what the caller should know as well.
    #[must_use]
    pub fn with_remark(mut self, remark: &str) -> Self {
        self.0.message = format!("{}; {remark}", self.0.message).into();
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Takes a secret out of all that is shown, in whatever form: providers repeat a key they refuse. One of fewer than
    /// eight characters guards nothing.
    #[must_use]
    pub fn masking(mut self, secret: &str) -> Self {
        let inner = &mut *self.0;
        for text in [Some(&mut inner.message), inner.hint.as_mut(), inner.code.as_mut()].into_iter().flatten()
        {
            if let Some(left) = echoes::without(text, secret) {
                *text = left.into();
            }
        }
        if let Some(param) = &mut inner.param
            && let Some(left) = echoes::without(param, secret)
        {
            *param = left;
        }
        self
    }

    /// What decides this failure's fate.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What failed, in one clause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the reader can do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The path of the request's member at fault.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// A machine-readable code, the provider's or ours.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// When to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What the provider's headers say of its limits.
    pub fn limits(&self) -> &[(String, String)] {
        &self.0.limits
    }

    /// How often asking again is worth it, where that is less than usual.
    pub fn retries_at_most(&self) -> Option<u32> {
        self.0.retries_at_most
    }

    /// How many tokens of an answer would fit, where only the answer was too long (C04).
    pub fn room(&self) -> Option<u64> {
        self.0.room
    }

    /// What it is, finer than its kind, where a provider said so.
    pub fn class(&self) -> Option<Class> {
        self.0.class
    }

    /// The HTTP status that was met, or is to be answered.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Whether an answer broke off, fell silent or could not be read, rather than that somebody said what
    /// was wrong. Behind an answer's last word it does not matter.
    pub fn is_break(&self) -> bool {
        let broke =
            matches!(self.0.kind, ErrorKind::BadAnswer | ErrorKind::TimedOut | ErrorKind::Unreachable);
        broke && self.0.status.is_none()
    }

    /// Whose fault it is: what was said, else what the kind implies.
    pub fn fault(&self) -> Fault {
        if let Some(fault) = self.0.fault {
            return fault;
        }
        match self.0.kind {
            ErrorKind::InvalidRequest
            | ErrorKind::PromptTooLong
            | ErrorKind::AccessDenied
            | ErrorKind::NotFound
            | ErrorKind::TooLarge => Fault::Request,
            ErrorKind::LoginRequired
            | ErrorKind::QuotaExhausted
            | ErrorKind::Forbidden
            | ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::Unreachable
            | ErrorKind::TimedOut
            | ErrorKind::BadAnswer => Fault::Upstream,
            ErrorKind::Usage | ErrorKind::NotConfigured | ErrorKind::Interrupted | ErrorKind::Internal => {
                Fault::Local
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("message", &inner.message)
            .field("param", &inner.param)
            .field("code", &inner.code)
            .field("status", &inner.status)
            .field("source", &inner.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + Send + Sync) = self.0.source.as_deref()?;
        Some(source)
    }
}

/// What happened at the bottom of an error: `reqwest` hides it behind "error sending request".
pub fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |&cause| cause.source()).last().unwrap_or(error);
    innermost.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}
