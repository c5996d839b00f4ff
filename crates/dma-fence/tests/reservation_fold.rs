//! Reading the fences of a reservation object where they are, while user code does what it likes.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::allocator::{Counting, allocations, leaks, without_memory};
use common::{OnPoll, hardware, in_time, panic_of, software};
use dma_fence::{DriverFence, Fence, ReservationObject, ReservationStatus, Status, Usage};
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Barrier};
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(object: &ReservationObject, producer: &DriverFence, usage: Usage) {
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(&producer.fence(), usage).unwrap();
}

/// Of so many timelines, more than a reader looks at together.
fn object_of(number: usize) -> (ReservationObject, Vec<DriverFence>) {
    let object = ReservationObject::new();
    let producers: Vec<_> = (0..number).map(|_| software().new_fence()).collect();
    producers.iter().for_each(|producer| add(&object, producer, Usage::Read));
    (object, producers)
}

fn take_everything_away(object: &ReservationObject) {
    object.lock().copy_from(&ReservationObject::new()).unwrap();
}

fn count(object: &ReservationObject) -> usize {
    object.fold(Usage::Bookkeep, || 0, |count, _, _| count + 1)
}

#[test]
fn a_fold_sees_each_fence_that_is_asked_for_once() {
    for number in [0, 1, 7, 8, 9, 30] {
        let (object, mut producers) = object_of(number);
        let written = hardware().new_fence();
        add(&object, &written, Usage::Write);
        for (usage, expected) in [(Usage::Kernel, 0), (Usage::Write, 1), (Usage::Read, number + 1)]
        {
            let keep = |mut seen: Vec<_>, fence: &Fence, usage| {
                seen.push((fence.context(), usage));
                seen
            };
            let mut begun = 0;
            let seen = object.fold(
                usage,
                || {
                    begun += 1;
                    Vec::new()
                },
                keep,
            );
            let there = object.fences_with_usage(usage);
            let there: Vec<_> =
                there.iter().map(|(fence, usage)| (fence.context(), *usage)).collect();
            assert_eq!(seen, there);
            assert_eq!((seen.len(), begun), (expected, 1));
        }
        producers.push(written);
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
        assert_eq!(count(&object), number + 1, "also those that have signaled");
    }
}

#[test]
fn a_fold_counts_no_fence_and_allocates_nothing() {
    let (object, producers) = object_of(30);
    assert_eq!(allocations(|| assert_eq!(count(&object), 30)), 0);
    let answers = || (object.is_signaled(Usage::Read), format!("{:?}", object.status(Usage::Read)));
    assert_eq!(answers(), (false, "Pending".into()));
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    assert_eq!(answers(), (true, "Idle".into()));
}

#[test]
fn a_signaled_one_hides_no_others() {
    for last in 0..9 {
        let (object, mut producers) = object_of(9);
        let pending = producers.remove(last);
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
        for _ in 0..2 {
            let left = object.unsignaled(Usage::Read);
            assert!(left.len() == 1 && left[0].same_fence(&pending.fence()));
            assert!(!object.is_signaled(Usage::Read));
        }
        pending.signal(Ok(()));
        assert!(object.is_signaled(Usage::Read));
    }
}

// === the object changes ===

#[test]
fn row_17_a_fold_begins_again_when_the_object_changes() {
    let (object, context) = (ReservationObject::new(), hardware());
    let producers = [(); 3].map(|_| context.new_fence());
    let other = hardware().new_fence();
    add(&object, &producers[0], Usage::Read);
    add(&object, &other, Usage::Read);
    let (begun, mut changes) = (Cell::new(0), producers[1..].iter());
    let init = || {
        begun.set(begun.get() + 1);
        Vec::new()
    };
    let seen = object.fold(Usage::Read, init, |mut seen, fence, _| {
        seen.push(fence.clone());
        // Once in each pass, as long as there are changes.
        if seen.len() == 1 {
            changes.next().into_iter().for_each(|later| add(&object, later, Usage::Read));
        }
        seen
    });
    assert_eq!(begun.get(), 3);
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().any(|fence| fence.same_fence(&producers[2].fence())));
    assert!(seen.iter().any(|fence| fence.same_fence(&other.fence())));
    producers.into_iter().chain([other]).for_each(|producer| producer.signal(Ok(())));
}

#[test]
fn a_fence_that_is_taken_away_stays_until_the_closure_is_done_with_it() {
    let story = |at: usize| {
        let (object, producers) = object_of(12);
        let producers = RefCell::new(producers);
        let left = object.fold(
            Usage::Read,
            || 0,
            |count, fence, usage| {
                if count + 1 == at {
                    // The object's handles go, and all others.
                    take_everything_away(&object);
                    producers.take().into_iter().for_each(|producer| producer.signal(Ok(())));
                    assert!(fence.is_signaled());
                }
                assert!(fence.seqno() == 1 && usage == Usage::Read);
                assert_eq!(fence.driver_name(), "test");
                count + 1
            },
        );
        assert_eq!(left, 0);
    };
    for at in 1..=12 {
        assert_eq!(leaks(|| story(at)), 0);
    }
}

