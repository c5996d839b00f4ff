//! Model: waits for several fences, against signals, losses and cancellation.
//!
//! Under test: the countdown of `wait/several.rs`, and that no wake-up is lost (a lost one is a
//! deadlock, which the model reports).
#![cfg(loom)]

use dma_fence::{
    Errno, Fence, FenceContext, FenceError, Outcome, all_of, any_of, wait_all, wait_any,
};
use loom::future::block_on;
use loom::thread::{self, JoinHandle};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Signaler = JoinHandle<()>;

/// Two fences, and a thread that signals each.
fn two() -> ([Fence; 2], [Signaler; 2]) {
    let context = FenceContext::software("model", "a");
    let producers = [context.new_fence(), context.new_fence()];
    let fences = producers.each_ref().map(|producer| producer.fence());
    (fences, producers.map(|producer| thread::spawn(move || producer.signal(Ok(())))))
}

fn join(signalers: [Signaler; 2]) {
    signalers.into_iter().for_each(|signaler| signaler.join().unwrap());
}

/// A fence that is lost on another thread, before one that nobody signals meanwhile.
fn pending_before_lost<T>(wait: impl FnOnce([Fence; 2]) -> T) -> T {
    let context = FenceContext::hardware("model", "a");
    let (pending, lost) = (context.new_fence(), context.new_fence());
    let fences = [pending.fence(), lost.fence()];
    let loser = thread::spawn(move || drop(lost));
    let result = wait(fences);
    loser.join().unwrap();
    pending.signal(Ok(()));
    assert_eq!(context.declare_idle(Errno::EIO), 1);
    result
}

#[test]
fn any_is_woken_by_whoever_comes_first() {
    loom::model(|| {
        let (fences, signalers) = two();
        let winner = wait_any(&fences).unwrap();
        assert!(fences[winner].is_signaled());
        join(signalers);
        assert_eq!(wait_any(&fences), Some(0));
    });
}

#[test]
fn all_is_woken_by_the_last() {
    loom::model(|| {
        let (fences, signalers) = two();
        assert_eq!(wait_all(&fences), Ok(()));
        assert!(fences.iter().all(Fence::is_signaled));
        join(signalers);
    });
}

#[test]
fn all_hears_of_a_loss_behind_a_pending_fence() {
    loom::model(|| {
        let result = pending_before_lost(|fences| wait_all(&fences));
        assert_eq!(result, Err(FenceError::Abandoned));
    });
}

#[test]
fn a_future_of_any_is_woken_or_finds_the_signal() {
    loom::model(|| {
        let (fences, signalers) = two();
        let (winner, outcome) = block_on(any_of(fences.clone())).unwrap();
        assert!(matches!(outcome, Outcome::Signaled(signal) if signal.result.is_ok()));
        assert!(fences[winner].is_signaled());
        join(signalers);
    });
}

#[test]
fn a_future_of_all_is_woken_or_finds_the_signals() {
    loom::model(|| {
        let (fences, signalers) = two();
        assert_eq!(block_on(all_of(fences.clone())), Ok(()));
        assert!(fences.iter().all(Fence::is_signaled));
        join(signalers);
    });
}

#[test]
fn a_future_of_all_hears_of_a_loss_behind_a_pending_fence() {
    loom::model(|| {
        let result = pending_before_lost(|fences| block_on(all_of(fences)));
        assert_eq!(result, Err(FenceError::Abandoned));
    });
}

/// The task moves to another executor: its first waker is never woken again.
#[test]
fn the_waker_of_the_last_poll_is_the_one_that_wakes() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let producer = context.new_fence();
        let mut future = any_of([producer.fence()]);
        let mut nobody = Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut future).poll(&mut nobody), Poll::Pending);
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        assert!(block_on(future).is_some());
        signaler.join().unwrap();
    });
}

#[test]
fn a_future_is_dropped_beside_the_signal() {
    loom::model(|| {
        let context = FenceContext::software("model", "a");
        let (first, second) = (context.new_fence(), context.new_fence());
        let mut future = all_of([first.fence(), second.fence()]);
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut future).poll(&mut nobody).is_pending());
        let signaler = thread::spawn(move || {
            first.signal(Ok(()));
            second.signal(Ok(()));
        });
        // The model reports what it leaks.
        drop(future);
        signaler.join().unwrap();
    });
}

/// A reset may come between a loss and the look of whoever it has woken.
#[test]
fn all_is_told_of_a_loss_or_of_the_reset_after_it() {
    loom::model(|| {
        let context = loom::sync::Arc::new(FenceContext::hardware("model", "a"));
        let (pending, lost) = (context.new_fence(), context.new_fence());
        let fences = [pending.fence(), lost.fence()];
        let owner = context.clone();
        let resetter = thread::spawn(move || {
            drop(lost);
            owner.declare_idle(Errno::EIO);
            pending.signal(Ok(()));
        });
        let error = wait_all(&fences).unwrap_err();
        assert!([FenceError::Abandoned, FenceError::Failed(Errno::EIO)].contains(&error));
        resetter.join().unwrap();
    });
}
