//! Nothing of the user's is run, woken or dropped under a lock, and what order is promised.
//!
//! A lock that is held shows as a hang: what is run here takes every lock of its fence again.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Log, Random, hardware, in_time, rounds};
use dma_fence::{
    DriverFence, Enabled, Errno, Fence, FenceArray, FenceCallback, FenceContext, FenceOps,
    Timestamp, all_of, any_of, wait_all_timeout, wait_any_timeout,
};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Everything that takes a lock of the fence, or that could.
fn take_every_lock(fence: &Fence) {
    let _ = (fence.is_signaled(), fence.status(), fence.to_string());
    fence.set_deadline(Timestamp::from_nanos(1));
    drop(fence.on_signal(|_| ()));
    drop(fence.on_outcome(|_| ()));
    let fences = [fence.clone()];
    let _ = (fence.wait_timeout(Duration::ZERO), wait_any_timeout(&fences, Duration::ZERO));
    let _ = wait_all_timeout(&fences, Duration::from_nanos(1));
    let _ = Pin::new(&mut any_of(fences)).poll(&mut Context::from_waker(Waker::noop()));
}

/// What the user gave to the library: dropping it comes back to the fence.
struct Guard {
    watched: Mutex<Option<Watched>>,
    drops: Arc<AtomicUsize>,
}

/// A fence, and what was registered on it before it signaled: to take that back takes its lock afterwards, too.
struct Watched(Fence, Option<FenceCallback>);

impl Watched {
    fn new(fence: Fence) -> Watched {
        let callback = fence.on_signal(|_| ()).ok();
        Watched(fence, callback)
    }
}

impl Guard {
    fn of(fence: Fence, drops: &Arc<AtomicUsize>) -> Guard {
        Guard { watched: Mutex::new(Some(Watched::new(fence))), drops: drops.clone() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Watched(fence, callback)) = self.watched.get_mut().unwrap().take() {
            take_every_lock(&fence);
            drop(callback);
        }
        self.drops.fetch_add(1, SeqCst);
    }
}

impl FenceOps for Guard {
    fn enable_signaling(&self, fence: &Fence) -> Enabled {
        take_every_lock(fence);
        Enabled::WillSignal
    }
}

impl Wake for Guard {
    fn wake(self: Arc<Self>) {}
}

/// Fails if `f` hangs, or if it does not drop `expected` guards.
fn drops(expected: usize, f: impl FnOnce(&FenceContext, &Arc<AtomicUsize>) + Send + 'static) {
    let dropped = in_time(move || {
        let (context, drops) = (hardware(), Arc::default());
        f(&context, &drops);
        context.declare_idle(Errno::EIO);
        drops.load(SeqCst)
    });
    assert_eq!(dropped, expected);
}

#[test]
fn row_28_a_cancelled_callback_is_dropped_under_no_lock() {
    drops(2, |context, drops| {
        let producer = context.new_fence();
        let fence = producer.fence();
        let guards = [(); 2].map(|()| Guard::of(fence.clone(), drops));
        let [on_signal, on_outcome] = guards;
        assert!(fence.on_signal(move |_| drop(on_signal)).unwrap().cancel());
        drop(fence.on_outcome(move |_| drop(on_outcome)).unwrap());
        producer.signal(Ok(()));
    });
}

#[test]
fn row_28_a_callback_cancelled_while_its_list_runs_is_dropped_under_no_lock() {
    drops(1, |context, drops| {
        let producer = context.new_fence();
        let fence = producer.fence();
        let slot = Arc::new(Mutex::new(None::<FenceCallback>));
        let later = slot.clone();
        let cancels = move |_: &_| assert!(later.lock().unwrap().take().unwrap().cancel());
        fence.on_signal(cancels).unwrap().detach();
        let guard = Guard::of(fence.clone(), drops);
        *slot.lock().unwrap() = Some(fence.on_signal(move |_| drop(guard)).unwrap());
        producer.signal(Ok(()));
    });
}

#[test]
fn row_28_a_callback_is_run_and_dropped_under_no_lock() {
    for lost in [false, true] {
        drops(3, move |context, drops| {
            let producer = context.new_fence();
            let fence = producer.fence();
            let guards = [(); 3].map(|()| Guard::of(fence.clone(), drops));
            let [runs, outcome, array] = guards;
            fence.on_signal(move |_| drop(runs)).unwrap().detach();
            fence.on_outcome(move |_| drop(outcome)).unwrap().detach();
            let member = FenceArray::new(vec![fence]).unwrap();
            member.on_signal(move |_| drop(array)).unwrap().detach();
            if lost {
                drop(producer)
            } else {
                producer.signal(Ok(()))
            }
            context.declare_idle(Errno::EIO);
        });
    }
}

