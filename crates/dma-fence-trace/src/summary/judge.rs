//! What became of a fence, as far as the trace tells.

use std::collections::HashSet;

use crate::event::FenceId;
use crate::model::{Model, Sorted, State, Timeline};
use crate::report::Verdict;

/// What verdicts depend on.
pub(super) struct Judge<'a> {
    model: &'a Model,
    /// When tracing ended.
    pub(super) end: u64,
    /// How long the fences of each timeline take.
    pub(super) usual: Vec<Sorted<'a>>,
    /// What is known to depend on another: no guesses.
    depended_on: HashSet<FenceId>,
}

/// A verdict, and how sure it is.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) certain: bool,
    pub(super) age: u64,
    pub(super) late: Option<u64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(model: &'a Model, end_ns: Option<u64>) -> Self {
        let last = model.counts.last;
        let pending = model.fences.values().filter(|fence| !fence.is_over());
        let depended_on = pending.flat_map(|fence| {
            let extra = fence.extra();
            extra.depends_on.iter().chain(&extra.members).copied()
        });
        // One before the last event is wrong: the one that the trace says stands.
        let end = end_ns.filter(|end| *end >= last).or(model.counts.ended);
        Self {
            model,
            end: end.unwrap_or(last).max(last),
            usual: model.timelines.iter().map(|timeline| timeline.durations.sorted()).collect(),
            depended_on: depended_on.collect(),
        }
    }

    pub(super) fn timeline(&self, fence: &State) -> Option<&'a Timeline> {
        fence.timeline.map(|index| self.model.timelines.get(index))
    }

    /// For whoever could watch until `end`. `None` if nothing can be said of it.
    pub(super) fn judge(&self, id: FenceId, fence: &State, end: u64) -> Option<Judged> {
        // No context has this number: what prints it is a stub, or not yet made.
        if id.context == 0 && !fence.is_over() {
            return None;
        }
        let unnumbered = self.timeline(fence).is_some_and(|timeline| timeline.numbers_at_emit);
        let signaled = fence.signaled.is_some() || fence.over;
        if id.seqno == 0 && unnumbered && fence.extra().emit.is_none() && !signaled {
            return None;
        }
        if fence.is_over() { self.judge_over(fence) } else { self.judge_pending(id, fence, end) }
    }

    fn judge_over(&self, fence: &State) -> Option<Judged> {
        // Of one whose names were never seen nothing is remembered, either.
        let timeline = fence.timeline?;
        let gaps = &self.model.gaps;
        let gap = gaps.is_blind(fence.evidence) || gaps.lost_since(fence.evidence).is_some();
        let missing = gap || fence.unsure;
        let end = fence.signaled.or(fence.destroyed).unwrap_or(self.end);
        let age = end.saturating_sub(fence.start().unwrap_or(fence.seen));
        let judged = |verdict, certain| Some(Judged { verdict, certain, age, late: None });
        if fence.extra().abandoned.is_some() {
            return judged(Verdict::Lost, true);
        }
        if let Some(latency) = fence.latency() {
            let usual = &self.usual[timeline];
            let over = latency.checked_sub(self.model.thresholds.signaled(usual));
            let late = over.filter(|over| *over > 0);
            let verdict = if late.is_some() { Verdict::Late } else { Verdict::Ok };
            return Some(Judged { verdict, certain: true, age, late });
        }
        // What began before the trace has no beginning to judge by.
        fence.start()?;
        if fence.over || fence.signaled.is_some() {
            judged(Verdict::Ok, false)
        } else if fence.is_container(self.model.timelines.get(timeline)) {
            judged(Verdict::Unobserved, !missing)
        } else if missing {
            judged(Verdict::Ok, false)
        } else {
            judged(Verdict::Lost, true)
        }
    }

    fn judge_pending(&self, id: FenceId, fence: &State, end: u64) -> Option<Judged> {
        let gaps = &self.model.gaps;
        let start = fence.start().unwrap_or(fence.seen);
        let first_wait =
            fence.waits.iter().filter(|wait| wait.is_open()).filter_map(|w| w.since).min();
        let awaited = first_wait.is_some()
            || !fence.extra().askers.is_empty()
            || self.depended_on.contains(&id);
        let known = fence.start().is_some() || fence.extra().abandoned.is_some();
        if !known && !awaited && !fence.kept_waiting() {
            return None;
        }
        let none = Sorted::Exact(Vec::new());
        let usual = fence.timeline.map_or(&none, |index| &self.usual[index]);
        let bound = self.model.thresholds.pending(usual);
        let is_long = |at: u64| {
            let longer = |since: u64| at.saturating_sub(since) > bound;
            longer(start) || first_wait.is_some_and(longer)
        };
        // Its signal may be among the events that are missing.
        let blind = gaps.is_blind(fence.evidence) || fence.unsure;
        let lost_at = gaps.lost_since(fence.evidence);
        let lost_early = lost_at.is_some_and(|at| !is_long(at));
        let idle = !awaited
            && self.timeline(fence).is_some_and(|timeline| {
                // Nobody has asked it to look at its members, so that it cannot know.
                timeline.is_on_demand || (timeline.is_container && fence.extra().members.is_empty())
            });
        let verdict = match fence.extra().abandoned {
            Some(_) => Verdict::Lost,
            None if blind || idle || lost_early => Verdict::PendingAtEnd,
            None if is_long(end) => Verdict::Never,
            None => Verdict::PendingAtEnd,
        };
        let certain = !blind && lost_at.is_none() && fence.init.is_some();
        Some(Judged { verdict, certain, age: end.saturating_sub(start), late: None })
    }
}
