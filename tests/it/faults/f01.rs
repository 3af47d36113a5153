//! F-1: the upstream is killed at every byte.
