//! Arrays: all of N, with one callback registered at a time.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, Later, Log, Random, hardware, in_time, rounds};
use dma_fence::{
    ArrayAllocation, ArrayMembers, DriverFence, Errno, Fence, FenceArray, FenceError,
    RefusalReason, Signal, Status, Timestamp,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

fn producers(len: usize) -> Vec<DriverFence> {
    (0..len).map(|_| hardware().new_fence()).collect()
}

fn array_of(producers: &[DriverFence]) -> FenceArray {
    FenceArray::new(producers.iter().map(DriverFence::fence).collect()).unwrap()
}

// === is_signaled, result and time, in every order and however it is found out ===

#[derive(Clone, Copy, PartialEq, Debug)]
enum Watch {
    Polled,
    Enabled,
    Both,
}

/// Signals the members in a random order, some with errors, at times that tie and go backwards.
fn check(len: usize, watch: Watch, random: &mut Random) {
    let mut members: Vec<_> = producers(len).into_iter().map(Some).collect();
    let array =
        FenceArray::new(members.iter().flatten().map(DriverFence::fence).collect()).unwrap();
    let log = Log::new();
    let enable_after = if watch == Watch::Polled { usize::MAX } else { random.below(len) };
    let (mut latest, mut first): (u64, Option<(u64, usize, Errno)>) = (0, None);
    for (done, index) in random.order(len).into_iter().enumerate() {
        if watch != Watch::Enabled {
            assert!(!array.is_signaled(), "{done} of {len} have signaled");
            assert_eq!(array.status(), Status::Pending);
        }
        if done == enable_after {
            let seen = log.clone();
            array.on_signal(move |signal| seen.push(*signal)).unwrap().detach();
        }
        assert!(log.take().is_empty(), "{done} of {len} have signaled");
        let time = 1 + random.below(8) as u64;
        let error = Errno::from_raw(1 + index as i32).filter(|_| random.below(4) == 0);
        latest = latest.max(time);
        if let Some(error) = error {
            let this = (time, index, error);
            first = Some(first.map_or(this, |other| other.min(this)));
        }
        let member = members[index].take().unwrap();
        member.signal_at(error.map_or(Ok(()), Err), Timestamp::from_nanos(time));
    }
    let result = first.map_or(Ok(()), |(_, _, error)| Err(error));
    let signal = Signal { result, timestamp: Timestamp::from_nanos(latest) };
    if watch != Watch::Polled {
        assert_eq!(log.take(), [signal], "{watch:?} {len}");
    }
    assert!(array.is_signaled());
    assert_eq!(array.status(), Status::Signaled(signal), "{watch:?} {len}");
    assert_eq!(array.wait(), result.map_err(FenceError::Failed));
}

#[test]
fn an_array_is_right_at_every_step_in_every_order() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for len in (1..=64).filter(|len| !cfg!(miri) || [1, 2, 3, 9].contains(len)) {
        for watch in [Watch::Polled, Watch::Enabled, Watch::Both] {
            for _ in 0..rounds(20, 2) {
                check(len, watch, &mut random);
            }
        }
    }
}

#[test]
fn a_poll_that_signals_the_array_runs_its_callbacks_once() {
    let context = hardware();
    let backend = Backend::polled();
    let member = context.new_fence_with(backend.clone());
    let array = FenceArray::new(vec![member.fence()]).unwrap();
    let log = Log::new();
    let seen = log.clone();
    array.on_signal(move |signal| seen.push(signal.result)).unwrap().detach();
    backend.finish(Err(Errno::EIO));
    assert!(array.is_signaled());
    member.signal(Ok(()));
    assert_eq!(log.take(), [Err(Errno::EIO)]);
}

#[test]
fn a_fence_may_be_a_member_more_than_once() {
    let member = hardware().new_fence();
    let array = FenceArray::new(vec![member.fence(); 3]).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    member.signal(Ok(()));
    assert_eq!(array.status(), member_status(&array));
}

fn member_status(array: &FenceArray) -> Status {
    array.members()[0].status()
}

// === construction ===

#[test]
fn no_members_and_containers_are_refused_and_come_back() {
    let refused = FenceArray::new(vec![]).unwrap_err();
    assert_eq!((refused.reason, refused.members.len()), (RefusalReason::Empty, 0));
    let members = producers(2);
    let array = array_of(&members);
    let given = vec![members[1].fence(), array.clone().into(), members[0].fence()];
    let refused = ArrayMembers::new(given.clone()).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::Container(1));
    let mut emptied = FenceArray::new(refused.members.clone()).unwrap_err();
    emptied.members.clear();
    assert!(emptied.to_string().starts_with("member 1 "));
    assert!(refused.members.iter().zip(&given).all(|(back, given)| back.same_fence(given)));
    assert!(refused.to_string().contains("member 1"));
    members.into_iter().for_each(|member| member.signal(Ok(())));
}

