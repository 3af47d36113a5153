//! One resolved configuration.
