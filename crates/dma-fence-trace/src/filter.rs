//! A part of a report.

use std::collections::{HashMap, HashSet};

use crate::event::FenceId;
use crate::report::{Fence, Report, Timeline, Verdict};

/// What is wanted of a report. All that is set must be true.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Fences of timelines whose `driver/timeline` contains this, or whose context it is.
    pub timeline: Option<String>,
    /// Fences that this thread made, signaled, waited for or asked for.
    pub pid: Option<u32>,
    /// Fences that were still pending then, or came later: nanoseconds on the trace's clock.
    pub since_ns: Option<u64>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn takes_timeline(&self, driver: &str, name: &str, context: Option<u32>) -> bool {
        let Some(wanted) = &self.timeline else { return true };
        format!("{driver}/{name}").contains(wanted)
            || context.is_some_and(|context| context.to_string() == *wanted)
    }

    fn takes(&self, fence: &Fence) -> bool {
        let since = self.since_ns.is_none_or(|since| {
            let end = fence.signaled_ns.or(fence.destroyed_ns);
            end.is_none_or(|end| end >= since)
        });
        let pid = self.pid.is_none_or(|pid| pids(fence).any(|other| other == Some(pid)));
        since && pid && self.takes_timeline(&fence.driver, &fence.timeline, Some(fence.context))
    }
}

fn pids(fence: &Fence) -> impl Iterator<Item = Option<u32>> {
    let owners = fence.made_by.iter().chain(&fence.signaled_by).map(|task| task.pid);
    let waiters = fence.waiters.iter().map(|waiter| waiter.pid);
    owners.chain(waiters).chain(fence.asked_by.iter().map(|asker| asker.pid))
}

impl Report {
    /// Leaves what is wanted, and the fences that are the reason for it. The counts go on to speak of the whole
    /// trace.
    pub fn filter(&mut self, filter: &Filter) {
        if filter.is_empty() {
            return;
        }
        let wanted = self.with_reasons(filter);
        self.fences.retain(|fence| wanted.contains(&fence.id()));
        self.timelines.retain(|timeline: &Timeline| {
            filter.takes_timeline(&timeline.driver, &timeline.timeline, timeline.context)
        });
        self.stuck = self.fences.iter().any(Fence::is_stuck);
    }

    /// Leaves out the fences with which nothing is wrong, as if they had not been asked for.
    pub fn leave_out_fine(&mut self) {
        self.fences.retain(|fence| {
            !matches!(fence.verdict, Verdict::Ok | Verdict::Unobserved) || fence.error.is_some()
        });
    }

    /// How many fences never signaled or were late that are not among these, because a filter left them out.
    pub fn elsewhere(&self) -> u64 {
        let in_trouble = |fence: &&Fence| matches!(fence.verdict, Verdict::Never | Verdict::Late);
        let here = self.fences.iter().filter(in_trouble).count() as u64;
        (self.verdicts.never + self.verdicts.late).saturating_sub(here + self.late_not_listed)
    }

    /// The fences that signaled with an error.
    pub fn failed(&self) -> impl Iterator<Item = &Fence> {
        self.fences.iter().filter(|fence| fence.error.is_some())
    }

    fn with_reasons(&self, filter: &Filter) -> HashSet<FenceId> {
        // Two can have the same name, and each has its reasons.
        let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
        for fence in &self.fences {
            by_id.entry(fence.id()).or_default().push(fence);
        }
        let taken = self.fences.iter().filter(|fence| filter.takes(fence));
        let mut next: Vec<_> = taken.map(Fence::id).collect();
        let mut wanted = HashSet::new();
        while let Some(id) = next.pop() {
            if wanted.insert(id) {
                let fences = by_id.get(&id).into_iter().flatten();
                next.extend(fences.flat_map(|fence| &fence.blamed_on).map(|blame| blame.fence));
            }
        }
        wanted
    }
}
