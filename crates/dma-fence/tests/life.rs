//! The life of a fence: what can happen to it, and what everybody sees then.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, Log, hardware, lost, panic_of, software};
use dma_fence::{
    ContextKind, Declined, Errno, Fence, FenceAllocation, FenceContext, FenceError, FenceOps,
    Outcome, SeqnoOrder, Signal, Status, Timestamp, WeakDriverFence, taint,
};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn error_of(status: Status) -> Option<Errno> {
    match status {
        Status::Signaled(signal) => signal.result.err(),
        _ => None,
    }
}

// === Pending ===

#[test]
fn a_new_fence_is_pending() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    assert!(!fence.is_signaled());
    assert_eq!(fence.status(), Status::Pending);
    assert!(!fence.is_container());
    assert!(fence.members().is_none());
    producer.signal(Ok(()));
}

#[test]
fn a_fence_from_an_allocation_is_like_any_other() {
    let context = hardware();
    let memory = FenceAllocation::new().unwrap();
    let producer = context.init_fence(memory);
    let fence = producer.fence();
    assert_eq!((fence.context(), fence.seqno()), (context.id(), 1));
    producer.signal(Err(Errno::EIO));
    assert_eq!(fence.wait(), Err(FenceError::Failed(Errno::EIO)));
}

#[test]
fn an_unused_allocation_may_be_dropped() {
    drop(FenceAllocation::new().unwrap());
}

// === Pending → Signaled ===

#[test]
fn a_signal_is_seen_by_every_handle() {
    let producer = hardware().new_fence();
    let (one, two) = (producer.fence(), producer.fence());
    producer.signal_at(Ok(()), at(7));
    let signal = Signal { result: Ok(()), timestamp: at(7) };
    for fence in [&one, &two] {
        assert!(fence.is_signaled());
        assert_eq!(fence.status(), Status::Signaled(signal));
        assert_eq!(fence.wait(), Ok(()));
    }
}

#[test]
fn a_failure_has_ended_too() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    producer.signal_at(Err(Errno::EIO), at(7));
    assert!(fence.is_signaled());
    let signal = Signal { result: Err(Errno::EIO), timestamp: at(7) };
    assert_eq!(fence.status(), Status::Signaled(signal));
    assert_eq!(fence.wait(), Err(FenceError::Failed(Errno::EIO)));
}

#[test]
fn without_a_time_of_its_own_a_signal_has_the_time_of_the_call() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let before = Timestamp::now();
    producer.signal(Ok(()));
    let after = Timestamp::now();
    let Status::Signaled(signal) = fence.status() else { panic!("not signaled") };
    assert!(before <= signal.timestamp && signal.timestamp <= after);
}

#[test]
fn the_time_is_that_of_the_monotonic_clock() {
    let clock = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_nanos()
    };
    let (before, now, after) = (clock(), Timestamp::now().as_nanos().into(), clock());
    assert!(before <= now && now <= after);
}

#[test]
fn every_error_number_comes_through() {
    for raw in [1, 5, 125, 4095] {
        let producer = hardware().new_fence();
        let fence = producer.fence();
        producer.signal(Err(Errno::from_raw(raw).unwrap()));
        assert_eq!(error_of(fence.status()).map(Errno::raw), Some(raw));
    }
    assert!([0, -5, 4096, i32::MIN, 65541].into_iter().all(|raw| Errno::from_raw(raw).is_none()));
}

#[test]
fn the_loss_of_a_software_producer_is_a_cancellation() {
    let fence = lost(&software());
    assert!(fence.is_signaled());
    assert_eq!(fence.wait(), Err(FenceError::Failed(Errno::ECANCELED)));
}

// === Pending → Abandoned ===

#[test]
fn an_abandoned_fence_still_takes_on_signal_callbacks_only() {
    let context = hardware();
    let fence = lost(&context);
    let Err(Declined { outcome, .. }) = fence.on_outcome(|_| unreachable!()) else {
        panic!("the outcome is known")
    };
    assert_eq!(outcome, Outcome::Abandoned);
    let log = Log::new();
    let seen = log.clone();
    fence.on_signal(move |signal| seen.push(signal.result)).unwrap().detach();
    assert!(log.take().is_empty());
    context.declare_idle(Errno::EIO);
    assert_eq!(log.take(), [Err(Errno::EIO)]);
}

