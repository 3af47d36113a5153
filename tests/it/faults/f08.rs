//! F-8: the client reads nothing.
