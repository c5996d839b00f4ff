//! What allocates, what does not, and that nothing stays behind.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::allocator::{Counting, allocations, leaks, live};
use common::{hardware, lost, rounds, software};
use dma_fence::{
    AcquireContext, ArrayAllocation, ArrayMembers, ChainAllocation, ContainedFence, DriverFence,
    Errno, Fence, FenceAllocation, FenceArray, FenceChain, ReservationObject, Timestamp, Usage,
    all_of, any_of, lock_all, merge, wait_all_timeout, wait_any_timeout,
};
use std::cell::RefCell;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
    assert_eq!(allocations(|| ()), 0);
    let kept = RefCell::new(Vec::with_capacity(2));
    assert_eq!(leaks(|| kept.borrow_mut().push(Box::new(1))), 1);
}

// === signalling allocates nothing ===

#[test]
fn a_signal_and_its_callbacks_allocate_nothing() {
    let context = hardware();
    for len in [0, 1, 100] {
        let producer = context.new_fence();
        for _ in 0..len {
            producer.fence().on_signal(|_| ()).unwrap().detach();
            producer.fence().on_outcome_detached(|_| ()).unwrap();
        }
        assert_eq!(allocations(|| producer.signal(Ok(()))), 0);
    }
}

#[test]
fn a_signal_that_walks_an_array_allocates_nothing() {
    let context = hardware();
    let (first, second) = (context.new_fence(), context.new_fence());
    let array = FenceArray::new(vec![first.fence(), second.fence()]).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    assert_eq!(allocations(|| second.signal(Ok(()))), 0, "goes on to the first");
    assert_eq!(allocations(|| first.signal(Err(Errno::EIO))), 0, "signals the array");
    assert!(array.is_signaled());
}

/// A chain of two points and their producers, the first one first.
fn two_points() -> (DriverFence, DriverFence, FenceChain) {
    let context = hardware();
    let (first, second) = (context.new_fence(), context.new_fence());
    let one = FenceChain::new(None, first.fence(), 1).unwrap();
    let head = FenceChain::new(Some(one.into()), second.fence(), 2).unwrap();
    (first, second, head)
}

/// As points of a timeline are waited for: each stands for all before it.
#[test]
fn merging_the_points_of_a_chain_takes_no_more_memory_than_its_fences() {
    const POINTS: usize = 300;
    let context = hardware();
    let producers: Vec<_> = (0..POINTS).map(|_| context.new_fence()).collect();
    let mut points: Vec<Fence> = Vec::new();
    for producer in &producers {
        let point = FenceChain::new(points.last().cloned(), producer.fence(), producer.seqno());
        points.push(point.unwrap().into());
    }
    // For those given, and twice as many, and twice as many again: more than are sifted at a time.
    let merged = RefCell::new(None);
    assert_eq!(allocations(|| _ = merged.replace(Some(merge(points.iter().cloned())))), 3);
    assert!(merged.take().unwrap().same_fence(&producers[POINTS - 1].fence()));
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

#[test]
fn nested_signals_allocate_nothing() {
    let context = hardware();
    let (first, second, third) = (context.new_fence(), context.new_fence(), context.new_fence());
    let array = FenceArray::new(vec![third.fence(), second.fence()]).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    let signals = move |_: &_| {
        second.signal(Ok(()));
        third.signal(Ok(()));
    };
    first.fence().on_signal(signals).unwrap().detach();
    assert_eq!(allocations(|| first.signal(Ok(()))), 0);
    assert!(array.is_signaled());
}

#[test]
fn a_signal_that_walks_a_chain_allocates_nothing() {
    let (first, second, head) = two_points();
    head.on_signal(|_| ()).unwrap().detach();
    assert_eq!(allocations(|| second.signal(Ok(()))), 0, "goes on to the first");
    assert_eq!(allocations(|| first.signal(Err(Errno::EIO))), 0, "signals the chain");
    assert!(head.is_signaled());
}

#[test]
fn losing_a_producer_and_releasing_the_fence_allocate_nothing() {
    let context = hardware();
    let producers = [context.new_fence(), context.new_fence()];
    for producer in &producers {
        producer.fence().on_outcome(|_| ()).unwrap().detach();
        producer.fence().on_signal(|_| ()).unwrap().detach();
    }
    assert_eq!(allocations(|| drop(producers)), 0);
    assert_eq!(allocations(|| assert_eq!(context.declare_idle(Errno::EIO), 2)), 0);
}

#[test]
fn queries_allocate_nothing() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let array = FenceArray::new(vec![fence.clone()]).unwrap();
    let ask = || {
        let _ = (fence.is_signaled(), fence.status(), array.is_signaled(), array.status());
        let _ = (fence.driver_name(), fence.clone().same_fence(&fence));
    };
    assert_eq!(allocations(ask), 0);
    producer.signal(Ok(()));
    assert_eq!(allocations(ask), 0);
}

