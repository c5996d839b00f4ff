//! Signals from inside callbacks: queued per thread, so the stack stays flat.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Log, hardware, in_time_with_stack, panic_of, rounds, software};
use dma_fence::{DriverFence, Fence, FenceArray, FenceContext, FenceError};
use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::{Context, Waker};

/// A debug build's signal takes about a kilobyte, so a recursion of any depth below would end here.
const STACK: usize = 256 << 10;

/// A chain in which each signal's callback signals the next one; its two ends.
fn chain(
    context: &FenceContext,
    len: usize,
    link: impl Fn(Fence, DriverFence),
) -> (DriverFence, Fence) {
    let first = context.new_fence();
    let mut last = first.fence();
    for _ in 0..len {
        let next = context.new_fence();
        let fence = next.fence();
        link(last, next);
        last = fence;
    }
    (first, last)
}

#[test]
fn a_million_nested_signals_take_a_small_stack() {
    in_time_with_stack(STACK, || {
        let (first, last) = chain(&hardware(), rounds(1_000_000, 300), |fence, next| {
            fence.on_signal(move |signal| next.signal(signal.result)).unwrap().detach();
        });
        first.signal(Err(dma_fence::Errno::EIO));
        assert_eq!(last.wait(), Err(FenceError::Failed(dma_fence::Errno::EIO)));
    });
}

#[test]
fn a_million_nested_cancellations_take_a_small_stack() {
    in_time_with_stack(STACK, || {
        let (first, last) = chain(&software(), rounds(1_000_000, 300), |fence, next| {
            fence.on_signal(move |_| drop(next)).unwrap().detach();
        });
        drop(first);
        assert_eq!(last.wait(), Err(FenceError::Failed(dma_fence::Errno::ECANCELED)));
    });
}

#[test]
fn a_long_chain_of_losses_takes_a_small_stack() {
    in_time_with_stack(STACK, || {
        let context = hardware();
        let len = rounds(100_000, 100);
        let (first, last) = chain(&context, len, |fence, next| {
            fence.on_outcome(move |_| drop(next)).unwrap().detach();
        });
        drop(first);
        assert_eq!(last.wait(), Err(FenceError::Abandoned));
        assert_eq!(context.abandoned(), len + 1);
        assert_eq!(context.declare_idle(dma_fence::Errno::EIO), len + 1);
    });
}

#[test]
fn a_long_chain_through_arrays_takes_a_small_stack() {
    in_time_with_stack(STACK, || {
        let (first, last) = chain(&hardware(), rounds(100_000, 100), |fence, next| {
            let array = FenceArray::new(vec![fence.clone(), fence]).unwrap();
            array.on_signal(move |signal| next.signal(signal.result)).unwrap().detach();
        });
        first.signal(Ok(()));
        assert_eq!(last.wait(), Ok(()));
    });
}

#[test]
fn callbacks_that_poll_futures_take_a_small_stack() {
    in_time_with_stack(STACK, || {
        let context = hardware();
        let (first, other) = (context.new_fence(), context.new_fence());
        for _ in 0..rounds(20_000, 100) {
            let fence = other.fence();
            let polls = move |_: &_| {
                let mut context = Context::from_waker(Waker::noop());
                assert!(pin!(fence.into_future()).poll(&mut context).is_pending());
            };
            first.fence().on_signal(polls).unwrap().detach();
        }
        first.signal(Ok(()));
        other.signal(Ok(()));
    });
}

#[test]
fn a_nested_signal_is_visible_at_once_and_its_callbacks_run_after() {
    let context = hardware();
    let (outer, inner) = (context.new_fence(), context.new_fence());
    let log = Log::new();
    let (a, b, c) = (log.clone(), log.clone(), log.clone());
    inner.fence().on_signal(move |_| a.push("inner")).unwrap().detach();
    let fence = inner.fence();
    let signals = move |_: &_| {
        inner.signal(Ok(()));
        assert!(fence.is_signaled());
        b.push("outer 1");
    };
    outer.fence().on_signal(signals).unwrap().detach();
    outer.fence().on_signal(move |_| c.push("outer 2")).unwrap().detach();
    outer.signal(Ok(()));
    assert_eq!(log.take(), ["outer 1", "outer 2", "inner"]);
}

#[test]
fn each_nested_signal_tells_its_own_result() {
    let context = hardware();
    let log = Log::new();
    let outer = context.new_fence();
    let inner: Vec<DriverFence> = (1..=3).map(|_| context.new_fence()).collect();
    for producer in &inner {
        for _ in 0..2 {
            let log = log.clone();
            producer.fence().on_signal(move |s| log.push(s.timestamp.as_nanos())).unwrap().detach();
        }
    }
    let signals = move |_: &_| {
        for (producer, time) in inner.into_iter().zip([30, 10, 20]) {
            producer.signal_at(Ok(()), dma_fence::Timestamp::from_nanos(time));
        }
    };
    outer.fence().on_signal(signals).unwrap().detach();
    outer.signal(Ok(()));
    assert_eq!(log.take(), [30, 30, 10, 10, 20, 20]);
}

#[test]
fn a_panic_in_a_nested_callback_goes_on_after_all_others() {
    let context = hardware();
    let (outer, inner) = (context.new_fence(), context.new_fence());
    let log = Log::new();
    let (a, b) = (log.clone(), log.clone());
    inner.fence().on_signal(|_| panic!("nested")).unwrap().detach();
    inner.fence().on_signal(move |_| a.push("inner")).unwrap().detach();
    let signals = move |_: &_| {
        inner.signal(Ok(()));
        b.push("outer");
        panic!("outer first");
    };
    outer.fence().on_signal(signals).unwrap().detach();
    let panic = panic_of(|| outer.signal(Ok(()))).expect("the panic goes on");
    assert_eq!(panic.downcast_ref(), Some(&"outer first"));
    assert_eq!(log.take(), ["outer", "inner"]);
}

#[test]
fn a_producer_lost_in_an_unwind_runs_its_callbacks_and_their_panics_end_there() {
    let producer = software().new_fence();
    let log = Log::new();
    let seen = log.clone();
    producer.fence().on_signal(|_| panic!("in a callback")).unwrap().detach();
    producer.fence().on_signal(move |_| seen.push(())).unwrap().detach();
    let panic = panic_of(move || {
        let _producer = producer;
        panic!("the job");
    });
    assert_eq!(panic.unwrap().downcast_ref(), Some(&"the job"));
    assert_eq!(log.take().len(), 1);
}
