//! Calls signed in with what is stored, and once more where that was refused and could be renewed.

use super::{Upstream, failure};
use crate::auth::session::Session;
use crate::error::{ErrorKind, Result};
use crate::secret::Secret;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

impl Upstream {
    /// Asks for what is at a path, signed in.
    ///
    /// # Errors
    /// As [`Upstream::stream`].
    pub async fn get(&self, path: &str, limit: Duration) -> Result<Bytes> {
        let asked = |key: Option<Secret>| async move {
            let address = format!("{}{path}", self.base_url);
            let request = self.client.get(address).headers(self.headers.now(key.as_ref()));
            let response = request.send().await.map_err(|error| failure::of_transport(&self.name, error))?;
            self.read_whole(self.accepted(response).await?).await
        };
        let asked =
            tokio::time::timeout(limit, self.signed_in(asked)).await.map_err(|_| self.silent(limit))?;
        asked.map_err(|error| self.told(error))
    }

    /// Makes an attempt with what signs calls in, and another with a renewed login where that was refused.
    pub(super) async fn signed_in<T, F: Future<Output = Result<T>>>(
        &self,
        attempt: impl Fn(Option<Secret>) -> F,
    ) -> Result<T> {
        let Some(session) = &self.session else { return attempt(self.key.clone()).await };
        let Some(mut pass) = session.pass().await? else { return attempt(None).await };
        // What another process has left may be refused too; what was renewed for us is not renewed again.
        loop {
            let refused = match attempt(Some(pass.secret.clone())).await {
                Err(error) if error.kind() == ErrorKind::LoginRequired => error,
                outcome => return outcome,
            };
            match session.renewed(&pass).await {
                Ok(Some(renewed)) => pass = renewed,
                Ok(None) => return Err(refused),
                Err(error) => return Err(session.mask(error).with_source(refused)),
            }
        }
    }

    /// What is stored for it, where calls are signed in with that.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }
}
