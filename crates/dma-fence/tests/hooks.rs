//! Hooks of a backend: who calls them, how often, and when no more.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, Later, Log, OnEnable, OnPoll, hardware, in_time, panic_of};
use dma_fence::{
    Enabled, Errno, Fence, FenceError, FenceOps, Signal, Status, Timestamp, WaitError,
};
use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Everything that may call a hook, waiting apart.
fn ask_everything(fence: &Fence) {
    let _ = (fence.is_signaled(), fence.status(), fence.to_string());
    let _ = (fence.driver_name(), fence.timeline_name(), fence.seqno(), fence.context());
    let _ = fence.wait_timeout(Duration::ZERO);
    fence.set_deadline(Timestamp::from_nanos(1));
}

#[test]
fn signaling_is_enabled_once_however_many_wait() {
    let backend = Backend::silent();
    let producer = hardware().new_fence_with(backend.clone());
    let fence = producer.fence();
    let one = fence.on_signal(|_| ()).unwrap();
    assert_eq!(backend.times_enabled(), 1);
    let two = fence.on_outcome(|_| ()).unwrap();
    let timeout = fence.wait_timeout(Duration::from_millis(1));
    assert_eq!(timeout, Err(WaitError::TimedOut));
    drop((one, two));
    fence.on_signal(|_| ()).unwrap().detach();
    assert_eq!(backend.times_enabled(), 1);
    producer.signal(Ok(()));
}

#[test]
fn signaling_is_enabled_before_the_first_waiter_is_there() {
    let log = Log::new();
    let seen = log.clone();
    let hook = OnEnable(move |fence: &Fence| {
        // A callback that the hook registers comes first: nothing else is on the fence.
        let order = seen.clone();
        fence.on_signal(move |_| order.push("hook")).unwrap().detach();
        Enabled::WillSignal
    });
    let producer = hardware().new_fence_with(Arc::new(hook));
    let seen = log.clone();
    producer.fence().on_signal(move |_| seen.push("waiter")).unwrap().detach();
    producer.signal(Ok(()));
    assert_eq!(log.take(), ["hook", "waiter"]);
}

#[test]
fn a_wait_and_a_future_enable_signaling() {
    in_time(|| {
        let block: fn(Fence) -> _ = |fence| fence.wait();
        let block_on: fn(Fence) -> _ = |fence| pollster::block_on(fence.into_future());
        for wait in [block, block_on] {
            let backend = Backend::already_done(Err(Errno::EIO));
            let producer = hardware().new_fence_with(backend.clone());
            assert_eq!(wait(producer.fence()), Err(FenceError::Failed(Errno::EIO)));
            assert_eq!(backend.times_enabled(), 1);
            producer.signal(Ok(()));
        }
    });
}

#[test]
fn already_done_signals_and_hands_the_callback_back() {
    let backend = Backend::already_done(Err(Errno::ENOSPC));
    let producer = hardware().new_fence_with(backend.clone());
    let fence = producer.fence();
    let declined = fence.on_signal(|_| ()).unwrap_err();
    assert!(fence.is_signaled());
    assert_eq!(declined.outcome.result(), Err(FenceError::Failed(Errno::ENOSPC)));
    producer.signal(Ok(()));
    assert_eq!(fence.wait(), Err(FenceError::Failed(Errno::ENOSPC)), "final");
}

#[test]
fn a_hook_may_signal_its_own_fence() {
    let later = Later::default();
    let slot = later.clone();
    let hook = OnEnable(move |_: &_| {
        slot.lock().unwrap().take().unwrap().signal(Ok(()));
        Enabled::WillSignal
    });
    let producer = hardware().new_fence_with(Arc::new(hook));
    let fence = producer.fence();
    *later.lock().unwrap() = Some(producer);
    assert!(fence.on_signal(|_| ()).is_err());
    assert!(fence.is_signaled());
}

#[test]
fn a_poll_that_finds_the_end_signals() {
    let backend = Backend::polled();
    let producer = hardware().new_fence_with(backend.clone());
    let fence = producer.fence();
    let log = Log::new();
    let seen = log.clone();
    fence.on_signal(move |signal| seen.push(signal.result)).unwrap().detach();
    assert!(!fence.is_signaled());
    backend.finish(Err(Errno::EIO));
    assert!(log.take().is_empty());
    assert!(fence.is_signaled());
    assert_eq!(log.take(), [Err(Errno::EIO)]);
    let polled = backend.times_polled();
    assert!(fence.is_signaled());
    assert_eq!(backend.times_polled(), polled, "not asked again");
    producer.signal(Ok(()));
    assert!(log.take().is_empty());
}