#[test]
fn a_handle_that_is_kept_outlives_the_object() {
    let (object, producers) = object_of(12);
    let keep = |mut kept: Vec<_>, fence: &Fence, _| {
        kept.push(fence.clone());
        kept
    };
    let kept = object.fold(Usage::Read, Vec::new, keep);
    drop(object);
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    assert!(kept.len() == 12 && kept.iter().all(Fence::is_signaled));
}

#[test]
fn nobody_waits_for_a_closure_that_blocks() {
    in_time(|| {
        let (object, producers) = object_of(12);
        let (inside, changed) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|threads| {
            threads.spawn(|| {
                inside.wait();
                assert_eq!(object.fences(Usage::Read).len(), 12);
                assert_eq!(object.iter(Usage::Read).count(), 12);
                assert!(!object.is_signaled(Usage::Read));
                take_everything_away(&object);
                assert!(object.is_signaled(Usage::Read));
                changed.wait();
            });
            let mut first = true;
            let left = object.fold(
                Usage::Read,
                || 0,
                |count, fence, _| {
                    if std::mem::take(&mut first) {
                        inside.wait();
                        changed.wait();
                    }
                    assert_eq!(fence.status(), Status::Pending);
                    count + 1
                },
            );
            assert_eq!(left, 0);
        });
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

// === user code in the middle ===

#[test]
fn a_panic_in_the_middle_leaves_nothing_behind() {
    let story = || {
        let (object, producers) = object_of(12);
        for at in 1..=12 {
            let fails =
                |seen, _: &Fence, _| if seen == at { panic!("on purpose") } else { seen + 1 };
            assert!(panic_of(|| object.fold(Usage::Read, || 1, fails)).is_some());
        }
        assert_eq!(allocations(|| assert_eq!(count(&object), 12)), 0, "no page is taken any more");
        let falls = |_, _: &Fence, _| {
            take_everything_away(&object);
            panic!("on purpose")
        };
        assert!(panic_of(|| object.fold(Usage::Read, || (), falls)).is_some());
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    };
    assert_eq!(leaks(story), 0);
}

/// Each level sees all, whether or not there is memory for what it writes down.
fn nested(object: &ReservationObject, depth: usize) -> usize {
    object.fold(
        Usage::Read,
        || 0,
        |sum, fence, _| {
            assert!(!fence.is_signaled());
            sum + if depth == 0 { 1 } else { nested(object, depth - 1) }
        },
    )
}

#[test]
fn a_closure_may_fold_the_same_object() {
    in_time(|| {
        let (object, producers) = object_of(3);
        assert_eq!(without_memory(|| nested(&object, 4)), 3_usize.pow(5));
        assert_eq!(nested(&object, 4), 3_usize.pow(5));
        assert_eq!(allocations(|| assert_eq!(nested(&object, 4), 3_usize.pow(5))), 0, "only once");
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn a_fold_without_memory_begins_again_as_well() {
    in_time(|| {
        let (object, context) = (ReservationObject::new(), software());
        let producers = [(); 4].map(|()| context.new_fence());
        let later = producers.each_ref().map(DriverFence::fence);
        add(&object, &producers[0], Usage::Read);
        let next = Cell::new(1);
        let seen = || {
            let sum = |sum, fence: &Fence, _| {
                if let Some(fence) = later.get(next.replace(usize::MAX)) {
                    object.lock().add(fence, Usage::Read).unwrap();
                }
                sum + fence.seqno()
            };
            assert_eq!(object.fold(Usage::Read, || 0, sum), 2, "only the later one is there");
        };
        let between = |(), _: &Fence, _| object.fold(Usage::Read, || (), |(), _, _| seen());
        without_memory(|| object.fold(Usage::Read, || (), between));
        assert_eq!(next.get(), usize::MAX);
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn a_closure_may_signal_what_it_is_shown() {
    let (object, producers) = object_of(12);
    let producers = RefCell::new(producers);
    let signaled = object.fold(
        Usage::Read,
        || 0,
        |count, fence, _| {
            let mut producers = producers.borrow_mut();
            let of_it = producers.iter().position(|producer| producer.fence().same_fence(fence));
            producers.remove(of_it.unwrap()).signal(Ok(()));
            count + usize::from(fence.is_signaled())
        },
    );
    assert_eq!(signaled, 12);
    assert!(object.is_signaled(Usage::Read));
}

// === hooks ===

#[test]
fn a_hook_may_change_the_object_that_has_it_asked() {
    let story = |ask: fn(&ReservationObject)| {
        let (object, others) = object_of(9);
        let object = Arc::new(object);
        let meddles = OnPoll({
            let object = object.clone();
            move || {
                take_everything_away(&object);
                None
            }
        });
        let meddler = hardware().new_fence_with(Arc::new(meddles));
        add(&object, &meddler, Usage::Kernel);
        ask(&object);
        assert_eq!(count(&object), 0);
        others.into_iter().chain([meddler]).for_each(|producer| producer.signal(Ok(())));
    };
    let asks: [fn(&ReservationObject); 2] = [
        |object| assert!(object.unsignaled(Usage::Kernel).is_empty()),
        |object| assert!(matches!(object.status(Usage::Kernel), ReservationStatus::Idle)),
    ];
    for ask in asks {
        assert_eq!(leaks(|| story(ask)), 0);
    }
}