#[test]
fn row_28_a_backend_is_called_and_dropped_under_no_lock() {
    for lost in [false, true] {
        drops(1, move |context, drops| {
            let backend = Arc::new(Guard { watched: Mutex::default(), drops: drops.clone() });
            let producer = context.new_fence_with(backend.clone());
            *backend.watched.lock().unwrap() = Some(Watched::new(producer.fence()));
            drop(backend);
            producer.fence().on_signal(|_| ()).unwrap().detach();
            if lost { drop(producer) } else { producer.signal(Ok(())) }
        });
    }
}

#[test]
fn row_28_a_pending_array_is_dropped_under_no_lock() {
    drops(1, |context, drops| {
        let (first, second) = (context.new_fence(), context.new_fence());
        let guard = Guard::of(second.fence(), drops);
        let array = FenceArray::new(vec![first.fence(), second.fence()]).unwrap();
        let callback = array.on_signal(move |_| drop(guard)).unwrap();
        drop(array);
        drop(callback);
        first.signal(Ok(()));
        second.signal(Ok(()));
    });
}

/// A waker is dropped when another one takes its place, with its future, and after it has woken.
#[test]
fn row_28_a_waker_is_dropped_under_no_lock() {
    fn dropped<F: Future + Unpin + 'static>(future: fn(Fence) -> F) {
        drops(3, move |context, drops| {
            let producer = context.new_fence();
            let fence = producer.fence();
            let poll = |future: &mut F| {
                let waker = Waker::from(Arc::new(Guard::of(fence.clone(), drops)));
                Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending()
            };
            let mut woken = future(fence.clone());
            let mut polled_twice = future(fence.clone());
            assert!(poll(&mut woken) && poll(&mut polled_twice));
            assert_eq!(drops.load(SeqCst), 0);
            assert!(
                Pin::new(&mut polled_twice)
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
            assert_eq!(drops.load(SeqCst), 1, "replaced");
            assert!(poll(&mut polled_twice));
            drop(polled_twice);
            assert_eq!(drops.load(SeqCst), 2, "with its future");
            producer.signal(Ok(()));
            assert_eq!(drops.load(SeqCst), 3, "after it has woken");
        });
    }
    dropped(Fence::into_future);
    dropped(|fence| any_of([fence]));
    dropped(|fence| all_of([fence]));
}

/// A waker whose drop signals, which wakes: so that a lock around the waker shows, too.
struct Signals(Mutex<Option<DriverFence>>);

impl Wake for Signals {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.get_mut().unwrap().take().unwrap().signal(Ok(()));
    }
}

#[test]
fn row_28_the_drop_of_a_replaced_waker_may_wake() {
    fn replaced<F: Future + Unpin + 'static>(future: fn(Fence) -> F) {
        in_time(move || {
            let producer = hardware().new_fence();
            let mut future = future(producer.fence());
            let waker = Waker::from(Arc::new(Signals(Mutex::new(Some(producer)))));
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            let mut other = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut future).poll(&mut other).is_ready());
        });
    }
    replaced(Fence::into_future);
    replaced(|fence| any_of([fence]));
    replaced(|fence| all_of([fence]));
}

// === waking ===

/// A waker that polls the very future that it wakes, as an executor without a queue would.
struct PollsAgain<F: Future> {
    fence: Fence,
    future: Mutex<Option<F>>,
    ready: AtomicUsize,
}

impl<F: Future + Unpin + Send + 'static> Wake for PollsAgain<F> {
    fn wake(self: Arc<Self>) {
        take_every_lock(&self.fence);
        let mut future = self.future.lock().unwrap().take().unwrap();
        let waker = Waker::from(self.clone());
        let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        self.ready.fetch_add(usize::from(polled.is_ready()), SeqCst);
    }
}

