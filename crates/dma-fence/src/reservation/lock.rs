//! The update lock: a word for the case that nobody waits, and a queue for the others.
//!
//! ```text
//!            take                      queue up
//!   Free ───────────► Held(by) ──────────────────► Held(by) + QUEUED ──┐ hand over: by = oldest waiter
//!     ▲   release        │                            │   ▲─────────────┘
//!     └──────────────────┘                            │ release, and nobody waits any more
//!     └───────────────────────────────────────────────┘
//! ```
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | anybody | take: Free → Held(me) | Acquire, and Release for the context | release; queue up |
//! | waiter with the queue's lock | queue up: Held(h) → Held(h) + QUEUED | AcqRel | take: h's context |
//! | holder | release: Held → Free | Release | take |
//! | holder with the queue's lock | release: Held + QUEUED → Free | Release | take |
//! | holder with the queue's lock | hand over: Held + QUEUED → Held(oldest) + QUEUED | Release | queue up |
//! | holder with the queue's lock | `granted`: false → true | Release | the waiter's look (Acquire) |
//! | elder with the queue's lock | `wounded`: false → true | Release | the context's look (Acquire) |
//!
//! RESV-LOCK: Free is left by take, and Held by who holds it. While QUEUED is clear nobody waits. While it is
//! set the word changes under the queue's lock only, so whoever has that lock may use the holder's context.
//! The word owns a count of that context.
//!
//! # Wound/wait
//!
//! | a context meets | and is | does |
//! |---|---|---|
//! | a lock of its own | – | `AlreadyLocked` |
//! | any holder | wounded, and holds something | `BackOff` |
//! | a holder with a younger context | not wounded | wounds the holder, and sleeps |
//! | an older one, or one without | not wounded | sleeps |
//! | a wound in its sleep | – | leaves the queue: `BackOff`, unless the lock is its own by now |
//!
//! The oldest of those who wait gets the lock, so who holds it is older than all who wait, but for those
//! that wounded it. So every chain of waits goes from younger to older, or ends with somebody who was told to
//! back off, or with somebody without a context, who waits for nothing else. A context that has backed off
//! holds nothing, so its wound is healed, and it keeps its age: it will be the oldest one day.
#![allow(unsafe_code)]

use super::context::{AcquireContext, ContextInner, Deadlock, next_ticket};
use super::queue::{Queue, Waiter};
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Mutex, MutexGuard, Ordering, Sleeper, sleep_until};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

/// Somebody waits: the holder has to come by at the queue.
const QUEUED: usize = 1;
/// Held without a context.
const PLAIN: usize = 2;

pub(super) struct UpdateLock {
    /// Null, [`PLAIN`], or a context; with or without [`QUEUED`].
    word: AtomicPtr<ContextInner>,
    queue: Mutex<Queue>,
}

/// The context in a word, if there is one.
fn context_in(word: *mut ContextInner) -> Option<NonNull<ContextInner>> {
    NonNull::new(word.map_addr(|addr| addr & !(QUEUED | PLAIN)))
}

fn is_queued(word: *mut ContextInner) -> bool {
    word.addr() & QUEUED != 0
}

fn queued(word: *mut ContextInner) -> *mut ContextInner {
    word.map_addr(|addr| addr | QUEUED)
}

fn plain() -> *mut ContextInner {
    ptr::without_provenance_mut(PLAIN)
}

impl UpdateLock {
    pub(super) fn new() -> Self {
        const { assert!(align_of::<ContextInner>() > (QUEUED | PLAIN)) };
        UpdateLock { word: AtomicPtr::new(ptr::null_mut()), queue: Mutex::new(Queue::new()) }
    }

    pub(super) fn is_locked(&self) -> bool {
        !self.word.load(Ordering::Relaxed).is_null()
    }

