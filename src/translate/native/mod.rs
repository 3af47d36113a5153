//! The native Anthropic wire: an upstream that speaks the caller's own API. What comes is forwarded as
//! its bytes, and changed only where a rule must.
//!
//! What an upstream's words mean is known to `policy`, which this layer does not see: whoever joins the
//! two hands in a judge, which reads a JSON text as the error it says, if it says one.

mod request;
mod stream;
mod usage;
mod whole;

pub use request::{is_signature_refusal, prepare, without_thinking};
pub use stream::Native;
pub use whole::whole;

use crate::error::{Error, ErrorKind};
use crate::wire::json::{Kind, Members, Raw};
use bytes::Bytes;

/// The error in an event or a body that is known to be one. Some send the inner object alone, so that
/// only its place tells what it is.
fn failure_in(upstream: &str, text: &Bytes, judge: &impl Fn(&[u8]) -> Option<Error>) -> Error {
    let enveloped = || {
        let inner = Raw::parse(text).ok()?;
        let envelope = Members::new().with("error", inner).to_raw();
        judge(envelope.as_bytes())
    };
    let unknown =
        || Error::new(ErrorKind::BadAnswer, format!("upstream `{upstream}` answered with an error"));
    judge(text).or_else(enveloped).unwrap_or_else(unknown)
}

/// An answer in which nothing was found that we know.
fn not_understood(upstream: &str) -> Error {
    Error::new(ErrorKind::BadAnswer, format!("upstream `{upstream}` sent an answer that is no message"))
}

/// A text that holds a message, with the caller's name for the model in the place of the upstream's.
fn renamed(text: &Bytes, message: &Members, model: &str) -> Bytes {
    let old = message.get("model").filter(|old| old.kind() == Kind::String);
    let replaced = old.and_then(|old| old.replaced_in(text, &Raw::of(model)));
    replaced.unwrap_or_else(|| text.clone())
}
