//! F-15: the program is told to stop.
