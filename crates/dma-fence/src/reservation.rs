//! Reservation objects: the fences of a buffer, and what each means for who comes next.
//!
//! # Implementation notes
//!
//! Two halves that know nothing of each other. The *update lock* ([`lock`], [`queue`], [`context`], [`set`]) is
//! the user's: it is held from `lock` to the guard's drop, over reserving, looking and adding, so that a job
//! and its fences appear as one step. *Readers* ([`view`], [`iter`]) take no lock. What they read is built from the
//! bottom up:
//!
//! - [`grow`]: a list that only grows, so that a reader need not be waited for
//! - [`debt`]: how a reader uses a fence that a writer may be taking away
//! - [`slot`]: one fence, its usage and whether it is known to have signaled in one word
//! - [`changes`]: the count of changes that tells a reader to start over
//! - [`several`]: how a reader looks at several slots together
//! - [`place`]: a slot, and whose fence it has, so that who adds one need not ask them all
//! - [`table`]: all slots, and who may change them
//! - [`fold`]: going through the fences without a handle of each
//! - [`guard`]: what the holder of the update lock may change
//!
//! RESV-DROP: a handle that leaves an object is dropped, and a fence is asked, outside every lock of this
//! module; the update lock is the user's, who knows what it is held over.

mod changes;
mod context;
mod debt;
mod fold;
mod grow;
mod guard;
mod iter;
mod lock;
mod place;
mod queue;
mod set;
mod several;
mod slot;
mod table;
mod view;

pub use context::{AcquireContext, Deadlock};
pub use guard::ReservationGuard;
pub use iter::ReservationIter;
pub use set::{DuplicateObject, LockedSet, lock_all};
pub use view::ReservationView;

use crate::contract;
use crate::fence::Fence;
use core::fmt;
use core::ops::Deref;
use lock::UpdateLock;

/// What an operation does with the buffer. Asking for one usage returns those at or before it.
#[doc(alias = "dma_resv_usage")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Usage {
    /// Memory management: moving or clearing the buffer. Everybody waits for it.
    Kernel,
    /// The operation writes. Whoever reads or writes next waits for it.
    Write,
    /// The operation reads. Whoever writes next waits for it.
    Read,
    /// Nobody waits for it implicitly; it only keeps the buffer alive.
    Bookkeep,
}

impl Usage {
    /// What the next operation has to wait for: a write for readers and writers, a read for writers.
    ///
    /// ```
    /// use dma_fence::Usage;
    /// assert_eq!(Usage::for_next(true), Usage::Read);
    /// assert_eq!(Usage::for_next(false), Usage::Write);
    /// ```
    #[doc(alias = "dma_resv_usage_rw")]
    pub const fn for_next(write: bool) -> Usage {
        if write { Usage::Read } else { Usage::Write }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Usage::Kernel => "kernel",
            Usage::Write => "write",
            Usage::Read => "read",
            Usage::Bookkeep => "bookkeep",
        })
    }
}

/// Why a fence was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddError {
    /// No slot was reserved.
    NoSlot,
    /// Arrays and chains are refused: add their [leaves](Fence::leaves).
    Container,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddError::NoSlot => "no slot was reserved for the fence",
            AddError::Container => "a reservation object takes no containers, only their leaves",
        })
    }
}

impl core::error::Error for AddError {}

/// What a buffer's fences amount to.
///
/// ```
/// use dma_fence::{Errno, FenceContext, ReservationObject, ReservationStatus, Usage};
/// let gpu = FenceContext::hardware("gpu", "ring 0");
/// let (buffer, render) = (ReservationObject::new(), gpu.new_fence());
/// let mut guard = buffer.lock();
/// guard.reserve(1)?;
/// guard.add(&render.fence(), Usage::Write)?;
/// drop(guard);
/// assert!(matches!(buffer.status(Usage::Write), ReservationStatus::Pending));
///
/// drop(render); // its driver has gone, and the ring may still write
/// let ReservationStatus::Abandoned(fence) = buffer.status(Usage::Write) else { panic!() };
/// assert_eq!(fence.context(), gpu.id());
///
/// gpu.declare_idle(Errno::EIO);
/// assert!(matches!(buffer.status(Usage::Write), ReservationStatus::Idle));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum ReservationStatus {
    /// All have signaled.
    Idle,
    /// At least one is pending; none was abandoned when it was asked.
    Pending,
    /// This one is abandoned.
    Abandoned(Fence),
}

