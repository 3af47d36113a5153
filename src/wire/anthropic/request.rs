//! A messages request.
//!
//! Source: <https://docs.anthropic.com/en/api/messages>.

use crate::error::Result;
use crate::wire::body::Body;
use bytes::Bytes;
use std::ops::{Deref, DerefMut};

/// A messages request: its members as they came.
#[derive(Debug, Clone, Default)]
pub struct MessagesRequest(pub Body);

impl MessagesRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// As [`Body::parse`].
    pub fn parse(body: &Bytes) -> Result<Self> {
        Body::parse(body).map(Self)
    }
}

impl Deref for MessagesRequest {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.0
    }
}

impl DerefMut for MessagesRequest {
    fn deref_mut(&mut self) -> &mut Body {
        &mut self.0
    }
}
