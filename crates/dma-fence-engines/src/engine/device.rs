//! The fences of one engine: where they come from, who signals them, what is counted.
//!
//! # Implementation notes
//!
//! The operations of an engine end in any order, so its contexts are unordered (MEM-ORDERED): on an ordered
//! one a later fence stands for the earlier ones, and a buffer would forget a running operation for the
//! next one.
//!
//! A [`Ticket`] is an operation's promise. Whatever becomes of the operation, the ticket ends it: by
//! [`signal`](Ticket::signal), or, dropped by an unwinding thread, by abandoning the fence.

use super::{EngineStats, Faults};
use crate::sync::{Arc, Condvar, Mutex, lock, wait};
use dma_fence::{ContextKind, DriverFence, Errno, Fence, FenceContext, SeqnoOrder};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the fences of one engine have in common.
pub(super) struct Device {
    timelines: Vec<FenceContext>,
    pub(super) faults: Faults,
    state: Mutex<State>,
    quiet: Condvar,
}

#[derive(Default)]
struct State {
    /// Tickets in existence.
    open: usize,
    stats: EngineStats,
}

/// The right and the duty to end one operation.
pub(super) struct Ticket {
    device: Arc<Device>,
    number: u64,
    /// Gone when the fence has been signaled or abandoned.
    driver: Option<DriverFence>,
}

// === impl Device ===

impl Device {
    /// A device of that name, with one context for each timeline.
    pub(super) fn new(
        driver: &'static str,
        timelines: &[&'static str],
        faults: Faults,
    ) -> Arc<Device> {
        let context = |timeline: &&'static str| {
            FenceContext::new(ContextKind::Hardware, driver, *timeline, SeqnoOrder::Unordered)
        };
        let timelines = timelines.iter().map(context).collect();
        Arc::new(Device { timelines, faults, state: Mutex::default(), quiet: Condvar::new() })
    }

    /// A new operation on the timeline of that index.
    pub(super) fn begin(self: &Arc<Self>, timeline: usize, made_array: bool) -> Ticket {
        {
            let mut state = lock(&self.state);
            state.open += 1;
            state.stats.fences += 1;
            state.stats.arrays += u64::from(made_array);
            state.stats.in_flight += 1;
            state.stats.max_in_flight = state.stats.max_in_flight.max(state.stats.in_flight);
        }
        let driver = Some(self.timelines[timeline].new_fence());
        Ticket { device: self.clone(), number: self.faults.next(), driver }
    }

    pub(super) fn stats(&self) -> EngineStats {
        lock(&self.state).stats
    }

    /// Sleeps until every operation has ended, one way or the other.
    pub(super) fn wait_until_quiet(&self) {
        let mut state = lock(&self.state);
        while state.open > 0 {
            state = wait(&self.quiet, state);
        }
    }

    /// Signals what was abandoned. Only for an engine that is known to touch no memory any more.
    pub(super) fn declare_idle(&self) -> usize {
        let idle = |context: &FenceContext| context.declare_idle(Errno::ECANCELED);
        let released = self.timelines.iter().map(idle).sum();
        lock(&self.state).stats.in_flight -= released as u64;
        released
    }
}

// === impl Ticket ===

impl Ticket {
    /// The fence of the operation; not to be asked for after the signal.
    pub(super) fn fence(&self) -> Fence {
        self.driver.as_ref().expect("not signaled").fence()
    }

    /// Whether the operation is to fail instead of being executed.
    pub(super) fn fails(&self) -> bool {
        self.device.faults.fails(self.number)
    }

    /// To be called by the thread that executes the operation, before it does.
    pub(super) fn panic_if_told(&self) {
        if self.device.faults.panics(self.number) {
            panic!("injected: the engine's thread dies at operation {}", self.number);
        }
    }

    /// Signals the fence; the second time, after an early signal, does nothing.
    pub(super) fn signal(&mut self, result: Result<(), Errno>) {
        if self.device.faults.loses(self.number) {
            return self.abandon();
        }
        let Some(driver) = self.driver.take() else { return };
        lock(&self.device.state).stats.in_flight -= 1;
        // A panic in somebody's callback has been reported by the panic hook, and must not take down the
        // engine with everybody else's operations.
        let _ = catch_unwind(AssertUnwindSafe(|| driver.signal(result)));
    }

    fn abandon(&mut self) {
        let Some(driver) = self.driver.take() else { return };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(driver)));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.abandon();
        let mut state = lock(&self.device.state);
        state.open -= 1;
        if state.open == 0 {
            drop(state);
            self.device.quiet.notify_all();
        }
    }
}
