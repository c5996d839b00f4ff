//! A word that a thread sleeps on, without anything around it.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

#[derive(Default)]
pub(crate) struct Futex(AtomicU32);

impl Futex {
    pub(crate) fn wait(&self) {
        while self.0.load(Ordering::Acquire) == 0 {
            // Woken for no reason, or not at all because it is over: it looks again.
            let _ = futex::wait(&self.0, futex::Flags::PRIVATE, 0, None);
        }
    }

    pub(crate) fn signal(&self) {
        self.0.store(1, Ordering::Release);
        // Nothing that can fail: the address is good.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, 1);
    }
}
