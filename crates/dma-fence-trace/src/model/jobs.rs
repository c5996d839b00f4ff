//! The events of the scheduler's jobs.
//!
//! A job has three fences: *scheduled*, made first; *finished*, which has the next context and the same
//! number, and stands for the job; and the hardware's, made while the job is given to the device. Only the
//! finished one is named; the others are found by who made them and when.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::Model;
use super::fence::Job;
use crate::event::{Event, EventKind, FenceId, JobStep};

/// Jobs of old kernels that are remembered: of a job that is never done nobody hears again.
const MOST: usize = 1 << 16;

/// Old kernels name a job by its number, or by the address of its finished fence. Each ring counts its own jobs,
/// and several can have the same name, so the address comes first.
#[derive(Default, Debug)]
pub(super) struct OldJobs {
    by_number: HashMap<Number, FenceId, RandomState>,
    by_address: HashMap<u64, (Option<Number>, FenceId), RandomState>,
    hasher: RandomState,
}

/// A job's number, and a hash of its ring's name.
type Number = (u64, u64);

impl OldJobs {
    fn number(&self, number: Option<u64>, ring: &str) -> Option<Number> {
        Some((number?, self.hasher.hash_one(ring)))
    }

    fn add(&mut self, number: Option<Number>, address: Option<u64>, finished: FenceId) {
        if self.by_number.len().max(self.by_address.len()) >= MOST {
            *self = Self::default();
        }
        if let Some(number) = number {
            self.by_number.insert(number, finished);
        }
        if let Some(address) = address {
            self.by_address.insert(address, (number, finished));
        }
    }

    fn find(&self, number: Option<Number>, address: Option<u64>) -> Option<FenceId> {
        let by_address = || Some(self.by_address.get(&address?)?.1);
        let by_number = || self.by_number.get(&number?).copied();
        by_address().or_else(by_number)
    }

    fn done(&mut self, address: Option<u64>) {
        if let Some((Some(number), _)) = address.and_then(|at| self.by_address.remove(&at)) {
            self.by_number.remove(&number);
        }
    }
}

impl Model {
    pub(super) fn job(&mut self, event: &Event<'_>) {
        let EventKind::Job { step, fence, id, pointer, ring, on, .. } = event.kind else { return };
        let number = self.old_jobs.number(id, ring);
        let mut finished = fence.or_else(|| self.old_jobs.find(number, pointer));
        if step == JobStep::Queue && fence.is_none() {
            finished = self.just_made(event, ring);
            if let Some(finished) = finished {
                self.old_jobs.add(number, pointer, finished);
            }
        }
        // Of a job that was queued before the trace began, old kernels say nothing that helps.
        let Some(finished) = finished else { return };
        match step {
            JobStep::Queue => self.queue(event, finished),
            JobStep::Run => self.run(event, finished),
            JobStep::Done => {
                self.old_jobs.done(pointer);
                self.done(event, finished);
            }
            JobStep::AddDep | JobStep::Unschedulable => {
                let Some(on) = on else { return };
                self.known(finished, event.time_ns).depend(on, event.time_ns);
                if step == JobStep::Unschedulable {
                    self.see_pending(on, event.time_ns);
                }
            }
        }
    }

    /// The fence is pending, whether it has been seen or not.
    fn see_pending(&mut self, id: FenceId, time: u64) {
        if !self.fences.contains_key(&id) {
            // Of what is only named nobody may hear again.
            if self.named_only >= MOST {
                return;
            }
            self.named_only += 1;
        }
        let fence = self.known(id, time);
        fence.evidence = fence.evidence.max(time);
    }

    /// The finished fence that the thread has just made for the ring.
    fn just_made(&mut self, event: &Event<'_>, ring: &str) -> Option<FenceId> {
        let made = self.tasks.thread(event.task).made?;
        let timeline = self.timelines.get(self.fences.get(&made)?.timeline?);
        (*timeline.name == *ring).then_some(made)
    }