/// The fences of one buffer, each with its usage.
///
/// Derefs to [`ReservationView`], which has all that can be asked without the lock.
///
/// ```
/// use dma_fence::{FenceContext, ReservationObject, Usage};
/// let gpu = FenceContext::hardware("gpu", "ring 0");
/// let buffer = ReservationObject::new();
///
/// let render = gpu.new_fence();
/// let mut guard = buffer.lock();
/// guard.reserve(1)?;                              // may fail, so do it first
/// guard.add(&render.fence(), Usage::Write)?;      // cannot fail any more
/// drop(guard);
///
/// assert!(!buffer.is_signaled(Usage::Write));     // a reader has to wait
/// render.signal(Ok(()));
/// assert!(buffer.is_signaled(Usage::Bookkeep));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("dma_resv", "dma_resv_fini"))]
pub struct ReservationObject {
    view: ReservationView,
    lock: UpdateLock,
}

impl Default for ReservationObject {
    fn default() -> Self {
        Self::new()
    }
}

impl ReservationObject {
    /// An object without fences: idle.
    #[doc(alias = "dma_resv_init")]
    pub fn new() -> Self {
        ReservationObject { view: ReservationView::new(), lock: UpdateLock::new() }
    }

    /// Locks the object for an update.
    ///
    /// # Context
    /// Sleeps while somebody else has it (on bare metal it spins). The oldest of those who wait gets it: who
    /// came first, or a context that was made before that. Locking it again on the same thread is a
    /// deadlock, and so is locking two objects like this that another thread locks the other way round:
    /// see [`lock_in`](Self::lock_in).
    #[doc(alias = "dma_resv_lock")]
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> ReservationGuard<'_> {
        let held = contract::locks_reservation();
        ReservationGuard::new(self, self.lock.lock(), held)
    }

    /// Locks the object if nobody has it.
    ///
    /// # Context
    /// Does not wait.
    #[doc(alias = "dma_resv_trylock")]
    #[track_caller]
    pub fn try_lock(&self) -> Option<ReservationGuard<'_>> {
        // No closure, for the place of the lock is the caller's.
        let update = self.lock.try_lock()?;
        Some(ReservationGuard::new(self, update, contract::has_reservation()))
    }

    /// Locks the object as one of several, in any order.
    ///
    /// # Errors
    /// The context has it already, or has to back off, because an older one waits for what it has.
    ///
    /// # Context
    /// As [`lock`](Self::lock); the older context gets it first. Wakes with the error when it has to back off.
    #[doc(alias("dma_resv_lock", "dma_resv_lock_interruptible", "dma_resv_locking_ctx"))]
    #[track_caller]
    pub fn lock_in(&self, context: &AcquireContext) -> Result<ReservationGuard<'_>, Deadlock> {
        let held = contract::locks_reservation();
        Ok(ReservationGuard::new(self, self.lock.lock_in(context)?, held))
    }

    /// Locks the object first of all, after the context had to back off because of it.
    ///
    /// # Panics
    /// If the context still holds something: others would wait for it for ever.
    ///
    /// # Context
    /// As [`lock`](Self::lock).
    #[doc(alias("dma_resv_lock_slow", "dma_resv_lock_slow_interruptible"))]
    #[track_caller]
    pub fn lock_slow(&self, context: &AcquireContext) -> ReservationGuard<'_> {
        assert_eq!(
            context.inner.held(),
            0,
            "lock_slow is for a context that has unlocked everything"
        );
        self.lock_in(context).expect("who holds nothing need not back off")
    }

    /// Has anybody locked it, just now?
    #[doc(alias = "dma_resv_is_locked")]
    pub fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }
}

impl Deref for ReservationObject {
    type Target = ReservationView;
    fn deref(&self) -> &ReservationView {
        &self.view
    }
}

impl fmt::Debug for ReservationObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view.fmt(f)
    }
}
