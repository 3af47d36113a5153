//! F-5: the upstream refuses for a while.
