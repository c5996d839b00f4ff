//! The core as a kernel without `std` uses it: `cargo test -p dma-fence --no-default-features`.
#![cfg(all(not(feature = "std"), not(loom)))]

use dma_fence::platform::{Platform, install};
use dma_fence::{
    DriverFence, Enabled, Errno, Fence, FenceArray, FenceContext, FenceError, FenceOps, Signal,
    Status, Timestamp, all_of, any_of,
};
use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// What a kernel would answer, answered by the test's operating system.
fn host() {
    static ONCE: Once = Once::new();
    static CLOCK: AtomicU64 = AtomicU64::new(1);
    std::thread_local! { static ANCHOR: u8 = const { 0 } }
    ONCE.call_once(|| {
        install(Platform {
            now: || CLOCK.fetch_add(1, Ordering::Relaxed),
            current_thread: || ANCHOR.with(|anchor| core::ptr::from_ref(anchor).addr()),
        });
    });
}

/// Signals `first`; each fence's callback signals the next one.
fn signal_chain(context: &FenceContext, length: usize) -> Arc<AtomicUsize> {
    let signaled = Arc::new(AtomicUsize::new(0));
    let first = context.new_fence();
    let mut last = first.fence();
    for _ in 1..length {
        let next: DriverFence = context.new_fence();
        let (then, count) = (next.fence(), signaled.clone());
        let signal_next = move |_: &_| {
            count.fetch_add(1, Ordering::Relaxed);
            next.signal(Ok(()));
        };
        last.on_signal(signal_next).unwrap().detach();
        last = then;
    }
    first.signal(Ok(()));
    assert!(last.is_signaled());
    signaled
}

#[test]
fn nested_signals_take_constant_stack() {
    host();
    let chain = || signal_chain(&FenceContext::software("test", "chain"), 100_000);
    let thread = thread::Builder::new().stack_size(256 << 10).spawn(chain).unwrap();
    assert_eq!(thread.join().unwrap().load(Ordering::Relaxed), 99_999);
}

#[test]
fn threads_do_not_drain_one_another() {
    host();
    let context = FenceContext::software("test", "threads");
    let (theirs, ours) = (context.new_fence(), context.new_fence());
    let (entered, wait_entered) = channel();
    let (leave, wait_leave) = channel::<()>();
    let linger = move |_: &_| {
        entered.send(()).unwrap();
        // Ends when the other thread has dropped its end.
        let _ = wait_leave.recv();
    };
    theirs.fence().on_signal(linger).unwrap().detach();
    let thread = thread::spawn(move || theirs.signal(Ok(())));
    wait_entered.recv().unwrap();

    // That thread is in the middle of a drain; ours runs here all the same, before `signal` returns.
    let ran_on = Arc::new(std::sync::Mutex::new(None));
    let seen = ran_on.clone();
    let note = move |_: &_| *seen.lock().unwrap() = Some(thread::current().id());
    ours.fence().on_signal(note).unwrap().detach();
    ours.signal(Ok(()));
    assert_eq!(*ran_on.lock().unwrap(), Some(thread::current().id()));
    drop(leave);
    thread.join().unwrap();
}

#[test]
fn a_callback_that_cancels_itself_does_not_wait_for_itself() {
    host();
    let producer = FenceContext::software("test", "cancel").new_fence();
    let slot = Arc::new(std::sync::Mutex::new(None));
    let own = slot.clone();
    let callback = move |_: &_| {
        let registration: Option<dma_fence::FenceCallback> = own.lock().unwrap().take();
        assert!(!registration.unwrap().cancel());
    };
    *slot.lock().unwrap() = Some(producer.fence().on_signal(callback).unwrap());
    producer.signal(Ok(()));
    assert!(slot.lock().unwrap().is_none());
}

#[test]
fn a_cancel_waits_for_a_callback_that_runs_elsewhere() {
    host();
    let producer = FenceContext::software("test", "cancel").new_fence();
    let (started, starts) = channel();
    let returned = Arc::new(AtomicBool::new(false));
    let mark = returned.clone();
    let callback = move |_: &_| {
        started.send(()).unwrap();
        thread::sleep(Duration::from_millis(30));
        mark.store(true, Ordering::SeqCst);
    };
    let callback = producer.fence().on_signal(callback).unwrap();
    let signaler = thread::spawn(move || producer.signal(Ok(())));
    starts.recv().unwrap();
    assert!(!callback.cancel());
    assert!(returned.load(Ordering::SeqCst), "cancelled while it was running");
    signaler.join().unwrap();
}

