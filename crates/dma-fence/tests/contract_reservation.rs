//! The contract checks of reservation objects: each way to lock or to wait. Each test has lock classes of its
//! own, for all add to one graph of orders.
#![cfg(all(feature = "contract", not(loom)))]

mod common;

use common::hardware;
use dma_fence::contract::{self, Class, LockClass, Rule, Violation};
use dma_fence::{AcquireContext, Deadlock, ReservationObject, Usage, lock_all};
use std::cell::RefCell;
use std::time::Duration;

thread_local! { static SEEN: RefCell<Vec<Violation>> = const { RefCell::new(Vec::new()) } }

/// What is reported on this thread while `f` runs; the hook runs on the offending thread.
fn reports(f: impl FnOnce()) -> Vec<Violation> {
    contract::on_violation(|violation| {
        SEEN.with_borrow_mut(|seen| seen.push(violation.clone()));
    });
    f();
    SEEN.take()
}

/// All calls in a signalling section are reported once, with the line that each stands in.
fn all_are_reported(rule: Rule, wanted: Class, calls: &[(&dyn Fn(), u32)]) {
    let _section = contract::signalling();
    for (call, line) in calls {
        let found = reports(call);
        let [found] = &found[..] else { panic!("line {line}: {found:?}") };
        let step = found.steps()[0];
        assert_eq!((found.rule(), step.held, step.wanted), (rule, Class::Signal, wanted));
        assert_eq!((step.wanted_at.file(), step.wanted_at.line()), (file!(), *line));
    }
}

#[test]
fn every_way_to_lock_in_a_section_is_reported() {
    let (a, b) = (ReservationObject::new(), ReservationObject::new());
    let context = AcquireContext::new();
    let locks: [(&dyn Fn(), u32); 4] = [
        (&|| drop(a.lock()), line!()),
        (&|| drop(a.lock_in(&context).unwrap()), line!()),
        (&|| drop(a.lock_slow(&context)), line!()),
        (&|| drop(lock_all(&[&a, &b]).unwrap()), line!()),
    ];
    all_are_reported(Rule::ReservationInSection, Class::Reservation, &locks);
}

fn rules(f: impl FnOnce()) -> Vec<Rule> {
    reports(f).iter().map(Violation::rule).collect()
}

/// As many as a job has buffers: more than a thread has places for what it holds.
#[test]
fn a_section_with_many_objects_locked_is_one() {
    let objects: Vec<_> = (0..100).map(|_| ReservationObject::new()).collect();
    let _locked = lock_all(&objects.iter().collect::<Vec<_>>()).unwrap();
    let _section = contract::signalling();
    assert_eq!(rules(contract::may_allocate), [Rule::AllocationInSection]);
}

#[test]
fn what_is_locked_several_times_from_one_place_is_held_until_the_last_has_gone() {
    static DRIVER: LockClass = LockClass::new("a lock of the driver, before those of buffers");
    let objects: Vec<_> = (0..3).map(|_| ReservationObject::new()).collect();
    let first = DRIVER.acquire();
    let mut locked: Vec<_> = objects.iter().map(ReservationObject::lock).collect();
    drop(first);
    locked.truncate(1);
    assert_eq!(rules(|| drop(DRIVER.acquire())), [Rule::Order]);
    locked.clear();
    // In a place of its own, or it would be known.
    assert_eq!(rules(|| drop(DRIVER.acquire())), []);
}

#[test]
fn every_wait_in_a_section_is_reported_whether_or_not_it_had_to_sleep() {
    let (idle, busy) = (ReservationObject::new(), ReservationObject::new());
    let producer = hardware().new_fence();
    let mut guard = busy.lock();
    guard.reserve(1).unwrap();
    guard.add(&producer.fence(), Usage::Write).unwrap();
    drop(guard);
    let short = Duration::from_millis(1);
    let waits: [(&dyn Fn(), u32); 3] = [
        (&|| _ = idle.wait(Usage::Bookkeep), line!()),
        (&|| _ = idle.wait_timeout(Usage::Bookkeep, short), line!()),
        (&|| _ = busy.wait_timeout(Usage::Write, short), line!()),
    ];
    all_are_reported(Rule::WaitInSection, Class::Signal, &waits);
    producer.signal(Ok(()));
}

/// Who has the object is in the way of others, however it came by it.
#[test]
fn a_lock_that_was_tried_makes_no_order_and_is_held_all_the_same() {
    static POOL: LockClass = LockClass::new("pool");
    let buffer = ReservationObject::new();
    {
        let _section = contract::signalling();
        let found = reports(|| drop(buffer.try_lock().unwrap()));
        assert!(found.is_empty(), "{found:?}");
    }
    {
        let _locked = buffer.try_lock().unwrap();
        assert!(reports(|| drop(POOL.acquire())).is_empty());
    }
    let _pool = POOL.acquire();
    let found = reports(|| drop(buffer.lock()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule(), Rule::Order);
}

#[test]
fn what_was_refused_is_not_held() {
    static QUEUE: LockClass = LockClass::new("queue");
    let (buffer, context) = (ReservationObject::new(), AcquireContext::new());
    let guard = buffer.lock_in(&context).unwrap();
    assert_eq!(buffer.lock_in(&context).unwrap_err(), Deadlock::AlreadyLocked);
    assert!(buffer.try_lock().is_none());
    assert!(lock_all(&[&ReservationObject::new(), &ReservationObject::new()]).is_ok());
    drop(guard);
    drop(QUEUE.acquire());
    let _queue = QUEUE.acquire();
    let found = reports(|| drop(buffer.lock()));
    assert!(found.is_empty(), "{found:?}");
}
