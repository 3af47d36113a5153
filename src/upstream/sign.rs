//! iFlow's signature of each request, made with the user's own key over our own name.
//!
//! The message is `<User-Agent>:<session-id>:<timestamp>`, the key the API key; from public source of its
//! clients of 2026-02, as nobody can ask the service any more.

use super::client::USER_AGENT;
use crate::secret::Secret;
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use std::time::{SystemTime, UNIX_EPOCH};

/// Signs the requests of one session: this process's calls to one upstream.
pub struct Signer {
    session: String,
}

impl Default for Signer {
    /// A session of its own.
    fn default() -> Self {
        Self { session: format!("session-{}", uuid(fastrand::u128(..))) }
    }
}

impl Signer {
    /// The headers of a request that is sent now; without a key there is nothing to sign with.
    pub fn headers(&self, key: Option<&Secret>, now: SystemTime) -> Vec<(&'static str, String)> {
        let mut headers = vec![("session-id", self.session.clone())];
        if let Some(key) = key {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
            let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let message = format!("{USER_AGENT}:{}:{milliseconds}", self.session);
            let tag = hmac::sign(&key, message.as_bytes());
            headers.push(("x-iflow-timestamp", milliseconds.to_string()));
            headers.push(("x-iflow-signature", HEXLOWER.encode(tag.as_ref())));
        }
        headers
    }
}

/// Random bits in the form of RFC 9562, version 4. It only has to be unlikely twice.
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let text = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| text.get(range).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_session_has_the_form_of_a_uuid() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn a_signature_is_that_of_a_known_answer() {
        let signer = Signer { session: "session-1".to_owned() };
        let key = Secret::new("sk-test");
        let headers = signer.headers(Some(&key), UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
        // printf 'iflow2api/0.1.0:session-1:1700000000123' | openssl dgst -sha256 -hmac sk-test
        let expected = "fdb292d92dbbaa4f538299b21f06812707dcd1833a9aa0fc971d8aefb6abe962";
        assert_eq!(
            headers,
            [
                ("session-id", "session-1".to_owned()),
                ("x-iflow-timestamp", "1700000000123".to_owned()),
                ("x-iflow-signature", expected.to_owned()),
            ]
        );
    }
}
