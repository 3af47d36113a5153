//! F-17: descriptors, names and certificates run out.
