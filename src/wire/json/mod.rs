//! JSON as it was written: pieces of text that are read where a rule needs them and forwarded
//! otherwise. Key order, number text and unknown members survive by construction.

mod members;
mod raw;
mod seeds;

pub use members::{Members, array, write_array};
pub use raw::{Kind, Raw};

pub(crate) use members::write_object;
pub(crate) use seeds::{MembersSeed, RawSeed, SeqSeed, next_key};
