//! What is known of a fence while the trace goes on.

use super::tasks::Who;
use super::timelines::Timeline;
use crate::event::FenceId;
use crate::report::Blame;

/// Clocks of CPUs differ by less: with `trace_clock` `local` what comes next can seem to have come before.
const SKEW: u64 = 1_000_000;
/// Waits, people who asked, and members are remembered up to here, for each fence.
const MOST: usize = 64;
/// A wait for what has signaled is over at once, also on a machine that is busy.
const LONG: u64 = 250_000_000;

/// A fence.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Which of all that had this name.
    pub(crate) generation: u64,
    /// Unknown as long as only events were seen that do not print its names any more.
    pub(crate) timeline: Option<usize>,
    /// The first event.
    pub(crate) seen: u64,
    /// The last event that shows it pending.
    pub(crate) evidence: u64,
    pub(crate) init: Option<u64>,
    pub(crate) signaled: Option<u64>,
    /// It has signaled, nobody knows when: its names were seen detached.
    pub(crate) over: bool,
    /// It came at a time of which the trace told before, so that its end may have been told, and forgotten.
    pub(crate) unsure: bool,
    pub(crate) destroyed: Option<u64>,
    pub(crate) made_by: Option<Who>,
    pub(crate) signaled_by: Option<Who>,
    pub(crate) waits: Vec<Wait>,
    extra: Option<Box<Extra>>,
}

/// A wait by the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) who: Who,
    /// Unknown if only its end was seen.
    pub(crate) since: Option<u64>,
    pub(crate) until: Option<u64>,
}

/// What few fences have.
#[derive(Clone, Default, Debug)]
pub(crate) struct Extra {
    pub(crate) emit: Option<u64>,
    pub(crate) abandoned: Option<u64>,
    pub(crate) error: Option<i32>,
    pub(crate) askers: Vec<(Who, u64)>,
    /// What its job has to wait for, as the scheduler says.
    pub(crate) depends_on: Vec<FenceId>,
    /// What it contains, which only the library's own traces tell.
    pub(crate) members: Vec<FenceId>,
    pub(crate) job: Option<Job>,
    /// It is the scheduled or the hardware's fence of the job that this one finishes.
    pub(crate) part_of: Option<FenceId>,
    /// Of a display's fence: the longest wait that its worker has ended meanwhile, and when.
    pub(crate) displayed: Option<Displayed>,
    /// Why it was slow.
    pub(crate) behind: Option<Blame>,
}

/// A job of the scheduler.
#[derive(Clone, Default, Debug)]
pub(crate) struct Job {
    pub(crate) device: String,
    pub(crate) ring: String,
    pub(crate) queued: Option<u64>,
    pub(crate) run: Option<u64>,
    pub(crate) done: Option<u64>,
    pub(crate) hardware: Option<FenceId>,
}

/// What a display waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Displayed {
    pub(crate) fence: FenceId,
    pub(crate) waited: u64,
    pub(crate) until: u64,
}

static NOTHING: Extra = Extra {
    emit: None,
    abandoned: None,
    error: None,
    askers: Vec::new(),
    depends_on: Vec::new(),
    members: Vec::new(),
    job: None,
    part_of: None,
    displayed: None,
    behind: None,
};

impl State {
    pub(crate) fn new(generation: u64, time: u64, unsure: bool) -> Self {
        Self {
            generation,
            timeline: None,
            seen: time,
            evidence: time,
            init: None,
            signaled: None,
            over: false,
            unsure,
            destroyed: None,
            made_by: None,
            signaled_by: None,
            waits: Vec::new(),
            extra: None,
        }
    }

    pub(crate) fn extra(&self) -> &Extra {
        self.extra.as_deref().unwrap_or(&NOTHING)
    }

