//! What vouches for thoughts that come back: `ifw1.PROFILE.HASH` (E07).

use std::hash::Hasher as _;

const MARK: &str = "ifw1.";

/// Makes the signature of one thinking block.
pub struct Signer {
    profile: String,
    hash: fnv::FnvHasher,
}

impl Signer {
    /// A signer for an answer of this profile.
    pub fn new(profile: &str) -> Self {
        Self { profile: profile.to_owned(), hash: fnv::FnvHasher::default() }
    }

    /// Adds text.
    pub fn add(&mut self, text: &str) {
        self.hash.write(text.as_bytes());
    }

    /// The signature of all text so far.
    pub fn signature(&self) -> String {
        format!("{MARK}{}.{:016x}", self.profile, self.hash.finish())
    }
}

/// Whether a signature is one of ours.
pub fn is_ours(signature: &str) -> bool {
    signature.starts_with(MARK)
}
