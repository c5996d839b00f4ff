//! Locking several objects: who is older, and who has to back off.

use crate::shared::Shared;
use crate::sync::global::{self, Ordering as GlobalOrdering};
use crate::sync::{AtomicBool, AtomicUsize, Ordering, Sleeper};
use core::fmt;
use core::marker::PhantomData;

/// The right to lock several objects in any order: a ticket. Who has the older one wins.
///
/// It belongs to the thread that made it. Keep it for all attempts to lock a set: it is its age that makes sure
/// that the last of them succeeds. Make a new one for the next set, for one that is kept goes before all
/// that come after it, and two of them can keep others waiting for ever. A guard that is forgotten keeps its
/// context from backing off for good.
///
/// ```
/// use dma_fence::{AcquireContext, Deadlock, ReservationGuard, ReservationObject};
/// /// Locks both, in whichever order others do it.
/// fn lock_both<'a>(
///     a: &'a ReservationObject,
///     b: &'a ReservationObject,
/// ) -> (ReservationGuard<'a>, ReservationGuard<'a>) {
///     let context = AcquireContext::new();
///     let mut first = a.lock_in(&context).expect("nothing is held yet");
///     loop {
///         match b.lock_in(&context) {
///             Ok(second) => return (first, second),
///             Err(Deadlock::AlreadyLocked) => panic!("both are the same"),
///             Err(Deadlock::BackOff) => {
///                 drop(first);
///                 let second = b.lock_slow(&context);
///                 match a.lock_in(&context) {
///                     Ok(first) => return (first, second),
///                     Err(_) => drop(second),
///                 }
///                 first = a.lock_slow(&context);
///             }
///         }
///     }
/// }
/// let objects = [ReservationObject::new(), ReservationObject::new()];
/// let guards = lock_both(&objects[0], &objects[1]);
/// assert!(objects[0].is_locked() && objects[1].is_locked());
/// drop(guards);
/// ```
///
/// [`lock_all`](crate::lock_all) is that for any number.
#[doc(alias("ww_acquire_ctx", "ww_acquire_init", "ww_acquire_fini"))]
pub struct AcquireContext {
    pub(super) inner: Shared<ContextInner>,
    /// The thread that is woken is the one that made it.
    _not_send: PhantomData<*const ()>,
}

/// What those who meet the context at a lock know of it.
pub(super) struct ContextInner {
    pub(super) ticket: u64,
    pub(super) sleeper: Sleeper,
    /// An older context waits for something that this one holds. Set under the queue's lock of what it
    /// holds; cleared by its own thread when it holds nothing, so after all those.
    wounded: AtomicBool,
    /// Locks held. Touched by its own thread only, hence Relaxed.
    held: AtomicUsize,
}

/// Why a lock was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadlock {
    /// An older context waits for what this one has: unlock all, then
    /// [`lock_slow`](crate::ReservationObject::lock_slow) this one, then the others again. (`EDEADLK`)
    BackOff,
    /// This context has it already. (`EALREADY`)
    AlreadyLocked,
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Deadlock::BackOff => "an older context waits for a lock that this one holds",
            Deadlock::AlreadyLocked => "the context holds the lock already",
        })
    }
}

impl core::error::Error for Deadlock {}

/// The numbers that make one older than the other.
pub(super) fn next_ticket() -> u64 {
    static NEXT: global::AtomicU64 = global::AtomicU64::new(0);
    NEXT.fetch_add(1, GlobalOrdering::Relaxed)
}

impl Default for AcquireContext {
    fn default() -> Self {
        Self::new()
    }
}

impl AcquireContext {
    /// A context younger than all there are.
    ///
    /// # Context
    /// Allocates.
    pub fn new() -> Self {
        let inner = Shared::new(ContextInner {
            ticket: next_ticket(),
            sleeper: Sleeper::current(),
            wounded: AtomicBool::new(false),
            held: AtomicUsize::new(0),
        });
        AcquireContext { inner, _not_send: PhantomData }
    }
}

impl fmt::Debug for AcquireContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContextInner { ticket, .. } = &*self.inner;
        write!(f, "AcquireContext(ticket {ticket}, {} held)", self.inner.held())
    }
}

impl ContextInner {
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn acquired(&self) {
        self.held.store(self.held() + 1, Ordering::Relaxed);
    }

    pub(super) fn released(&self) {
        self.held.store(self.held() - 1, Ordering::Relaxed);
    }

    /// Who holds nothing is in nobody's way.
    pub(super) fn heal(&self) {
        if self.held() == 0 {
            self.wounded.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn must_back_off(&self) -> bool {
        self.wounded.load(Ordering::Acquire)
    }

    /// Tells it to back off. The thread to wake, if it did not know.
    pub(super) fn wound(&self) -> Option<Sleeper> {
        let known = self.wounded.swap(true, Ordering::Release);
        (!known).then(|| self.sleeper.clone())
    }
}
