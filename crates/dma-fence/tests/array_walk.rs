//! The walk of an array over its members: where its one callback is, and what becomes of it.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, Log, OnEnable, Random, hardware, in_time, lost, panic_of};
use dma_fence::{DriverFence, Enabled, Errno, Fence, FenceArray, FenceError, Signal, Status};
use std::sync::{Arc, Mutex};

fn producers(len: usize) -> Vec<DriverFence> {
    (0..len).map(|_| hardware().new_fence()).collect()
}

fn array_of(producers: &[DriverFence]) -> FenceArray {
    FenceArray::new(producers.iter().map(DriverFence::fence).collect()).unwrap()
}

// === one callback at a time ===

#[test]
fn at_most_one_callback_is_registered_and_it_starts_with_the_last_member() {
    let mut random = Random(7);
    for len in [1, 2, 3, 8, 33] {
        let backends: Vec<_> = (0..len).map(|_| Backend::silent()).collect();
        let context = hardware();
        let mut members: Vec<_> =
            backends.iter().map(|backend| Some(context.new_fence_with(backend.clone()))).collect();
        let fences = members.iter().flatten().map(DriverFence::fence).collect();
        let array = FenceArray::new(fences).unwrap();
        let enabled = || backends.iter().map(|b| b.times_enabled()).collect::<Vec<_>>();
        let _ = (array.is_signaled(), array.status(), array.to_string());
        assert_eq!(enabled(), vec![0; len], "queries register nothing");
        array.on_signal(|_| ()).unwrap().detach();
        array.on_signal(|_| ()).unwrap().detach();
        for index in random.order(len) {
            // Of the pending ones, only the last has been reached.
            let pending: Vec<_> = (0..len).filter(|index| members[*index].is_some()).collect();
            let reached: Vec<_> =
                pending.iter().copied().filter(|index| enabled()[*index] > 0).collect();
            assert_eq!(reached, pending[pending.len() - 1..]);
            members[index].take().unwrap().signal(Ok(()));
        }
        assert!(enabled().into_iter().all(|times| times <= 1));
        assert!(array.is_signaled());
    }
}

#[test]
fn dropping_the_last_handle_takes_the_callback_back_and_frees_everything() {
    let backend = Backend::silent();
    let context = hardware();
    let member = context.new_fence_with(backend.clone());
    let captured = Arc::new(());
    for _ in 0..3 {
        let held = captured.clone();
        let array = FenceArray::new(vec![member.fence(), member.fence()]).unwrap();
        let callback = array.on_signal(move |_| drop(held)).unwrap();
        drop(array);
        drop(callback);
        assert_eq!(Arc::strong_count(&captured), 1);
    }
    assert_eq!(backend.times_enabled(), 1, "it was registered");
    member.signal(Ok(()));
    assert_eq!(Arc::strong_count(&backend), 1);
}

#[test]
fn dropping_an_array_that_nobody_waited_for_registers_nothing() {
    let backend = Backend::silent();
    let member = hardware().new_fence_with(backend.clone());
    drop(FenceArray::new(vec![member.fence()]).unwrap());
    assert_eq!(backend.times_enabled(), 0);
    member.signal(Ok(()));
}

#[test]
fn the_callback_is_taken_back_from_whichever_member_has_it() {
    for signaled in 0..3 {
        let mut members = producers(3);
        let array = array_of(&members);
        let callback = array.on_outcome(|_| unreachable!()).unwrap();
        for _ in 0..signaled {
            members.pop().unwrap().signal(Ok(()));
        }
        drop((callback, array));
        members.into_iter().for_each(|member| member.signal(Ok(())));
    }
}