#[test]
fn a_producer_lost_after_the_operation_was_seen_to_end_loses_nothing() {
    let context = hardware();
    let backend = Backend::polled();
    let producer = context.new_fence_with(backend.clone());
    let fence = producer.fence();
    backend.finish(Ok(()));
    assert!(fence.is_signaled());
    drop(producer);
    assert_eq!((context.abandoned(), fence.wait()), (0, Ok(())));
}

#[test]
fn a_backend_without_polls_is_not_polled() {
    let backend = Backend::silent();
    backend.finish(Ok(()));
    let producer = hardware().new_fence_with(backend.clone());
    ask_everything(&producer.fence());
    assert_eq!((backend.times_polled(), producer.fence().is_signaled()), (0, false));
    producer.signal(Ok(()));
}

/// A backend without hooks.
struct Plain;

impl FenceOps for Plain {}

/// It could answer, but has not said that it is worth asking.
struct PollsUnasked;

impl FenceOps for PollsUnasked {
    fn poll(&self) -> Option<Signal> {
        unreachable!("nobody was to ask")
    }
}

/// It wants to be asked, and knows nothing.
struct KnowsNothing;

impl FenceOps for KnowsNothing {
    fn polls(&self) -> bool {
        true
    }
}

#[test]
fn a_hook_that_a_backend_leaves_out_changes_nothing() {
    let backends: [Arc<dyn FenceOps>; 3] =
        [Arc::new(Plain), Arc::new(PollsUnasked), Arc::new(KnowsNothing)];
    for backend in backends {
        let producer = hardware().new_fence_with(backend);
        let fence = producer.fence();
        ask_everything(&fence);
        assert_eq!(fence.status(), Status::Pending);
        assert_eq!(
            (fence.driver_name(), fence.timeline_name()),
            ("test".into(), "hardware".into())
        );
        producer.signal(Ok(()));
        assert_eq!(fence.wait(), Ok(()));
    }
}

#[test]
fn a_deadline_reaches_the_backend() {
    let backend = Backend::silent();
    let producer = hardware().new_fence_with(backend.clone());
    let fence = producer.fence();
    let deadlines = [3, 1].map(Timestamp::from_nanos);
    deadlines.iter().for_each(|deadline| fence.set_deadline(*deadline));
    assert_eq!(*backend.deadlines.lock().unwrap(), deadlines);
    producer.signal(Ok(()));
}

#[test]
fn the_backend_names_its_fences_until_they_signal() {
    let producer = hardware().new_fence_with(Backend::silent());
    let fence = producer.fence();
    assert_eq!((fence.driver_name(), fence.timeline_name()), ("backend".into(), "own".into()));
    producer.signal(Ok(()));
    assert_eq!((fence.driver_name(), fence.timeline_name()), ("test".into(), "hardware".into()));
}

#[test]
fn an_abandoned_fence_calls_no_hook() {
    let context = hardware();
    let backend = Backend::polled();
    let producer = context.new_fence_with(backend.clone());
    let fence = producer.fence();
    drop(producer);
    let asked = backend.times_polled();
    ask_everything(&fence);
    fence.on_signal(|_| ()).unwrap().detach();
    assert_eq!((backend.times_enabled(), backend.times_polled()), (0, asked));
    assert!(backend.deadlines.lock().unwrap().is_empty());
    context.declare_idle(Errno::EIO);
    assert_eq!(Arc::strong_count(&backend), 1);
}

// === hooks that come too late, or panic ===

#[test]
fn an_enable_hook_that_loses_the_producer_cannot_signal_the_fence() {
    let context = hardware();
    let later = Later::default();
    let slot = later.clone();
    let hook = OnEnable(move |_: &_| {
        drop(slot.lock().unwrap().take());
        Enabled::Done(Signal::now(Ok(())))
    });
    let producer = context.new_fence_with(Arc::new(hook));
    let fence = producer.fence();
    *later.lock().unwrap() = Some(producer);
    let waiter = fence.on_signal(|_| ()).map(|callback| callback.detach());
    let (status, lost) = (fence.status(), context.abandoned());
    let released = context.declare_idle(Errno::EIO);
    assert_eq!((status, lost, released), (Status::Abandoned, 1, 1), "only a reset signals it");
    assert!(waiter.is_ok());
}

