//! Model: the array's walk against polls and against its members' signals.
//!
//! Invariants under test: WALK-TURN, WALK-ACCOUNTED, ARRAY-UPWARD, ARRAY-DISARM (docs/invariants.md).
#![cfg(loom)]

use dma_fence::{DriverFence, Errno, FenceArray, FenceContext, FenceError, Status};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

fn two() -> (DriverFence, DriverFence, FenceArray) {
    let context = FenceContext::software("model", "members");
    let (a, b) = (context.new_fence(), context.new_fence());
    let array = FenceArray::new(vec![a.fence(), b.fence()]).unwrap();
    (a, b, array)
}

#[test]
fn never_early_for_a_poller_beside_the_walk() {
    loom::model(|| {
        let (a, b, array) = two();
        let (first, second) = (a.fence(), b.fence());
        let runs = Arc::new(AtomicUsize::new(0));
        let in_callback = runs.clone();
        array
            .on_signal(move |_| {
                in_callback.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap()
            .detach();
        let signaler = thread::spawn(move || {
            b.signal(Ok(()));
            a.signal(Ok(()));
        });
        if array.is_signaled() {
            assert!(first.is_signaled() && second.is_signaled());
        }
        signaler.join().unwrap();
        assert!(array.is_signaled());
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn two_members_signal_at_once_while_somebody_waits() {
    loom::model(|| {
        let (a, b, array) = two();
        let one = thread::spawn(move || a.signal(Ok(())));
        let other = thread::spawn(move || b.signal(Err(Errno::EIO)));
        assert_eq!(array.wait(), Err(FenceError::Failed(Errno::EIO)));
        one.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn the_last_handle_goes_while_the_armed_member_signals() {
    loom::model(|| {
        let (a, b, array) = two();
        // Starts the walk and leaves no callback of ours behind.
        assert!(array.on_signal(|_| {}).unwrap().cancel());
        let signaler = thread::spawn(move || b.signal(Ok(())));
        drop(array);
        signaler.join().unwrap();
        a.signal(Ok(()));
        // Nothing leaks: loom checks that at the end of each execution.
    });
}

#[test]
fn two_first_waiters_start_one_walk() {
    loom::model(|| {
        let (a, b, array) = two();
        let runs = Arc::new(AtomicUsize::new(0));
        let register = |array: &FenceArray, runs: &Arc<AtomicUsize>| {
            let runs = runs.clone();
            let count = move |_: &_| {
                runs.fetch_add(1, Ordering::Relaxed);
            };
            array.on_signal(count).unwrap().detach();
        };
        let (other, other_runs) = (array.clone(), runs.clone());
        let waiter = thread::spawn(move || register(&other, &other_runs));
        register(&array, &runs);
        waiter.join().unwrap();
        b.signal(Ok(()));
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        a.signal(Ok(()));
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn an_abandoned_member_is_reported_and_released() {
    loom::model(|| {
        let context = FenceContext::hardware("model", "members");
        let (a, b) = (context.new_fence(), context.new_fence());
        let array = FenceArray::new(vec![a.fence(), b.fence()]).unwrap();
        a.signal(Ok(()));
        let loser = thread::spawn(move || drop(b));
        assert_eq!(array.wait(), Err(FenceError::Abandoned));
        assert_eq!(array.status(), Status::Abandoned);
        loser.join().unwrap();
        assert_eq!(context.declare_idle(Errno::EIO), 1);
        assert_eq!(array.wait(), Err(FenceError::Failed(Errno::EIO)));
    });
}