#[test]
fn the_loss_tells_on_outcome_callbacks_and_leaves_the_others() {
    let context = hardware();
    let producer = context.new_fence();
    let fence = producer.fence();
    let log = Log::new();
    let (a, b, c) = (log.clone(), log.clone(), log.clone());
    fence.on_outcome(move |outcome| a.push(("first", outcome.result().is_ok()))).unwrap().detach();
    fence.on_signal(move |signal| b.push(("signal", signal.result.is_ok()))).unwrap().detach();
    fence.on_outcome(move |outcome| c.push(("second", outcome.result().is_ok()))).unwrap().detach();
    drop(producer);
    assert_eq!(log.take(), [("first", false), ("second", false)]);
    context.declare_idle(Errno::EIO);
    assert_eq!(log.take(), [("signal", false)]);
}

#[test]
fn a_loss_is_counted_and_recorded() {
    let context = hardware();
    let before = taint::counts().abandoned;
    let fence = lost(&context);
    assert!(taint::counts().abandoned > before);
    let name = Some((fence.context(), fence.seqno()));
    let record = taint::recent().into_iter().find(|record| record.fence() == name).unwrap();
    assert!(record.to_string().contains("test hardware"));
    assert_eq!(context.abandoned(), 1);
    context.declare_idle(Errno::EIO);
    assert_eq!(context.abandoned(), 0);
}

#[test]
fn a_leak_is_counted_and_recorded() {
    let before = taint::counts();
    taint::record_leak("a page", 4096);
    let now = taint::counts();
    assert!(now.leaks > before.leaks && now.leaked_bytes >= before.leaked_bytes + 4096);
    assert!(taint::recent().iter().any(|record| record.leaked_bytes() == Some(4096)));
}

// === Abandoned → Signaled ===

#[test]
fn an_idle_context_signals_its_lost_fences_in_the_order_of_their_loss() {
    let context = hardware();
    let producers = [context.new_fence(), context.new_fence(), context.new_fence()];
    let log = Log::new();
    let fences = producers.each_ref().map(|producer| {
        let (log, fence) = (log.clone(), producer.fence());
        let seqno = fence.seqno();
        fence.on_signal(move |_| log.push(seqno)).unwrap().detach();
        fence
    });
    let [one, two, three] = producers;
    drop((two, one, three));
    assert_eq!(context.abandoned(), 3);
    assert_eq!(context.declare_idle(Errno::EOWNERDEAD), 3);
    assert_eq!(log.take(), [2, 1, 3]);
    assert!(fences.iter().all(|fence| error_of(fence.status()) == Some(Errno::EOWNERDEAD)));
    assert_eq!(context.declare_idle(Errno::EIO), 0, "once is enough");
    assert!(fences.iter().all(|fence| error_of(fence.status()) == Some(Errno::EOWNERDEAD)));
}

#[test]
fn an_idle_context_leaves_fences_with_a_producer_alone() {
    let context = hardware();
    let producer = context.new_fence();
    let fence = producer.fence();
    assert_eq!(context.declare_idle(Errno::EIO), 0);
    assert_eq!(fence.status(), Status::Pending);
    producer.signal(Ok(()));
    assert_eq!(fence.wait(), Ok(()));
}

#[test]
fn other_contexts_are_not_released() {
    let (context, other) = (hardware(), hardware());
    let fence = lost(&context);
    assert_eq!(other.declare_idle(Errno::EIO), 0);
    assert_eq!(fence.status(), Status::Abandoned);
    assert_eq!(context.declare_idle(Errno::EIO), 1);
}

#[test]
fn a_panicking_callback_does_not_keep_the_other_fences_abandoned() {
    let context = hardware();
    let fences = [lost(&context), lost(&context), lost(&context)];
    fences[0].on_signal(|_| panic!("first")).unwrap().detach();
    let panic = panic_of(|| context.declare_idle(Errno::EIO)).expect("the panic goes on");
    assert_eq!(panic.downcast_ref(), Some(&"first"));
    let released = fences.each_ref().map(|fence| fence.is_signaled());
    context.declare_idle(Errno::EIO);
    assert_eq!(released, [true; 3]);
}

/// A backend whose drop panics.
struct Bomb;

impl FenceOps for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a broken backend");
    }
}

#[test]
fn a_backend_that_panics_when_dropped_does_not_keep_the_other_fences_abandoned() {
    let context = hardware();
    let first = context.new_fence_with(Arc::new(Bomb)).fence();
    let fences = [first, lost(&context), lost(&context)];
    assert!(panic_of(|| context.declare_idle(Errno::EIO)).is_some());
    let released = fences.each_ref().map(|fence| fence.is_signaled());
    context.declare_idle(Errno::EIO);
    assert_eq!(released, [true; 3]);
}

