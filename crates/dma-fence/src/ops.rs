//! Hooks of a backend, all absent by default.

use crate::{Fence, Signal, Timestamp};

/// What a backend found when it was asked to enable signaling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enabled {
    /// A signal will come.
    WillSignal,
    /// The operation had ended already; the fence signals at once, as this says.
    Done(Signal),
}

/// What a backend may add to its fences.
///
/// Once a fence has signaled, no hook of its backend is called again and the fence no longer keeps
/// the backend alive. A hook that another thread had set out to call before the signal may still
/// run; the backend lives until it has returned. An abandoned fence calls no hooks either: its producer
/// is gone.
///
/// No lock of the library is held in a hook: it may signal, register, query or drop any fence. Who waits for
/// what a hook or a backend's drop signals is told when that has returned, so it must not wait for them. A hook
/// that panics does so when the signals under way have been told to everybody. A backend is dropped when
/// its fence signals; one that owns the next fence's producer nests that drop, so a long chain of
/// dependencies belongs into callbacks, which do not nest.
///
/// ```
/// use dma_fence::{FenceContext, FenceOps, Signal};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// struct Register(AtomicBool);
/// impl FenceOps for Register {
///     fn polls(&self) -> bool { true }
///     fn poll(&self) -> Option<Signal> { self.0.load(Ordering::Acquire).then(|| Signal::now(Ok(()))) }
/// }
///
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let register = Arc::new(Register(AtomicBool::new(false)));
/// let producer = context.new_fence_with(register.clone());
/// let fence = producer.fence();
/// assert!(!fence.is_signaled());
/// register.0.store(true, Ordering::Release);
/// assert!(fence.is_signaled());
/// ```
#[doc(alias = "dma_fence_ops")]
pub trait FenceOps: Send + Sync + 'static {
    /// The driver's name for this fence, where it is not the context's.
    #[doc(alias = "get_driver_name")]
    fn driver_name(&self) -> Option<&str> {
        None
    }

    /// The timeline's name for this fence, where it is not the context's.
    #[doc(alias = "get_timeline_name")]
    fn timeline_name(&self) -> Option<&str> {
        None
    }

    /// Somebody is about to wait: make sure that a signal will come.
    ///
    /// Called at most once, before the first waiter is registered. A waiter that registers from
    /// another thread meanwhile does not wait for the hook to return.
    fn enable_signaling(&self, fence: &Fence) -> Enabled {
        let _ = fence;
        Enabled::WillSignal
    }

    /// Whether [`poll`](Self::poll) is worth asking. Read once, when the fence is made.
    fn polls(&self) -> bool {
        false
    }

    /// Has the operation ended? `Some` signals the fence, as it says.
    ///
    /// An optimisation for those who look before the interrupt comes: the producer still signals.
    #[doc(alias = "signaled")]
    fn poll(&self) -> Option<Signal> {
        None
    }

    /// Somebody would like the fence to signal by `deadline`.
    fn set_deadline(&self, deadline: Timestamp) {
        let _ = deadline;
    }
}
