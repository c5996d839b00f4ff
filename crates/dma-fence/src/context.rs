//! Fence contexts: timelines with an owner.
//!
//! - [`issuer`]: who keeps a context, counted by the numbers that it gives out

mod issuer;

use crate::callback::drain;
use crate::driver::{DriverFence, FenceAllocation, WeakDriverFence};
use crate::errno::Errno;
use crate::fence::{Fence, Inner, Kind};
use crate::ops::FenceOps;
use crate::shared::Slot;
use crate::sync::{Mutex, global};
use crate::time::Timestamp;
use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use global::{AtomicU64, Ordering};
pub(crate) use issuer::Issued;
use issuer::Issuer;

/// Who touches the memory, and so what the loss of a producer means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextKind {
    /// A device writes behind the CPU's back: a fence that loses its producer is Abandoned.
    Hardware,
    /// Only code of this process: a fence that loses its producer signals `ECANCELED`.
    Software,
}

/// How sequence numbers of a context compare.
///
/// Where operations end in order, the driver signals in order, too. A job that is cancelled while one
/// before it is lost or still runs has not ended in order. Else what stands for both, a merged fence or a
/// place in a reservation object, signals with the later one. In a hardware context drop its producer
/// instead of signaling it. In a software context that is a signal, too, so if jobs of it may be cancelled
/// out of order, it has to be [`Unordered`](Self::Unordered).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeqnoOrder {
    /// 64 bits: they never wrap. Operations end in this order, so a later one stands for those before.
    Bits64,
    /// 32 bits, as a device's register counts: they wrap, and of two the later one is ahead by less
    /// than half the circle. Operations end in this order.
    Bits32,
    /// The numbers only tell operations apart, which end in any order, as on a queue that many workers
    /// serve: none is later than another.
    Unordered,
}

impl SeqnoOrder {
    #[inline]
    pub(crate) fn is_later(self, this: u64, other: u64) -> Option<bool> {
        match self {
            SeqnoOrder::Bits64 => Some(this > other),
            SeqnoOrder::Bits32 => Some((this as u32).wrapping_sub(other as u32) as i32 > 0),
            SeqnoOrder::Unordered => None,
        }
    }

    fn number(self, count: u64) -> u64 {
        match self {
            SeqnoOrder::Bits64 | SeqnoOrder::Unordered => count,
            SeqnoOrder::Bits32 => u64::from(count as u32),
        }
    }
}

/// What a context's fences share, and keep alive.
pub(crate) struct ContextInner {
    pub(crate) id: u64,
    pub(crate) kind: ContextKind,
    pub(crate) driver: Cow<'static, str>,
    pub(crate) timeline: Cow<'static, str>,
    pub(crate) seqnos: SeqnoOrder,
    /// What comes before the first number.
    origin: u64,
    abandoned: Mutex<AbandonedFences>,
}

/// The fences that lost their producer, oldest first, linked through themselves so that losing one
/// allocates nothing. The links are written by who has the list, under the context's lock but for a list
/// that was taken out; a fence's own lock nests inside.
struct AbandonedFences {
    ends: Option<(Fence, Fence)>,
    count: usize,
}

impl AbandonedFences {
    const NONE: AbandonedFences = AbandonedFences { ends: None, count: 0 };

    fn take(&mut self) -> AbandonedFences {
        core::mem::replace(self, Self::NONE)
    }

    fn push(&mut self, fence: &Fence) {
        self.count += 1;
        self.ends = Some(match self.ends.take() {
            None => (fence.clone(), fence.clone()),
            Some((first, last)) => {
                last.0.lock.lock().next_abandoned = Some(fence.clone());
                (first, fence.clone())
            }
        });
    }

    /// If it is there.
    fn remove(&mut self, fence: &Fence) {
        let mut all = self.take();
        while let Some(abandoned) = all.pop() {
            if !abandoned.same_fence(fence) {
                self.push(&abandoned);
            }
        }
    }

    fn pop(&mut self) -> Option<Fence> {
        let (first, last) = self.ends.take()?;
        self.count -= 1;
        let next = first.0.lock.lock().next_abandoned.take();
        self.ends = next.map(|next| (next, last));
        Some(first)
    }
}

