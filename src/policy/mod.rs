//! The provider's habits as rules; pure.

pub mod assemble;
pub mod calls;
pub mod circuit;
pub mod context;
pub mod continuation;
pub mod failure;
pub mod filters;
pub mod glob;
mod grown;
pub mod history;
pub mod images;
mod overflow;
pub mod presets;
pub mod profile;
pub mod provider;
pub mod recall;
pub mod repair;
pub mod request;
pub mod retry;
pub mod think;
pub mod thinking;
pub mod wrapped;
