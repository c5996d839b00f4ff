//! A thread that sleeps, for whoever is to wake it.
//!
//! Unlike a [`Parker`](super::Parker) it is no object that both sides must keep: who wakes takes a handle
//! of the thread, so the sleeper may be gone by then. On bare metal the sleeper spins.

#[cfg(all(feature = "std", loom))]
use loom::thread::{Thread, current, park};
#[cfg(all(feature = "std", not(loom)))]
use std::thread::{Thread, current, park};

/// A handle of a thread.
#[derive(Clone)]
pub(crate) struct Sleeper {
    #[cfg(feature = "std")]
    thread: Thread,
}

impl Sleeper {
    /// The running thread.
    pub(crate) fn current() -> Sleeper {
        Sleeper {
            #[cfg(feature = "std")]
            thread: current(),
        }
    }

    /// Lets it look again. Kept if it does not sleep yet.
    pub(crate) fn wake(&self) {
        #[cfg(feature = "std")]
        self.thread.unpark();
    }
}

/// Sleeps until `done`; who makes it true wakes the thread afterwards.
pub(crate) fn sleep_until(mut done: impl FnMut() -> bool) {
    #[cfg(feature = "std")]
    while !done() {
        park();
    }
    #[cfg(not(feature = "std"))]
    {
        let mut backoff = super::Backoff::new();
        while !done() {
            backoff.snooze();
        }
    }
}
