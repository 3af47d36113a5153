//! The provider's habits as rules; pure.

pub mod assemble;
pub mod calls;
pub mod circuit;
pub mod context;
pub mod continuation;
pub mod failure;
mod grown;
mod overflow;
pub mod presets;
pub mod profile;
pub mod repair;
pub mod request;
pub mod retry;
pub mod thinking;
pub mod wrapped;