// === what does allocate, and how often ===

#[test]
fn a_fence_is_one_allocation_and_its_initialisation_none() {
    let context = hardware();
    assert_eq!(allocations(|| context.new_fence().signal(Ok(()))), 1);
    let memory = FenceAllocation::new().unwrap();
    assert_eq!(allocations(|| context.init_fence(memory).signal(Ok(()))), 0);
}

#[test]
fn an_array_is_at_most_two_allocations_and_its_initialisation_none() {
    let context = hardware();
    for len in [1, 1000] {
        let producer = context.new_fence();
        let members = vec![producer.fence(); len];
        let mut array = None;
        assert!(allocations(|| array = Some(FenceArray::new(members).unwrap())) <= 2);
        let members = ArrayMembers::new(vec![producer.fence(); len]).unwrap();
        let memory = ArrayAllocation::new().unwrap();
        assert_eq!(allocations(|| array = Some(memory.init_in(&context, members))), 0);
        producer.signal(Ok(()));
        assert!(array.unwrap().is_signaled());
    }
}

#[test]
fn a_chain_node_is_two_allocations_and_its_initialisation_none() {
    let producer = hardware().new_fence();
    assert_eq!(allocations(|| drop(FenceChain::new(None, producer.fence(), 1).unwrap())), 2);
    let first = FenceChain::new(None, producer.fence(), 1).unwrap();
    let memory = ChainAllocation::new().unwrap();
    let contained = ContainedFence::new(producer.fence()).unwrap();
    let init = || drop(memory.init(Some(first.into()), contained, 2));
    assert_eq!(allocations(init), 0);
    producer.signal(Ok(()));
}

#[test]
fn walking_a_chain_and_unwrapping_allocate_nothing() {
    let (first, second, head) = two_points();
    let walk = || {
        let _ = (head.prev(), head.iter().count(), head.find_seqno(1), head.leaves().count());
        let _ = (head.is_signaled(), head.status(), head.match_context(0));
    };
    // The first one who asks for the stub makes it.
    drop(Fence::signaled());
    assert_eq!(allocations(walk), 0);
    first.signal(Ok(()));
    assert_eq!(allocations(walk), 0);
    second.signal(Ok(()));
    assert_eq!(allocations(walk), 0);
}

#[test]
fn a_merge_allocates_its_list_and_the_array_that_takes_it() {
    let producers: Vec<_> = (0..4).map(|_| hardware().new_fence()).collect();
    let fences: Vec<Fence> = producers.iter().map(|producer| producer.fence()).collect();
    assert_eq!(allocations(|| drop(merge(fences.iter().cloned()))), 3);
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

#[test]
fn a_callback_is_one_allocation_and_a_declined_one_none() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    assert_eq!(allocations(|| fence.on_signal(|_| ()).unwrap().detach()), 1);
    producer.signal(Ok(()));
    assert_eq!(allocations(|| assert!(fence.on_signal(|_| ()).is_err())), 0);
}

