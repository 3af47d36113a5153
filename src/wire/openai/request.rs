//! A chat completion request.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat/create>.

use crate::error::Result;
use crate::wire::body::Body;
use bytes::Bytes;
use std::ops::{Deref, DerefMut};

/// A chat completion request: its members as they came.
#[derive(Debug, Clone, Default)]
pub struct ChatRequest(pub Body);

impl ChatRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// As [`Body::parse`].
    pub fn parse(body: &Bytes) -> Result<Self> {
        Body::parse(body).map(Self)
    }
}

impl Deref for ChatRequest {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.0
    }
}

impl DerefMut for ChatRequest {
    fn deref_mut(&mut self) -> &mut Body {
        &mut self.0
    }
}
