//! What to know before one draws conclusions.

use crate::model::Model;
use crate::report::{Fence, Verdict};

/// Neighbours change places by less.
const NOTICED: u64 = 100_000_000;

pub(super) fn of(model: &Model, fences: &[Fence], end: u64) -> Vec<String> {
    let gaps = &model.gaps;
    let mut notes = Vec::new();
    if gaps.overwritten > 0 {
        notes.push(format!(
            "{} events were overwritten before the trace was read: what began before it has no beginning here",
            gaps.overwritten
        ));
    }
    if let (Some(until), Some(cpu)) = (gaps.blind_until, gaps.blind_cpu) {
        let after = until.saturating_sub(model.counts.first.unwrap_or(until)) as f64 / 1e9;
        notes.push(format!(
            "the events of CPU {cpu} begin {after:.3} s later than the others': what was pending before that and was \
             not heard of since may have signaled unseen, and is not accused"
        ));
    }
    if gaps.lost > 0 {
        notes.push(format!(
            "{} events were lost while tracing: what was pending then may have signaled unseen \
             (record with a larger buffer)",
            gaps.lost
        ));
    }
    if model.counts.back > NOTICED {
        notes.push(format!(
            "times go back by up to {:.3} s: are the CPUs one after the other in it? What ended long before it began here \
             is not accused (several FILEs are read in any order)",
            model.counts.back as f64 / 1e9
        ));
    }
    let unsure = fences.iter().filter(|fence| is_pending(fence) && fence.init_ns.is_none()).count();
    if unsure > 0 {
        notes.push(format!(
            "{unsure} of the pending fences were made before the trace began: they are older than it says"
        ));
    }
    let early = fences.iter().filter(|fence| fence.verdict == Verdict::PendingAtEnd);
    if early.clone().any(|fence| fence.certain) && end == model.counts.last {
        notes.push(format!(
            "the trace ended too soon to tell about {} pending fences: if tracing went on after the last event, \
             `--end TIME` says until when",
            early.count()
        ));
    }
    if model.counts.waits == 0 && fences.iter().any(is_pending) {
        notes.push(
            "no waiter was seen: a wait by the kernel leaves an event, a poll by user space does not".into(),
        );
    }
    if model.timelines.no_contexts {
        notes.push(
            "this old kernel prints no contexts: timelines are told apart by their names, and the contexts here \
             are invented"
                .into(),
        );
    }
    if let Some((index, names)) = &model.timelines.renamed {
        let first = model.timelines.get(*index);
        notes.push(format!(
            "context {} was {}/{} first, which is what it is called here, and {names} later: are these several traces in \
             one?",
            first.context.unwrap_or_default(),
            first.driver,
            first.name
        ));
    }
    if model.retired.replaced > 0 {
        notes.push(format!(
            "{} fences were pending when another one got their name: are these several traces in one?",
            model.retired.replaced
        ));
    }
    if fences.iter().any(signaled_by_vgem) {
        notes.push(
            "vgem signals by itself 10 s after a fence was made, without an error: such a fence is late because \
             nobody signaled it"
                .into(),
        );
    }
    notes
}

fn is_pending(fence: &Fence) -> bool {
    matches!(fence.verdict, Verdict::Never | Verdict::PendingAtEnd)
}

/// The kernel's timer wheel is not exact.
fn signaled_by_vgem(fence: &Fence) -> bool {
    let ten_seconds = 9_900_000_000..11_000_000_000;
    fence.driver == "vgem" && fence.verdict == Verdict::Late && ten_seconds.contains(&fence.age_ns)
}
