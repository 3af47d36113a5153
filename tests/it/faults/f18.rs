//! F-18: a handler panics.