    pub(super) fn try_lock(&self) -> Option<UpdateGuard<'_>> {
        self.take(plain()).then(|| UpdateGuard::new(self))
    }

    #[inline]
    pub(super) fn lock(&self) -> UpdateGuard<'_> {
        if !self.take(plain()) {
            self.wait_without_context();
        }
        UpdateGuard::new(self)
    }

    #[cold]
    fn wait_without_context(&self) {
        // It cannot be told to back off.
        let _ = self.wait(plain(), next_ticket(), Sleeper::current(), None);
    }

    pub(super) fn lock_in(&self, context: &AcquireContext) -> Result<UpdateGuard<'_>, Deadlock> {
        let inner = &context.inner;
        inner.heal();
        let me = inner.clone().into_raw();
        if !self.take(me.as_ptr())
            && let Err(deadlock) =
                self.wait(me.as_ptr(), inner.ticket, inner.sleeper.clone(), Some(inner))
        {
            // SAFETY: RESV-LOCK: the word did not get the count that was for it.
            drop(unsafe { Shared::from_raw(me) });
            return Err(deadlock);
        }
        inner.acquired();
        Ok(UpdateGuard::new(self))
    }

    #[inline]
    fn take(&self, me: *mut ContextInner) -> bool {
        let free = ptr::null_mut();
        self.word.compare_exchange(free, me, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Queues up and sleeps until the lock is ours, or `context` is to back off.
    fn wait(
        &self,
        me: *mut ContextInner,
        ticket: u64,
        sleeper: Sleeper,
        context: Option<&Shared<ContextInner>>,
    ) -> Result<(), Deadlock> {
        let is_wounded = || context.is_some_and(|context| context.must_back_off());
        let waiter = Waiter::new(me, ticket, sleeper);
        let mut queue = self.queue.lock();
        let Some(holder) = self.queue_up(me) else { return Ok(()) };
        // SAFETY: RESV-LOCK: we have the queue's lock and the word has QUEUED.
        let holder = context_in(holder).map(|holder| unsafe { holder.as_ref() });
        if holder.is_some_and(|holder| holder.ticket == ticket) {
            return Err(Deadlock::AlreadyLocked);
        }
        if is_wounded() {
            return Err(Deadlock::BackOff);
        }
        // SAFETY: RESV-QUEUE: we stay here until the waiter is off the queue, granted or removed.
        unsafe { queue.insert(&waiter) };
        let younger = holder.filter(|holder| context.is_some() && holder.ticket > ticket);
        let wounded = younger.and_then(ContextInner::wound);
        drop(queue);
        // Awake after the unlock, or it would have to sleep again.
        wounded.inspect(Sleeper::wake);
        sleep_until(|| waiter.is_granted() || is_wounded());
        if waiter.is_granted() {
            return Ok(());
        }
        let mut queue = self.queue.lock();
        if waiter.is_granted() {
            return Ok(());
        }
        queue.remove(&waiter);
        Err(Deadlock::BackOff)
    }

    /// Takes the lock if it has come free; else tells the holder that somebody waits, and who it is.
    fn queue_up(&self, me: *mut ContextInner) -> Option<*mut ContextInner> {
        loop {
            let seen = self.word.load(Ordering::Acquire);
            if is_queued(seen) {
                return Some(seen);
            }
            let new = if seen.is_null() { me } else { queued(seen) };
            match self.word.compare_exchange(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(holder) if holder.is_null() => return None,
                Ok(holder) => {
                    // Not what was seen: that context may have gone, and a new one be at its address.
                    self.word.store(queued(holder), Ordering::Relaxed);
                    return Some(holder);
                }
                Err(_) => {}
            }
        }
    }

    #[inline]
    fn release(&self) {
        let free = ptr::null_mut();
        // It fails if there is a context, or somebody who waits.
        if self.word.compare_exchange(plain(), free, Ordering::Release, Ordering::Relaxed).is_err()
        {
            self.release_otherwise();
        }
    }

    fn release_otherwise(&self) {
        let mut held = self.word.load(Ordering::Relaxed);
        let free = ptr::null_mut();
        let freed = !is_queued(held)
            && self.word.compare_exchange(held, free, Ordering::Release, Ordering::Relaxed).is_ok();
        if !freed {
            held = self.hand_over(self.queue.lock());
        }
        // SAFETY: RESV-LOCK: the count was the word's, which has gone on without it.
        let context = context_in(held).map(|context| unsafe { Shared::from_raw(context) });
        context.inspect(|context| context.released());
    }

    /// Gives the lock to the oldest who waits, or sets it free. What the word was before.
    fn hand_over(&self, mut queue: MutexGuard<'_, Queue>) -> *mut ContextInner {
        let Some(waiter) = queue.pop() else {
            return self.word.swap(ptr::null_mut(), Ordering::Release);
        };
        // SAFETY: RESV-QUEUE: popped, and not granted yet.
        let claim = unsafe { waiter.as_ref() }.claim;
        let held = self.word.swap(queued(claim), Ordering::Release);
        // SAFETY: RESV-QUEUE: popped, and we still have the queue's lock.
        let sleeper = unsafe { Waiter::grant(waiter) };
        drop(queue);
        sleeper.wake();
        held
    }
}

impl Drop for UpdateLock {
    fn drop(&mut self) {
        // A guard was forgotten: the word still has its context.
        let held = context_in(self.word.load(Ordering::Relaxed));
        // SAFETY: RESV-LOCK: the count is the word's, and nobody else looks at it any more.
        drop(held.map(|context| unsafe { Shared::from_raw(context) }));
    }
}

/// The lock, held.
pub(super) struct UpdateGuard<'a> {
    lock: &'a UpdateLock,
    /// A context belongs to a thread, and so do the locks that it has.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: `&UpdateGuard` can do nothing.
unsafe impl Sync for UpdateGuard<'_> {}

impl<'a> UpdateGuard<'a> {
    #[inline]
    fn new(lock: &'a UpdateLock) -> Self {
        UpdateGuard { lock, _not_send: PhantomData }
    }
}

impl Drop for UpdateGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}