#[test]
fn row_32_a_waker_is_woken_under_no_lock() {
    fn woken<F: Future + Unpin + Send + 'static>(future: fn(Fence) -> F) {
        in_time(move || {
            let producer = hardware().new_fence();
            let fence = producer.fence();
            let task = PollsAgain {
                fence: fence.clone(),
                future: Mutex::default(),
                ready: AtomicUsize::default(),
            };
            let task = Arc::new(task);
            let mut future = future(fence);
            let waker = Waker::from(task.clone());
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
            *task.future.lock().unwrap() = Some(future);
            producer.signal(Ok(()));
            assert_eq!(task.ready.load(SeqCst), 1);
        });
    }
    woken(Fence::into_future);
    woken(|fence| any_of([fence]));
    woken(|fence| all_of([fence]));
}

/// The sleeper comes back, and takes every lock, while the thread that woke it is still in a callback.
#[test]
fn row_32_a_sleeper_is_woken_under_no_lock() {
    in_time(|| {
        let producer = hardware().new_fence();
        let fence = producer.fence();
        let (through, is_through) = mpsc::channel();
        let sleepers =
            [Fence::wait, |fence: &Fence| dma_fence::wait_all(std::slice::from_ref(fence))].map(
                |wait| {
                    let (fence, through) = (fence.clone(), through.clone());
                    thread::spawn(move || {
                        wait(&fence).unwrap();
                        take_every_lock(&fence);
                        through.send(()).unwrap();
                    })
                },
            );
        // They register, and fall asleep; should one be late, the test is only a weaker one.
        thread::sleep(Duration::from_millis(20));
        let last = move |_: &_| (0..2).for_each(|_| is_through.recv().unwrap());
        fence.on_signal(last).unwrap().detach();
        producer.signal(Ok(()));
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
}

/// A waker that takes a lock of its executor.
struct Executor {
    lock: Mutex<()>,
    entered: mpsc::Sender<()>,
}

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        self.entered.send(()).unwrap();
        drop(self.lock.lock().unwrap());
    }
}

#[test]
fn row_32_a_future_may_be_dropped_under_a_lock_that_its_waker_takes() {
    fn dropped<F: Future + Unpin + 'static>(future: fn(Fence) -> F) {
        in_time(move || {
            let producer = hardware().new_fence();
            let (entered, enters) = mpsc::channel();
            let executor = Arc::new(Executor { lock: Mutex::default(), entered });
            let waker = Waker::from(executor.clone());
            let mut future = future(producer.fence());
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
            let guard = executor.lock.lock().unwrap();
            let signaler = thread::spawn(move || producer.signal(Ok(())));
            enters.recv().unwrap();
            drop(future);
            drop(guard);
            signaler.join().unwrap();
        });
    }
    dropped(Fence::into_future);
    dropped(|fence| any_of([fence]));
    dropped(|fence| all_of([fence]));
}

// === order ===

/// Callbacks of one fence run in the order in which they were registered, whatever was registered on
/// others meanwhile; between two fences the order is that of their signals.
#[test]
fn row_29_order_is_promised_for_each_fence_alone() {
    let mut random = Random(29);
    for _ in 0..rounds(200, 5) {
        let context = hardware();
        let producers = [(); 4].map(|()| context.new_fence());
        let log = Log::new();
        for number in 0..40 {
            let (which, log) = (random.below(4), log.clone());
            let callback = move |_: &_| log.push((which, number));
            producers[which].fence().on_signal(callback).unwrap().detach();
        }
        let mut producers = producers.map(Some);
        let order = random.order(4);
        for which in &order {
            producers[*which].take().unwrap().signal(Ok(()));
        }
        let ran = log.take();
        assert_eq!(ran.len(), 40);
        let place = |which: usize| order.iter().position(|signaled| *signaled == which);
        assert!(ran.is_sorted_by_key(|(which, number)| (place(*which), *number)));
    }
}

#[test]
fn row_29_a_signal_in_a_callback_is_heard_after_the_callbacks_of_its_own_fence() {
    let context = hardware();
    let (a, b) = (context.new_fence(), context.new_fence());
    let log = Log::new();
    let note = |fence: Fence, what: &'static str| {
        let log = log.clone();
        fence.on_signal(move |_| log.push(what)).unwrap().detach();
    };
    note(b.fence(), "b, registered first");
    note(a.fence(), "a 1");
    let fence = b.fence();
    a.fence().on_signal(move |_| b.signal(Ok(()))).unwrap().detach();
    note(a.fence(), "a 2");
    note(fence, "b 2");
    a.signal(Ok(()));
    assert_eq!(log.take(), ["a 1", "a 2", "b, registered first", "b 2"]);
}
