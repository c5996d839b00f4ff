//! What a trace says in the end: the verdicts, and the whole of `dma-fence analyze --json`.
//!
//! Times are nanoseconds on the trace's clock, durations nanoseconds. What is not known is `null`. Fields are
//! added without a new [`SCHEMA`]; a change of meaning has one.

use serde::Serialize;

use crate::event::FenceId;
use crate::parse::Problem;

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// Everything that is known when a trace ends.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Events that concern fences.
    pub events: u64,
    /// Other events.
    pub other_events: u64,
    /// Lines that concern fences and make no sense.
    pub malformed: u64,
    /// The first few of them.
    pub malformed_lines: Vec<MalformedLine>,
    /// How many events are known to be missing.
    pub lost: u64,
    /// From the first event to the end of tracing.
    pub span_ns: u64,
    /// The first event.
    pub begin_ns: u64,
    /// The last event.
    pub last_ns: u64,
    /// When tracing ended: later than the last event only if somebody said so.
    pub end_ns: u64,
    /// Whether any fence is stuck: `never`, or `lost` while somebody waited.
    pub stuck: bool,
    /// How many fences have each verdict, those too that are not in `fences`.
    pub verdicts: Verdicts,
    /// What to know before one draws conclusions.
    pub notes: Vec<String>,
    /// Most urgent first. Those that are fine only if all were asked for.
    pub fences: Vec<Fence>,
    /// How many fences are late but not in `fences`, because slower ones of their timeline are.
    pub late_not_listed: u64,
    /// The timelines that have fences, the busiest first.
    pub timelines: Vec<Timeline>,
}

/// A line that makes no sense.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MalformedLine {
    /// Its file, as it was named; empty if there is only one.
    pub file: String,
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    #[serde(serialize_with = "problem")]
    pub problem: Problem,
}

/// How many fences have each verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "see Verdict")]
pub struct Verdicts {
    pub never: u64,
    pub pending_at_end: u64,
    pub lost: u64,
    pub late: u64,
    pub unobserved: u64,
    pub ok: u64,
}

/// What became of a fence, most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Pending when tracing ended, and for longer than the threshold.
    Never,
    /// Abandoned by its producer, or destroyed unsignaled although it was no container.
    Lost,
    /// Pending when tracing ended, but not for long.
    PendingAtEnd,
    /// Signaled, but later than the threshold, or than its timeline usually does.
    Late,
    /// A container that was destroyed unsignaled because nobody waited: normal.
    Unobserved,
    /// Signaled in time.
    Ok,
}

/// One fence.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Fence {
    /// Its context, modulo 2³².
    pub context: u32,
    /// Its number, modulo 2³².
    pub seqno: u32,
    /// The driver's name, as first seen.
    pub driver: String,
    /// The timeline's name, as first seen.
    pub timeline: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Whether the reason is here: `false` where it is another fence's.
    pub root: bool,
    /// Whether the trace is complete enough to be sure of the verdict.
    pub certain: bool,
    /// When it was made. `null`: before the trace began.
    pub init_ns: Option<u64>,
    /// When it was given to the device, if its driver tells.
    pub emit_ns: Option<u64>,
    /// When it signaled.
    pub signaled_ns: Option<u64>,
    /// When its last handle went.
    pub destroyed_ns: Option<u64>,
    /// When its producer was lost. The kernel does not tell; the library's own traces do.
    pub abandoned_ns: Option<u64>,
    /// The error that it signaled with. The kernel does not tell; the library's own traces do.
    pub error: Option<i32>,
    /// How long it took, or has been pending: from `emit_ns` if its driver tells, else `init_ns`, else
    /// from where it was first seen.
    pub age_ns: u64,
    /// Of a late one: how much longer it took than it may.
    pub late_ns: Option<u64>,
    /// Of a late one: whether only its own timeline makes it so, not the threshold.
    pub outlier: bool,
    /// Who made it.
    pub made_by: Option<Task>,
    /// Who signaled it, or was interrupted by whoever did.
    pub signaled_by: Option<Task>,
    /// Who waited in the kernel.
    pub waiters: Vec<Waiter>,
    /// Who asked to be told: `enable_signal`. User space that polls is seen here, and of arrays only.
    pub asked_by: Vec<Asker>,
    /// The fences that it waits for, or waited for too long.
    pub blamed_on: Vec<Blame>,
    /// The scheduler's job that ends with it.
    pub job: Option<Job>,
    /// It is the scheduled or the hardware's fence of the job that ends with this one.
    pub part_of: Option<FenceId>,
}

/// A thread. Names are not unique, and numbers are used again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Task {
    /// Its name.
    pub comm: String,
    /// Its number.
    pub pid: Option<u32>,
}

/// Somebody who waited in the kernel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Waiter {
    /// The thread's name.
    pub comm: String,
    /// The thread's number.
    pub pid: Option<u32>,
    /// Since when.
    pub since_ns: u64,
    /// How long, up to the end of tracing if `open`.
    pub waited_ns: u64,
    /// Still waiting when tracing ended.
    pub open: bool,
}

