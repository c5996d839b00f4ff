//! The contract checks: one test for each kind of report, and for what must not be reported.
//!
//! All tests add to one graph of orders, as all code of a process does; so each has lock classes of its own
//! and looks only at the rule that it is about. Correct use is in a process of its own.
#![cfg(all(feature = "contract", not(loom)))]

mod common;

use common::{LIMIT, hardware, in_time, software};
use dma_fence::contract::{self, Class, LockClass, Rule, Step, Violation};
use dma_fence::taint::{self, Kind};
use dma_fence::{
    Fence, FenceArray, FenceChain, ReservationObject, Timestamp, Usage, wait_all, wait_all_timeout,
    wait_any,
};
use std::cell::RefCell;
use std::panic::Location;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(1);

thread_local! { static SEEN: RefCell<Vec<Violation>> = const { RefCell::new(Vec::new()) } }

/// What is reported on this thread while `f` runs; the hook runs on the offending thread.
fn reports(f: impl FnOnce()) -> Vec<Violation> {
    contract::on_violation(|violation| {
        // Not looked at: the check is not checked.
        contract::may_allocate();
        SEEN.with_borrow_mut(|seen| seen.push(violation.clone()));
    });
    f();
    SEEN.take()
}

fn broken(rule: Rule, f: impl FnOnce()) -> Vec<Violation> {
    let mut found = reports(f);
    found.retain(|violation| violation.rule() == rule);
    found
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

/// Is it about these places, which are told by their lines?
#[track_caller]
fn assert_step(step: &Step, held: (Class, u32), wanted: (Class, u32)) {
    assert_eq!((step.held, step.held_at.line()), held);
    assert_eq!((step.wanted, step.wanted_at.line()), wanted);
    assert_eq!((step.held_at.file(), step.wanted_at.file()), (file!(), file!()));
}

fn signaled() -> Fence {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    producer.signal(Ok(()));
    fence
}

fn busy_buffer(fence: &Fence) -> ReservationObject {
    let buffer = ReservationObject::new();
    let mut guard = buffer.lock();
    guard.reserve(1).unwrap();
    guard.add(fence, Usage::Write).unwrap();
    drop(guard);
    buffer
}

// === inside a section ===

#[test]
fn every_wait_in_a_section_is_reported_with_both_places() {
    let producer = hardware().new_fence();
    let (pending, done) = (producer.fence(), signaled());
    let (buffer, soon) = (busy_buffer(&pending), || Timestamp::now().as_nanos() + 1_000_000);
    // Each on a line of its own, with where it is.
    type Wait<'a> = (&'a dyn Fn(), u32);
    let waits: [Wait<'_>; 8] = [
        (&|| _ = done.wait(), line!()),
        (&|| _ = pending.wait_timeout(SHORT), line!()),
        (&|| _ = pending.wait_until(Timestamp::from_nanos(soon())), line!()),
        (&|| _ = wait_any(&[done.clone(), pending.clone()]), line!()),
        (&|| _ = wait_all(&[lost()]), line!()),
        (&|| _ = buffer.wait_timeout(Usage::Write, SHORT), line!()),
        (&|| _ = busy_buffer(&lost()).wait(Usage::Write), line!()),
        (&contract::may_wait, line!()),
    ];
    let (section, line) = (contract::signalling(), line!());
    for (wait, wanted) in &waits[..7] {
        let found = broken(Rule::WaitInSection, wait);
        assert_eq!(found.len(), 1, "line {wanted}: {found:?}");
        let [step] = found[0].steps() else { panic!("{found:?}") };
        assert_step(step, (Class::Signal, line), (Class::Signal, *wanted));
    }
    assert_eq!(broken(Rule::WaitInSection, waits[7].0).len(), 1);
    drop(section);
}

fn lost() -> Fence {
    common::lost(&hardware())
}

#[test]
fn the_fence_that_was_waited_for_is_told() {
    let fence = signaled();
    let _section = contract::signalling();
    let found = broken(Rule::WaitInSection, || fence.wait().unwrap());
    assert_eq!(found[0].fence(), Some((fence.context(), fence.seqno())));
}

