//! What to look at first.

use std::collections::HashMap;

use crate::event::FenceId;
use crate::report::{Fence, Verdict};

/// Most urgent first; among equals, what others depend on comes before them.
pub(super) fn sort(fences: &mut [Fence]) {
    let mut dependents: HashMap<FenceId, usize> = HashMap::new();
    for fence in fences.iter() {
        // A job's own fence is nobody who waits.
        for blame in fence.blamed_on.iter().filter(|blame| fence.part_of != Some(blame.fence)) {
            *dependents.entry(blame.fence).or_default() += 1;
        }
    }
    fences.sort_by_cached_key(|fence| {
        let dependents = dependents.get(&fence.id()).copied().unwrap_or(0);
        let urgent = fence.is_awaited() || dependents > 0;
        let urgency = urgency(fence, urgent);
        // The first error is the one that the others come from.
        let first = fence.signaled_ns.filter(|_| urgency == ERROR);
        let key = (urgency, !fence.root, !urgent, first);
        (key, !dependents, !fence.age_ns, fence.context, fence.seqno)
    });
}

const ERROR: u8 = 3;

fn urgency(fence: &Fence, urgent: bool) -> u8 {
    match fence.verdict {
        _ if fence.is_stuck() => 0,
        Verdict::PendingAtEnd if urgent && (fence.certain || fence.has_open_wait()) => 1,
        Verdict::Late => 2,
        _ if fence.error.is_some() => ERROR,
        Verdict::Lost | Verdict::Never => 4,
        Verdict::PendingAtEnd => 5,
        Verdict::Unobserved => 6,
        Verdict::Ok => 7,
    }
}
