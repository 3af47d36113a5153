//! F-2: a stream is split at every byte.