impl ContextInner {
    /// Keeps `fence` until the context is declared idle.
    ///
    /// From here on the fence and its context keep each other alive: if nobody ever declares the
    /// context idle, both are leaked, on purpose.
    pub(crate) fn keep_abandoned(&self, fence: &Fence) {
        self.abandoned.lock().push(fence);
    }

    /// It has signaled before it was abandoned.
    pub(crate) fn keep_no_longer(&self, fence: &Fence) {
        self.abandoned.lock().remove(fence);
    }
}

/// The number of a context, never given out before.
pub(crate) fn allocate_context() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A timeline: where fences come from, in rising order.
///
/// Its owner is the driver. Fences outlive it.
///
/// ```
/// use dma_fence::{Errno, FenceContext, Status};
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let fence = {
///     let producer = context.new_fence();
///     producer.fence()
///     // The producer is lost here, while the device may be writing.
/// };
/// assert_eq!(fence.status(), Status::Abandoned);
/// assert!(!fence.is_signaled(), "nobody may reuse the memory");
///
/// // … the device is reset, nothing runs on it any more:
/// assert_eq!(context.declare_idle(Errno::EIO), 1);
/// assert!(fence.is_signaled());
/// ```
#[doc(alias = "dma_fence_context_alloc")]
pub struct FenceContext(Issuer<ContextInner>);

impl FenceContext {
    /// A context with a number never used before.
    pub fn new(
        kind: ContextKind,
        driver: impl Into<Cow<'static, str>>,
        timeline: impl Into<Cow<'static, str>>,
        seqnos: SeqnoOrder,
    ) -> Self {
        FenceContext(Issuer::new(ContextInner {
            id: allocate_context(),
            kind,
            driver: driver.into(),
            timeline: timeline.into(),
            seqnos,
            origin: 0,
            abandoned: Mutex::new(AbandonedFences::NONE),
        }))
    }

    /// A context whose operations touch memory behind the CPU's back.
    pub fn hardware(
        driver: impl Into<Cow<'static, str>>,
        timeline: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ContextKind::Hardware, driver, timeline, SeqnoOrder::Bits64)
    }

    /// A context of this process's own code, whose operations end in order. If a later one may be
    /// cancelled, or its producer dropped, while one before it still runs, make a [`new`](Self::new)
    /// one that is [`Unordered`](SeqnoOrder::Unordered).
    pub fn software(
        driver: impl Into<Cow<'static, str>>,
        timeline: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ContextKind::Software, driver, timeline, SeqnoOrder::Bits64)
    }

    /// The next fence gets `seqno`, as a device's own counter has it; without this the first is 1.
    ///
    /// Drivers of devices that count in 32 bits like to begin shortly before the end, so that what wraps
    /// is seen to wrap.
    ///
    /// # Panics
    /// If the context has made fences: later ones must not look earlier.
    pub fn starting_at(mut self, seqno: u64) -> Self {
        let unused = self.0.unissued();
        let inner = unused.expect("a context that has made fences cannot start at another number");
        inner.origin = seqno.wrapping_sub(1);
        self
    }

    /// The context's number, unique in the process and never reused.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Hardware or software.
    pub fn kind(&self) -> ContextKind {
        self.0.kind
    }

    /// The driver's name.
    pub fn driver_name(&self) -> &str {
        &self.0.driver
    }

    /// The timeline's name.
    pub fn timeline_name(&self) -> &str {
        &self.0.timeline
    }

    /// A pending fence with the next sequence number; the first one is 1.
    ///
    /// Allocates; where that must not fail, see [`init_fence`](Self::init_fence).
    #[doc(alias = "dma_fence_init")]
    #[track_caller]
    pub fn new_fence(&self) -> DriverFence {
        self.fill(Slot::new(), None)
    }

    /// As [`new_fence`](Self::new_fence), with the hooks of a backend.
    #[doc(alias = "dma_fence_init")]
    #[track_caller]
    pub fn new_fence_with(&self, ops: Arc<dyn FenceOps>) -> DriverFence {
        self.fill(Slot::new(), Some(ops))
    }

    /// A pending fence that goes when its last consumer does: handle, registration or container.
    ///
    /// For a backend that watches something and can stop when nobody is interested any more. The fence
    /// keeps the backend, so the backend must not keep the fence: its producer is a weak one.
    ///
    /// ```
    /// use dma_fence::{FenceContext, FenceOps};
    /// use std::sync::Arc;
    /// struct Watch;
    /// impl FenceOps for Watch {}
    ///
    /// let display = FenceContext::hardware("display", "pipe A");
    /// let watch = Arc::new(Watch);
    /// let (producer, fence) = display.new_observed_fence(watch.clone());
    /// drop(fence);
    /// assert_eq!(Arc::strong_count(&watch), 1, "nobody waits, nothing is watched");
    /// assert!(producer.upgrade().is_none());
    /// ```
    #[track_caller]
    pub fn new_observed_fence(&self, ops: Arc<dyn FenceOps>) -> (WeakDriverFence, Fence) {
        let (seqno, context) = self.next();
        let fence = Fence::make(Slot::new(), Inner::observed(Kind::Plain(context), seqno, ops));
        (WeakDriverFence::new(&fence), fence)
    }

    /// Turns an allocation into a pending fence. Cannot fail and allocates nothing.
    ///
    /// ```
    /// use dma_fence::{FenceAllocation, FenceContext};
    /// let context = FenceContext::hardware("gpu", "ring 0");
    /// let memory = FenceAllocation::new()?;
    /// // … the point of no return …
    /// let producer = context.init_fence(memory);
    /// # producer.signal(Ok(()));
    /// # Ok::<(), dma_fence::AllocError>(())
    /// ```
    #[track_caller]
    pub fn init_fence(&self, allocation: FenceAllocation) -> DriverFence {
        self.fill(allocation.0, None)
    }

    /// As [`init_fence`](Self::init_fence), with the hooks of a backend.
    #[track_caller]
    pub fn init_fence_with(
        &self,
        allocation: FenceAllocation,
        ops: Arc<dyn FenceOps>,
    ) -> DriverFence {
        self.fill(allocation.0, Some(ops))
    }

    /// The device behind the context does nothing any more (it was reset): every abandoned fence
    /// signals with `error`, oldest first. Returns how many.
    ///
    /// Whoever gave the device addresses vouches for it: memory is reused from here on.
    ///
    /// # Context
    /// Runs the callbacks of those fences, after all of them have signaled.
    pub fn declare_idle(&self, error: Errno) -> usize {
        // Those of now: one that a callback loses meanwhile may belong to work begun after the reset.
        let mut idle = self.0.abandoned.lock().take();
        drain::scope(|| {
            let mut released = 0;
            while let Some(fence) = idle.pop() {
                released += usize::from(fence.complete(Err(error), Timestamp::now()));
            }
            released
        })
    }

    /// How many fences are abandoned now.
    pub fn abandoned(&self) -> usize {
        self.0.abandoned.lock().count
    }

    /// The next sequence number, for something that keeps the context.
    #[inline]
    pub(crate) fn next(&self) -> (u64, Issued<ContextInner>) {
        let (count, context) = self.0.issue();
        (context.seqnos.number(context.origin.wrapping_add(count)), context)
    }

    /// Out of line: inlined elsewhere it is made on the stack and copied, which waits for what was just written.
    #[inline(never)]
    #[track_caller]
    fn fill(&self, slot: Slot<Inner>, ops: Option<Arc<dyn FenceOps>>) -> DriverFence {
        let (seqno, context) = self.next();
        DriverFence::new(Fence::make(slot, Inner::new(Kind::Plain(context), seqno, ops)))
    }
}

impl fmt::Debug for FenceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContextInner { id, kind, driver, timeline, .. } = &*self.0;
        write!(f, "FenceContext({driver} {timeline} {id}, {kind:?})")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::SeqnoOrder::{Bits32, Bits64, Unordered};

    #[test]
    fn narrow_seqnos_compare_around_the_circle() {
        let (last, first) = (Bits32.number(u64::from(u32::MAX)), Bits32.number(1 << 32));
        assert_eq!((last, first), (u64::from(u32::MAX), 0));
        assert_eq!(Bits32.is_later(first, last), Some(true));
        assert_eq!(Bits32.is_later(last, first), Some(false));
        assert_eq!(Bits32.is_later(7, 7), Some(false));
        assert_eq!(Bits64.is_later(first, last), Some(false));
        assert_eq!(Bits64.is_later(1 << 32, last), Some(true));
        assert_eq!(Unordered.is_later(2, 1), None);
    }
}