#[test]
fn what_is_lost_while_the_context_is_declared_idle_is_not_released_with_it() {
    let context = Arc::new(hardware());
    let resubmitted = Arc::new(Mutex::new(None));
    let (again, slot) = (context.clone(), resubmitted.clone());
    let resubmit = move |_: &_| *slot.lock().unwrap() = Some(lost(&again));
    lost(&context).on_signal(resubmit).unwrap().detach();
    assert_eq!(context.declare_idle(Errno::EIO), 1);
    let status = resubmitted.lock().unwrap().take().map(|fence| fence.status());
    context.declare_idle(Errno::EIO);
    assert_eq!(status, Some(Status::Abandoned), "the device may be working on it");
}

// === contexts, numbers, names ===

#[test]
fn contexts_are_never_reused_and_seqnos_rise() {
    let first = hardware().id();
    let context = hardware();
    assert!(context.id() > first);
    assert_eq!(context.kind(), ContextKind::Hardware);
    assert_eq!(software().kind(), ContextKind::Software);
    for expected in 1..=3 {
        let producer = context.new_fence();
        assert_eq!((producer.context(), producer.seqno()), (context.id(), expected));
        producer.signal(Ok(()));
    }
}

#[test]
fn a_context_knows_its_names() {
    let context = FenceContext::hardware("gpu", "ring 0");
    assert_eq!((context.driver_name(), context.timeline_name()), ("gpu", "ring 0"));
}

#[test]
fn later_is_an_answer_within_one_context_only() {
    use SeqnoOrder::{Bits32, Bits64, Unordered};
    for (seqnos, later) in [(Bits64, Some(true)), (Bits32, Some(true)), (Unordered, None)] {
        let context = FenceContext::new(ContextKind::Software, "test", "timeline", seqnos);
        let (one, two, other) = (lost(&context), lost(&context), lost(&software()));
        assert_eq!(two.is_later_than(&one), later);
        assert_eq!(one.is_later_than(&two), later.map(|_| false));
        assert_eq!(one.is_later_than(&one), later.map(|_| false));
        assert_eq!(one.is_later_than(&other), None);
        assert_eq!(two.is_later_or_same(&one), later);
        assert_eq!(one.is_later_or_same(&one), Some(true));
        for (a, b) in [(&one, &two), (&two, &one)] {
            assert_eq!(Fence::later(a, b).map(Fence::seqno), later.map(|_| 2));
        }
        assert!(Fence::later(&one, &other).is_none());
    }
}

#[test]
fn a_driver_says_where_its_numbers_begin() {
    let narrow = FenceContext::new(ContextKind::Software, "test", "narrow", SeqnoOrder::Bits32);
    let narrow = narrow.starting_at(u64::from(u32::MAX));
    let (last, first) = (lost(&narrow), lost(&narrow));
    assert_eq!((last.seqno(), first.seqno()), (u64::from(u32::MAX), 0));
    assert_eq!(first.is_later_than(&last), Some(true));
    assert_eq!(lost(&software().starting_at(0)).seqno(), 0);
    assert_eq!(lost(&software().starting_at(7)).seqno(), 7);
    let used = software();
    drop(used.new_fence());
    assert!(panic_of(|| drop(used.starting_at(1))).is_some(), "the next would look like the first");
}

#[test]
fn a_stub_has_signaled_and_is_on_no_timeline() {
    let told = Signal { result: Err(Errno::EIO), timestamp: Timestamp::from_nanos(3) };
    let own = Fence::signaled_with(told);
    assert_eq!(own.status(), Status::Signaled(told));
    assert_eq!((own.error(), own.timestamp()), (Some(Errno::EIO), Some(told.timestamp)));
    assert_eq!(own.to_string(), "stub stub 0:0 signaled with EIO (input/output error)");
    assert_eq!(own.is_later_than(&Fence::signaled()), None);
    assert!(own.on_signal(|_| ()).is_err());
    let pending = software().new_fence();
    assert_eq!((pending.fence().error(), pending.fence().timestamp()), (None, None));
}