#[test]
fn a_poll_that_loses_the_producer_cannot_signal_the_fence() {
    let context = hardware();
    let later = Later::default();
    let slot = later.clone();
    let hook = OnPoll(move || {
        // Dropped after the unlock: the drop polls too.
        let producer = slot.lock().unwrap().take();
        producer.is_some().then_some(Ok(()))
    });
    let producer = context.new_fence_with(Arc::new(hook));
    let fence = producer.fence();
    *later.lock().unwrap() = Some(producer);
    let status = fence.status();
    assert_eq!((status, context.declare_idle(Errno::EIO)), (Status::Abandoned, 1));
}

#[test]
fn a_panicking_poll_does_not_hide_the_loss_of_the_producer() {
    let context = hardware();
    let broken = Arc::new(AtomicBool::new(true));
    let seen = broken.clone();
    let hook = OnPoll(move || {
        assert!(!seen.load(Ordering::SeqCst), "a broken hook");
        None
    });
    let producer = context.new_fence_with(Arc::new(hook));
    let fence = producer.fence();
    let _ = panic_of(|| drop(producer));
    broken.store(false, Ordering::SeqCst);
    let status = fence.status();
    context.declare_idle(Errno::EIO);
    assert_eq!(status, Status::Abandoned);
}

#[test]
fn a_panicking_enable_hook_registers_nothing_and_the_fence_lives_on() {
    let hook = OnEnable(|_: &_| panic!("a broken hook"));
    let producer = hardware().new_fence_with(Arc::new(hook));
    let fence = producer.fence();
    let captured = Arc::new(());
    let held = captured.clone();
    assert!(panic_of(|| fence.on_signal(move |_| drop(held))).is_some());
    assert_eq!(Arc::strong_count(&captured), 1);
    let log = Log::new();
    let seen = log.clone();
    fence.on_signal(move |_| seen.push(())).unwrap().detach();
    producer.signal(Ok(()));
    assert_eq!(log.take().len(), 1);
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
fn a_backend_that_panics_when_dropped_loses_no_callback() {
    let producer = hardware().new_fence_with(Arc::new(Bomb));
    let log = Log::new();
    let seen = log.clone();
    producer.fence().on_signal(move |_| seen.push(())).unwrap().detach();
    assert!(panic_of(|| producer.signal(Ok(()))).is_some());
    assert_eq!(log.take().len(), 1);
}

#[test]
fn a_wait_of_any_kind_hears_what_the_backend_knows_already() {
    for limit in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
        let producer = hardware().new_fence_with(Arc::new(OnPoll(|| Some(Err(Errno::EIO)))));
        let fence = producer.fence();
        assert_eq!(in_time(move || fence.wait_timeout(limit)), Err(WaitError::Failed(Errno::EIO)));
    }
    let producer = hardware().new_fence_with(Arc::new(OnPoll(|| Some(Ok(())))));
    let fence = producer.fence();
    assert_eq!(in_time(move || pollster::block_on(fence.into_future())), Ok(()));
}

/// A device that wrote down when it was done.
struct Recorded(Signal);

impl FenceOps for Recorded {
    fn enable_signaling(&self, _: &Fence) -> Enabled {
        Enabled::Done(self.0)
    }
    fn polls(&self) -> bool {
        true
    }
    fn poll(&self) -> Option<Signal> {
        Some(self.0)
    }
}

#[test]
fn a_hook_says_when_the_operation_ended() {
    let signal = Signal { result: Err(Errno::EIO), timestamp: Timestamp::from_nanos(7) };
    for ask in [|fence: &Fence| assert!(fence.is_signaled()), Fence::enable_signaling] {
        let producer = hardware().new_fence_with(Arc::new(Recorded(signal)));
        let fence = producer.fence();
        ask(&fence);
        assert_eq!(fence.status(), Status::Signaled(signal));
    }
}
