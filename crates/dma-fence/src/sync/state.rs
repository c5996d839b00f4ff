//! The fence's state word, which is also its lock.
//!
//! One 32-bit word carries the life of a fence and its error, what its first waiter has to do, and a lock
//! bit that guards the callback list. Folding them together makes a signal one compare-exchange and one
//! store, makes `is_signaled` one load, and publishes the error with the signal.
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | any thread | `load` | Acquire | every unlock |
//! | any thread | `lock`: LOCKED 0 → 1 | Acquire | the unlock before it |
//! | lock holder | the guard's drop, `unlock_as`: LOCKED 1 → 0, new state | Release | `load`, `lock` |
//!
//! While LOCKED is set nobody but the holder stores to the word, so the unlock may be a plain store
//! (invariant STATE-LOCK). A life only moves forward: Pending → Abandoned → Signaled, or Pending →
//! Signaled (invariant LIFE-FORWARD).
#![allow(unsafe_code)]

use super::{AtomicU32, Backoff, Ordering, UnsafeCell};
use crate::errno::Errno;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// Where a fence is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Life {
    Pending = 0,
    Abandoned = 1,
    Signaled = 2,
}

/// A value of the state word without the lock bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct State(u32);

const LIFE: u32 = 0b11;
const LOCKED: u32 = 1 << 2;
const POLLED: u32 = 1 << 3;
const ENABLE: u32 = 1 << 4;
const OBSERVED: u32 = 1 << 5;
/// The error number of a fence that has signaled, 0 for none: the upper half.
const ERROR_SHIFT: u32 = 16;

impl State {
    /// Pending, with nothing to ask and nothing to enable.
    pub(crate) const NEW: State = State(0);

    /// The fence's state can change without a signal: `is_signaled` has to ask.
    pub(crate) const fn polled(self, yes: bool) -> State {
        State(if yes { self.0 | POLLED } else { self.0 })
    }
    /// The first waiter has to enable signaling.
    pub(crate) const fn to_enable(self, yes: bool) -> State {
        State(if yes { self.0 | ENABLE } else { self.0 & !ENABLE })
    }
    /// The producer does not keep the fence.
    pub(crate) const fn observed(self) -> State {
        State(self.0 | OBSERVED)
    }
    pub(crate) const fn is_observed(self) -> bool {
        self.0 & OBSERVED != 0
    }
    pub(crate) const fn is_polled(self) -> bool {
        self.0 & POLLED != 0
    }
    pub(crate) const fn is_to_enable(self) -> bool {
        self.0 & ENABLE != 0
    }
    #[inline(always)]
    pub(crate) const fn is_signaled(self) -> bool {
        self.0 & LIFE == Life::Signaled as u32
    }
    /// False if there is nothing to ask, either.
    #[inline(always)]
    pub(crate) const fn may_have_signaled(self) -> bool {
        self.0 & (Life::Signaled as u32 | POLLED) != 0
    }
    pub(crate) const fn life(self) -> Life {
        match self.0 & LIFE {
            0 => Life::Pending,
            1 => Life::Abandoned,
            _ => Life::Signaled,
        }
    }
    pub(crate) const fn with_life(self, life: Life) -> State {
        State(self.0 & !LIFE | life as u32)
    }
    pub(crate) fn signaled(self, result: Result<(), Errno>) -> State {
        let error = result.err().map_or(0, |error| error.raw() as u32);
        State(self.with_life(Life::Signaled).0 | error << ERROR_SHIFT)
    }
    /// What it was [`signaled`](Self::signaled) with.
    pub(crate) fn result(self) -> Result<(), Errno> {
        Errno::from_raw((self.0 >> ERROR_SHIFT) as i32).map_or(Ok(()), Err)
    }
}

/// A value that may be touched under the lock bit of a [`State`] word.
pub(crate) struct StateLock<T> {
    /// Written under the table above only.
    word: AtomicU32,
    /// Touched by the holder of LOCKED only (invariant STATE-LOCK).
    data: UnsafeCell<T>,
    /// Threads that spin multiply a model's executions without end; so there they queue here first.
    /// The model of the lock itself goes without.
    #[cfg(loom)]
    gate: Option<loom::sync::Mutex<()>>,
}