/// Somebody who asked to be told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Asker {
    /// The thread's name.
    pub comm: String,
    /// The thread's number.
    pub pid: Option<u32>,
    /// When.
    pub at_ns: u64,
}

/// A fence that is the reason for another one's verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Blame {
    /// The fence.
    #[serde(flatten)]
    pub fence: FenceId,
    /// How that is known.
    pub because: Because,
}

/// How it is known that a fence waits for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// The scheduler says so.
    Dependency,
    /// Inferred: a display's fence, and the display's worker or the committing thread waits for the other.
    Display,
    /// It is a container, and the other a member, as the library's own traces say. The kernel's do not:
    /// there it is inferred, because the other is older and pending, or signaled last.
    Member,
    /// Inferred: the other is before it in the same timeline, and took the time.
    Queue,
    /// Inferred: both are of the same job, and the other is the hardware's.
    Hardware,
}

impl Timeline {
    /// Whether a fence is one of it.
    pub fn has(&self, fence: &Fence) -> bool {
        self.timeline == fence.timeline
            && self.driver == fence.driver
            && self.context.is_none_or(|context| context == fence.context)
    }
}

impl Because {
    /// What it means, of a fence that waits and the one that it waits for.
    pub fn why(self) -> &'static str {
        match self {
            Because::Dependency => "its job depends on it, says the scheduler",
            Because::Display => "the display waits for it to show the picture",
            Because::Member => "it is in the container",
            Because::Queue => "it is before it in the queue",
            Because::Hardware => "it is the hardware's part of the same job",
        }
    }
}

/// A job of the scheduler.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Job {
    /// The device's name, if the kernel tells.
    pub device: String,
    /// The queue's name.
    pub ring: String,
    /// When it was put into the queue.
    pub queued_ns: Option<u64>,
    /// When it was given to the device.
    pub run_ns: Option<u64>,
    /// When the device was done.
    pub done_ns: Option<u64>,
    /// The hardware's fence, linked by time only.
    pub hardware: Option<FenceId>,
}

/// A timeline: the fences of a context, or all containers of a name.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Timeline {
    /// The driver's name, as first seen.
    pub driver: String,
    /// Its name, as first seen.
    pub timeline: String,
    /// Its context. `null` where fences have a context each, and are gathered by name.
    pub context: Option<u32>,
    /// How many contexts.
    pub contexts: u64,
    /// How many fences.
    pub fences: u64,
    /// How many signaled, from beginning to end in the trace.
    pub signaled: u64,
    /// How many were pending when tracing ended.
    pub pending: u64,
    /// How long they took: half of them no longer than this.
    pub p50_ns: Option<u64>,
    /// 99 of 100.
    pub p99_ns: Option<u64>,
    /// The slowest.
    pub max_ns: Option<u64>,
    /// How many waits by the kernel have ended.
    pub waits: u64,
    /// How long they took: half of them no longer than this.
    pub wait_p50_ns: Option<u64>,
    /// 99 of 100.
    pub wait_p99_ns: Option<u64>,
    /// The longest.
    pub wait_max_ns: Option<u64>,
    /// The last sign of life of its producer: `signaled`; `emit` or `init` if none has signaled.
    pub last: Option<Last>,
}

/// A sign of life of a timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Last {
    /// Its name without `dma_fence_`: `signaled`, `emit` or `init`.
    pub event: String,
    /// Of which fence.
    #[serde(flatten)]
    pub fence: FenceId,
    /// When.
    pub at_ns: u64,
    /// Who was running.
    pub comm: String,
    /// The thread's number.
    pub pid: Option<u32>,
}

impl Fence {
    /// Its name.
    pub fn id(&self) -> FenceId {
        FenceId { context: self.context, seqno: self.seqno }
    }

    /// Whether anybody was still waiting when tracing ended, as far as the trace tells: in the kernel, or asked to be
    /// told.
    pub fn is_awaited(&self) -> bool {
        let asked = self.is_pending() && !self.asked_by.is_empty();
        asked || self.has_open_wait()
    }

    /// Whether a thread was still waiting in the kernel when tracing ended.
    pub fn has_open_wait(&self) -> bool {
        self.waiters.iter().any(|waiter| waiter.open)
    }

    /// Whether it was pending when tracing ended.
    pub fn is_pending(&self) -> bool {
        self.signaled_ns.is_none() && self.destroyed_ns.is_none()
    }

    /// Whether it will never signal, and somebody suffers: what is destroyed before it signals and that nobody
    /// waited for hurts nobody.
    pub fn is_stuck(&self) -> bool {
        match self.verdict {
            Verdict::Never => true,
            Verdict::Lost => self.abandoned_ns.is_some() || self.is_awaited(),
            _ => false,
        }
    }
}

fn problem<S: serde::Serializer>(problem: &Problem, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(problem)
}
