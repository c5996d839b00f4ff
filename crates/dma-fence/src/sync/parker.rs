//! Where a thread sleeps until a callback wakes it.
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | sleeper | park: Empty → Asleep | Relaxed | – |
//! | waker | unpark: any → Woken | Release | park's last step |
//! | sleeper | park, to return: Woken → Empty (or Asleep → Empty: time is over) | Acquire | unpark |
//!
//! PARKER-KEPT: a wake-up before the sleep leaves Woken, so that the sleeper does not begin. Who finds
//! Asleep wakes through the kernel, and nobody else does: a signal that nobody sleeps for costs no system
//! call.

use super::Ordering;
use super::futex::Futex;
use core::time::Duration;
use std::time::Instant;

const EMPTY: u32 = 0;
const WOKEN: u32 = 1;
const ASLEEP: u32 = 2;

/// One sleeper and any number of wakers; a wake-up before the sleep is kept.
pub(crate) struct Parker(Futex);

impl Parker {
    pub(crate) fn new() -> Self {
        Parker(Futex::new(EMPTY))
    }

    pub(crate) fn unpark(&self) {
        if self.0.word.swap(WOKEN, Ordering::Release) == ASLEEP {
            self.0.wake_one();
        }
    }

    /// Sleeps until [`unpark`](Self::unpark); true. Or until `until`; false.
    pub(crate) fn park(&self, until: Option<Instant>) -> bool {
        // Fails only if there is a wake-up already.
        let _ = self.0.word.compare_exchange(EMPTY, ASLEEP, Ordering::Relaxed, Ordering::Relaxed);
        while self.0.word.load(Ordering::Relaxed) != WOKEN {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            self.0.wait(ASLEEP, left);
        }
        // It may have come with the last moment.
        self.0.word.swap(EMPTY, Ordering::Acquire) == WOKEN
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::Parker;
    use loom::cell::Cell;
    use loom::sync::Arc;
    use loom::thread;

    /// What is told by a wake-up.
    struct Told(Cell<u32>);

    // SAFETY: The model checks every access.
    #[allow(unsafe_code)]
    unsafe impl Sync for Told {}
    // SAFETY: As above.
    #[allow(unsafe_code)]
    unsafe impl Send for Told {}

    /// PARKER-KEPT: whether it comes before, while or after the sleeper goes to sleep; and what was written
    /// before it is there then.
    #[test]
    fn no_wake_up_is_lost_and_each_publishes() {
        loom::model(|| {
            let shared = Arc::new((Parker::new(), Told(Cell::new(0))));
            let waker = shared.clone();
            let thread = thread::spawn(move || {
                waker.1.0.set(7);
                waker.0.unpark();
            });
            assert!(shared.0.park(None));
            assert_eq!(shared.1.0.get(), 7);
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_second_wake_up_is_kept_for_the_next_sleep() {
        loom::model(|| {
            let parker = Arc::new(Parker::new());
            let waker = parker.clone();
            let thread = thread::spawn(move || {
                waker.unpark();
                waker.unpark();
            });
            assert!(parker.park(None));
            thread.join().unwrap();
            parker.unpark();
            assert!(parker.park(None));
        });
    }
}