// SAFETY: STATE-LOCK: the data is reached by one thread at a time, with the lock's Acquire/Release
// between two of them, so sending the value between threads is all that is asked of `T`.
unsafe impl<T: Send> Sync for StateLock<T> {}

impl<T> StateLock<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(state: State, data: T) -> Self {
        StateLock { word: AtomicU32::new(state.0), data: UnsafeCell::new(data) }
    }
    #[cfg(loom)]
    pub(crate) fn new(state: State, data: T) -> Self {
        StateLock { gate: Some(loom::sync::Mutex::new(())), ..Self::new_ungated(state, data) }
    }
    #[cfg(loom)]
    fn new_ungated(state: State, data: T) -> Self {
        StateLock { word: AtomicU32::new(state.0), data: UnsafeCell::new(data), gate: None }
    }

    /// The state now; what was written before it was published is visible.
    #[inline(always)]
    pub(crate) fn load(&self) -> State {
        State(self.word.load(Ordering::Acquire) & !LOCKED)
    }

    #[inline]
    pub(crate) fn lock(&self) -> StateGuard<'_, T> {
        #[cfg(loom)]
        let gate = self.gate.as_ref().map(|gate| gate.lock().unwrap());
        let taken = self.take(self.word.load(Ordering::Relaxed));
        let state = taken.unwrap_or_else(|seen| self.wait_and_take(seen));
        StateGuard {
            lock: self,
            state,
            _not_send: PhantomData,
            #[cfg(loom)]
            _gate: gate,
        }
    }

    /// Unless somebody else has it, or the word is not what was seen; then that which it is.
    #[inline]
    fn take(&self, seen: u32) -> Result<State, u32> {
        if seen & LOCKED != 0 {
            return Err(seen);
        }
        let locked = seen | LOCKED;
        self.word.compare_exchange(seen, locked, Ordering::Acquire, Ordering::Relaxed).map(State)
    }

    #[cold]
    fn wait_and_take(&self, mut seen: u32) -> State {
        let mut backoff = Backoff::new();
        loop {
            if seen & LOCKED != 0 {
                backoff.snooze();
                seen = self.word.load(Ordering::Relaxed);
            }
            match self.take(seen) {
                Ok(state) => return state,
                Err(now) => seen = now,
            }
        }
    }
}

/// The lock, held. Dropping it unlocks with the state unchanged.
pub(crate) struct StateGuard<'a, T> {
    lock: &'a StateLock<T>,
    state: State,
    _not_send: PhantomData<*const ()>,
    #[cfg(loom)]
    _gate: Option<loom::sync::MutexGuard<'a, ()>>,
}

impl<T> StateGuard<'_, T> {
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Unlocks and publishes `state` in one store.
    pub(crate) fn unlock_as(mut self, state: State) {
        debug_assert!(state.life() >= self.state.life(), "LIFE-FORWARD");
        self.state = state;
    }
}

impl<T> Deref for StateGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: STATE-LOCK: we hold LOCKED, and the borrow of the guard keeps it held.
        self.lock.data.with_mut(|data| unsafe { &*data })
    }
}

impl<T> DerefMut for StateGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: STATE-LOCK: we hold LOCKED, and the unique borrow of the guard makes this unique.
        self.lock.data.with_mut(|data| unsafe { &mut *data })
    }
}

impl<T> Drop for StateGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.word.store(self.state.0, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::{State, StateLock};
    use crate::errno::Errno;
    use loom::sync::Arc;
    use loom::thread;

    /// Two threads change the data under the lock, and one of them the state with it.
    #[test]
    fn the_lock_excludes_and_publishes() {
        loom::model(|| {
            let lock = Arc::new(StateLock::new_ungated(State::NEW, 0));
            let other = lock.clone();
            let thread = thread::spawn(move || {
                let mut guard = other.lock();
                *guard += 1;
                let state = guard.state();
                guard.unlock_as(state.signaled(Err(Errno::EIO)));
            });
            {
                let mut guard = lock.lock();
                let seen = *guard;
                assert_eq!(seen == 1, guard.state().is_signaled());
                *guard += 1;
            }
            thread.join().unwrap();
            assert!(lock.load().is_signaled());
            assert_eq!(lock.load().result(), Err(Errno::EIO));
            assert_eq!(*lock.lock(), 2);
        });
    }
}