    pub(crate) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Whether it has signaled, or is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.signaled.is_some() || self.over || self.destroyed.is_some()
    }

    /// Whether anything can still be heard of it that matters.
    pub(crate) fn is_settled(&self) -> bool {
        let waits = self.waits.iter().any(Wait::is_open);
        (self.is_over() || self.is_only_mentioned()) && !waits
    }

    /// Whether it began before the trace, and nothing is known of it that is worth keeping.
    pub(crate) fn is_only_mentioned(&self) -> bool {
        self.init.is_none() && self.extra.is_none() && !self.kept_waiting()
    }

    /// Whether a wait for it has ended that was too long for one that has signaled: a signal to the thread ended it, or
    /// a timeout.
    pub(crate) fn kept_waiting(&self) -> bool {
        let took = |wait: &Wait| Some(wait.until?.saturating_sub(wait.since?));
        self.waits.iter().filter_map(took).any(|took| took >= LONG)
    }

    /// Whether it has no producer, and signals when its members have.
    pub(crate) fn is_container(&self, timeline: &Timeline) -> bool {
        timeline.is_container || !self.extra().members.is_empty()
    }

    /// Where its time begins. Drivers that emit their fences begin there.
    pub(crate) fn start(&self) -> Option<u64> {
        let queued = || self.extra().job.as_ref()?.queued;
        self.extra().emit.or(self.init).or_else(queued)
    }

    /// How long it took.
    pub(crate) fn latency(&self) -> Option<u64> {
        Some(self.signaled?.saturating_sub(self.start()?))
    }

    /// Begins the thread's wait, and says how long it was if its end was seen before.
    pub(crate) fn begin_wait(&mut self, who: Who, time: u64) -> Option<u64> {
        self.evidence = self.evidence.max(time);
        let ended = |wait: &&mut Wait| {
            let until = wait.until.map(|until| until.saturating_add(SKEW));
            wait.since.is_none() && wait.who.pid == who.pid && until >= Some(time)
        };
        // Events of several CPUs can be in another order than their times.
        match self.waits.iter_mut().find(ended) {
            Some(wait) => {
                wait.since = Some(time);
                wait.until.map(|until| until.saturating_sub(time))
            }
            None => {
                self.forget_waits();
                // The first ones have waited longest.
                add(&mut self.waits, Wait { who, since: Some(time), until: None });
                None
            }
        }
    }

    /// Ends the thread's wait, and says how long it was.
    pub(crate) fn end_wait(&mut self, who: &Who, time: u64) -> Option<u64> {
        let open = |wait: &&mut Wait| {
            let latest = Some(time.saturating_add(SKEW));
            wait.is_open() && wait.who.pid == who.pid && wait.since <= latest
        };
        match self.waits.iter_mut().rev().find(open) {
            Some(wait) => {
                wait.until = Some(time);
                wait.since.map(|since| time.saturating_sub(since))
            }
            None => {
                self.forget_waits();
                add(&mut self.waits, Wait { who: who.clone(), since: None, until: Some(time) });
                None
            }
        }
    }

    /// Forgets the earliest wait that has ended, where there are many.
    fn forget_waits(&mut self) {
        if self.waits.len() >= MOST
            && let Some(ended) = self.waits.iter().position(|wait| !wait.is_open())
        {
            self.waits.remove(ended);
        }
    }

    pub(crate) fn ask(&mut self, who: Who, time: u64) {
        self.evidence = self.evidence.max(time);
        add(&mut self.extra_mut().askers, (who, time));
    }

    pub(crate) fn contain(&mut self, member: FenceId) {
        add(&mut self.extra_mut().members, member);
    }

    pub(crate) fn depend(&mut self, on: FenceId, time: u64) {
        self.evidence = self.evidence.max(time);
        let known = &mut self.extra_mut().depends_on;
        if !known.contains(&on) {
            // Later ones are the ones that are still in the way.
            if known.len() >= MOST {
                known.remove(0);
            }
            known.push(on);
        }
    }
}

impl Wait {
    pub(crate) fn is_open(&self) -> bool {
        self.until.is_none()
    }
}

fn add<T>(list: &mut Vec<T>, item: T) {
    if list.len() < MOST {
        list.push(item);
    }
}