#[test]
fn adding_to_a_reservation_object_allocates_nothing_after_reserving() {
    let object = ReservationObject::new();
    let producers: Vec<_> = (0..40).map(|_| hardware().new_fence()).collect();
    let fences: Vec<Fence> = producers.iter().map(|producer| producer.fence()).collect();
    let mut guard = object.lock();
    guard.reserve(30).unwrap();
    guard.reserve(10).unwrap();
    let add_all = || fences.iter().for_each(|fence| guard.add(fence, Usage::Read).unwrap());
    assert_eq!(allocations(add_all), 0);
    drop(guard);
    let mut guard = object.lock();
    let again = || fences.iter().for_each(|fence| guard.add(fence, Usage::Write).unwrap());
    assert_eq!(allocations(again), 0);
    drop(guard);
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

#[test]
fn a_reservation_object_grows_in_ever_larger_steps() {
    let object = ReservationObject::new();
    let producers: Vec<_> = (0..100).map(|_| hardware().new_fence()).collect();
    let grows = |producer: &&DriverFence| {
        let mut guard = object.lock();
        let allocated = allocations(|| guard.reserve(1).unwrap());
        guard.add(&producer.fence(), Usage::Read).unwrap();
        allocated > 0
    };
    let times = producers.iter().filter(grows).count();
    assert!((1..10).contains(&times), "{times}");
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

#[test]
fn reading_a_reservation_object_allocates_nothing() {
    let object = ReservationObject::new();
    let producers = [(); 3].map(|()| hardware().new_fence());
    let mut guard = object.lock();
    guard.reserve(3).unwrap();
    producers.iter().for_each(|producer| guard.add(&producer.fence(), Usage::Read).unwrap());
    let ask = || {
        let _ = (object.is_signaled(Usage::Read), object.status(Usage::Read));
        let _ = object.wait_timeout(Usage::Read, Duration::ZERO);
        object.set_deadline(Usage::Read, Timestamp::ZERO);
        assert_eq!(object.iter(Usage::Bookkeep).count(), 3);
    };
    assert_eq!(allocations(ask), 0);
    drop(guard);
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    assert_eq!(allocations(ask), 0);
}

#[test]
fn a_reservation_object_grows_no_further_than_its_fences_need() {
    let (object, context) = (ReservationObject::new(), hardware());
    let add = |usage| {
        let producer = context.new_fence();
        let mut guard = object.lock();
        guard.reserve(1).unwrap();
        guard.add(&producer.fence(), usage).unwrap();
        producer
    };
    add(Usage::Read).signal(Ok(()));
    // Each finds a later fence of its context to replace, or a signaled one.
    let fence_only = 1;
    let more = || drop((0..100).map(|_| add(Usage::Read).signal(Ok(()))).collect::<Vec<_>>());
    assert_eq!(allocations(more), 100 * fence_only);
    let copy = || object.lock().copy_from(&ReservationObject::new()).unwrap();
    assert_eq!(
        allocations(|| (0..100).for_each(|_| copy())),
        1,
        "the list of what to remove, once"
    );
    let lock = || {
        drop(object.lock());
        drop(object.try_lock());
    };
    assert_eq!(allocations(lock), 0);
}

// === nothing stays behind ===

fn fences_that_signal() {
    for context in [hardware(), software()] {
        let producer = context.new_fence();
        let fence = producer.fence();
        fence.on_signal(|_| ()).unwrap().detach();
        drop(fence.on_outcome(|_| ()).unwrap());
        assert!(fence.on_signal(|_| ()).unwrap().cancel());
        producer.signal(Ok(()));
        assert!(fence.on_signal(|_| ()).is_err());
    }
    drop((FenceAllocation::new().unwrap(), ArrayAllocation::new().unwrap()));
}

fn fences_that_are_lost() {
    let context = hardware();
    let fence = lost(&context);
    fence.on_signal(|_| ()).unwrap().detach();
    drop(fence.on_signal(|_| ()).unwrap());
    lost(&context).on_signal(|_| ()).unwrap().detach();
    assert_eq!(context.declare_idle(Errno::EIO), 2);
    lost(&software());
}

fn arrays_that_signal() {
    let context = hardware();
    let members = [context.new_fence(), context.new_fence(), context.new_fence()];
    let fences: Vec<_> = members.iter().map(|member| member.fence()).collect();
    let array = FenceArray::new(fences.clone()).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    FenceArray::new(fences).unwrap().on_signal(|_| ()).unwrap().detach();
    members.into_iter().for_each(|member| member.signal(Ok(())));
    assert!(array.is_signaled());
}

fn arrays_that_are_dropped_pending() {
    let context = hardware();
    let members = [context.new_fence(), context.new_fence()];
    let fences: Vec<_> = members.iter().map(|member| member.fence()).collect();
    drop(FenceArray::new(fences.clone()).unwrap());
    drop(FenceArray::new(fences.clone()).unwrap().on_signal(|_| ()));
    drop(Fence::from(FenceArray::new(fences.clone()).unwrap()).into_future());
    let array: Fence = FenceArray::new(fences).unwrap().into();
    drop(FenceArray::new(vec![array]).unwrap_err());
    members.into_iter().for_each(|member| member.signal(Ok(())));
}

#[test]
fn a_pending_array_is_freed_with_its_last_handle_wherever_its_callback_is() {
    for signaled in 0..3 {
        let context = hardware();
        let mut members = [(); 3].map(|()| Some(context.new_fence()));
        let before = live();
        let fences = members.iter().flatten().map(|member| member.fence()).collect();
        let callback = FenceArray::new(fences).unwrap().on_outcome(|_| ()).unwrap();
        for member in members.iter_mut().rev().take(signaled) {
            member.take().unwrap().signal(Ok(()));
        }
        drop(callback);
        // Of the signaled members, the array had the last handle.
        assert_eq!(live() - before, -(signaled as isize), "its members are pending");
        members.into_iter().flatten().for_each(|member| member.signal(Ok(())));
    }
}

fn chains_that_signal() {
    let (first, second, head) = two_points();
    head.on_signal(|_| ()).unwrap().detach();
    head.iter().for_each(|point| point.on_signal(|_| ()).unwrap().detach());
    second.signal(Err(Errno::EIO));
    assert_eq!(head.iter().count(), 2);
    first.signal(Ok(()));
    assert!(head.is_signaled());
}

fn chains_that_are_dropped_pending() {
    let (first, second, head) = two_points();
    drop(head.on_signal(|_| ()));
    let point = head.find_seqno(1).unwrap();
    drop(point.on_outcome(|_| ()));
    drop(FenceChain::new(None, head.clone().into(), 3).unwrap_err());
    drop((ChainAllocation::new().unwrap(), ContainedFence::new(first.fence()).unwrap()));
    drop(head);
    second.signal(Ok(()));
    drop(point);
    first.signal(Ok(()));
}

fn merges() {
    let (first, second, head) = two_points();
    let third = hardware().new_fence();
    let merged = merge([head.clone().into(), lost(&software()), third.fence()]);
    first.signal(Ok(()));
    third.signal(Ok(()));
    drop(merge([merged, head.into()]));
    second.signal(Ok(()));
}

#[test]
fn a_pending_chain_is_freed_with_its_last_handle_wherever_its_callback_is() {
    for signaled in 0..2 {
        let context = hardware();
        let [first, second] = [context.new_fence(), context.new_fence()];
        let before = live();
        let one = FenceChain::new(None, first.fence(), 1).unwrap();
        let head = FenceChain::new(Some(one.into()), second.fence(), 2).unwrap();
        let callback = head.on_outcome(|_| ()).unwrap();
        if signaled == 1 {
            second.signal(Ok(()));
        } else {
            first.signal(Ok(()));
        }
        drop(head);
        drop(callback);
        assert_eq!(
            live() - before,
            -1,
            "the signaled fence, of which the chain had the last handle"
        );
    }
}

#[test]
fn a_signaled_chain_keeps_no_fence_but_its_own() {
    let context = hardware();
    let [first, second] = [context.new_fence(), context.new_fence()];
    let before = live();
    let one = FenceChain::new(None, first.fence(), 1).unwrap();
    let head = FenceChain::new(Some(one.into()), second.fence(), 2).unwrap();
    head.on_signal(|_| ()).unwrap().detach();
    second.signal(Ok(()));
    first.signal(Ok(()));
    assert_eq!(live() - before, 2 - 1, "the head is two allocations, and the first fence is gone");
    assert!(head.is_signaled());
}

#[test]
fn an_abandoned_array_is_freed_with_its_last_handle() {
    let context = hardware();
    let producer = context.new_fence();
    let before = live();
    let callback = FenceArray::new(vec![producer.fence()]).unwrap().on_signal(|_| ()).unwrap();
    drop(producer);
    drop(callback);
    assert_eq!(live(), before, "the member waits for its reset");
    context.declare_idle(Errno::EIO);
}

#[test]
fn a_cancelled_callback_is_freed_while_the_fence_is_pending() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let before = live();
    assert!(fence.on_signal(|_| ()).unwrap().cancel());
    drop(fence.on_outcome(|_| ()).unwrap());
    let _ = fence.wait_timeout(Duration::from_nanos(1));
    assert_eq!(live(), before);
    producer.signal(Ok(()));
}

#[test]
fn a_wait_that_times_out_leaves_nothing_on_the_fence() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let wait = || assert!(fence.wait_timeout(Duration::from_nanos(1)).is_err());
    assert_eq!(allocations(wait), 1, "its place on the fence");
    assert_eq!(leaks(wait), 0);
    producer.signal(Ok(()));
}

