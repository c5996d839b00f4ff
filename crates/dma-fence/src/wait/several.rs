//! One wait for several fences: a callback on each, and one wake-up in all.
//!
//! The callbacks only count down, and the one that ends the count wakes. So a wait for a thousand fences
//! looks at all of them twice, before it registers and when it is over, and is woken once; each signal in
//! between costs one atomic operation.
//!
//! | who | transition of `left` | ordering | pairs with |
//! |---|---|---|---|
//! | a callback that was told of a signal | n → n−1 | Release | `is_decided` |
//! | a callback that was told of a loss | n → 0 | Release | `is_decided` |
//! | who waits | load | Acquire | all of them: the states that were told are visible |

use crate::callback::FenceCallback;
use crate::fence::Fence;
use crate::outcome::Outcome;
use crate::sync::{AtomicUsize, Ordering};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Who waits, to be woken by a callback.
pub(super) trait Sleeper: Send + Sync + 'static {
    fn wake(&self);
}

struct Countdown<S> {
    /// How many signals the wait still needs; it is decided at 0. See the table on top.
    left: AtomicUsize,
    sleeper: S,
}

impl<S: Sleeper> Countdown<S> {
    /// Counts what became of one fence; true if that decides the wait.
    fn count(&self, outcome: &Outcome) -> bool {
        let step = |left: usize| match outcome {
            Outcome::Signaled(_) => left.checked_sub(1),
            Outcome::Abandoned => (left > 0).then_some(0),
        };
        let before = self.left.fetch_update(Ordering::Release, Ordering::Relaxed, step);
        before.ok().and_then(step) == Some(0)
    }
}

/// Callbacks on several fences. Dropping it takes them back.
pub(super) struct Several<S> {
    countdown: Arc<Countdown<S>>,
    callbacks: Vec<FenceCallback>,
}

impl<S: Sleeper> Several<S> {
    /// Wakes the sleeper once, when `needed` of the fences have signaled or one is lost. It may sleep if
    /// the wait is not decided already.
    pub(super) fn register(fences: &[Fence], needed: usize, sleeper: S) -> Several<S> {
        let countdown = Arc::new(Countdown { left: AtomicUsize::new(needed), sleeper });
        // Made before the first callback: if a backend panics, those before are taken back.
        let mut several = Several { countdown, callbacks: Vec::with_capacity(fences.len()) };
        for fence in fences {
            if several.is_decided() {
                break;
            }
            let countdown = several.countdown.clone();
            let told = move |outcome: &_| {
                if countdown.count(outcome) {
                    countdown.sleeper.wake();
                }
            };
            match fence.on_outcome(told) {
                Ok(callback) => several.callbacks.push(callback),
                Err(declined) => _ = several.countdown.count(&declined.outcome),
            }
        }
        several
    }
}

impl<S> Several<S> {
    pub(super) fn sleeper(&self) -> &S {
        &self.countdown.sleeper
    }

    pub(super) fn is_decided(&self) -> bool {
        self.countdown.left.load(Ordering::Acquire) == 0
    }
}

impl<S> Drop for Several<S> {
    fn drop(&mut self) {
        // Not waiting for a wake-up under way: it finds nobody, which is no harm, and an executor may hold
        // the lock that it takes.
        self.callbacks.drain(..).for_each(FenceCallback::cancel_without_waiting);
    }
}