#[test]
fn a_detached_callback_keeps_the_array_alive_and_runs() {
    let members = producers(3);
    let log = Log::new();
    let (seen, captured) = (log.clone(), Arc::new(()));
    let held = captured.clone();
    let callback = move |signal: &Signal| seen.push((signal.result, Arc::strong_count(&held)));
    array_of(&members).on_signal(callback).unwrap().detach();
    members.into_iter().for_each(|member| member.signal(Ok(())));
    assert_eq!(log.take(), [(Ok(()), 2)]);
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn a_callback_may_drop_the_last_handle_of_the_array() {
    let members = producers(2);
    let slot = Arc::new(Mutex::new(None));
    let last = slot.clone();
    let array = array_of(&members);
    array.on_signal(move |_| drop(last.lock().unwrap().take())).unwrap().detach();
    *slot.lock().unwrap() = Some(array);
    members.into_iter().for_each(|member| member.signal(Ok(())));
    assert!(slot.lock().unwrap().is_none());
}

// === abandoned members ===

#[test]
fn a_member_lost_while_it_carries_the_callback_makes_the_array_abandoned() {
    let context = hardware();
    let (first, second) = (hardware().new_fence(), context.new_fence());
    let array = FenceArray::new(vec![first.fence(), second.fence()]).unwrap();
    let log = Log::new();
    let (outcome, signal) = (log.clone(), log.clone());
    array.on_outcome(move |told| outcome.push(told.result())).unwrap().detach();
    array
        .on_signal(move |told| signal.push(told.result.map_err(FenceError::Failed)))
        .unwrap()
        .detach();
    drop(second);
    assert_eq!(log.take(), [Err(FenceError::Abandoned)]);
    assert_eq!((array.is_signaled(), array.status()), (false, Status::Abandoned));
    context.declare_idle(Errno::EIO);
    assert!(!array.is_signaled(), "the first member is pending");
    first.signal(Ok(()));
    assert_eq!(log.take(), [Err(FenceError::Failed(Errno::EIO))]);
}

#[test]
fn a_lost_member_is_found_when_the_walk_reaches_it() {
    let context = hardware();
    let last = hardware().new_fence();
    let array = FenceArray::new(vec![lost(&context), last.fence()]).unwrap();
    let log = Log::new();
    let seen = log.clone();
    array.on_outcome(move |told| seen.push(told.result())).unwrap().detach();
    assert!(log.take().is_empty(), "the walk is at the last one");
    last.signal(Ok(()));
    assert_eq!(log.take(), [Err(FenceError::Abandoned)]);
    context.declare_idle(Errno::EIO);
    assert_eq!(array.wait(), Err(FenceError::Failed(Errno::EIO)));
}

#[test]
fn a_lost_member_is_found_by_who_asks_and_by_who_waits() {
    in_time(|| {
        let ask: fn(&FenceArray) -> _ = |array| assert_eq!(array.status(), Status::Abandoned);
        let wait: fn(&FenceArray) -> _ = |array| {
            assert_eq!(array.wait(), Err(FenceError::Abandoned));
        };
        let future: fn(&FenceArray) -> _ = |array| {
            let result = pollster::block_on(async { Fence::from(array.clone()).await });
            assert_eq!(result, Err(FenceError::Abandoned));
        };
        for find in [ask, wait, future] {
            let context = hardware();
            let last = hardware().new_fence();
            let array = FenceArray::new(vec![lost(&context), last.fence()]).unwrap();
            let log = Log::new();
            let seen = log.clone();
            array.on_outcome(move |told| seen.push(told.result())).unwrap().detach();
            find(&array);
            assert_eq!(log.take(), [Err(FenceError::Abandoned)], "the waiter is told, too");
            context.declare_idle(Errno::ENODEV);
            assert_eq!(array.status(), Status::Abandoned, "it stays so until all have signaled");
            last.signal(Ok(()));
            assert_eq!(array.wait(), Err(FenceError::Failed(Errno::ENODEV)));
        }
    });
}

#[test]
fn an_array_that_nobody_waited_for_is_looked_at_again_after_the_reset() {
    let context = hardware();
    let array = FenceArray::new(vec![lost(&context)]).unwrap();
    assert_eq!(array.status(), Status::Abandoned);
    context.declare_idle(Errno::EIO);
    assert_eq!(array.wait(), Err(FenceError::Failed(Errno::EIO)));
}

#[test]
fn an_abandoned_array_still_goes_when_its_last_handle_goes() {
    let context = hardware();
    let backend = Backend::silent();
    let member = context.new_fence_with(backend.clone());
    let array = FenceArray::new(vec![member.fence()]).unwrap();
    let callback = array.on_signal(|_| unreachable!()).unwrap();
    drop(member);
    assert_eq!(array.status(), Status::Abandoned);
    drop((callback, array));
    context.declare_idle(Errno::EIO);
    assert_eq!(Arc::strong_count(&backend), 1);
}

// === hooks of members that panic ===

#[test]
fn a_panicking_hook_of_a_member_does_not_stop_the_walk() {
    for broken_first in [true, false] {
        let context = hardware();
        let hook = OnEnable(|_: &_| panic!("a broken hook"));
        let broken = context.new_fence_with(Arc::new(hook));
        let other = context.new_fence();
        let mut members = vec![broken.fence(), other.fence()];
        if !broken_first {
            members.swap(0, 1);
        }
        let array = FenceArray::new(members).unwrap();
        let log = Log::new();
        let (first, second) = (log.clone(), log.clone());
        let _ = panic_of(|| array.on_signal(move |_| first.push("first")).map(|c| c.detach()));
        array.on_signal(move |_| second.push("second")).unwrap().detach();
        let _ = panic_of(|| other.signal(Ok(())));
        let _ = panic_of(|| broken.signal(Ok(())));
        assert!(log.take().contains(&"second"), "lost its callback");
        assert!(array.is_signaled());
    }
}

#[test]
fn a_hook_of_a_member_that_is_done_takes_the_walk_on() {
    let context = hardware();
    let done = OnEnable(|_: &Fence| Enabled::Done(Signal::now(Err(Errno::EIO))));
    let first = context.new_fence();
    let second = context.new_fence_with(Arc::new(done));
    let array = FenceArray::new(vec![first.fence(), second.fence()]).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    assert!(second.fence().is_signaled() && !array.is_signaled());
    first.signal(Ok(()));
    second.signal(Ok(()));
    assert_eq!(array.wait(), Err(FenceError::Failed(Errno::EIO)));
}
