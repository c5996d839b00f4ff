//! What one would write by hand without the library.

mod boxed;
mod futex;
mod snapshot;

pub(crate) use boxed::BoxedFence;
pub(crate) use futex::Futex;
pub(crate) use snapshot::{ArcSnapshot, Entry, LockedVec};
