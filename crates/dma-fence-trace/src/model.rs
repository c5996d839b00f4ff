//! What is known of all fences while a trace goes on.
//!
//! One pass, in memory that is bounded by the fences alive, not by the file: a fence that has signaled, or is
//! gone, and that nobody waits for any more, is kept for some time, because events of several CPUs can be in
//! another order than their times; then it becomes a number in the statistics of its timeline. Only what
//! may be worth a word in the end is remembered whole.

mod durations;
mod fence;
mod fences;
mod gaps;
mod jobs;
mod retired;
mod tasks;
mod timelines;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::event::{Event, EventKind, FenceId};
use crate::parse::Line;
use crate::report::Report;
use crate::{summary, verdict::Thresholds};

pub(crate) use durations::Sorted;
pub(crate) use fence::{Job, State};
pub(crate) use gaps::Gaps;
pub(crate) use timelines::{Timeline, Timelines};

/// How to judge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// How many nanoseconds a fence may take. By default, what its timeline usually takes decides, too.
    pub threshold_ns: Option<u64>,
    /// Whether to remember every fence, so that the report has those too that are fine. It takes memory.
    pub all: bool,
    /// Whether events can come in any order, as when several files are read one after the other. It takes memory.
    pub unordered: bool,
}

/// Fences, as far as the trace has gone.
///
/// ```
/// use dma_fence_trace::{Model, Options, Reader, report::Verdict};
/// let trace = "\
///     game-7 [000] ..... 1.000000: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1\n\
///     Xorg-9 [001] ..... 1.100000: dma_fence_wait_start: driver=gpu timeline=gfx context=5 seqno=1\n";
/// let mut reader = Reader::new(trace.as_bytes());
/// let mut model = Model::new(Options::default());
/// while let Some(line) = reader.next()? {
///     model.line(&line);
/// }
/// let report = model.report(Some(4_000_000_000));
/// assert_eq!(report.fences[0].verdict, Verdict::Never);
/// assert_eq!(report.fences[0].waiters[0].comm, "Xorg");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    pub(crate) thresholds: Thresholds,
    pub(crate) fences: HashMap<FenceId, State, RandomState>,
    pub(crate) timelines: Timelines,
    pub(crate) retired: retired::Retired,
    pub(crate) gaps: Gaps,
    pub(crate) counts: Counts,
    tasks: tasks::Tasks,
    old_jobs: jobs::OldJobs,
    /// Fences of displays that are pending.
    displays: Vec<FenceId>,
    /// The last fence that signaled and was no container: it may be the last member of one.
    last_signaled: Option<(FenceId, u64)>,
    /// How many fences became known by being depended on.
    named_only: usize,
    /// How many fences there have been: names can come again.
    generations: u64,
}

/// What was read.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) other_events: u64,
    pub(crate) first: Option<u64>,
    pub(crate) last: u64,
    /// The time of the event that was read last.
    pub(crate) latest: u64,
    /// By how much times go back at most.
    pub(crate) back: u64,
    /// When tracing ended, if the trace says so.
    pub(crate) ended: Option<u64>,
    pub(crate) waits: u64,
}

impl Model {
    /// Nothing is known.
    pub fn new(options: Options) -> Self {
        Self {
            thresholds: Thresholds::new(options.threshold_ns),
            fences: HashMap::default(),
            timelines: Timelines::default(),
            retired: retired::Retired::new(options.all, options.unordered),
            gaps: Gaps::default(),
            counts: Counts::default(),
            tasks: tasks::Tasks::default(),
            old_jobs: jobs::OldJobs::default(),
            displays: Vec::new(),
            last_signaled: None,
            named_only: 0,
            generations: 0,
        }
    }

    /// Takes note of a line.
    pub fn line(&mut self, line: &Line<'_>) {
        match *line {
            Line::Event(ref event) => {
                self.counts.events += 1;
                self.tick(event.time_ns);
                self.event(event);
                self.counts.latest = event.time_ns;
            }
            Line::Other { time_ns, .. } => {
                self.counts.other_events += 1;
                self.tick(time_ns);
            }
            Line::Lost { events, .. } => self.gaps.lost(events, self.counts.last),
            Line::BufferStarted { cpu } => self.gaps.buffer_started(cpu, self.counts.last),
            Line::Header { in_buffer, written } => self.gaps.header(in_buffer, written),
            Line::Ended { time_ns } => {
                self.counts.ended = self.counts.ended.max(Some(time_ns));
            }
            Line::Unfinished | Line::Foreign | Line::Malformed(_) => {}
        }
    }

    fn tick(&mut self, time: u64) {
        let Counts { first, last, back, .. } = &mut self.counts;
        *first = Some(first.map_or(time, |first| first.min(time)));
        *back = (*back).max(last.saturating_sub(time));
        *last = time.max(*last);
    }

    fn event(&mut self, event: &Event<'_>) {
        match event.kind {
            EventKind::Fence { step, driver, timeline, fence, seqno, error } => {
                let id = fence.unwrap_or_else(|| self.timelines.stand_in(driver, timeline, seqno));
                self.fence(event, &fences::Seen { step, driver, timeline, id, error });
            }
            EventKind::Member { container, member } => {
                self.known(container, event.time_ns).contain(member);
            }
            EventKind::Job { .. } => self.job(event),
        }
    }

    /// The fence, made known if it was not.
    fn known(&mut self, id: FenceId, time: u64) -> &mut State {
        self.fences.entry(id).or_insert_with(|| {
            self.generations += 1;
            let unsure = self.retired.gone_until > Some(time);
            State::new(self.generations, time, unsure)
        })
    }

    /// The time of the latest event, in nanoseconds; 0 before the first.
    pub fn latest_ns(&self) -> u64 {
        self.counts.last
    }

    /// How many fences are remembered one by one: those that are pending, the latest of those that are over, and what
    /// may be worth a word in the end.
    pub fn remembered(&self) -> usize {
        let slow: usize = self.timelines.iter().map(|timeline| timeline.slow.len()).sum();
        self.fences.len() + self.retired.kept.len() + slow
    }

    /// Whether anything was understood: an event, or what stands in a trace without any.
    pub fn is_trace(&self) -> bool {
        self.counts.first.is_some() || self.counts.ended.is_some() || self.gaps.has_header
    }

    /// The verdicts. Tracing ended at `end_ns`, or where the trace says so, or else with the last event.
    pub fn report(&self, end_ns: Option<u64>) -> Report {
        summary::of(self, end_ns)
    }
}
