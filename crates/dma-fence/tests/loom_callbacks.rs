//! Model: signal against register against cancel.
//!
//! Invariants under test: STATE-LOCK, LINKED-BY-STATE, CLAIM-ONCE (docs/invariants.md).
#![cfg(loom)]

use dma_fence::{Errno, Fence, FenceContext, FenceError, Outcome, Signal, Status};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// Counts runs, with data that a missing happens-before edge would expose.
struct Ran {
    runs: AtomicUsize,
    data: loom::cell::UnsafeCell<u32>,
}

// SAFETY: The model checks that `data` is reached in order.
unsafe impl Sync for Ran {}
// SAFETY: As above.
unsafe impl Send for Ran {}

impl Ran {
    fn new() -> Arc<Ran> {
        Arc::new(Ran { runs: AtomicUsize::new(0), data: loom::cell::UnsafeCell::new(0) })
    }
    fn run(&self) {
        self.data.with_mut(|data| {
            // SAFETY: Checked by the model.
            unsafe { *data += 1 }
        });
        self.runs.fetch_add(1, Ordering::Relaxed);
    }
    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }
}

/// Registers one while the fence signals; `register` gives back what it would have been told if it is not registered.
fn runs_once_or_is_handed_back(
    register: fn(&Fence, Box<dyn FnOnce(&Signal) + Send>) -> Option<Outcome>,
) {
    loom::model(move || {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let ran = Ran::new();
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        let in_callback = ran.clone();
        let declined = register(&fence, Box::new(move |_| in_callback.run()));
        // In one order it is the fence's last handle.
        drop(fence);
        if let Some(outcome) = declined {
            assert!(matches!(outcome, Outcome::Signaled(signal) if signal.result.is_ok()));
            ran.run();
        }
        signaler.join().unwrap();
        assert_eq!(ran.runs(), 1);
    });
}

#[test]
fn a_callback_runs_once_or_is_handed_back() {
    runs_once_or_is_handed_back(|fence, callback| match fence.on_signal(callback) {
        Ok(callback) => {
            callback.detach();
            None
        }
        Err(declined) => Some(declined.outcome),
    });
}

#[test]
fn a_detached_callback_runs_once_or_is_handed_back() {
    runs_once_or_is_handed_back(|fence, callback| {
        fence.on_signal_detached(callback).err().map(|declined| declined.outcome)
    });
}

#[test]
fn cancel_tells_the_truth_and_waits() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let ran = Ran::new();
        let in_callback = ran.clone();
        let callback = fence.on_signal(move |_| in_callback.run()).unwrap();
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        let never = callback.cancel();
        // Not running now, whichever way it went: the model would report a race on the data.
        if never {
            ran.run();
        } else {
            ran.data.with(|data| {
                // SAFETY: Checked by the model.
                assert_eq!(unsafe { *data }, 1);
            });
        }
        signaler.join().unwrap();
        assert_eq!(ran.runs(), 1);
    });
}

#[test]
fn register_and_cancel_beside_each_other() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let (first, second) = (Ran::new(), Ran::new());
        let in_first = first.clone();
        let callback = fence.on_signal(move |_| in_first.run()).unwrap();
        let (other, in_second) = (fence.clone(), second.clone());
        let registrar = thread::spawn(move || {
            let ran_here = in_second.clone();
            match other.on_signal(move |_| in_second.run()) {
                Ok(callback) => callback.detach(),
                Err(_) => ran_here.run(),
            }
        });
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        let never = callback.cancel();
        signaler.join().unwrap();
        registrar.join().unwrap();
        assert_eq!(first.runs(), usize::from(!never));
        assert_eq!(second.runs(), 1);
    });
}

#[test]
fn the_result_is_visible_with_the_state() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let signaler = thread::spawn(move || producer.signal(Err(Errno::EIO)));
        if fence.is_signaled() {
            assert!(matches!(fence.status(), Status::Signaled(s) if s.result == Err(Errno::EIO)));
        }
        signaler.join().unwrap();
        assert!(fence.is_signaled());
    });
}

#[test]
fn no_wake_up_is_lost() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        assert_eq!(fence.wait(), Ok(()));
        signaler.join().unwrap();
    });
}

#[test]
fn a_future_is_woken_or_finds_the_signal() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        assert_eq!(loom::future::block_on(std::future::IntoFuture::into_future(fence)), Ok(()));
        signaler.join().unwrap();
    });
}

#[test]
fn a_lost_producer_against_the_reset_and_a_waiter() {
    loom::model(|| {
        let context = Arc::new(FenceContext::hardware("model", "a"));
        let producer = context.new_fence();
        let fence = producer.fence();
        let loser = thread::spawn(move || drop(producer));
        let owner = context.clone();
        let resetter = thread::spawn(move || owner.declare_idle(Errno::EIO));
        assert!(fence.wait().is_err());
        loser.join().unwrap();
        let early = resetter.join().unwrap();
        // Whoever came first, a last reset leaves nothing abandoned, and no fence is lost.
        let late = context.declare_idle(Errno::EIO);
        assert!(early + late <= 1);
        assert!(fence.is_signaled());
        assert_eq!(context.abandoned(), 0);
    });
}

#[test]
fn whoever_hears_of_the_loss_can_reset() {
    loom::model(|| {
        let context = FenceContext::hardware("model", "a");
        let producer = context.new_fence();
        let fence = producer.fence();
        let loser = thread::spawn(move || drop(producer));
        assert_eq!(fence.wait(), Err(FenceError::Abandoned));
        assert_eq!(context.declare_idle(Errno::EIO), 1);
        assert!(fence.is_signaled());
        loser.join().unwrap();
    });
}

/// Whoever still has the fence is told; if nobody has it any more, the signal goes nowhere. The model
/// reports what is touched after its end, and what is left over.
#[test]
fn the_last_consumer_goes_while_a_weak_producer_signals() {
    loom::model(|| {
        let context = FenceContext::hardware("model", "a");
        let (producer, fence) = context.new_observed_fence(std::sync::Arc::new(NoHooks));
        let signaler = thread::spawn(move || match producer.upgrade() {
            Some(producer) => producer.signal(Ok(())),
            None => (),
        });
        let ran = Ran::new();
        let in_callback = ran.clone();
        let told = match fence.on_signal(move |_| in_callback.run()) {
            Ok(callback) => !callback.cancel(),
            Err(_) => false,
        };
        drop(fence);
        signaler.join().unwrap();
        assert_eq!(ran.runs(), usize::from(told));
        assert_eq!(context.abandoned(), 0);
    });
}

struct NoHooks;
impl dma_fence::FenceOps for NoHooks {}