    fn of_job(&mut self, event: &Event<'_>, finished: FenceId) -> &mut Job {
        let EventKind::Job { device, ring, .. } = event.kind else { unreachable!("it is a job's") };
        let timeline = match self.fences.get(&finished).and_then(|fence| fence.timeline) {
            // Only the scheduler's events were recorded. That a job is done does not name its ring.
            None if !ring.is_empty() => {
                let timeline = self.timelines.find(finished.context, "drm_sched", ring);
                self.timelines.get_mut(timeline).fences += 1;
                Some(timeline)
            }
            known => known,
        };
        let fence = self.known(finished, event.time_ns);
        fence.timeline = timeline;
        fence.evidence = fence.evidence.max(event.time_ns);
        let job = fence.extra_mut().job.get_or_insert_default();
        if job.ring.is_empty() {
            job.ring = ring.into();
            job.device = device.into();
        }
        job
    }

    fn queue(&mut self, event: &Event<'_>, finished: FenceId) {
        self.of_job(event, finished).queued = Some(event.time_ns);
        let scheduled = FenceId { context: finished.context.wrapping_sub(1), ..finished };
        if let Some(fence) = self.fences.get_mut(&scheduled)
            && let Some(timeline) = fence.timeline
            && self.timelines.get(timeline).is_scheduler
        {
            fence.extra_mut().part_of = Some(finished);
        }
        self.join_earlier(event, finished);
    }

    /// Whether the thread had made the hardware's fence before.
    fn join_earlier(&mut self, event: &Event<'_>, finished: FenceId) -> bool {
        let hardware = self.tasks.thread(event.task).made_before.take();
        let same = |id: &FenceId| self.name_of(*id) == self.name_of(finished);
        let Some(hardware) = hardware.filter(same) else { return false };
        self.join(finished, hardware);
        true
    }

    /// Of its timeline: that of a ring is its drivers', too.
    fn name_of(&self, id: FenceId) -> Option<&str> {
        let timeline = self.fences.get(&id)?.timeline?;
        Some(&self.timelines.get(timeline).name)
    }

    /// The hardware's fence is of the job.
    fn join(&mut self, finished: FenceId, hardware: FenceId) {
        let job = self.fences.get_mut(&finished).and_then(|fence| fence.extra_mut().job.as_mut());
        let Some(job) = job else { return };
        job.hardware = Some(hardware);
        if let Some(fence) = self.fences.get_mut(&hardware) {
            fence.extra_mut().part_of = Some(finished);
        }
    }

    fn run(&mut self, event: &Event<'_>, finished: FenceId) {
        self.of_job(event, finished).run = Some(event.time_ns);
        // Where the job has been scheduled before, its hardware's fence has been made, too.
        let scheduled = FenceId { context: finished.context.wrapping_sub(1), ..finished };
        let scheduled = self.fences.get(&scheduled).is_some_and(|fence| fence.signaled.is_some());
        if !self.join_earlier(event, finished) && !scheduled {
            self.tasks.thread(event.task).runs = Some(finished);
        }
    }

    fn done(&mut self, event: &Event<'_>, finished: FenceId) {
        let time = event.time_ns;
        self.of_job(event, finished).done = Some(time);
        let fence = self.fences.get_mut(&finished).expect("it is known now");
        // Where only the scheduler's events were recorded, nothing else says that it has signaled.
        if fence.init.is_none() && fence.signaled.is_none() {
            fence.signaled = Some(time);
            let generation = fence.generation;
            self.measure(finished);
            self.settle(finished, generation);
        }
    }

    /// A new fence may be one of a job's.
    pub(super) fn link_to_job(&mut self, event: &Event<'_>, id: FenceId, timeline: usize) {
        let thread = self.tasks.thread(event.task);
        if self.timelines.get(timeline).is_scheduler {
            thread.made = Some(id);
            return;
        }
        match thread.runs.take() {
            Some(finished) => self.join(finished, id),
            None => thread.made_before = Some(id),
        }
    }
}
