//! Keys and logins: how one logs in, where what comes of it is kept, and how it stays good.

pub mod callback;
pub mod credential;
mod document;
pub mod grant;
pub mod http;
pub mod iflow;
pub mod keyring;
pub mod login;
pub mod method;
pub mod refresh;
pub mod session;
pub mod store;
pub mod words;
