//! Going through the fences without a handle of each: under a debt, which several share.
//!
//! User code runs meanwhile, that of who folds and that of hooks. It may do what it likes: nobody waits for a debt
//! to be settled. RESV-MOMENT: as in an [iteration](super::ReservationIter), what is told comes from one pass that
//! nothing came in between.

use super::Usage;
use super::iter::ReservationIter;
use super::slot::{Interrupted, Wanted};
use super::table::{Pass, Table};
use crate::fence::Fence;
use core::ops::ControlFlow;

/// Folds what is wanted, from the start again if the object changes. Of fences that are not wanted once they have
/// signaled each is asked, and marked.
#[inline]
pub(super) fn fold<B, R>(
    table: &Table,
    wanted: Wanted,
    mut init: impl FnMut() -> B,
    mut f: impl FnMut(B, &Fence, Usage) -> ControlFlow<R, B>,
) -> ControlFlow<R, B> {
    let mut pass = Pass::new(table);
    loop {
        match pass.fold(wanted, init(), &mut f) {
            Ok(result) if pass.is_whole() => return ControlFlow::Continue(result),
            Ok(_) | Err(Interrupted::Disturbed) => {}
            Err(Interrupted::Stopped(result)) => return ControlFlow::Break(result),
            Err(Interrupted::NoMemory) => return with_handles(table, wanted, init, f),
        }
        pass = pass.again();
    }
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
