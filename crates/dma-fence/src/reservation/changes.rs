//! The count of an object's changes, by which a reader knows whether what it has seen is of one moment.
//!
//! RESV-MOMENT: the count is odd while a slot changes, and every change of one slot is between two
//! steps of the count. A pass over all slots that begins and ends with the same count has seen the content of
//! one moment, for there was at most one change, and it was of one slot. If the count was even there was none; if it was
//! odd only who adds up what the slots have, before and after, knows.
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | holder of the update lock | begin: even → odd | Release | now: the changes before this one, and what was freed after them |
//! | holder of the update lock | end: odd → even | Release | now: this change and those before |
//! | reader, before a pass | now | Acquire | begin, end |
//! | reader, in a pass | is current | Acquire fence, then Relaxed | replace: who saw one sees that its change began; mark |
//! | reader, after it owes | is current | likewise | look's fence: who is not paid sees that the change began |

use crate::sync::{AtomicU64, Ordering, fence};

pub(super) struct Changes(AtomicU64);

impl Changes {
    pub(super) fn new() -> Self {
        Changes(AtomicU64::new(0))
    }

    /// The caller has the update lock.
    #[inline]
    pub(super) fn begin(&self) {
        // Nobody else stores to it. Who reads the odd number sees all changes before, as with an even one: else he could
        // find something that was let go of before this change began, and hear from nobody that it is gone.
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    #[inline]
    pub(super) fn end(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    #[inline]
    pub(super) fn now(&self) -> Moment<'_> {
        Moment { changes: self, count: self.0.load(Ordering::Acquire) }
    }
}

/// When a reader began.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    changes: &'a Changes,
    count: u64,
}

impl Moment<'_> {
    /// Was a slot being changed?
    #[inline]
    pub(super) fn is_amid_a_change(self) -> bool {
        self.count % 2 == 1
    }

    /// Has nothing begun since then that we have seen anything of?
    #[inline]
    pub(super) fn is_current(self) -> bool {
        fence(Ordering::Acquire);
        self.changes.0.load(Ordering::Relaxed) == self.count
    }
}
