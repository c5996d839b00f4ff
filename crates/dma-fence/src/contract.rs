//! Contract checks: who promised to signal a fence must not depend on what waits for fences.
//!
//! Between the moment when others can see a fence and its signal, its producer is in a *signalling
//! critical section*. Whatever that code waits for, directly or through others, must never wait for a
//! fence: else there is a deadlock, if only once in a year. With feature `contract` the checks find the
//! order that could deadlock when it is first seen, in runs that went well, and name both places.
//! Without the feature everything here is empty and costs nothing, so the annotations stay in the code.
//!
//! | code | says |
//! |---|---|
//! | [`signalling`], [`signalling_of`] | from here to the guard's drop a signal depends on this thread |
//! | [`Fence::wait`] and its like, [`may_wait`] | waits for a fence, whether or not it had to sleep |
//! | [`ReservationObject::lock`] and its like | holds a reservation object until the guard goes |
//! | [`may_allocate`], [`CheckedAllocator`] | may make the system free memory first |
//! | [`reclaim`] | is the code that frees memory then |
//! | [`LockClass::acquire`] | holds a lock of the user's |
//!
//! What is reported, once for each pair of places:
//!
//! - inside a section: a wait, the lock of a reservation object, an allocation;
//! - a lock of a class taken inside one of the same class;
//! - *X inside Y* where *Y inside X*, directly or over others, has been seen before on any thread; where
//!   *inside reclaim, a wait* and *inside a section, an allocation* make such a pair, too;
//! - two or more threads, each in the section of a fence, that wait for one another's fences.
//!
//! A [report](Violation) goes to the [taint record](crate::taint), to the log and to the
//! [hook](on_violation). The checks never panic and never change what a program does.
//!
//! ```
//! use dma_fence::{FenceContext, contract};
//! let context = FenceContext::hardware("gpu", "ring 0");
//! let producer = context.new_fence();
//! let section = contract::signalling();
//! // … the interrupt handler: with feature `contract`, a wait or an allocation here is reported …
//! producer.signal(Ok(()));
//! drop(section);
//! # #[cfg(feature = "contract")]
//! # assert_eq!(dma_fence::taint::counts().violations, 0);
//! ```
//!
//! The library opens no section of its own: a callback runs in the sections of whoever signals. A guard
//! belongs to its thread, so keep none over an `.await`.
//!
//! [`ReservationObject::lock`]: crate::ReservationObject::lock

mod allocator;
mod class;
mod violation;

#[cfg(feature = "contract")]
mod checker;
#[cfg(not(feature = "contract"))]
#[path = "contract/off.rs"]
mod checker;

pub use allocator::CheckedAllocator;
pub use class::{Class, LockClass};
pub use violation::{Rule, Step, Violation};

use crate::fence::Fence;
use crate::sync::MutexGuard;
use core::fmt;
use core::marker::PhantomData;

/// Something that this thread holds until this is dropped.
#[must_use = "it is held until this is dropped"]
pub struct Held {
    _entry: checker::Entry,
    /// What is held is held by this thread.
    _not_send: PhantomData<MutexGuard<'static, ()>>,
}

/// A signalling critical section, until this is dropped. Sections nest.
#[must_use = "the section ends when this is dropped"]
#[derive(Debug)]
pub struct SignallingSection {
    _held: Held,
}

impl Held {
    fn new(entry: checker::Entry) -> Held {
        Held { _entry: entry, _not_send: PhantomData }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// A fence's signal depends on this thread from here to the drop of the section: it is published, and
/// this code has to get to [`signal`](crate::DriverFence::signal).
///
/// # Context
/// Any: never sleeps, allocates nothing. Reports nothing by itself.
#[doc(alias("dma_fence_begin_signalling", "dma_fence_end_signalling"))]
#[inline]
#[track_caller]
pub fn signalling() -> SignallingSection {
    SignallingSection { _held: Held::new(checker::enter(Class::Signal, None)) }
}

/// As [`signalling`], where it is known which fence: its waits for others are then put together with
/// theirs, so that a circle of waits is named in full.
///
/// # Context
/// As [`signalling`].
#[doc(alias = "dma_fence_begin_signalling")]
#[inline]
#[track_caller]
pub fn signalling_of(fence: &Fence) -> SignallingSection {
    SignallingSection { _held: Held::new(checker::enter(Class::Signal, Some(fence))) }
}

/// This code frees memory because somebody needs some: a shrinker, a notifier, an eviction. Every
/// allocation may have to wait for it.
///
/// ```
/// # use dma_fence::contract;
/// fn shrink() {
///     let _reclaim = contract::reclaim();
///     // … waits for the fences of a buffer, so that its memory can go …
/// }
/// # shrink();
/// ```
///
/// # Context
/// Reports.
#[doc(alias("fs_reclaim_acquire", "fs_reclaim_release"))]
#[inline]
#[track_caller]
pub fn reclaim() -> Held {
    Held::new(checker::acquire(Class::Reclaim))
}

/// This code may allocate memory here, even if it does not this time.
///
/// # Context
/// Reports.
#[doc(alias("might_alloc", "fs_reclaim_acquire"))]
#[inline]
#[track_caller]
pub fn may_allocate() {
    checker::want(Class::Reclaim);
}

/// This code may wait for a fence here, even if it does not this time. For waits that the library
/// cannot see, such as blocking on a future.
///
/// # Context
/// Reports.
#[doc(alias("dma_fence_might_wait", "might_sleep"))]
#[inline]
#[track_caller]
pub fn may_wait() {
    checker::want(Class::Signal);
}

/// Calls `hook` with every violation, in place of the hook before.
///
/// # Context
/// The hook runs on the offending thread, inside the offending call and under no lock of the library: a
/// backtrace taken there shows the way to the place. What it does itself is not checked. If the call is an
/// allocation, it may come from anywhere, so let the hook do little; a panic of it does not leave a
/// [`CheckedAllocator`].
pub fn on_violation(hook: fn(&Violation)) {
    checker::on_violation(hook);
}

/// Call it where a reservation object is about to be locked; keep what it returns as long as the lock.
#[inline]
#[track_caller]
pub(crate) fn locks_reservation() -> Held {
    Held::new(checker::acquire(Class::Reservation))
}

/// Call it where a reservation object was locked without waiting for it, which makes no order; keep what it
/// returns as long as the lock.
#[inline]
#[track_caller]
pub(crate) fn has_reservation() -> Held {
    Held::new(checker::enter(Class::Reservation, None))
}

/// Call it before a wait for all of `fences`; keep what it returns until the wait is over.
#[cfg(feature = "std")]
#[inline]
#[track_caller]
pub(crate) fn waits_for(fences: &[Fence]) -> checker::Waiting {
    checker::wait_for(fences)
}