#[test]
fn a_future_polled_in_a_callback_runs_what_is_queued_behind_it() {
    host();
    let context = FenceContext::software("test", "help");
    let (outer, inner) = (context.new_fence(), context.new_fence());
    let (fence, ready) = (inner.fence(), Arc::new(AtomicBool::new(false)));
    let seen = ready.clone();
    let polls = move |_: &_| {
        let mut context = Context::from_waker(Waker::noop());
        let polled = pin!(fence.into_future()).poll(&mut context);
        seen.store(polled == Poll::Ready(Ok(())), Ordering::SeqCst);
    };
    outer.fence().on_signal(polls).unwrap().detach();
    outer.fence().on_signal(move |_| inner.signal(Ok(()))).unwrap().detach();
    outer.signal(Ok(()));
    assert!(ready.load(Ordering::SeqCst));
}

#[test]
fn a_backend_is_asked() {
    struct Done;
    impl FenceOps for Done {
        fn enable_signaling(&self, _: &Fence) -> Enabled {
            Enabled::Done(Signal::now(Ok(())))
        }
    }
    host();
    let producer = FenceContext::software("test", "hook").new_fence_with(Arc::new(Done));
    let fence = producer.fence();
    fence.enable_signaling();
    assert!(fence.is_signaled());
    producer.signal(Ok(()));
}

#[test]
fn a_signal_has_the_time_of_the_hosts_clock() {
    host();
    let producer = FenceContext::software("test", "clock").new_fence();
    let fence = producer.fence();
    let before = Timestamp::now();
    producer.signal(Ok(()));
    let time = fence.timestamp().unwrap();
    assert!(before < time && time < Timestamp::now());
}

#[test]
fn arrays_and_abandoned_fences_work() {
    host();
    let context = FenceContext::hardware("test", "array");
    let (a, b) = (context.new_fence(), context.new_fence());
    let array = FenceArray::new(vec![a.fence(), b.fence()]).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let tell = move |_: &_| _ = count.fetch_add(1, Ordering::Relaxed);
    array.on_outcome(tell).unwrap().detach();
    a.signal_at(Ok(()), Timestamp::from_nanos(1));
    drop(b);
    assert_eq!(array.status(), Status::Abandoned);
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert_eq!(context.declare_idle(Errno::EIO), 1);
    assert!(matches!(array.status(), Status::Signaled(s) if s.result == Err(Errno::EIO)));
}

#[test]
fn futures_of_several_need_no_std() {
    host();
    let context = FenceContext::hardware("test", "several");
    let (a, b) = (context.new_fence(), context.new_fence());
    let fences = [a.fence(), b.fence()];
    let signaler = thread::spawn(move || {
        b.signal(Err(Errno::EIO));
        a.signal(Ok(()));
    });
    let winner = pollster::block_on(any_of(fences.clone())).unwrap();
    assert!(matches!(winner.1.result(), Ok(()) | Err(FenceError::Failed(Errno::EIO))));
    assert_eq!(pollster::block_on(all_of(fences)), Err(FenceError::Failed(Errno::EIO)));
    signaler.join().unwrap();
}

/// A sink that makes fences itself is told nothing of them, with no thread-locals to know it by.
#[cfg(feature = "trace")]
#[test]
fn events_need_no_std() {
    use dma_fence::trace::{Event, EventKind, Sink, SinkIsSet, set_sink};
    use std::sync::Mutex;

    struct Keeper;
    static TOLD: Mutex<Vec<(u64, EventKind)>> = Mutex::new(Vec::new());
    impl Sink for Keeper {
        fn event(&self, event: &Event<'_>) {
            FenceContext::software("test", "sink").new_fence().signal(Ok(()));
            TOLD.lock().unwrap().push((event.context, event.kind));
        }
    }

    host();
    assert_eq!(set_sink(&Keeper), Ok(()));
    assert_eq!(set_sink(&Keeper), Err(SinkIsSet));
    let context = FenceContext::hardware("test", "told");
    for _ in 0..100 {
        TOLD.lock().unwrap().clear();
        context.new_fence().signal(Err(Errno::EIO));
        let told = TOLD.lock().unwrap();
        let kinds: Vec<_> =
            told.iter().filter(|(id, _)| *id == context.id()).map(|(_, kind)| *kind).collect();
        assert_eq!(
            kinds,
            [EventKind::Init, EventKind::Signaled(Err(Errno::EIO)), EventKind::Destroy]
        );
    }
}
