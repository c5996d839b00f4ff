//! What the tests share: a limit on hanging, a backend that counts, random numbers, captured panics.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod allocator;

use dma_fence::{DriverFence, Enabled, Errno, Fence, FenceContext, FenceOps, Signal, Timestamp};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Long enough for the slowest machine; it only has to end a test that hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 900 } else { 60 });

/// The interpreter is some thousand times slower, so it gets fewer rounds.
pub(crate) const fn rounds(native: usize, miri: usize) -> usize {
    if cfg!(miri) { miri } else { native }
}

/// Runs `f` on a thread of its own and fails if it hangs.
pub(crate) fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    in_time_with_stack(2 << 20, f)
}

pub(crate) fn in_time_with_stack<T: Send + 'static>(
    stack: usize,
    f: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = mpsc::channel();
    let body = move || drop(sender.send(f()));
    let thread = thread::Builder::new().stack_size(stack).spawn(body).unwrap();
    match receiver.recv_timeout(LIMIT) {
        Ok(value) => {
            thread.join().unwrap();
            value
        }
        Err(RecvTimeoutError::Timeout) => panic!("hangs"),
        Err(RecvTimeoutError::Disconnected) => resume_unwind(thread.join().unwrap_err()),
    }
}

/// Runs `read` on some threads, over and over, while `write` runs on this one.
pub(crate) fn beside<R: Fn() + Sync>(readers: usize, read: R, write: impl FnOnce()) {
    let over = AtomicBool::new(false);
    let begin = Barrier::new(readers + 1);
    let read_until_over = || {
        begin.wait();
        while !over.load(Ordering::SeqCst) {
            read();
        }
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(read_until_over)).collect();
        begin.wait();
        write();
        over.store(true, Ordering::SeqCst);
        // The end of the scope does not wait until a thread has freed what it was made of.
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

/// The panic that `f` ends with.
pub(crate) fn panic_of<T>(f: impl FnOnce() -> T) -> Option<Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f)).err()
}

pub(crate) fn hardware() -> FenceContext {
    FenceContext::hardware("test", "hardware")
}

pub(crate) fn software() -> FenceContext {
    FenceContext::software("test", "software")
}

/// A fence that has lost its producer.
pub(crate) fn lost(context: &FenceContext) -> Fence {
    context.new_fence().fence()
}

/// What callbacks write, in order.
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Log(self.0.clone())
    }
}

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Log(Arc::default())
    }
    pub(crate) fn push(&self, value: T) {
        self.0.lock().unwrap().push(value);
    }
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A backend that counts how often it is asked and answers what it is told to.
pub(crate) struct Backend {
    polls: bool,
    done: Option<Result<(), Errno>>,
    pub(crate) finished: Mutex<Option<Result<(), Errno>>>,
    pub(crate) enabled: AtomicUsize,
    pub(crate) polled: AtomicUsize,
    pub(crate) deadlines: Mutex<Vec<Timestamp>>,
}

impl Backend {
    fn with(polls: bool, done: Option<Result<(), Errno>>) -> Arc<Backend> {
        Arc::new(Backend {
            polls,
            done,
            finished: Mutex::default(),
            enabled: AtomicUsize::default(),
            polled: AtomicUsize::default(),
            deadlines: Mutex::default(),
        })
    }
    pub(crate) fn silent() -> Arc<Backend> {
        Backend::with(false, None)
    }
    pub(crate) fn polled() -> Arc<Backend> {
        Backend::with(true, None)
    }
    pub(crate) fn already_done(result: Result<(), Errno>) -> Arc<Backend> {
        Backend::with(false, Some(result))
    }
    pub(crate) fn finish(&self, result: Result<(), Errno>) {
        *self.finished.lock().unwrap() = Some(result);
    }
    pub(crate) fn times_enabled(&self) -> usize {
        self.enabled.load(Ordering::SeqCst)
    }
    pub(crate) fn times_polled(&self) -> usize {
        self.polled.load(Ordering::SeqCst)
    }
}

impl FenceOps for Backend {
    fn driver_name(&self) -> Option<&str> {
        Some("backend")
    }
    fn timeline_name(&self) -> Option<&str> {
        Some("own")
    }
    fn enable_signaling(&self, _: &Fence) -> Enabled {
        self.enabled.fetch_add(1, Ordering::SeqCst);
        self.done.map_or(Enabled::WillSignal, |result| Enabled::Done(Signal::now(result)))
    }
    fn polls(&self) -> bool {
        self.polls
    }
    fn poll(&self) -> Option<Signal> {
        self.polled.fetch_add(1, Ordering::SeqCst);
        self.finished.lock().unwrap().map(Signal::now)
    }
    fn set_deadline(&self, deadline: Timestamp) {
        self.deadlines.lock().unwrap().push(deadline);
    }
}

/// A backend of one closure, called when signaling is enabled.
pub(crate) struct OnEnable<F>(pub(crate) F);

impl<F: Fn(&Fence) -> Enabled + Send + Sync + 'static> FenceOps for OnEnable<F> {
    fn enable_signaling(&self, fence: &Fence) -> Enabled {
        (self.0)(fence)
    }
}

/// A backend of one closure, called by every poll.
pub(crate) struct OnPoll<F>(pub(crate) F);

impl<F: Fn() -> Option<Result<(), Errno>> + Send + Sync + 'static> FenceOps for OnPoll<F> {
    fn polls(&self) -> bool {
        true
    }
    fn poll(&self) -> Option<Signal> {
        (self.0)().map(Signal::now)
    }
}

/// A producer that a hook or a callback takes later.
pub(crate) type Later = Arc<Mutex<Option<DriverFence>>>;

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that is polled by hand.
pub(crate) struct Task(Arc<Count>);

impl Task {
    pub(crate) fn new() -> Task {
        Task(Arc::default())
    }
    pub(crate) fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        let waker = Waker::from(self.0.clone());
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }
    /// How often it was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }
    /// How many of its wakers are kept.
    pub(crate) fn wakers(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Marsaglia's xorshift64: random enough to shuffle, the same on every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
    pub(crate) fn order(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for i in (1..len).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}
