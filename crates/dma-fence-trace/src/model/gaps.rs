//! Where events are missing, so that what was not seen is no evidence.

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
    /// Until here single events are missing.
    pub(crate) patchy_until: Option<u64>,
}

impl Gaps {
    pub(super) fn lost(&mut self, events: u64, latest: u64) {
        self.lost = self.lost.saturating_add(events);
        self.patchy_until = Some(latest);
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

    /// Whether a single event may be missing since `evidence`.
    pub(crate) fn is_patchy(&self, evidence: u64) -> bool {
        self.patchy_until.is_some_and(|until| evidence <= until)
    }
}
