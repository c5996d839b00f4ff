//! Threads: who they are, and what they did last.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::event::{FenceId, Task};
use crate::report;

/// Threads are forgotten when there are more: a file can name any number.
const MOST: usize = 1 << 16;

/// A thread, as long as a fence remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) comm: Arc<str>,
    pub(crate) pid: Option<u32>,
}

impl Who {
    pub(crate) fn to_report(&self) -> report::Task {
        report::Task { comm: self.comm.to_string(), pid: self.pid }
    }

    /// Whether it is a thread in which the kernel waits for what a display is to show: a worker, or a
    /// display's own thread.
    pub(crate) fn shows(&self) -> bool {
        self.comm.starts_with("kworker/") || self.comm.contains("-crtc")
    }
}

/// What is remembered of a thread.
#[derive(Debug)]
pub(crate) struct Thread {
    comm: Arc<str>,
    /// Where it waits.
    pub(crate) waits_for: Option<FenceId>,
    /// The scheduler's fence that it made last: the finished one comes right after the scheduled one.
    pub(crate) made: Option<FenceId>,
    /// The fence of a driver's that it made last: some make the hardware's before the job's.
    pub(crate) made_before: Option<FenceId>,
    /// The job that it gives to the device just now.
    pub(crate) runs: Option<FenceId>,
}

#[derive(Default, Debug)]
pub(crate) struct Tasks {
    threads: HashMap<u32, Thread, RandomState>,
}

impl Tasks {
    pub(crate) fn who(&mut self, task: Task<'_>) -> Who {
        let comm = match task.pid {
            None => task.comm.into(),
            Some(_) => self.thread(task).comm.clone(),
        };
        Who { comm, pid: task.pid }
    }

    /// A thread of another name with the same number is another thread.
    pub(crate) fn thread(&mut self, task: Task<'_>) -> &mut Thread {
        if self.threads.len() >= MOST {
            self.threads.clear();
        }
        let new = || Thread {
            comm: task.comm.into(),
            waits_for: None,
            made: None,
            made_before: None,
            runs: None,
        };
        // All events without a number share a thread, which makes no difference: nothing is linked by it.
        let thread = self.threads.entry(task.pid.unwrap_or(u32::MAX)).or_insert_with(new);
        if *thread.comm != *task.comm {
            thread.comm = task.comm.into();
        }
        thread
    }
}
