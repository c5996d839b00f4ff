//! Where events are missing, so that what was not seen is no evidence.

/// So many are told apart; then every second is forgotten.
const MOST: usize = 4096;

/// Gaps.
#[derive(Default, Debug)]
pub(crate) struct Gaps {
    /// Whether the trace says how many events it has.
    pub(crate) has_header: bool,
    /// Events that were overwritten before the trace was read.
    pub(crate) overwritten: u64,
    /// Events that were lost on the way.
    pub(crate) lost: u64,
    /// Until here the events of a whole CPU are missing.
    pub(crate) blind_until: Option<u64>,
    /// The last CPU of which that is true.
    pub(crate) blind_cpu: Option<u32>,
    /// When single events were lost, in this order.
    lost_at: Vec<u64>,
}

impl Gaps {
    pub(super) fn lost(&mut self, events: u64, latest: u64) {
        self.lost = self.lost.saturating_add(events);
        // Of CPUs one after the other it is not in order.
        let latest = self.lost_at.last().map_or(latest, |last| latest.max(*last));
        if self.lost_at.len() >= MOST {
            let mut odd = false;
            self.lost_at.retain(|_| {
                odd = !odd;
                odd
            });
        }
        self.lost_at.push(latest);
    }

    pub(super) fn buffer_started(&mut self, cpu: u32, latest: u64) {
        // The first buffer starts with the trace.
        if latest > 0 {
            self.blind_until = Some(latest);
            self.blind_cpu = Some(cpu);
        }
    }

    pub(super) fn header(&mut self, in_buffer: u64, written: u64) {
        self.has_header = true;
        self.overwritten = self.overwritten.saturating_add(written.saturating_sub(in_buffer));
    }

    /// Whether what happened last at `evidence` may have ended unseen, and nothing can be said.
    pub(crate) fn is_blind(&self, evidence: u64) -> bool {
        self.blind_until.is_some_and(|until| evidence <= until)
    }

    /// When a single event was lost first since `evidence`.
    pub(crate) fn lost_since(&self, evidence: u64) -> Option<u64> {
        let before = self.lost_at.partition_point(|at| *at < evidence);
        self.lost_at.get(before).copied()
    }
}