#[test]
fn signaling_is_enabled_once_for_whoever_asks() {
    let backend = Backend::silent();
    let producer = hardware().new_fence_with(backend.clone());
    for _ in 0..2 {
        producer.fence().enable_signaling();
        assert_eq!(backend.times_enabled(), 1);
    }
    producer.signal(Ok(()));
    let done = Backend::already_done(Err(Errno::EIO));
    let producer = hardware().new_fence_with(done);
    producer.fence().enable_signaling();
    assert_eq!(producer.fence().error(), Some(Errno::EIO));
}

#[test]
fn handles_of_one_fence_are_the_same_and_others_are_not() {
    let context = software();
    let (one, two) = (lost(&context), lost(&context));
    assert!(one.same_fence(&one.clone()));
    assert!(!one.same_fence(&two));
}

#[test]
fn row_26_a_fence_outlives_its_context() {
    let context = FenceContext::hardware("gone".to_string(), "timeline".to_string());
    let producer = context.new_fence();
    let fence = producer.fence();
    let id = context.id();
    drop(context);
    producer.signal(Ok(()));
    assert_eq!((fence.driver_name(), fence.timeline_name()), ("gone".into(), "timeline".into()));
    assert_eq!(fence.to_string(), format!("gone timeline {id}:1 signaled"));
}

#[test]
fn a_fence_describes_its_state() {
    let context = hardware();
    let name = format!("test hardware {}", context.id());
    let (one, two) = (context.new_fence(), context.new_fence());
    let (failed, fence) = (one.fence(), two.fence());
    one.signal(Err(Errno::EIO));
    assert_eq!(failed.to_string(), format!("{name}:1 signaled with EIO (input/output error)"));
    assert_eq!(fence.to_string(), format!("{name}:2 pending"));
    drop(two);
    assert_eq!(fence.to_string(), format!("{name}:2 abandoned"));
    context.declare_idle(Errno::EIO);
}

// === a producer that only its consumers keep ===

/// Hooks that own the fence's producer, as a backend does that only watches something.
struct Watcher {
    producer: Mutex<Option<WeakDriverFence>>,
    _alive: Arc<()>,
}

impl FenceOps for Watcher {}

/// The fence, and what tells that its backend is still there.
fn watched(context: &FenceContext) -> (Arc<Watcher>, Fence, Weak<()>) {
    let strong = Arc::new(());
    let alive = Arc::downgrade(&strong);
    let watcher = Arc::new(Watcher { producer: Mutex::new(None), _alive: strong });
    let (producer, fence) = context.new_observed_fence(watcher.clone());
    *watcher.producer.lock().unwrap() = Some(producer);
    (watcher, fence, alive)
}

#[test]
fn a_backend_with_a_weak_producer_goes_with_the_last_consumer() {
    let context = hardware();
    let (watcher, fence, alive) = watched(&context);
    drop(watcher);
    let other = fence.clone();
    drop(fence);
    assert!(alive.upgrade().is_some(), "there is a consumer");
    drop(other);
    assert!(alive.upgrade().is_none());
    assert_eq!(context.abandoned(), 0, "nobody lost anything");
}

#[test]
fn a_detached_callback_is_a_consumer_of_a_weak_producer() {
    for from_the_start in [false, true] {
        let (watcher, fence, alive) = watched(&hardware());
        let log = Log::new();
        let seen = log.clone();
        let callback = move |signal: &dma_fence::Signal| seen.push(signal.result);
        if from_the_start {
            fence.on_signal_detached(callback).unwrap();
        } else {
            fence.on_signal(callback).unwrap().detach();
        }
        drop(fence);
        let producer = watcher.producer.lock().unwrap().take().unwrap();
        drop(watcher);
        assert!(alive.upgrade().is_some());
        producer.upgrade().expect("the callback waits").signal(Ok(()));
        assert_eq!(log.take(), [Ok(())]);
        assert!(alive.upgrade().is_none());
    }
}

#[test]
fn a_weak_producer_is_lost_only_for_those_who_have_the_fence() {
    let context = hardware();
    let backend = Backend::silent();
    let (producer, fence) = context.new_observed_fence(backend.clone());
    drop(fence);
    drop(producer);
    assert_eq!(context.abandoned(), 0);
    let (producer, fence) = context.new_observed_fence(backend);
    drop(producer);
    assert_eq!(fence.status(), Status::Abandoned);
    assert_eq!(context.declare_idle(Errno::EIO), 1);
}

#[test]
fn a_weak_producer_finds_no_fence_that_nobody_has() {
    let (producer, fence) = hardware().new_observed_fence(Backend::silent());
    drop(fence);
    assert!(producer.upgrade().is_none());
}
