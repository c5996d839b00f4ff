//! Those who wait for an update lock, the oldest ticket first.
//!
//! RESV-QUEUE: a waiter is on the queue from `insert` to `pop` or `remove`, all under the queue's lock. It
//! lives in the frame of the thread that waits, which does not return before the waiter is off the queue. Who
//! pops one uses it until `grant` sets `granted`, and no longer: that lets the thread go.
#![allow(unsafe_code)]

use super::context::ContextInner;
use crate::sync::{AtomicBool, AtomicPtr, Ordering, Sleeper};
use core::ptr::{self, NonNull};

/// Linked through the waiters.
pub(super) struct Queue {
    first: Link,
}

pub(super) struct Waiter {
    /// What the lock's word will be.
    pub(super) claim: *mut ContextInner,
    ticket: u64,
    sleeper: Sleeper,
    granted: AtomicBool,
    next: Link,
}

/// The next one, or null. Relaxed, for it is touched under the queue's lock.
struct Link(AtomicPtr<Waiter>);

impl Link {
    fn to_none() -> Self {
        Link(AtomicPtr::new(ptr::null_mut()))
    }

    fn get(&self) -> *const Waiter {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, waiter: *const Waiter) {
        self.0.store(waiter.cast_mut(), Ordering::Relaxed);
    }
}

impl Waiter {
    pub(super) fn new(claim: *mut ContextInner, ticket: u64, sleeper: Sleeper) -> Self {
        let granted = AtomicBool::new(false);
        Waiter { claim, ticket, sleeper, granted, next: Link::to_none() }
    }

    pub(super) fn is_granted(&self) -> bool {
        self.granted.load(Ordering::Acquire)
    }

    /// Tells the waiter that the lock is its own. The thread to wake.
    ///
    /// # Safety
    /// The waiter was popped under the queue's lock, which is still held. Afterwards it may be gone.
    pub(super) unsafe fn grant(this: NonNull<Waiter>) -> Sleeper {
        let this = this.as_ptr();
        // SAFETY: RESV-QUEUE: popped and not granted. No reference to the whole is alive at the store, for
        // the waiter may be gone before the store returns.
        unsafe {
            let sleeper = (*this).sleeper.clone();
            (*this).granted.store(true, Ordering::Release);
            sleeper
        }
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue { first: Link::to_none() }
    }

    /// Behind all that are not younger.
    ///
    /// # Safety
    /// The waiter lives, and does not move, until it has been popped and granted, or removed.
    pub(super) unsafe fn insert(&mut self, waiter: &Waiter) {
        let link = self.link_to(|other| other.ticket > waiter.ticket);
        waiter.next.set(link.get());
        link.set(waiter);
    }

    /// The oldest.
    pub(super) fn pop(&mut self) -> Option<NonNull<Waiter>> {
        let first = NonNull::new(self.first.get().cast_mut())?;
        // SAFETY: RESV-QUEUE: it is on the queue.
        self.first.set(unsafe { first.as_ref() }.next.get());
        Some(first)
    }

    /// Takes off one that is there.
    pub(super) fn remove(&mut self, waiter: &Waiter) {
        self.link_to(|other| ptr::eq(other, waiter)).set(waiter.next.get());
    }

    /// The link to the first that `is`, or to the end.
    fn link_to(&self, is: impl Fn(&Waiter) -> bool) -> &Link {
        let mut link = &self.first;
        // SAFETY: RESV-QUEUE: what a link leads to is on the queue.
        while let Some(next) = unsafe { link.get().as_ref() }.filter(|next| !is(next)) {
            link = &next.next;
        }
        link
    }
}
