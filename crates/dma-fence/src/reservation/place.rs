//! A slot, and beside it whose fence it holds: who looks for a timeline's place asks no fence.
//!
//! | word | who | transition | ordering | pairs with |
//! |---|---|---|---|---|
//! | key | holder of the update lock | any | Relaxed | nothing: the update lock |
//!
//! | step | key before | key after |
//! |---|---|---|
//! | a fence is put in | any | its context |
//! | a fence gives way to a later one of its context | context, ALONE or not | the same |
//! | who has looked at all places found this one of that context | context | context, ALONE |
//! | or found others, too; or puts in fences without looking | context, ALONE or not | context |
//! | the slot is emptied | any | nobody's |
//!
//! RESV-ALONE: where a key says ALONE no other place holds a fence of that context. So nothing else can be the
//! fence that is being added, or one that it makes superfluous, and no other place has to be looked at.

use super::table::FenceSlot;
use crate::sync::{AtomicU64, Ordering};

pub(super) struct Place {
    pub(super) slot: FenceSlot,
    key: AtomicU64,
}

/// Numbers of contexts are counted up and do not get here.
const ALONE: u64 = 1 << 63;
/// No context's number, ALONE or not.
const NOBODY: u64 = !ALONE;

impl AsRef<FenceSlot> for Place {
    #[inline]
    fn as_ref(&self) -> &FenceSlot {
        &self.slot
    }
}

impl Place {
    pub(super) fn empty() -> Self {
        Place { slot: FenceSlot::empty(), key: AtomicU64::new(NOBODY) }
    }

    /// The slot is of that context from now on, or of none.
    pub(super) fn assign(&self, context: Option<u64>) {
        self.key.store(context.unwrap_or(NOBODY), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_of(&self, context: u64) -> bool {
        self.key.load(Ordering::Relaxed) & !ALONE == context
    }

    /// Is it the only one of that context, as far as is known?
    #[inline]
    pub(super) fn is_alone_of(&self, context: u64) -> bool {
        self.key.load(Ordering::Relaxed) == context | ALONE
    }

    pub(super) fn set_alone(&self, alone: bool) {
        let context = self.key.load(Ordering::Relaxed) & !ALONE;
        self.key.store(if alone { context | ALONE } else { context }, Ordering::Relaxed);
    }
}
