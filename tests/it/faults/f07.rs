//! F-7: the client leaves.
