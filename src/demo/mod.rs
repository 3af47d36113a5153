//! The embedded demo upstream.
