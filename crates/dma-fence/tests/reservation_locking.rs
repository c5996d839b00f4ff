//! Locking reservation objects, one or many.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Log, Random, in_time, panic_of, rounds};
use dma_fence::{
    AcquireContext, Deadlock, DuplicateObject, ReservationGuard, ReservationObject, lock_all,
};
use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

fn objects(count: usize) -> Arc<Vec<ReservationObject>> {
    Arc::new((0..count).map(|_| ReservationObject::new()).collect())
}

/// What only a lock keeps apart. No atomic, for that would order the visits itself, and Miri saw nothing.
struct Inside(UnsafeCell<usize>);

// SAFETY: Whoever visits has the lock; Miri looks whether that is so.
unsafe impl Sync for Inside {}

impl Inside {
    fn visit(&self) {
        // SAFETY: As above.
        let before = unsafe { *self.0.get() };
        std::hint::spin_loop();
        // SAFETY: As above.
        unsafe { *self.0.get() = before + 1 };
    }
}

/// Until a thread that goes to sleep in a lock has most likely done so. Nothing depends on it but how much a
/// test can find.
fn let_it_sleep() {
    thread::sleep(Duration::from_millis(20));
}

// === one object ===

#[test]
fn a_lock_is_held_until_its_guard_goes() {
    let object = ReservationObject::new();
    assert!(!object.is_locked());
    let guard = object.lock();
    assert!(object.is_locked() && object.try_lock().is_none());
    drop(guard);
    assert!(!object.is_locked());
    let guard = object.try_lock().expect("it is free");
    assert!(object.is_locked() && object.try_lock().is_none());
    drop(guard);
    let context = AcquireContext::new();
    let guard = object.lock_in(&context).unwrap();
    assert!(object.is_locked() && object.try_lock().is_none());
    drop(guard);
    drop(object.lock_slow(&context));
    assert!(!object.is_locked());
}

#[test]
fn a_lock_excludes_however_it_is_taken() {
    in_time(|| {
        let object = ReservationObject::new();
        let (inside, visits) = (Inside(UnsafeCell::new(0)), AtomicUsize::new(0));
        let visit = |guard: ReservationGuard<'_>| {
            inside.visit();
            visits.fetch_add(1, Relaxed);
            drop(guard);
        };
        thread::scope(|scope| {
            for way in 0..4 {
                let (object, visit) = (&object, &visit);
                scope.spawn(move || {
                    let context = AcquireContext::new();
                    for _ in 0..rounds(20_000, 20) {
                        match way {
                            0 => visit(object.lock()),
                            1 => visit(object.lock_in(&context).unwrap()),
                            2 => visit(object.lock_slow(&context)),
                            _ => object.try_lock().into_iter().for_each(visit),
                        }
                    }
                });
            }
        });
        assert!(!object.is_locked());
        assert_eq!(inside.0.into_inner(), visits.into_inner(), "one at a time");
    });
}

/// Who gets the lock first, second and third of three that wait for it, by age; the youngest comes first.
fn order_of_service(time_to_sleep: Duration) -> Vec<usize> {
    let object = Arc::new(ReservationObject::new());
    let served = Log::new();
    let guard = object.lock();
    let (made, turn) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(3)));
    let waiters: Vec<_> = (0..3)
        .map(|age| {
            let (object, served, made, turn) =
                (object.clone(), served.clone(), made.clone(), turn.clone());
            thread::spawn(move || {
                wait_for(&made, age);
                let context = AcquireContext::new();
                made.store(age + 1, SeqCst);
                wait_for(&turn, age + 1);
                thread::sleep(time_to_sleep);
                turn.store(age, SeqCst);
                let _guard = object.lock_in(&context).unwrap();
                served.push(age);
            })
        })
        .collect();
    wait_for(&turn, 0);
    thread::sleep(time_to_sleep);
    drop(guard);
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    served.take()
}

fn wait_for(number: &AtomicUsize, value: usize) {
    while number.load(SeqCst) != value {
        thread::yield_now();
    }
}

#[test]
fn waiters_are_served_oldest_ticket_first() {
    in_time(|| {
        // On a busy machine one of them may not sleep yet: then give them more time.
        let times = [10, 100, 1000].map(Duration::from_millis);
        assert!(times.into_iter().any(|time| order_of_service(time) == [0, 1, 2]));
    });
}

