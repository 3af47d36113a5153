//! What would become of a call, without sending it: `models resolve`.

use super::Gateway;
use crate::error::Result;

/// Where a name leads, and what would be sent.
pub struct Resolution;

impl Gateway {
    /// Explains where a name leads.
    ///
    /// # Errors
    /// As [`Gateway::route`].
    pub fn resolve(&self, name: &str) -> Result<Resolution> {
        self.route(name).map(|_| Resolution)
    }
}
