//! What a line of a trace says.

use std::fmt;

use serde::Serialize;

/// A fence: context and number, as far as all events have them: the lower 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
pub struct FenceId {
    /// The context, modulo 2³².
    pub context: u32,
    /// The number, modulo 2³².
    pub seqno: u32,
}

impl fmt::Display for FenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.context, self.seqno)
    }
}

/// Who was running: names are not unique, and numbers are used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Task<'a> {
    /// The name, as printed; any bytes that the kernel printed are in it.
    pub comm: &'a str,
    /// The thread's number, if it is known.
    pub pid: Option<u32>,
}

/// One event that concerns fences.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Event<'a> {
    /// Nanoseconds on the trace's clock.
    pub time_ns: u64,
    /// On which CPU, if it is known.
    pub cpu: Option<u32>,
    /// Who was running.
    pub task: Task<'a>,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum EventKind<'a> {
    /// `dma_fence:*`
    Fence {
        /// Which of them.
        step: FenceStep,
        /// The driver's name as it is now: newer kernels print another one once it has signaled.
        driver: &'a str,
        /// The timeline's, likewise.
        timeline: &'a str,
        /// Which fence. `None` where the context is missing, as in old kernels.
        fence: Option<FenceId>,
        /// Its number, modulo 2³²: it is there without a context, too.
        seqno: u32,
        /// The error that it signaled with, negative. The kernel does not tell; the library's own traces do.
        error: Option<i32>,
    },
    /// `dma_fence_member`, of the library's own traces: a fence that a container stands for.
    Member {
        /// The array, or the point of a chain.
        container: FenceId,
        /// What it waits for, along with others.
        member: FenceId,
    },
    /// `gpu_scheduler:*`
    Job {
        /// Which of them.
        step: JobStep,
        /// The job's finished fence, if the event names it by context and number.
        fence: Option<FenceId>,
        /// The job's number, in older kernels the only name that a person can read.
        id: Option<u64>,
        /// The finished fence's address, or a hash of it: older kernels say that a job is done by
        /// nothing else.
        pointer: Option<u64>,
        /// The device, empty if it is not said.
        device: &'a str,
        /// The queue, empty if it is not said.
        ring: &'a str,
        /// The fence that the job depends on, of `AddDep` and `Unschedulable`.
        on: Option<FenceId>,
    },
}

/// The events of a fence's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FenceStep {
    /// Made.
    Init,
    /// Given to the device; some drivers number their fences only here.
    Emit,
    /// Somebody waits, or polls an array.
    EnableSignal,
    /// Signaled.
    Signaled,
    /// The last handle went.
    Destroy,
    /// A thread begins to wait, in the kernel or in the library.
    WaitStart,
    /// It has stopped waiting, also when time was over.
    WaitEnd,
    /// Its producer was lost. The kernel does not tell; the library's own traces do.
    Abandoned,
}

/// The events of a job of the scheduler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobStep {
    /// Put into its queue (`drm_sched_job_queue`, older `drm_sched_job`).
    Queue,
    /// Given to the device (`drm_sched_job_run`, older `drm_run_job`).
    Run,
    /// Done (`drm_sched_job_done`, older `drm_sched_process_job`).
    Done,
    /// It has to wait for a fence (`drm_sched_job_add_dep`).
    AddDep,
    /// It cannot run yet, because of a fence (`drm_sched_job_unschedulable`, older `drm_sched_job_wait_dep`).
    Unschedulable,
}
