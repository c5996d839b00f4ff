//! Model: readers of a reservation object beside its writer, and its lock.
//!
//! Invariants under test: RESV-SLOT, RESV-MOMENT, RESV-LOCK, RESV-QUEUE (docs/invariants.md). The models
//! of RESV-DEBT are private, in `reservation/slot.rs`.
#![cfg(loom)]

use dma_fence::{
    AcquireContext, ContextKind, Deadlock, DriverFence, Fence, FenceContext, ReservationObject,
    ReservationStatus, SeqnoOrder, Usage, lock_all,
};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

fn software() -> FenceContext {
    FenceContext::software("model", "buffer")
}

fn add(object: &ReservationObject, producer: &DriverFence, usage: Usage) {
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(&producer.fence(), usage).unwrap();
}

// === readers beside the writer ===

/// Reads while a fence takes the place of the one before it, which signals then.
fn beside_a_replacement(read: fn(&ReservationObject)) {
    loom::model(move || {
        let (object, context) = (Arc::new(ReservationObject::new()), software());
        let (old, new) = (context.new_fence(), context.new_fence());
        add(&object, &old, Usage::Write);
        let reader = thread::spawn({
            let object = object.clone();
            move || read(&object)
        });
        add(&object, &new, Usage::Write);
        old.signal(Ok(()));
        reader.join().unwrap();
        new.signal(Ok(()));
    });
}

#[test]
fn row_15_a_reader_sees_the_old_or_the_new_fence() {
    beside_a_replacement(|object| assert_eq!(object.fences(Usage::Write).len(), 1));
}

#[test]
fn row_15_so_does_an_iteration() {
    beside_a_replacement(|object| assert_eq!(iterated(object).len(), 1));
}

/// What an iteration finds from its last start on.
fn iterated(object: &ReservationObject) -> Vec<Fence> {
    let (mut found, mut iter) = (Vec::new(), object.iter(Usage::Write));
    loop {
        let item = iter.next();
        if iter.is_restarted() {
            found.clear();
        }
        let Some((fence, _)) = item else { return found };
        found.push(fence);
    }
}

#[test]
fn a_reader_beside_growth() {
    loom::model(|| {
        let object = Arc::new(ReservationObject::new());
        let first = software().new_fence();
        let reader = thread::spawn({
            let object = object.clone();
            move || assert!(object.fences(Usage::Read).len() <= 1)
        });
        add(&object, &first, Usage::Read);
        reader.join().unwrap();
        assert_eq!(object.fences(Usage::Read).len(), 1);
        first.signal(Ok(()));
    });
}

