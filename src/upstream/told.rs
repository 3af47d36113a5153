//! What a caller is told of an upstream's failures: without our key, and with what we know better than it does.

use super::Upstream;
use crate::error::{Class, Error, ErrorKind};

impl Upstream {
    /// An attempt has failed: what that means for those that follow, and what a caller is told.
    pub(super) fn failed(&self, error: Error) -> Error {
        if error.class() == Some(Class::Concurrency) {
            let places = self.admission.narrow();
            tracing::warn!(upstream = self.name, places, "too many calls at once: fewer are let in");
        }
        self.told(error)
    }

    /// Takes our key out of what the provider said of it, and adds what we know better than it does.
    pub fn told(&self, error: Error) -> Error {
        let error = match (&self.key, &self.session) {
            (Some(key), _) => error.masking(key.expose()),
            (None, Some(session)) => session.mask(error),
            (None, None) => error,
        };
        if let Some(remark) = self.ended(&error) {
            return error
                .with_remark(&remark)
                .with_hint("the key of one of them sets it up, as in `export ZAI_API_KEY=…`");
        }
        match (error.kind(), &self.key, &self.key_origin) {
            (ErrorKind::LoginRequired, Some(_), Some(origin)) => {
                error.with_hint(format!("check the key of upstream `{}`, which is from {origin}", self.name))
            }
            (ErrorKind::LoginRequired, None, _) => {
                let variables = self.provider.key_variables().first();
                let variable = variables.map(|name| format!(" or the variable `{name}`")).unwrap_or_default();
                error.with_hint(format!("`iflow2api auth login {}`{variable} gives it one", self.name))
            }
            _ => error,
        }
    }

    /// What there is to say of a service that has ended, where it is that one which does not answer.
    fn ended(&self, error: &Error) -> Option<String> {
        let host = |url: &str| Some(reqwest::Url::parse(url).ok()?.host_str()?.to_owned());
        let gone = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unreachable | ErrorKind::TimedOut);
        let is_its_host = self.provider.base_url().and_then(host) == host(&self.base_url);
        let ended = self.provider.retired().filter(|_| gone && is_its_host)?;
        Some(format!(
            "the service of {} ended on {ended}: other providers serve the same models, such as Z.AI (`zai`), \
             DeepSeek (`deepseek`), Moonshot (`moonshot`) or ModelScope (`modelscope`)",
            self.provider.name()
        ))
    }
}