#[test]
fn looking_is_not_waiting() {
    let producer = hardware().new_fence();
    let (fence, buffer) = (producer.fence(), busy_buffer(&producer.fence()));
    let _section = contract::signalling();
    let found = reports(|| {
        let _ = (fence.is_signaled(), fence.status(), fence.wait_timeout(Duration::ZERO));
        let _ = (fence.wait_until(Timestamp::ZERO), buffer.is_signaled(Usage::Write));
        let _ = buffer.wait_timeout(Usage::Write, Duration::ZERO);
        producer.signal(Ok(()));
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_reservation_object_locked_in_a_section_is_reported() {
    let buffer = ReservationObject::new();
    let (_section, begun) = (contract::signalling(), line!());
    let found = broken(Rule::ReservationInSection, || drop(buffer.lock()));
    let line = line!() - 1;
    assert_eq!(found.len(), 1);
    assert_step(&found[0].steps()[0], (Class::Signal, begun), (Class::Reservation, line));
}

#[test]
fn an_allocation_in_a_section_is_reported_with_the_fence_of_the_section() {
    let fence = signaled();
    let (_section, begun) = (contract::signalling_of(&fence), line!());
    let found = broken(Rule::AllocationInSection, contract::may_allocate);
    assert_eq!(found[0].fence(), Some((fence.context(), fence.seqno())));
    let found = broken(Rule::AllocationInSection, || contract::may_allocate());
    let line = line!() - 1;
    assert_step(&found[0].steps()[0], (Class::Signal, begun), (Class::Reclaim, line));
}

#[test]
fn sections_nest_and_end_in_any_order() {
    let wait = || broken(Rule::WaitInSection, || signaled().wait().unwrap());
    let (outer, first) = (contract::signalling(), line!());
    let (inner, second) = (contract::signalling(), line!());
    let mut begun = wait().iter().map(|v| v.steps()[0].held_at.line()).collect::<Vec<_>>();
    begun.sort_unstable();
    assert_eq!(begun, [first, second]);
    drop(outer);
    let wait = || broken(Rule::WaitInSection, || signaled().wait().unwrap());
    assert_eq!(wait().len(), 1, "the inner one goes on");
    drop(inner);
    assert!(broken(Rule::WaitInSection, || signaled().wait().unwrap()).is_empty());
}

#[test]
fn a_section_is_its_threads_own() {
    let _section = contract::signalling();
    let wait = || broken(Rule::WaitInSection, || signaled().wait().unwrap()).len();
    assert_eq!(thread::spawn(wait).join().unwrap(), 0);
    assert_eq!(wait(), 1);
}

#[test]
fn a_callback_is_in_the_section_of_who_signals() {
    let producer = hardware().new_fence();
    let wait = |_: &_| _ = signaled().wait();
    producer.fence().on_signal(wait).unwrap().detach();
    let (_section, begun) = (contract::signalling(), line!());
    let found = broken(Rule::WaitInSection, || producer.signal(Ok(())));
    assert_eq!(found[0].steps()[0].held_at.line(), begun);
}

#[test]
fn a_pair_of_places_is_reported_once() {
    let fence = signaled();
    let wait = || _ = fence.wait();
    let mut found = Vec::new();
    for _ in 0..3 {
        let _section = contract::signalling();
        found.extend(broken(Rule::WaitInSection, wait));
    }
    assert_eq!(found.len(), 1);
    let _elsewhere = contract::signalling();
    assert_eq!(broken(Rule::WaitInSection, wait).len(), 1);
}

// === orders ===

#[test]
fn two_orders_one_after_the_other_are_reported() {
    static A: LockClass = LockClass::new("a");
    static B: LockClass = LockClass::new("b");
    let mut lines = [0; 4];
    let forward = reports(|| {
        let _a = (A.acquire(), lines[0] = line!());
        let _b = (B.acquire(), lines[1] = line!());
    });
    assert!(forward.is_empty(), "{forward:?}");
    let back = reports(|| {
        let _b = (B.acquire(), lines[2] = line!());
        let _a = (A.acquire(), lines[3] = line!());
    });
    assert_eq!(back.len(), 1, "{back:?}");
    assert_eq!(back[0].rule(), Rule::Order);
    let [new, old] = back[0].steps() else { panic!("{back:?}") };
    assert_step(new, (Class::Lock(&B), lines[2]), (Class::Lock(&A), lines[3]));
    assert_step(old, (Class::Lock(&A), lines[0]), (Class::Lock(&B), lines[1]));
}

#[test]
fn a_circle_over_three_threads_is_reported_with_all_its_places() {
    static A: LockClass = LockClass::new("a");
    static B: LockClass = LockClass::new("b");
    static C: LockClass = LockClass::new("c");
    // Leads nowhere, and is found first.
    static D: LockClass = LockClass::new("d");
    let both = |outer: &'static LockClass, inner: &'static LockClass| {
        let nest = move || {
            let _outer = outer.acquire();
            reports(|| drop(inner.acquire()))
        };
        thread::spawn(nest).join().unwrap()
    };
    for (outer, inner) in [(&A, &D), (&A, &B), (&B, &D), (&B, &C), (&A, &C)] {
        let found = both(outer, inner);
        assert!(found.is_empty(), "{found:?}");
    }
    let found = both(&C, &A);
    let classes = |step: &Step| (step.held, step.wanted);
    let [a, c] = [&A, &C].map(Class::Lock);
    // The short way back, not the one over B.
    assert_eq!(found[0].steps().iter().map(classes).collect::<Vec<_>>(), [(c, a), (a, c)]);
    static E: LockClass = LockClass::new("e");
    assert!(both(&D, &E).is_empty());
    static F: LockClass = LockClass::new("f");
    assert!(both(&E, &F).is_empty());
    let found = both(&F, &B);
    let [b, d, e, f] = [&B, &D, &E, &F].map(Class::Lock);
    let circle = [(f, b), (b, d), (d, e), (e, f)];
    assert_eq!(found[0].steps().iter().map(classes).collect::<Vec<_>>(), circle);
}

#[test]
fn a_class_inside_itself_is_reported() {
    static A: LockClass = LockClass::new("a");
    static SAME_NAME: LockClass = LockClass::new("a");
    let _first = A.acquire();
    assert!(reports(|| drop(SAME_NAME.acquire())).is_empty());
    let found = reports(|| drop(A.acquire()));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule(), found[0].steps().len()), (Rule::Order, 1));
}

#[test]
fn a_lock_that_waits_for_fences_is_not_taken_in_a_section() {
    static QUEUE: LockClass = LockClass::new("queue");
    let fence = signaled();
    {
        let _queue = QUEUE.acquire();
        assert!(reports(|| fence.wait().unwrap()).is_empty());
    }
    let _section = contract::signalling();
    let found = reports(|| drop(QUEUE.acquire()));
    let [new, old] = found[0].steps() else { panic!("{found:?}") };
    assert_eq!((new.held, new.wanted), (Class::Signal, Class::Lock(&QUEUE)));
    assert_eq!((old.held, old.wanted), (Class::Lock(&QUEUE), Class::Signal));
}

#[test]
fn a_reservation_object_has_its_place_in_the_order() {
    static POOL: LockClass = LockClass::new("pool");
    let buffer = ReservationObject::new();
    {
        let _locked = buffer.lock();
        assert!(reports(|| drop(POOL.acquire())).is_empty());
    }
    let _pool = POOL.acquire();
    let found = broken(Rule::Order, || drop(buffer.lock()));
    let [new, old] = found[0].steps() else { panic!("{found:?}") };
    assert_eq!((new.held, new.wanted), (Class::Lock(&POOL), Class::Reservation));
    assert_eq!((old.held, old.wanted), (Class::Reservation, Class::Lock(&POOL)));
}

/// Neither happens during the other, and neither is seen by the other's thread.
#[test]
fn row_27_an_allocation_in_a_timeout_handler_that_reclaim_waits_for_is_reported() {
    fn reclaim_waits(fence: &Fence) -> (u32, u32) {
        let (_reclaim, begun) = (contract::reclaim(), line!());
        let (_, waited) = (fence.wait_timeout(SHORT), line!());
        (begun, waited)
    }
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let (begun, waited) = thread::spawn(move || reclaim_waits(&fence)).join().unwrap();

    let timeout_handler = move || {
        let mut lines = (0, 0);
        let found = broken(Rule::Order, || {
            let _section = (contract::signalling(), lines.0 = line!());
            let _ = (contract::may_allocate(), lines.1 = line!());
            producer.signal(Ok(()));
        });
        (found, lines)
    };
    let (found, (section, allocated)) = thread::spawn(timeout_handler).join().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let [new, old] = found[0].steps() else { panic!("{found:?}") };
    assert_step(new, (Class::Signal, section), (Class::Reclaim, allocated));
    assert_step(old, (Class::Reclaim, begun), (Class::Signal, waited));

    // And the other way round: the reclaim that waits comes second.
    let _reclaim = contract::reclaim();
    let found = broken(Rule::Order, || signaled().wait().unwrap());
    let [new, old] = found[0].steps() else { panic!("{found:?}") };
    assert_eq!((new.held, new.wanted), (Class::Reclaim, Class::Signal));
    assert_eq!((old.held, old.wanted), (Class::Signal, Class::Reclaim));
}

#[test]
fn reclaim_may_allocate_and_reservations_may_nest() {
    let (one, other) = (ReservationObject::new(), ReservationObject::new());
    let found = reports(|| {
        let _reclaim = contract::reclaim();
        contract::may_allocate();
    });
    assert!(found.is_empty(), "{found:?}");
    let _one = one.lock();
    let found = reports(|| drop(other.lock()));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_nesting_too_deep_is_no_harm() {
    static DEEP: [LockClass; 40] = [const { LockClass::new("deep") }; 40];
    let wait = || broken(Rule::WaitInSection, || _ = signaled().wait());
    let section = contract::signalling();
    let held: Vec<_> = DEEP.iter().map(LockClass::acquire).collect();
    assert_eq!(wait().len(), 1);
    drop((held, section));
    assert!(reports(|| _ = signaled().wait()).is_empty());
}

// === fences that wait for one another ===

fn fence_class(fence: &Fence) -> Class {
    Class::Fence(fence.context(), fence.seqno())
}

#[test]
fn fences_that_wait_for_one_another_are_reported() {
    let (f, g) = (hardware().new_fence(), software().new_fence());
    let (f_fence, g_fence) = (f.fence(), g.fence());
    let (to_main, begun) = channel();
    let signaler_of_f = {
        let (f_fence, g_fence) = (f_fence.clone(), g_fence.clone());
        thread::spawn(move || {
            let _section = (contract::signalling_of(&f_fence), to_main.send(line!()).unwrap());
            g_fence.wait_timeout(LIMIT).unwrap();
            f.signal(Ok(()));
        })
    };
    let line = begun.recv().unwrap();
    // This one waits for an array; the other thread may not wait yet, so try until it does.
    let array = Fence::from(FenceArray::new(vec![signaled(), f_fence.clone()]).unwrap());
    let found = in_time({
        let g_fence = g_fence.clone();
        move || {
            let _section = contract::signalling_of(&g_fence);
            let wait = || _ = array.wait_timeout(SHORT);
            let mut found = Vec::new();
            while found.is_empty() {
                found = broken(Rule::WaitCycle, wait);
            }
            // Told once, although it is closed again and again.
            (0..3).for_each(|_| found.extend(broken(Rule::WaitCycle, wait)));
            found
        }
    });
    g.signal(Ok(()));
    signaler_of_f.join().unwrap();
    assert_eq!(found.len(), 1);
    let [new, old] = found[0].steps() else { panic!("{found:?}") };
    let [f, g] = [&f_fence, &g_fence].map(fence_class);
    assert_eq!((new.held, new.wanted), (g, f));
    assert_eq!((old.held, old.wanted, old.held_at.line()), (f, g, line));

    // Those waits are over: the same order between the same fences is no circle any more.
    let _section = contract::signalling_of(&g_fence);
    assert!(broken(Rule::WaitCycle, || _ = f_fence.wait_timeout(SHORT)).is_empty());
}

#[test]
fn a_fence_whose_signaler_waits_for_it_is_reported() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let chain = FenceChain::new(Some(fence.clone()), signaled(), 1).unwrap();
    let waits: [&dyn Fn(); 3] =
        [&|| _ = fence.wait_timeout(SHORT), &|| _ = chain.wait_timeout(SHORT), &|| {
            _ = wait_all_timeout(&[signaled(), fence.clone()], SHORT)
        }];
    let _section = contract::signalling_of(&fence);
    for wait in waits {
        let found = broken(Rule::WaitCycle, wait);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].steps().len(), 1);
        assert_eq!(found[0].fence(), Some((fence.context(), fence.seqno())));
    }
}

