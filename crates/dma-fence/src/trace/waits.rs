//! Waits of this thread.

use super::{EventKind, moment};
use crate::fence::Fence;

/// Waits that go on until this is dropped.
pub(crate) struct Waiting<'a>(&'a [Fence]);

/// Call it before a wait for `fences`; keep what it returns until the wait is over.
#[inline]
pub(crate) fn waits(fences: &[Fence]) -> Waiting<'_> {
    let moment = moment();
    if !moment.is_heard() {
        // It has not begun for anybody, so it must not end for one who comes meanwhile.
        return Waiting(&[]);
    }
    fences.iter().for_each(|fence| moment.tell(EventKind::WaitStart, &fence.0));
    Waiting(fences)
}

impl Drop for Waiting<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_empty() {
            let moment = moment();
            self.0.iter().for_each(|fence| moment.tell(EventKind::WaitEnd, &fence.0));
        }
    }
}