#[test]
fn an_array_tells_its_members_and_where_it_belongs() {
    let context = hardware();
    let members = [context.new_fence(), context.new_fence()];
    let allocation = ArrayAllocation::new().unwrap();
    let given = ArrayMembers::new(members.iter().map(DriverFence::fence).collect()).unwrap();
    let array = allocation.init_in(&context, given);
    assert_eq!((array.context(), array.seqno()), (context.id(), 3), "the next seqno");
    assert!(array.is_container() && array.match_context(context.id()));
    assert!(!array.match_context(0));
    assert!(array.members().iter().zip(&members).all(|(a, b)| a.same_fence(&b.fence())));
    assert_eq!(Fence::from(array.clone()).members().map(<[Fence]>::len), Some(2));
    let own = array_of(&members);
    assert_ne!(own.context(), context.id());
    let names = (array.driver_name(), array.timeline_name());
    assert_eq!(names, ("test".into(), "hardware".into()));
    let names = (own.driver_name(), own.timeline_name());
    assert_eq!(names, ("dma_fence_array".into(), "unbound".into()));
    drop(ArrayAllocation::new().unwrap());
    members.into_iter().for_each(|member| member.signal(Ok(())));
    assert!(array.is_signaled() && own.is_signaled());
}

#[test]
fn a_deadline_reaches_every_pending_member() {
    let context = hardware();
    let backends = [Backend::silent(), Backend::silent()];
    let members = backends.each_ref().map(|backend| context.new_fence_with(backend.clone()));
    let array = array_of(&members);
    let [first, second] = members;
    first.signal(Ok(()));
    array.set_deadline(Timestamp::from_nanos(9));
    let told = backends.map(|backend| backend.deadlines.lock().unwrap().len());
    assert_eq!(told, [0, 1]);
    second.signal(Ok(()));
}

// === big, and many threads ===

#[test]
fn a_thousand_members_take_a_small_stack() {
    common::in_time_with_stack(64 << 10, || {
        for backwards in [false, true] {
            let mut members = producers(rounds(1000, 50));
            let array = array_of(&members);
            array.on_signal(|_| ()).unwrap().detach();
            if backwards {
                members.reverse();
            }
            members.into_iter().for_each(|member| member.signal(Ok(())));
            assert!(array.is_signaled());
        }
    });
}

#[test]
fn walks_polls_losses_and_drops_race_and_end() {
    in_time(|| {
        let mut random = Random(3);
        for round in 0..rounds(800, 8) {
            let context = hardware();
            let len = 1 + random.below(6);
            let members: Vec<_> = (0..len).map(|_| context.new_fence()).collect();
            let array = array_of(&members);
            let fences: Vec<Fence> = array.members().to_vec();
            let (runs, over) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
            let count = runs.clone();
            let later: Vec<Later> =
                members.into_iter().map(|member| Arc::new(Mutex::new(Some(member)))).collect();
            let (some, others) = later.split_at(len / 2);
            let end = |later: &[Later]| {
                for (index, member) in later.iter().enumerate() {
                    let member = member.lock().unwrap().take().unwrap();
                    if (round + index) % 5 == 4 { drop(member) } else { member.signal(Ok(())) }
                }
            };
            let registered = thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(SeqCst) {
                        let all = array.is_signaled();
                        assert!(!all || fences.iter().all(Fence::is_signaled));
                        drop(FenceArray::new(fences.clone()).unwrap().on_signal(|_| ()));
                    }
                });
                let ends = [scope.spawn(|| end(some)), scope.spawn(|| end(others))];
                let callback = move |_: &_| _ = count.fetch_add(1, SeqCst);
                let registered = array.on_signal(callback).map(|callback| callback.detach());
                ends.into_iter().for_each(|thread| thread.join().unwrap());
                context.declare_idle(Errno::EIO);
                over.store(true, SeqCst);
                assert!(array.is_signaled());
                array.wait().ok();
                registered.is_ok()
            });
            // After the threads: the one that polled may have been running the callback.
            assert_eq!(runs.load(SeqCst), usize::from(registered));
        }
    });
}