#[test]
fn what_has_signaled_closes_no_circle() {
    let (done, pending) = (signaled(), hardware().new_fence());
    let array = FenceArray::new(vec![done.clone(), pending.fence()]).unwrap();
    let _section = contract::signalling_of(&done);
    assert!(broken(Rule::WaitCycle, || _ = array.wait_timeout(SHORT)).is_empty());
}

// === the report ===

#[test]
fn a_violation_is_counted_recorded_and_says_it_all_in_one_line() {
    let before = taint::counts().violations;
    let fence = signaled();
    let (_section, begun) = (contract::signalling(), here());
    let found = reports(|| fence.wait().unwrap());
    assert!(taint::counts().violations > before);
    let own = |record: &taint::Record| {
        record.kind() == Kind::Violation && record.location() == found[0].location()
    };
    let record = taint::recent().into_iter().find(own).unwrap();
    assert_eq!(record.fence(), Some((fence.context(), fence.seqno())));
    assert_eq!(record.violation().map(Violation::steps), Some(found[0].steps()));
    assert_eq!(record.driver_name(), None);
    let (line, [step]) = (record.to_string(), found[0].steps()) else { panic!("{found:?}") };
    assert!(!line.contains('\n'));
    for part in ["a wait inside a signalling section", &step.wanted_at.to_string()] {
        assert!(line.contains(part), "{line}");
    }
    assert!(line.contains(&format!("begun at {}:{}:", begun.file(), begun.line())), "{line}");
}

