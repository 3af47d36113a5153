//! F-3: the upstream stalls.