#[test]
fn a_forgotten_guard_keeps_its_object_locked_and_is_no_harm_to_others() {
    in_time(|| {
        let (object, other) = (ReservationObject::new(), ReservationObject::new());
        let elder = AcquireContext::new();
        let younger = AcquireContext::new();
        std::mem::forget(object.lock_in(&younger).unwrap());
        drop(younger);
        assert!(object.try_lock().is_none());
        drop(other.lock_in(&elder).unwrap());
    });
}

// === contexts ===

#[test]
fn a_context_is_told_what_it_has_already() {
    let objects = objects(2);
    let context = AcquireContext::new();
    let guards = [objects[0].lock_in(&context).unwrap(), objects[1].lock_in(&context).unwrap()];
    for object in objects.iter() {
        assert_eq!(object.lock_in(&context).unwrap_err(), Deadlock::AlreadyLocked);
    }
    drop(guards);
    assert!(objects.iter().all(|object| !object.is_locked()));
    objects.iter().for_each(|object| drop(object.lock_in(&context).unwrap()));
}

#[test]
fn lock_slow_is_refused_to_who_holds_something() {
    let objects = objects(2);
    let context = AcquireContext::new();
    let guard = objects[0].lock_in(&context).unwrap();
    assert!(panic_of(|| objects[1].lock_slow(&context)).is_some());
    drop(guard);
    drop(objects[1].lock_slow(&context));
}

/// The younger has A and sleeps for B, which the other thread has; the elder, there, then wants A.
#[test]
fn a_wound_wakes_who_sleeps_in_a_lock() {
    in_time(|| {
        let objects = objects(2);
        let elder = AcquireContext::new();
        let b = objects[1].lock_in(&elder).unwrap();
        let has_a = Arc::new(AtomicBool::new(false));
        let younger = thread::spawn({
            let (objects, has_a) = (objects.clone(), has_a.clone());
            move || {
                let context = AcquireContext::new();
                let a = objects[0].lock_in(&context).unwrap();
                has_a.store(true, SeqCst);
                let refused = objects[1].lock_in(&context).unwrap_err();
                assert_eq!(refused, Deadlock::BackOff);
                drop(a);
                // Its wound is healed, and it keeps its age.
                let b = objects[1].lock_slow(&context);
                let a = objects[0].lock_in(&context).unwrap();
                drop((a, b));
            }
        });
        while !has_a.load(SeqCst) {
            thread::yield_now();
        }
        let_it_sleep();
        let a = objects[0].lock_in(&elder).expect("the elder is not told to back off");
        drop((a, b));
        younger.join().unwrap();
    });
}

/// The younger is not asleep when it is wounded: it hears of it at the next lock that it would wait for,
/// and not at one that is free.
#[test]
fn a_wounded_context_backs_off_at_its_next_contended_lock() {
    in_time(|| {
        let objects = objects(3);
        let elder_waits = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicBool::new(false));
        let elder = thread::spawn({
            let (objects, elder_waits, made) = (objects.clone(), elder_waits.clone(), made.clone());
            move || {
                let context = AcquireContext::new();
                let c = objects[2].lock_in(&context).unwrap();
                made.store(true, SeqCst);
                while !elder_waits.load(SeqCst) {
                    thread::yield_now();
                }
                let a = objects[0].lock_in(&context).unwrap();
                drop((a, c));
            }
        });
        while !made.load(SeqCst) {
            thread::yield_now();
        }
        let younger = AcquireContext::new();
        let a = objects[0].lock_in(&younger).unwrap();
        elder_waits.store(true, SeqCst);
        let_it_sleep();
        let b = objects[1].lock_in(&younger).expect("free");
        assert_eq!(objects[2].lock_in(&younger).unwrap_err(), Deadlock::BackOff);
        assert_eq!(objects[2].lock_in(&younger).unwrap_err(), Deadlock::BackOff);
        drop((a, b));
        let c = objects[2].lock_slow(&younger);
        drop((objects[0].lock_in(&younger).unwrap(), c));
        elder.join().unwrap();
    });
}

/// No wound is left behind: the younger had to wait, and not to back off.
#[test]
fn a_younger_context_waits_for_an_older_one() {
    in_time(|| {
        let object = Arc::new(ReservationObject::new());
        let elder = AcquireContext::new();
        let guard = object.lock_in(&elder).unwrap();
        let younger = thread::spawn({
            let object = object.clone();
            move || drop(object.lock_in(&AcquireContext::new()).unwrap())
        });
        let_it_sleep();
        assert!(!younger.is_finished());
        let free = ReservationObject::new();
        drop(free.lock_in(&elder).unwrap());
        drop(guard);
        younger.join().unwrap();
    });
}