#[test]
fn a_step_says_what_was_wanted_and_what_was_held() {
    static QUEUE: LockClass = LockClass::new("queue");
    assert_eq!(QUEUE.name(), "queue");
    let texts = [
        (Class::Signal, "wait for a fence", "in the signalling section begun"),
        (Class::Fence(3, 4), "wait for fence 3:4", "in the signalling section of fence 3:4 begun"),
        (Class::Reclaim, "allocation or reclaim of memory", "in the memory reclaim begun"),
        (Class::Reservation, "lock of a reservation object", "with the reservation object locked"),
        (Class::Lock(&QUEUE), "lock queue", "with lock queue taken"),
    ];
    let (held_at, wanted_at) = (here(), here());
    for (class, wants, holds) in texts {
        let step = Step { held: class, held_at, wanted: class, wanted_at };
        assert_eq!(step.to_string(), format!("{wants} at {wanted_at}, {holds} at {held_at}"));
    }
}

#[test]
fn a_circle_says_its_step_and_then_those_that_were_seen_before() {
    static A: LockClass = LockClass::new("a");
    static B: LockClass = LockClass::new("b");
    let nested = |outer: &'static LockClass, inner: &'static LockClass| {
        reports(|| drop((outer.acquire(), inner.acquire())))
    };
    assert!(nested(&A, &B).is_empty());
    let found = nested(&B, &A);
    let [new, old] = found[0].steps() else { panic!("{found:?}") };
    let line = format!("contract violated, an order that can deadlock: {new}; seen before: {old}");
    assert_eq!(found[0].to_string(), line);
}
