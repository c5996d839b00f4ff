//! What can be held, and what can be wanted while it is.

use super::{Held, checker};
use core::fmt;

/// All locks that are taken by the same rules, so that their order can be checked.
///
/// ```
/// use dma_fence::contract::LockClass;
/// use std::sync::Mutex;
/// static QUEUE: LockClass = LockClass::new("submission queue");
/// let queue = Mutex::new(Vec::new());
/// {
///     let _held = QUEUE.acquire();
///     queue.lock().unwrap().push("job");
/// }
/// ```
#[doc(alias = "lock_class_key")]
#[derive(Debug)]
pub struct LockClass {
    name: &'static str,
}

impl LockClass {
    /// For a `static`: the class is known by its place in memory.
    pub const fn new(name: &'static str) -> Self {
        LockClass { name }
    }

    /// A lock of this class is about to be taken; keep the guard as long as the lock.
    ///
    /// # Context
    /// Reports, before the lock is waited for.
    #[doc(alias("lock_acquire", "lock_release", "might_lock"))]
    #[inline]
    #[track_caller]
    pub fn acquire(&'static self) -> Held {
        Held::new(checker::acquire(Class::Lock(self)))
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl PartialEq for LockClass {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for LockClass {}

/// What one side of a [`Step`](super::Step) is about.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The signal of some fence: held by who is in a signalling section, wanted by who waits.
    Signal,
    /// The signal of this fence, by context and sequence number.
    Fence(u64, u64),
    /// Memory: held by who frees it under pressure, wanted by who allocates.
    Reclaim,
    /// Any reservation object.
    Reservation,
    /// A lock of the user's.
    Lock(&'static LockClass),
}

impl Class {
    /// Told of the side that holds it.
    pub(super) fn fmt_held(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Signal => f.write_str("in the signalling section begun"),
            Class::Fence(context, seqno) => {
                write!(f, "in the signalling section of fence {context}:{seqno} begun")
            }
            Class::Reclaim => f.write_str("in the memory reclaim begun"),
            Class::Reservation => f.write_str("with the reservation object locked"),
            Class::Lock(class) => write!(f, "with lock {} taken", class.name),
        }
    }

    /// Told of the side that wants it.
    pub(super) fn fmt_wanted(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Signal => f.write_str("wait for a fence"),
            Class::Fence(context, seqno) => write!(f, "wait for fence {context}:{seqno}"),
            Class::Reclaim => f.write_str("allocation or reclaim of memory"),
            Class::Reservation => f.write_str("lock of a reservation object"),
            Class::Lock(class) => write!(f, "lock {}", class.name),
        }
    }
}