// === sets ===

#[test]
fn a_set_is_locked_as_a_whole_and_indexed_as_it_was_given() {
    let objects = objects(3);
    let refs: Vec<_> = [2, 0, 1].map(|index| &objects[index]).into();
    let mut set = lock_all(&refs).unwrap();
    assert_eq!((set.len(), set.is_empty()), (3, false));
    assert!(objects.iter().all(ReservationObject::is_locked));
    let producer = common::hardware().new_fence();
    set[1].reserve(1).unwrap();
    set[1].add(&producer.fence(), dma_fence::Usage::Write).unwrap();
    assert_eq!(set[1].fences(dma_fence::Usage::Write).len(), 1);
    assert_eq!(set.iter_mut().count(), 3);
    assert_eq!(objects[0].fences(dma_fence::Usage::Write).len(), 1);
    drop(set);
    assert!(objects.iter().all(|object| !object.is_locked()));
    producer.signal(Ok(()));
    assert!(lock_all(&[]).unwrap().is_empty());
}

#[test]
fn an_object_that_is_there_twice_is_refused_and_nothing_stays_locked() {
    let objects = objects(2);
    let twice = [&objects[0], &objects[1], &objects[0]];
    assert_eq!(lock_all(&twice).unwrap_err(), DuplicateObject { index: 2 });
    assert!(objects.iter().all(|object| !object.is_locked()));
}

/// So who waits for the first of a set, and wants the others next, finds them free.
#[test]
fn a_set_is_unlocked_from_its_end_whether_it_was_complete_or_not() {
    fn last_is_locked(objects: &[ReservationObject], lock_and_unlock: impl FnOnce()) -> bool {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !objects[0].is_locked() && !over.load(SeqCst) {
                    std::hint::spin_loop();
                }
                let _first = loop {
                    if let Some(guard) = objects[0].try_lock() {
                        break guard;
                    }
                    std::hint::spin_loop();
                };
                objects.last().unwrap().is_locked()
            });
            lock_and_unlock();
            over.store(true, SeqCst);
            watcher.join().unwrap()
        })
    }
    in_time(|| {
        let objects = objects(rounds(1_000, 5));
        let once: Vec<_> = objects.iter().collect();
        let twice: Vec<_> = once.iter().copied().chain([once[0]]).collect();
        for _ in 0..rounds(300, 2) {
            assert!(!last_is_locked(&objects, || drop(lock_all(&once).unwrap())));
            assert!(!last_is_locked(&objects, || assert!(lock_all(&twice).is_err())));
        }
    });
}

/// The younger has C and A and sleeps for B, which the other thread has; the elder, there, then wants A.
#[test]
fn who_backs_off_holds_nothing_while_it_waits_for_what_was_contended() {
    in_time(|| {
        let objects = objects(3);
        let elder = AcquireContext::new();
        let b = objects[1].lock_in(&elder).unwrap();
        let younger = thread::spawn({
            let objects = objects.clone();
            move || drop(lock_all(&[&objects[2], &objects[0], &objects[1]]).unwrap())
        });
        while !objects[0].is_locked() {
            thread::yield_now();
        }
        let a = objects[0].lock_in(&elder).unwrap();
        while objects[2].is_locked() {
            thread::yield_now();
        }
        let_it_sleep();
        assert!(!objects[2].is_locked());
        drop((a, b));
        younger.join().unwrap();
    });
}

#[test]
fn sets_in_any_order_are_all_locked_in_the_end() {
    in_time(|| {
        let objects = objects(5);
        let inside: [AtomicUsize; 5] = Default::default();
        thread::scope(|scope| {
            for seed in 1..=4 {
                let (objects, inside) = (&objects, &inside);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    for _ in 0..rounds(5_000, 5) {
                        let count = 1 + random.below(5);
                        let order = &random.order(5)[..count];
                        let refs: Vec<_> = order.iter().map(|&index| &objects[index]).collect();
                        let _set = lock_all(&refs).unwrap();
                        for &index in order {
                            assert_eq!(inside[index].fetch_add(1, SeqCst), 0, "alone");
                        }
                        thread::yield_now();
                        for &index in order {
                            inside[index].fetch_sub(1, SeqCst);
                        }
                    }
                });
            }
        });
        assert!(objects.iter().all(|object| !object.is_locked()));
    });
}
