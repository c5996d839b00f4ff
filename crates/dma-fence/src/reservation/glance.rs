//! Reading without a handle of each fence, if nothing comes in between: the way that is tried first.
//!
//! One pass, in which a debt is incurred for several fences at once and none of them is counted. Whatever is not
//! plain (a change meanwhile, a fence that a hook has to be asked about, one that is abandoned) is left to the
//! [iteration](super::ReservationIter). RESV-MOMENT: the pass begins with an even count, and ends with the same.

use super::Usage;
use super::debt::LINES;
use super::slot::{Look, Seen, Verdict, Wanted};
use super::table::{Pass, Table};
use crate::fence::{Fence, Inner};
use crate::shared::AllocError;
use crate::sync::Life;
use alloc::vec::Vec;

/// Have all fences at or before `last` signaled? With `to_the_end` false stops at the first that has not.
pub(super) fn are_signaled(table: &Table, last: Usage, to_the_end: bool) -> Option<bool> {
    let mut pass = Pass::begin_undisturbed(table)?;
    let wanted = Wanted { last, signaled: false };
    let (mut all, mut asks) = (true, false);
    let mut judge = |fence: &Seen<'_, Inner>| {
        let state = fence.lock.load();
        if state.is_signaled() {
            return Verdict::Mark;
        }
        all = false;
        asks = state.is_polled() || state.life() == Life::Abandoned;
        if to_the_end && !asks { Verdict::Leave } else { Verdict::Stop }
    };
    // Who stops early owes for few.
    let mut at_most = if to_the_end { LINES } else { 1 };
    let end = loop {
        let end = pass.look(at_most, wanted, &mut judge);
        if end != Look::Full {
            break end;
        }
        at_most = LINES.min(at_most * 2);
    };
    match end {
        _ if asks => None,
        // One is enough, and it was there as we looked.
        Look::Stopped => Some(false),
        Look::Done => pass.is_current().then_some(all),
        Look::Full | Look::Disturbed => None,
    }
}

/// The fences that are wanted, each with its usage. Those that have signaled are wanted or marked.
pub(super) fn collect(
    table: &Table,
    wanted: Wanted,
) -> Option<Result<Vec<(Fence, Usage)>, AllocError>> {
    let mut pass = Pass::begin_undisturbed(table)?;
    let mut found = Vec::new();
    let mut no_memory = false;
    let mut judge = |fence: &Seen<'_, Inner>| {
        if !wanted.signaled && fence.lock.load().is_signaled() {
            return Verdict::Mark;
        }
        no_memory = found.try_reserve(1).is_err();
        if no_memory {
            return Verdict::Stop;
        }
        found.push((Fence(fence.handle()), fence.usage()));
        Verdict::Leave
    };
    let end = loop {
        let end = pass.look(LINES, wanted, &mut judge);
        if end != Look::Full {
            break end;
        }
    };
    match end {
        _ if no_memory => Some(Err(AllocError)),
        Look::Done => pass.is_current().then_some(Ok(found)),
        Look::Full | Look::Stopped | Look::Disturbed => None,
    }
}
