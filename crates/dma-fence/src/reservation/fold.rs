//! Going through the fences without a handle of each: under a debt, which several share.
//!
//! User code runs meanwhile, that of who folds and that of hooks. It may do what it likes: nobody waits for a debt
//! to be settled. RESV-MOMENT: as in an [iteration](super::ReservationIter), what is told comes from one pass that
//! nothing came in between, unless whoever folds stops it.
#![allow(unsafe_code)]

use super::Usage;
use super::changes::Moment;
use super::iter::ReservationIter;
use super::several::{self, Interrupted};
use super::slot::{Seen, Wanted};
use super::table::{Beginning, Table, uncounted};
use crate::fence::{Fence, Inner};
use core::ops::ControlFlow;

/// Folds what is wanted, from the start again if the object changes. Of fences that are not wanted once they have
/// signaled each is asked, and marked. Who stops it may have been shown what the object has no more.
#[inline]
pub(super) fn fold<B, R>(
    table: &Table,
    wanted: Wanted,
    mut init: impl FnMut() -> B,
    mut f: impl FnMut(B, &Fence, Usage) -> ControlFlow<R, B>,
) -> ControlFlow<R, B> {
    loop {
        let beginning = Beginning::of(table);
        match pass(table, beginning.moment(), wanted, init(), &mut f) {
            Ok(result) if beginning.is_whole() => return ControlFlow::Continue(result),
            Ok(_) | Err(Interrupted::Disturbed) => {}
            Err(Interrupted::Stopped(result)) => return ControlFlow::Break(result),
            Err(Interrupted::NoMemory) => return with_handles(table, wanted, init, f),
        }
    }
}

/// Folds all, if they are of that moment.
#[inline]
fn pass<B, R>(
    table: &Table,
    moment: Moment<'_>,
    wanted: Wanted,
    init: B,
    mut f: impl FnMut(B, &Fence, Usage) -> ControlFlow<R, B>,
) -> Result<B, Interrupted<R>> {
    let see = |so_far, seen: Seen<'_, Inner>| {
        // SAFETY: RESV-DEBT: the debt lasts until this returns.
        let (fence, usage) = unsafe { seen.peek() };
        let fence = uncounted(fence);
        let may_have_signaled = || fence.0.lock.load().may_have_signaled();
        if !wanted.signaled && may_have_signaled() && has_signaled(seen) {
            return ControlFlow::Continue(so_far);
        }
        f(so_far, &fence, usage)
    };
    let (places, debts) = table.several();
    // SAFETY: RESV-MOMENT: the moment is of this table.
    unsafe { several::fold(places, wanted, debts, moment, init, see) }
}

/// Asks it, and marks the slot if it is so. Cold, for it is so once for each fence, and asking a hook is slow.
#[cold]
fn has_signaled(seen: Seen<'_, Inner>) -> bool {
    // SAFETY: RESV-DEBT: the debt lasts until this returns.
    let yes = uncounted(unsafe { seen.peek() }.0).is_signaled();
    if yes {
        seen.mark_signaled();
    }
    yes
}

/// Needs no memory, however many are doing this.
#[cold]
fn with_handles<B, R>(
    table: &Table,
    wanted: Wanted,
    mut init: impl FnMut() -> B,
    mut f: impl FnMut(B, &Fence, Usage) -> ControlFlow<R, B>,
) -> ControlFlow<R, B> {
    let mut iter = ReservationIter::over(table, wanted.last);
    let mut so_far = init();
    loop {
        let item = iter.next();
        if iter.is_restarted() {
            so_far = init();
        }
        let Some((fence, usage)) = item else { return ControlFlow::Continue(so_far) };
        if wanted.signaled || !fence.is_signaled() {
            so_far = f(so_far, &fence, usage)?;
        }
    }
}
