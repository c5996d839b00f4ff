//! The producer side of a fence.

use crate::callback::drain;
use crate::context::{ContextInner, ContextKind, Issued};
use crate::errno::Errno;
use crate::fence::{Fence, Inner, Kind};
use crate::shared::{AllocError, Slot, WeakShared};
use crate::sync::Life;
use crate::taint;
use crate::time::Timestamp;
use core::fmt;
use core::mem::forget;
use core::panic::Location;

/// Memory for a fence that is not there yet; see [`FenceContext::init_fence`].
///
/// [`FenceContext::init_fence`]: crate::FenceContext::init_fence
pub struct FenceAllocation(pub(crate) Slot<Inner>);

impl FenceAllocation {
    /// Allocates.
    ///
    /// # Errors
    /// There was no memory.
    pub fn new() -> Result<Self, AllocError> {
        Slot::try_new().map(FenceAllocation)
    }
}

impl fmt::Debug for FenceAllocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FenceAllocation")
    }
}

/// The producer of a fence, and the only one who can signal it. Signaling consumes it.
///
/// Dropping it unsignaled in a hardware context makes the fence Abandoned: nothing that waits to reuse
/// memory goes ahead, everything that waits on a CPU is told. In a software context the fence signals
/// `ECANCELED`; also before earlier ones, see [`SeqnoOrder`](crate::SeqnoOrder).
///
/// ```compile_fail
/// # use dma_fence::FenceContext;
/// let producer = FenceContext::software("doc", "timeline").new_fence();
/// producer.signal(Ok(()));
/// producer.signal(Ok(())); // nobody signals twice
/// ```
pub struct DriverFence {
    /// Gone once signaled.
    fence: Option<Fence>,
    /// Where this was made, for the record of its loss. Here and not in the fence, which stays small.
    made: &'static Location<'static>,
}

impl DriverFence {
    #[track_caller]
    pub(crate) fn new(fence: Fence) -> Self {
        DriverFence { fence: Some(fence), made: Location::caller() }
    }

    #[inline]
    fn inner(&self) -> &Fence {
        match &self.fence {
            Some(fence) => fence,
            None => unreachable!("signaling consumes the producer"),
        }
    }

    /// A handle for consumers.
    #[inline]
    pub fn fence(&self) -> Fence {
        self.inner().clone()
    }

    /// The number of the context.
    pub fn context(&self) -> u64 {
        self.inner().context()
    }

    /// The position on the timeline.
    pub fn seqno(&self) -> u64 {
        self.inner().seqno()
    }

    /// The operation has ended, now.
    ///
    /// # Context
    /// Runs the callbacks on this thread, under no lock; if this is inside a callback, a hook that enables
    /// signaling, or the drop of a backend that signals, after that: none of them may wait for who is told.
    /// Allocates nothing. If callbacks panic, the first panic goes on after all of them have run.
    #[doc(alias("dma_fence_signal", "dma_fence_set_error"))]
    pub fn signal(self, result: Result<(), Errno>) {
        self.signal_at(result, Timestamp::now());
    }

    /// The operation has ended, at a time the producer knows better.
    ///
    /// # Context
    /// As [`signal`](Self::signal).
    #[doc(alias = "dma_fence_signal_timestamp")]
    pub fn signal_at(mut self, result: Result<(), Errno>, timestamp: Timestamp) {
        if let Some(fence) = self.fence.take() {
            // There is nothing left to lose.
            forget(self);
            fence.complete(result, timestamp);
        }
    }
}

impl Drop for DriverFence {
    fn drop(&mut self) {
        let Some(fence) = self.fence.take() else { return };
        match &fence.0.kind {
            Kind::Plain(context) if context.kind == ContextKind::Hardware => {
                abandon(&fence, context, self.made);
            }
            _ => {
                fence.complete(Err(Errno::ECANCELED), Timestamp::now());
            }
        }
    }
}

/// The way out and the record are there before the loss is visible, so that a reset meanwhile finds the
/// fence and whoever is woken finds the record. Should a hook signal the fence between the first look and
/// the last step, the record tells of a loss that was none, and the way out is closed again.
fn abandon(fence: &Fence, context: &Issued<ContextInner>, made: &'static Location<'static>) {
    // A hook may have signaled it: then nothing is lost. It is not asked any more.
    if fence.life() == Life::Signaled {
        return;
    }
    context.keep_abandoned(fence);
    drain::scope(|| {
        // Logs, which is user code: if that panics, the loss is told all the same.
        drain::guarded(|| taint::record_abandoned(context, fence.seqno(), made));
        if !fence.abandon() {
            context.keep_no_longer(fence);
        }
    });
}

impl fmt::Debug for DriverFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DriverFence").field(&self.fence).finish()
    }
}

/// The producer of a fence that only its consumers keep alive; see [`FenceContext::new_observed_fence`].
///
/// Dropping it is the loss of the producer, if there is still a consumer whom that concerns.
///
/// [`FenceContext::new_observed_fence`]: crate::FenceContext::new_observed_fence
pub struct WeakDriverFence {
    /// Gone once upgraded.
    fence: Option<WeakShared<Inner>>,
    made: &'static Location<'static>,
}

impl WeakDriverFence {
    #[track_caller]
    pub(crate) fn new(fence: &Fence) -> Self {
        WeakDriverFence { fence: Some(fence.0.downgrade()), made: Location::caller() }
    }

    /// The producer, to signal the fence; `None` if it has no consumers left.
    pub fn upgrade(mut self) -> Option<DriverFence> {
        let fence = self.fence.take()?.upgrade()?;
        Some(DriverFence { fence: Some(Fence(fence)), made: self.made })
    }
}

impl Drop for WeakDriverFence {
    fn drop(&mut self) {
        let Some(fence) = self.fence.take().and_then(|fence| fence.upgrade()) else { return };
        drop(DriverFence { fence: Some(Fence(fence)), made: self.made });
    }
}

impl fmt::Debug for WeakDriverFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakDriverFence").field("made", &self.made).finish_non_exhaustive()
    }
}