#[test]
fn who_sees_the_second_addition_sees_the_first() {
    loom::model(|| {
        let object = Arc::new(ReservationObject::new());
        let [first, second] = [software().new_fence(), software().new_fence()];
        let mut guard = object.lock();
        guard.reserve(2).unwrap();
        let reader = thread::spawn({
            let (object, first) = (object.clone(), first.fence());
            move || {
                let seen = object.fences(Usage::Write);
                assert!(seen.is_empty() || seen.iter().any(|fence| fence.same_fence(&first)));
            }
        });
        guard.add(&first.fence(), Usage::Write).unwrap();
        guard.add(&second.fence(), Usage::Write).unwrap();
        drop(guard);
        reader.join().unwrap();
        [first, second].into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn a_reader_beside_a_copy_sees_the_old_or_the_new_fence() {
    loom::model(|| {
        let (object, source) = (Arc::new(ReservationObject::new()), ReservationObject::new());
        let [old, new] = [software().new_fence(), software().new_fence()];
        add(&source, &new, Usage::Write);
        object.lock().reserve(2).unwrap();
        add(&object, &old, Usage::Write);
        let reader = thread::spawn({
            let object = object.clone();
            move || assert!(!object.fences(Usage::Write).is_empty())
        });
        object.lock().copy_from(&source).unwrap();
        reader.join().unwrap();
        [old, new].into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn a_finished_pass_is_of_one_moment() {
    beside_two_replacements(|object| object.fences(Usage::Write));
}

#[test]
fn a_finished_iteration_is_of_one_moment() {
    beside_two_replacements(iterated);
}

fn beside_two_replacements(read: fn(&ReservationObject) -> Vec<Fence>) {
    loom::model(move || {
        let object = Arc::new(ReservationObject::new());
        let (x, y) = (software(), software());
        let (x1, x2, y1, y2) = (x.new_fence(), x.new_fence(), y.new_fence(), y.new_fence());
        let mut guard = object.lock();
        guard.reserve(2).unwrap();
        guard.add(&x1.fence(), Usage::Write).unwrap();
        guard.add(&y1.fence(), Usage::Write).unwrap();
        drop(guard);
        let late = (x1.fence(), y2.fence());
        let reader = thread::spawn({
            let object = object.clone();
            move || {
                let seen = read(&object);
                let has = |fence| seen.iter().any(|f| f.same_fence(fence));
                assert_eq!(seen.len(), 2);
                assert!(!(has(&late.0) && has(&late.1)), "x2 came before y2");
            }
        });
        let mut guard = object.lock();
        guard.add(&x2.fence(), Usage::Write).unwrap();
        guard.add(&y2.fence(), Usage::Write).unwrap();
        drop(guard);
        reader.join().unwrap();
        [x1, x2, y1, y2].into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn who_misses_what_went_second_misses_the_first() {
    loom::model(|| {
        let object = Arc::new(ReservationObject::new());
        let producers = [software().new_fence(), software().new_fence()];
        producers.iter().for_each(|producer| add(&object, producer, Usage::Write));
        let second = producers[1].fence();
        let reader = thread::spawn({
            let object = object.clone();
            move || {
                let seen = object.fences(Usage::Write);
                assert!(seen.is_empty() || seen.iter().any(|fence| fence.same_fence(&second)));
            }
        });
        // Takes them away one by one.
        object.lock().copy_from(&ReservationObject::new()).unwrap();
        reader.join().unwrap();
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    });
}

#[test]
fn row_15_whoever_misses_one_that_was_replaced_sees_the_new_one() {
    loom::model(|| {
        let context =
            FenceContext::new(ContextKind::Software, "model", "any", SeqnoOrder::Unordered);
        let object = Arc::new(ReservationObject::new());
        let (old, new) = ([context.new_fence(), context.new_fence()], software().new_fence());
        old.iter().for_each(|producer| add(&object, producer, Usage::Write));
        let reader = thread::spawn({
            let (object, new) = (object.clone(), new.fence());
            move || {
                let seen = object.fences(Usage::Write);
                assert!(seen.len() == 2 || seen.iter().any(|fence| fence.same_fence(&new)));
            }
        });
        object.lock().replace(context.id(), &new.fence(), Usage::Write).unwrap();
        reader.join().unwrap();
        old.into_iter().chain([new]).for_each(|producer| producer.signal(Ok(())));
    });
}

/// Somebody who sees the new fence signals the old one: the object is never idle, though each fence that
/// a reader meets may have signaled when it is asked.
#[test]
fn idle_is_said_of_one_moment() {
    loom::model(|| {
        let (object, context) = (Arc::new(ReservationObject::new()), software());
        let (old, new) = (context.new_fence(), context.new_fence());
        add(&object, &old, Usage::Write);
        let writer = thread::spawn({
            let (object, fence) = (object.clone(), new.fence());
            move || object.lock().add(&fence, Usage::Write).unwrap()
        });
        let signaler = thread::spawn({
            let (object, fence) = (object.clone(), new.fence());
            move || {
                let (seen, _) = object.iter(Usage::Write).next().unwrap();
                if seen.same_fence(&fence) {
                    old.signal(Ok(()));
                    None
                } else {
                    Some(old)
                }
            }
        });
        assert!(!object.is_signaled(Usage::Write));
        writer.join().unwrap();
        let old = signaler.join().unwrap();
        old.into_iter().for_each(|old| old.signal(Ok(())));
        new.signal(Ok(()));
    });
}

/// One who asks marks the fence as signaled. Another, who finds the mark and asks no fence, sees all that
/// came before the signal.
#[test]
fn who_finds_a_mark_sees_what_came_before_the_signal() {
    loom::model(|| {
        let locked = Locked::new();
        let producer = software().new_fence();
        add(&locked.object, &producer, Usage::Write);
        let finder = thread::spawn({
            let locked = locked.clone();
            move || {
                if locked.object.is_signaled(Usage::Write) {
                    locked.visit();
                }
            }
        });
        let signaler = thread::spawn({
            let locked = locked.clone();
            move || {
                locked.visit();
                producer.signal(Ok(()));
            }
        });
        let _marks = locked.object.is_signaled(Usage::Write);
        finder.join().unwrap();
        signaler.join().unwrap();
    });
}

/// Readers that take no handles, beside a change.
#[test]
fn a_look_beside_a_replacement_is_right() {
    beside_a_replacement(|object| {
        assert!(!object.is_signaled(Usage::Write));
        assert!(matches!(object.status(Usage::Write), ReservationStatus::Pending));
    });
}

// === the lock ===

/// An object, and what only its lock keeps apart.
struct Locked {
    object: ReservationObject,
    inside: UnsafeCell<()>,
}

// SAFETY: The model checks every access.
unsafe impl Sync for Locked {}
// SAFETY: As above.
unsafe impl Send for Locked {}

impl Locked {
    fn new() -> Arc<Locked> {
        Arc::new(Locked { object: ReservationObject::new(), inside: UnsafeCell::new(()) })
    }
    fn visit(&self) {
        self.inside.with_mut(|_| ());
    }
}

#[test]
fn two_threads_exclude_each_other() {
    loom::model(|| {
        let locked = Locked::new();
        let other = thread::spawn({
            let locked = locked.clone();
            move || {
                let _guard = locked.object.lock();
                locked.visit();
            }
        });
        if let Some(_guard) = locked.object.try_lock() {
            locked.visit();
        }
        {
            let _guard = locked.object.lock();
            locked.visit();
        }
        other.join().unwrap();
        assert!(!locked.object.is_locked());
    });
}

#[test]
fn three_threads_exclude_each_other() {
    loom::model(|| {
        let locked = Locked::new();
        let others = [(); 2].map(|()| {
            let locked = locked.clone();
            thread::spawn(move || {
                let context = AcquireContext::new();
                let _guard = locked.object.lock_in(&context).unwrap();
                locked.visit();
            })
        });
        {
            let _guard = locked.object.lock();
            locked.visit();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// One has A and wants B, the other has B and wants A: exactly the younger backs off.
#[test]
fn the_younger_of_two_backs_off() {
    loom::model(|| {
        let (a, b) = (Locked::new(), Locked::new());
        // Before the other thread makes its own.
        let elder = AcquireContext::new();
        let younger = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || {
                let context = AcquireContext::new();
                let first = b.object.lock_in(&context).unwrap();
                b.visit();
                match a.object.lock_in(&context) {
                    Ok(_second) => a.visit(),
                    Err(Deadlock::BackOff) => {
                        drop(first);
                        let _second = a.object.lock_slow(&context);
                        a.visit();
                    }
                    Err(Deadlock::AlreadyLocked) => panic!("no"),
                }
            }
        });
        let _first = a.object.lock_in(&elder).unwrap();
        a.visit();
        let _second = b.object.lock_in(&elder).expect("it is the elder");
        b.visit();
        drop((_first, _second));
        younger.join().unwrap();
    });
}

#[test]
fn two_sets_in_opposite_order_are_both_locked() {
    loom::model(|| {
        let (a, b) = (Locked::new(), Locked::new());
        let other = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || {
                let _set = lock_all(&[&b.object, &a.object]).unwrap();
                a.visit();
                b.visit();
            }
        });
        {
            let _set = lock_all(&[&a.object, &b.object]).unwrap();
            a.visit();
            b.visit();
        }
        other.join().unwrap();
    });
}
