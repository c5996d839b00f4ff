//! Model: a chain's walk against its fences' signals, against nodes being let go, and against its end.
//!
//! Invariants under test: CHAIN-SUM, CHAIN-TURN, CHAIN-DROP (docs/invariants.md).
#![cfg(loom)]

use dma_fence::{DriverFence, Errno, Fence, FenceChain, FenceContext, FenceError, Timestamp};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

fn at(producer: DriverFence, nanos: u64, result: Result<(), Errno>) {
    producer.signal_at(result, Timestamp::from_nanos(nanos));
}

/// Two points; the producers, the first one first.
fn two() -> (DriverFence, DriverFence, FenceChain) {
    let context = FenceContext::software("model", "points");
    let (a, b) = (context.new_fence(), context.new_fence());
    let one = FenceChain::new(None, a.fence(), 1).unwrap();
    let head = FenceChain::new(Some(one.into()), b.fence(), 2).unwrap();
    (a, b, head)
}

#[test]
fn never_early_and_told_once() {
    loom::model(|| {
        let (a, b, head) = two();
        let (first, second) = (a.fence(), b.fence());
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let count = move |_: &_| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        head.on_signal(count).unwrap().detach();
        let signaler = thread::spawn(move || {
            at(b, 2, Ok(()));
            at(a, 1, Err(Errno::EIO));
        });
        if head.is_signaled() {
            assert!(first.is_signaled() && second.is_signaled());
        }
        signaler.join().unwrap();
        assert_eq!(head.wait(), Err(FenceError::Failed(Errno::EIO)));
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn both_points_signal_at_once_while_somebody_waits() {
    loom::model(|| {
        let (a, b, head) = two();
        let one = thread::spawn(move || at(a, 1, Ok(())));
        let other = thread::spawn(move || at(b, 2, Err(Errno::EIO)));
        assert_eq!(head.wait(), Err(FenceError::Failed(Errno::EIO)));
        one.join().unwrap();
        other.join().unwrap();
    });
}

/// Two threads take the same nodes out, one of them from a node that the other takes out.
#[test]
fn nothing_is_lost_or_counted_twice_when_nodes_are_let_go_beside_each_other() {
    loom::model(|| {
        let context = FenceContext::software("model", "points");
        let jobs = [(); 3].map(|()| context.new_fence());
        let link = |prev: Option<Fence>, (index, job): (usize, &DriverFence)| {
            Some(FenceChain::new(prev, job.fence(), 1 + index as u64).unwrap().into())
        };
        let head = jobs.iter().enumerate().fold(None, link).unwrap();
        let head = FenceChain::from_fence(head).unwrap();
        let middle = FenceChain::from_fence(head.prev().unwrap()).unwrap();
        let [a, b, c] = jobs;
        at(a, 3, Err(Errno::EIO));
        at(b, 5, Err(Errno::ENOSPC));
        let other = thread::spawn(move || {
            assert!(middle.prev().is_none());
            assert!(middle.is_signaled());
            assert_eq!(middle.error(), Some(Errno::EIO));
        });
        assert!(head.prev().is_none());
        other.join().unwrap();
        at(c, 4, Ok(()));
        assert_eq!((head.error(), head.timestamp().unwrap().as_nanos()), (Some(Errno::EIO), 5));
    });
}

/// Of errors at the same time the earlier point's counts, also if two walk the same way.
#[test]
fn two_who_let_go_the_same_nodes_agree_on_their_order() {
    loom::model(|| {
        let context = FenceContext::software("model", "points");
        let (a, b, c) = (context.new_fence(), context.new_fence(), context.new_fence());
        let one = FenceChain::new(None, a.fence(), 1).unwrap();
        let two = FenceChain::new(Some(one.into()), b.fence(), 2).unwrap();
        let head = FenceChain::new(Some(two.into()), c.fence(), 3).unwrap();
        at(a, 5, Err(Errno::EIO));
        at(b, 5, Err(Errno::ENOSPC));
        let walked = head.clone();
        let walker = thread::spawn(move || assert!(walked.prev().is_none()));
        assert!(head.prev().is_none());
        walker.join().unwrap();
        at(c, 5, Ok(()));
        assert_eq!(head.error(), Some(Errno::EIO));
    });
}

#[test]
fn the_last_handle_goes_while_the_armed_point_signals() {
    loom::model(|| {
        let (a, b, head) = two();
        // Starts the walk and leaves no callback of ours behind.
        assert!(head.on_signal(|_| {}).unwrap().cancel());
        let signaler = thread::spawn(move || at(b, 2, Ok(())));
        drop(head);
        signaler.join().unwrap();
        at(a, 1, Ok(()));
        // Nothing leaks: loom checks that at the end of each execution.
    });
}

#[test]
fn a_chain_is_let_go_from_both_ends() {
    loom::model(|| {
        let (a, b, head) = two();
        at(a, 1, Ok(()));
        at(b, 2, Ok(()));
        let point = head.iter().nth(1);
        let walked = head.clone();
        let walker = thread::spawn(move || assert!(walked.is_signaled()));
        drop(head);
        drop(point);
        walker.join().unwrap();
    });
}

#[test]
fn a_lost_point_is_reported_and_released() {
    loom::model(|| {
        let context = FenceContext::hardware("model", "points");
        let (a, b) = (context.new_fence(), context.new_fence());
        let one = FenceChain::new(None, a.fence(), 1).unwrap();
        let head = FenceChain::new(Some(one.into()), b.fence(), 2).unwrap();
        at(b, 1, Ok(()));
        let loser = thread::spawn(move || drop(a));
        assert_eq!(head.wait(), Err(FenceError::Abandoned));
        loser.join().unwrap();
        assert_eq!(context.declare_idle(Errno::EIO), 1);
        assert_eq!(head.wait(), Err(FenceError::Failed(Errno::EIO)));
    });
}
