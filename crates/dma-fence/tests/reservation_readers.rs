//! Reading reservation objects without a lock: what a reader may see.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, Later, OnPoll, beside, hardware, in_time, lost, rounds};
use dma_fence::{
    AllocError, DriverFence, Errno, Fence, FenceContext, ReservationObject, ReservationStatus,
    ReservationView, Timestamp, Usage, WaitError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const USAGES: [Usage; 4] = [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep];

fn add(object: &ReservationObject, fence: &Fence, usage: Usage) {
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(fence, usage).unwrap();
}

fn signal(producers: impl IntoIterator<Item = DriverFence>) {
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

// === what readers ask ===

#[test]
fn every_question_is_answered_by_the_view_and_while_the_object_is_locked() {
    let object = ReservationObject::new();
    let producer = hardware().new_fence();
    add(&object, &producer.fence(), Usage::Write);
    let guard = object.lock();
    let views: [&ReservationView; 2] = [&object, &guard];
    for view in views {
        assert_eq!(view.fences(Usage::Read).len(), 1);
        assert_eq!(view.unsignaled(Usage::Write).len(), 1);
        assert!(!view.is_signaled(Usage::Write) && view.is_signaled(Usage::Kernel));
        assert!(matches!(view.status(Usage::Read), ReservationStatus::Pending));
        assert!(view.singleton(Usage::Write).unwrap().same_fence(&producer.fence()));
    }
    drop(guard);
    producer.signal(Ok(()));
}

#[test]
fn fences_come_with_their_usage() {
    let object = ReservationObject::new();
    let producers = USAGES.map(|_| hardware().new_fence());
    for (producer, usage) in producers.iter().zip(USAGES) {
        add(&object, &producer.fence(), usage);
    }
    for (count, asked) in (1..).zip(USAGES) {
        let found = object.fences_with_usage(asked);
        assert_eq!(found.len(), count);
        let mut iter = object.iter(asked);
        for (fence, usage) in found {
            assert!(usage <= asked);
            let index = USAGES.iter().position(|u| *u == usage).unwrap();
            assert!(fence.same_fence(&producers[index].fence()), "{usage}");
            assert!(iter.any(|(other, _)| other.same_fence(&fence)));
        }
        assert!(iter.next().is_none() && !iter.is_restarted());
    }
    signal(producers);
}

#[test]
fn the_next_operation_waits_for_what_it_has_to() {
    assert_eq!(Usage::for_next(true), Usage::Read);
    assert_eq!(Usage::for_next(false), Usage::Write);
}

#[test]
fn a_description_is_one_line_for_each_fence() {
    let object = ReservationObject::new();
    assert_eq!(object.describe().to_string(), "");
    let producers = USAGES.map(|_| FenceContext::hardware("gpu", "ring 0").new_fence());
    for (producer, usage) in producers.iter().zip(USAGES) {
        add(&object, &producer.fence(), usage);
    }
    let description = object.describe().to_string();
    let lines: Vec<&str> = description.lines().collect();
    assert_eq!(lines.len(), 4);
    for (producer, usage) in producers.iter().zip(["kernel", "write", "read", "bookkeep"]) {
        assert!(lines.contains(&&*format!("{usage}: {}", producer.fence())), "{description}");
    }
    signal(producers);
}

#[test]
fn a_deadline_reaches_all_that_are_asked_for() {
    let object = ReservationObject::new();
    let backends = USAGES.map(|_| Backend::silent());
    let producers = backends.each_ref().map(|backend| hardware().new_fence_with(backend.clone()));
    for (producer, usage) in producers.iter().zip(USAGES) {
        add(&object, &producer.fence(), usage);
    }
    object.set_deadline(Usage::Read, Timestamp::from_nanos(7));
    let told = backends.each_ref().map(|backend| backend.deadlines.lock().unwrap().clone());
    let once = vec![Timestamp::from_nanos(7)];
    assert_eq!(told, [once.clone(), once.clone(), once, vec![]]);
    assert!(backends.iter().all(|backend| backend.times_enabled() == 0));
    signal(producers);
}

#[test]
fn row_19_a_timeout_of_zero_never_sleeps_and_is_fine_if_all_have_signaled() {
    let object = ReservationObject::new();
    let look = || object.wait_timeout(Usage::Bookkeep, Duration::ZERO);
    assert_eq!(look(), Ok(()));
    let backend = Backend::silent();
    let producers = [hardware().new_fence_with(backend.clone()), hardware().new_fence()];
    producers.iter().for_each(|producer| add(&object, &producer.fence(), Usage::Bookkeep));
    assert_eq!(look(), Err(WaitError::TimedOut));
    let [first, second] = producers;
    first.signal(Err(Errno::EIO));
    assert_eq!(look(), Err(WaitError::TimedOut));
    // A wait that is ready to sleep enables signaling first.
    assert_eq!(backend.times_enabled(), 0);
    second.signal(Ok(()));
    assert_eq!(look(), Ok(()));
    let context = hardware();
    add(&object, &lost(&context), Usage::Read);
    assert_eq!(look(), Err(WaitError::Abandoned));
    context.declare_idle(Errno::EIO);
    assert_eq!(look(), Ok(()));
}

/// The fence is taken away while it is asked, and lost only then.
#[test]
fn abandoned_is_said_of_what_the_object_has_only() {
    let (object, producer) = (Arc::new(ReservationObject::new()), Later::default());
    let hook = OnPoll({
        let (object, producer) = (object.clone(), producer.clone());
        move || {
            let taken = producer.lock().unwrap().take();
            taken.into_iter().for_each(|producer| {
                object.lock().copy_from(&ReservationObject::new()).unwrap();
                drop(producer);
            });
            None
        }
    });
    let context = hardware();
    let made = context.new_fence_with(Arc::new(hook));
    add(&object, &made.fence(), Usage::Read);
    *producer.lock().unwrap() = Some(made);
    assert!(matches!(object.status(Usage::Read), ReservationStatus::Idle));
    assert_eq!(context.declare_idle(Errno::EIO), 1, "it was lost");
}

#[test]
fn row_19_a_poll_hook_is_asked_by_a_look() {
    let object = ReservationObject::new();
    let backend = Backend::polled();
    let producer = hardware().new_fence_with(backend.clone());
    add(&object, &producer.fence(), Usage::Write);
    for asked in 1..3 {
        assert_eq!(object.wait_timeout(Usage::Write, Duration::ZERO), Err(WaitError::TimedOut));
        assert_eq!(backend.times_polled(), asked);
    }
    backend.finish(Ok(()));
    assert_eq!(object.wait_timeout(Usage::Write, Duration::ZERO), Ok(()));
    producer.signal(Ok(()));
}

// === restarts ===

#[test]
fn row_17_an_iteration_starts_over_when_the_object_changes() {
    let (object, context) = (ReservationObject::new(), hardware());
    let producers = [(); 3].map(|()| hardware().new_fence());
    let later = [context.new_fence(), context.new_fence()];
    let [first, second] = later.each_ref().map(DriverFence::fence);
    producers.iter().for_each(|producer| add(&object, &producer.fence(), Usage::Read));
    add(&object, &first, Usage::Read);

    let mut iter = object.iter(Usage::Read);
    assert!(iter.next().is_some() && iter.next().is_some() && !iter.is_restarted());
    object.lock().add(&second, Usage::Read).unwrap();
    let mut seen = Vec::new();
    while let Some((fence, _)) = iter.next() {
        assert_eq!(iter.is_restarted(), seen.is_empty(), "the first item after the change, only");
        assert!(!fence.same_fence(&first));
        assert!(!seen.iter().any(|other| fence.same_fence(other)), "{fence} twice");
        seen.push(fence);
    }
    assert!(!iter.is_restarted());
    assert_eq!(seen.len(), 4);
    signal(producers.into_iter().chain(later));
}

#[test]
fn an_iteration_that_nobody_disturbs_does_not_start_over() {
    let object = ReservationObject::new();
    let producers = [(); 3].map(|()| hardware().new_fence());
    for (count, producer) in (1..).zip(&producers) {
        add(&object, &producer.fence(), Usage::Read);
        let mut iter = object.iter(Usage::Read);
        (0..count).for_each(|_| assert!(iter.next().is_some() && !iter.is_restarted()));
        assert!(iter.next().is_none() && !iter.is_restarted());
    }
    signal(producers);
}

#[test]
fn adding_what_is_there_already_starts_nothing_over() {
    let object = ReservationObject::new();
    let producers = [(); 2].map(|()| hardware().new_fence());
    producers.iter().for_each(|producer| add(&object, &producer.fence(), Usage::Write));
    let mut iter = object.iter(Usage::Read);
    assert!(iter.next().is_some());
    for usage in [Usage::Write, Usage::Read] {
        object.lock().add(&producers[0].fence(), usage).unwrap();
    }
    assert!(iter.next().is_some() && !iter.is_restarted());
    assert!(iter.next().is_none() && !iter.is_restarted());
    signal(producers);
}

#[test]
fn row_17_an_iteration_that_started_over_and_found_nothing_says_so() {
    let object = ReservationObject::new();
    let producer = hardware().new_fence();
    add(&object, &producer.fence(), Usage::Read);
    let mut iter = object.iter(Usage::Read);
    assert!(iter.next().is_some());
    object.lock().copy_from(&ReservationObject::new()).unwrap();
    assert!(iter.next().is_none() && iter.is_restarted());
    assert!(iter.next().is_none());
    producer.signal(Ok(()));
}

#[test]
fn an_iteration_holds_nobody_up() {
    let (object, context) = (ReservationObject::new(), hardware());
    let producers: Vec<_> = (0..100).map(|_| context.new_fence()).collect();
    add(&object, &producers[0].fence(), Usage::Write);
    let mut iters: Vec<_> = (0..50).map(|_| object.iter(Usage::Write)).collect();
    iters.iter_mut().for_each(|iter| drop(iter.next()));
    for producer in &producers[1..] {
        object.lock().add(&producer.fence(), Usage::Write).unwrap();
    }
    for iter in &mut iters {
        let (fence, _) = iter.next().unwrap();
        assert!(iter.is_restarted() && fence.same_fence(&producers[99].fence()));
        assert!(iter.next().is_none());
    }
    drop(iters);
    signal(producers);
}

// === many threads ===

#[test]
fn row_15_a_reader_sees_the_old_or_the_new_fence_and_never_neither() {
    in_time(|| {
        let (object, context) = (ReservationObject::new(), hardware());
        let mut current = context.new_fence();
        add(&object, &current.fence(), Usage::Write);
        let newest = AtomicUsize::new(0);
        let read = || {
            let seen = newest.load(SeqCst) as u64;
            let [fence] = &object.fences(Usage::Write)[..] else { panic!("not one") };
            assert!(fence.seqno() >= seen, "the new one and then the old one");
            newest.fetch_max(fence.seqno() as usize, SeqCst);
            assert!(!object.is_signaled(Usage::Write), "one is always pending");
            assert!(matches!(object.status(Usage::Write), ReservationStatus::Pending));
            assert_eq!(object.unsignaled(Usage::Write).len(), 1);
        };
        beside(2, read, || {
            for _ in 0..rounds(200_000, 20) {
                let next = context.new_fence();
                add(&object, &next.fence(), Usage::Write);
                std::mem::replace(&mut current, next).signal(Ok(()));
            }
        });
        current.signal(Ok(()));
    });
}

#[test]
fn a_reader_of_two_changes_never_sees_the_second_without_the_first() {
    two_changes(0);
}

/// Readers look at eight fences at once, so these two are not looked at together.
#[test]
fn nor_if_they_are_far_apart() {
    two_changes(20);
}

fn two_changes(between: usize) {
    in_time(move || {
        let object = ReservationObject::new();
        let contexts: Vec<_> = (0..between + 2).map(|_| hardware()).collect();
        let mut last: Vec<_> = contexts.iter().map(FenceContext::new_fence).collect();
        let mut guard = object.lock();
        guard.reserve(last.len()).unwrap();
        last.iter().for_each(|producer| guard.add(&producer.fence(), Usage::Read).unwrap());
        drop(guard);
        let ends = [0, between + 1];
        let read = || {
            let fences = object.fences(Usage::Read);
            let [first, second] = ends.map(|index: usize| {
                let of = |fence: &&Fence| fence.context() == contexts[index].id();
                fences.iter().find(of).unwrap().seqno()
            });
            assert!(first == second || first == second + 1, "{first} and {second}");
        };
        beside(2, read, || {
            for _ in 0..rounds(100_000, 20) {
                for index in ends {
                    let next = contexts[index].new_fence();
                    object.lock().add(&next.fence(), Usage::Read).unwrap();
                    std::mem::replace(&mut last[index], next).signal(Ok(()));
                }
            }
        });
        last.into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn a_copy_shows_never_fewer_than_the_old_or_the_new_ones() {
    in_time(|| {
        let (object, pending) = (ReservationObject::new(), hardware().new_fence());
        let signaled = hardware().new_fence();
        let idle = signaled.fence();
        // One pending and one signaled fence, in either order: a mix of both could be idle.
        let sources = [ReservationObject::new(), ReservationObject::new()];
        for (source, order) in sources.iter().zip([[0, 1], [1, 0]]) {
            for index in order {
                add(source, [&pending.fence(), &idle][index], Usage::Write);
            }
        }
        signaled.signal(Ok(()));
        object.lock().copy_from(&sources[0]).unwrap();
        let read = || assert!(!object.is_signaled(Usage::Write));
        beside(2, read, || {
            for round in 0..rounds(50_000, 20) {
                object.lock().copy_from(&sources[round % 2]).unwrap();
            }
        });
        assert_eq!(object.fences(Usage::Write).len(), 2);
        pending.signal(Ok(()));
    });
}

#[test]
fn a_copy_of_an_object_that_is_being_copied_into_has_each_fence_once() {
    in_time(|| {
        let (source, object) = (ReservationObject::new(), ReservationObject::new());
        let (third, pending) = (ReservationObject::new(), hardware().new_fence());
        add(&source, &pending.fence(), Usage::Write);
        object.lock().copy_from(&source).unwrap();
        let copy = || {
            third.lock().copy_from(&object).unwrap();
            assert_eq!(third.fences(Usage::Bookkeep).len(), 1);
        };
        beside(1, copy, || {
            (0..rounds(500_000, 20)).for_each(|_| object.lock().copy_from(&source).unwrap());
        });
        pending.signal(Ok(()));
    });
}

#[test]
fn readers_beside_growth_find_what_was_there() {
    in_time(|| {
        let object = ReservationObject::new();
        let producers: Vec<_> = (0..rounds(2_000, 40)).map(|_| hardware().new_fence()).collect();
        let added = AtomicUsize::new(0);
        let read = || {
            let before = added.load(SeqCst);
            let found = object.fences(Usage::Read).len();
            assert!(found >= before && found <= added.load(SeqCst) + 1, "{found} of {before}");
        };
        beside(2, read, || {
            for producer in &producers {
                add(&object, &producer.fence(), Usage::Read);
                added.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(object.fences(Usage::Read).len(), producers.len());
        let mut guard = object.lock();
        assert_eq!(guard.reserve(usize::MAX), Err(AllocError));
        drop(guard);
        signal(producers);
    });
}
