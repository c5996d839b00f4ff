//! The only place of this crate that names threads, locks and atomics for the memory pool.
//!
//! Why: under `cfg(loom)` the same names are the model checker's, so that the code which decides when
//! memory may be reused is the code that the model explores, line by line.

#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::yield_now,
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::yield_now,
};

/// Locks, whether or not another thread panicked while it held the lock.
///
/// No critical section of this crate calls code of a user, and none leaves its data half changed at a
/// point that can panic, so a poisoned lock says nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Gives the lock up, sleeps until notified (or for no reason at all), and takes it again.
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
}
