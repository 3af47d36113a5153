//! F-6: the upstream is down for a while.