#[test]
fn a_wait_for_several_leaves_nothing_on_those_that_are_pending() {
    let (pending, winner) = (hardware().new_fence(), hardware().new_fence());
    let fences = [pending.fence(), winner.fence()];
    let before = live();
    let limit = Duration::from_nanos(1);
    assert!(wait_any_timeout(&fences, limit).is_err() && wait_all_timeout(&fences, limit).is_err());
    assert_eq!(live(), before);
    let (mut any, mut all) = (any_of(fences.clone()), all_of(fences.clone()));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut any).poll(&mut nobody).is_pending());
    assert!(Pin::new(&mut all).poll(&mut nobody).is_pending());
    winner.signal(Ok(()));
    assert!(Pin::new(&mut any).poll(&mut nobody).is_ready());
    drop((any, all));
    assert_eq!(live(), before);
    pending.signal(Ok(()));
}

fn reservations() {
    let object = ReservationObject::new();
    let (pending, signaled) = (hardware().new_fence(), hardware().new_fence());
    let mut guard = object.lock();
    guard.reserve(3).unwrap();
    guard.add(&pending.fence(), Usage::Read).unwrap();
    guard.add(&signaled.fence(), Usage::Read).unwrap();
    drop(guard);
    drop(object.singleton(Usage::Read).unwrap().on_signal(|_| ()));
    let other = ReservationObject::new();
    other.lock().copy_from(&object).unwrap();
    object.lock().replace(signaled.context(), &pending.fence(), Usage::Write).unwrap();
    signaled.signal(Ok(()));
    drop(other.iter(Usage::Read).next());
    std::mem::forget(other.lock_in(&AcquireContext::new()).unwrap());
    drop(lock_all(&[&object]));
    drop((object, other));
    pending.signal(Ok(()));
}

/// The taint record keeps the contexts of the last events, so it has to be full before we count.
fn fill_the_taint_record() {
    let context = hardware();
    (0..dma_fence::taint::KEPT).for_each(|_| drop(lost(&context)));
    context.declare_idle(Errno::EIO);
}

#[test]
fn nothing_leaks_however_it_ends() {
    let stories: [(&str, fn()); 6] = [
        ("chains that signal", chains_that_signal),
        ("chains that are dropped pending", chains_that_are_dropped_pending),
        ("fences that signal", fences_that_signal),
        ("arrays that signal", arrays_that_signal),
        ("arrays that are dropped pending", arrays_that_are_dropped_pending),
        ("reservations", reservations),
    ];
    for (name, story) in stories {
        assert_eq!(leaks(story), 0, "{name}");
    }
}

#[test]
fn nothing_leaks_once_the_context_is_declared_idle() {
    // Others of this file record losses, too, and free our contexts on their threads: try again.
    let clean = (0..rounds(50, 5)).any(|_| {
        leaks(|| {
            fences_that_are_lost();
            merges();
            fill_the_taint_record();
        }) == 0
    });
    assert!(clean);
}
