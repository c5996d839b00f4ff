//! The fences of one engine: where they come from, who signals them, what is counted.
//!
//! # Implementation notes
//!
//! A fence context is an ordered timeline: a later fence that has signaled proves that the earlier ones
//! have, and a reservation object forgets an earlier fence for a later one of the same context. The
//! operations of an engine end in any order. One context for all of them would let a buffer forget a
//! running operation. So **a context carries one unsignaled fence at a time** (MEM-ORDERED): an operation
//! takes an idle one, or a new one if there is none, and puts it back when its fence has signaled. An
//! engine has as many contexts of one name as it had operations at the same time. A context with an
//! abandoned fence is not used again.
//!
//! A [`Ticket`] is an operation's promise. Whatever becomes of the operation, the ticket ends it: by
//! [`signal`](Ticket::signal), or, dropped by an unwinding thread, by abandoning the fence.

use super::{EngineStats, Faults};
use crate::sync::{Arc, Condvar, Mutex, lock, wait};
use dma_fence::{DriverFence, Errno, Fence, FenceContext};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the fences of one engine have in common.
pub(super) struct Device {
    driver: &'static str,
    pub(super) faults: Faults,
    state: Mutex<State>,
    quiet: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<(&'static str, FenceContext)>,
    lost: Vec<FenceContext>,
    /// Tickets in existence.
    open: usize,
    stats: EngineStats,
}

/// The right and the duty to end one operation.
pub(super) struct Ticket {
    device: Arc<Device>,
    number: u64,
    promise: Option<Promise>,
}

struct Promise {
    timeline: &'static str,
    context: FenceContext,
    driver: DriverFence,
}

// === impl Device ===

impl Device {
    pub(super) fn new(driver: &'static str, faults: Faults) -> Arc<Device> {
        Arc::new(Device { driver, faults, state: Mutex::default(), quiet: Condvar::new() })
    }

    /// A new operation on a timeline of that name.
    pub(super) fn begin(self: &Arc<Self>, timeline: &'static str, made_array: bool) -> Ticket {
        let known = {
            let mut state = lock(&self.state);
            state.open += 1;
            state.stats.fences += 1;
            state.stats.arrays += u64::from(made_array);
            state.stats.in_flight += 1;
            state.stats.max_in_flight = state.stats.max_in_flight.max(state.stats.in_flight);
            let at = state.idle.iter().rposition(|(name, _)| *name == timeline);
            at.map(|at| state.idle.swap_remove(at).1)
        };
        let context = known.unwrap_or_else(|| FenceContext::hardware(self.driver, timeline));
        let driver = context.new_fence();
        let promise = Some(Promise { timeline, context, driver });
        Ticket { device: self.clone(), number: self.faults.next(), promise }
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
        let lost = std::mem::take(&mut lock(&self.state).lost);
        let released = lost.iter().map(|context| context.declare_idle(Errno::ECANCELED)).sum();
        lock(&self.state).stats.in_flight -= released as u64;
        released
    }
}

// === impl Ticket ===

impl Ticket {
    /// The fence of the operation; not to be asked for after the signal.
    pub(super) fn fence(&self) -> Fence {
        self.promise.as_ref().expect("not signaled").driver.fence()
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
        let Some(Promise { timeline, context, driver }) = self.promise.take() else { return };
        lock(&self.device.state).stats.in_flight -= 1;
        let fence = driver.fence();
        // A panic in somebody's callback has been reported by the panic hook, and must not take down the
        // engine with everybody else's operations.
        let _ = catch_unwind(AssertUnwindSafe(|| driver.signal(result)));
        // MEM-ORDERED. The state changes at once; only callbacks may be put off.
        debug_assert!(fence.is_signaled());
        lock(&self.device.state).idle.push((timeline, context));
    }

    fn abandon(&mut self) {
        let Some(Promise { context, driver, .. }) = self.promise.take() else { return };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(driver)));
        lock(&self.device.state).lost.push(context);
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
