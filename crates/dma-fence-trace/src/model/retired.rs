//! Fences of which no more is heard.

use std::collections::{VecDeque, hash_map::Entry};

use super::fence::State;
use super::{Counts, Model};
use crate::event::FenceId;
use crate::report::Verdicts;

/// How many settled fences are kept, for events that come later than they should.
const KEPT: usize = 1 << 10;
/// How many are remembered that were lost, or had an error.
const MOST_ODD: usize = 4096;

/// What is left of fences that are gone.
#[derive(Debug)]
pub(crate) struct Retired {
    /// Settled ones, in that order.
    queue: VecDeque<(FenceId, u64)>,
    /// All, or those that were lost or had an error.
    pub(crate) kept: Vec<(FenceId, State)>,
    pub(crate) all: bool,
    /// Those that are not remembered.
    pub(crate) forgotten: Verdicts,
    /// How many names came again while their fence was pending.
    pub(crate) replaced: u64,
    /// Those fences, and when that was.
    pub(crate) cut_short: Vec<(FenceId, State, u64)>,
    /// The last end of a fence that is not known by name any more.
    pub(super) gone_until: Option<u64>,
    /// Settled ones are all kept, for their beginning may come at any time.
    unordered: bool,
}

impl Retired {
    pub(super) fn new(all: bool, unordered: bool) -> Self {
        Self {
            cut_short: Vec::new(),
            gone_until: None,
            unordered,
            queue: VecDeque::new(),
            kept: Vec::new(),
            all,
            forgotten: Verdicts::default(),
            replaced: 0,
        }
    }
}

impl Model {
    /// The fence has signaled, or is gone: it goes when so many others have followed it.
    pub(super) fn settle(&mut self, id: FenceId, generation: u64) {
        self.retired.queue.push_back((id, generation));
        if self.retired.queue.len() <= KEPT || self.retired.unordered {
            return;
        }
        let Some((oldest, generation)) = self.retired.queue.pop_front() else { return };
        // It may have another turn, after its destruction or the end of its last wait.
        if let Entry::Occupied(entry) = self.fences.entry(oldest)
            && entry.get().generation == generation
            && entry.get().is_settled()
        {
            let fence = entry.remove();
            self.retired.gone_until =
                self.retired.gone_until.max(fence.destroyed.or(fence.signaled));
            self.retire(oldest, fence);
        }
    }

    /// Another fence has its name now.
    pub(super) fn replace(&mut self, id: FenceId) {
        let Some(fence) = self.fences.remove(&id) else { return };
        self.displays.retain(|display| *display != id);
        if fence.is_over() {
            self.retire(id, fence);
        } else if id.seqno != 0 {
            // Two captures, one after the other, or a number that wrapped.
            self.retired.replaced += 1;
            if self.retired.cut_short.len() < MOST_ODD {
                // Where times go back there, it is another boot's.
                let Counts { latest, last, .. } = self.counts;
                let end = if fence.seen <= latest { latest } else { last };
                self.retired.cut_short.push((id, fence, end));
            }
        }
    }

    fn retire(&mut self, id: FenceId, fence: State) {
        if !fence.is_over() {
            // It was only mentioned.
            return;
        }
        let retired = &mut self.retired;
        if retired.all {
            retired.kept.push((id, fence));
            return;
        }
        let Some(index) = fence.timeline else { return };
        let timeline = self.timelines.get_mut(index);
        if fence.start().is_none() && fence.extra().abandoned.is_none() {
            // It began before the trace.
            return;
        }
        let abandoned = fence.extra().abandoned.is_some();
        let lost = abandoned || (fence.signaled.is_none() && !fence.over && !fence.unsure);
        if lost && !abandoned && fence.is_container(timeline) {
            retired.forgotten.unobserved += 1;
        } else if lost || fence.extra().error.is_some() {
            if retired.kept.len() < MOST_ODD {
                retired.kept.push((id, fence));
            } else if lost {
                retired.forgotten.lost += 1;
            } else {
                retired.forgotten.ok += 1;
            }
        } else if let Some(latency) = fence.latency().filter(|l| *l >= self.thresholds.slow()) {
            timeline.slow.add(latency, id, fence);
        } else {
            retired.forgotten.ok += 1;
        }
    }
}
