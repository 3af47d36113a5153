//! F-4: the upstream sends garbage.
