//! What only iFlow does: the key that calls are signed with is asked for with the access token.

use super::http::Http;
use super::method::Method;
use super::words::said;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use serde_json::Value;

/// Who has logged in.
#[derive(Debug)]
pub struct User {
    /// The key of calls.
    pub api_key: Secret,
    /// The address or number they are known by.
    pub account: Option<String>,
}

/// Asks for the key. The token stands in the address, as iFlow wants it, so no message may show that.
///
/// # Errors
/// `LoginRequired` where the token is refused, `BadAnswer` where there is no key in the answer; else as [`Http::send`].
pub async fn user(method: &Method, http: &Http, token: &Secret) -> Result<User> {
    let mut url = method.endpoint("userinfo_url", method.userinfo_url.as_ref())?;
    url.query_pairs_mut().append_pair("accessToken", token.expose());
    let answer = http.get(url.as_str()).await.map_err(|error| method.about(error))?;
    let status = answer.status();
    let value: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let data = value.get("data").unwrap_or(&Value::Null);
    let text = |name: &str| data.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    match text("apiKey") {
        Some(key) if status.is_success() && value.get("success") != Some(&Value::Bool(false)) => Ok(User {
            api_key: Secret::new(key.trim()),
            account: text("email").or_else(|| text("phone")).or_else(|| text("userName")).map(said),
        }),
        _ => {
            let words = value.get("message").and_then(Value::as_str).map(said).unwrap_or_default();
            let message =
                format!("`{}` told no key for this login (status {status}) {words}", method.upstream);
            let refused = matches!(status.as_u16(), 401 | 403);
            let kind = if refused { ErrorKind::LoginRequired } else { ErrorKind::BadAnswer };
            Err(Error::new(kind, message.trim().to_owned()).with_status(status.as_u16()))
        }
    }
}
