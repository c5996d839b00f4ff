//! A word that a thread sleeps on: the kernel's futex, and elsewhere, in the model checker too, the same
//! made of a lock and a condition variable.

use super::AtomicU32;
use core::time::Duration;

/// Whoever changes the word wakes the sleeper afterwards.
pub(crate) struct Futex {
    pub(crate) word: AtomicU32,
    sleeper: host::Sleeper,
}

impl Futex {
    pub(crate) fn new(value: u32) -> Self {
        Futex { word: AtomicU32::new(value), sleeper: host::Sleeper::new() }
    }

    /// Sleeps if the word is `expected`, until it is woken or, at most, for that long. It may come back
    /// earlier for no reason.
    pub(crate) fn wait(&self, expected: u32, limit: Option<Duration>) {
        self.sleeper.wait(&self.word, expected, limit);
    }

    pub(crate) fn wake_one(&self) {
        self.sleeper.wake_one(&self.word);
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
mod host {
    use super::{AtomicU32, Duration};
    use rustix::thread::futex::{self, Flags, Timespec};

    /// Whoever sleeps is known to the kernel by the word's address.
    pub(super) struct Sleeper;

    impl Sleeper {
        pub(super) fn new() -> Self {
            Sleeper
        }

        pub(super) fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
            // More than the kernel can count is as good as no limit.
            let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
            // Whatever it says, the caller looks again: the word has changed, a signal came, time is over.
            let _ = futex::wait(word, Flags::PRIVATE, expected, limit.as_ref());
        }

        pub(super) fn wake_one(&self, word: &AtomicU32) {
            // A good address cannot fail.
            let _ = futex::wake(word, Flags::PRIVATE, 1);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(loom))))]
mod host {
    use super::{AtomicU32, Duration};
    use crate::sync::Ordering;
    #[cfg(loom)]
    use loom::sync::{Condvar, LockResult, Mutex};
    #[cfg(not(loom))]
    use std::sync::{Condvar, LockResult, Mutex, PoisonError};

    pub(super) struct Sleeper {
        lock: Mutex<()>,
        woken: Condvar,
    }

    impl Sleeper {
        pub(super) fn new() -> Self {
            Sleeper { lock: Mutex::new(()), woken: Condvar::new() }
        }

        pub(super) fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
            let guard = unpoisoned(self.lock.lock());
            // Under the lock, so that a change is seen here, or its wake-up comes to the sleeper.
            if word.load(Ordering::Relaxed) != expected {
                return;
            }
            match limit {
                None => drop(unpoisoned(self.woken.wait(guard))),
                Some(limit) => drop(unpoisoned(self.woken.wait_timeout(guard, limit))),
            }
        }

        pub(super) fn wake_one(&self, _: &AtomicU32) {
            drop(unpoisoned(self.lock.lock()));
            self.woken.notify_one();
        }
    }

    #[cfg(not(loom))]
    fn unpoisoned<T>(result: LockResult<T>) -> T {
        result.unwrap_or_else(PoisonError::into_inner)
    }
    #[cfg(loom)]
    fn unpoisoned<T>(result: LockResult<T>) -> T {
        // No user code runs under it, so nothing panics there.
        result.unwrap_or_else(|_| unreachable!())
    }
}
