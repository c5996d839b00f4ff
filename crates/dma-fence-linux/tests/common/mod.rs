//! What the tests need of the machine: devices that few machines have.
#![allow(dead_code, reason = "each test takes its part")]

use std::env;
use std::fmt::Display;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a machine must have, in `cargo xtask rig`: a list of names. Nothing of it may be skipped there.
const EXPECTED: &str = "DMA_FENCE_EXPECT";

/// The device, or `None` after saying that the test is skipped and why.
///
/// Where the device is expected its lack is a failure.
pub(crate) fn or_skip<T, E: Display>(device: &str, found: Result<T, E>) -> Option<T> {
    let error = match found {
        Ok(found) => return Some(found),
        Err(error) => error,
    };
    let expected = env::var(EXPECTED).unwrap_or_default();
    let is_expected = expected.split(',').any(|name| name == device);
    assert!(!is_expected, "{device} is expected on this machine: {error}");
    let thread = std::thread::current();
    eprintln!("skipped: {}: {error}", thread.name().unwrap_or("?"));
    None
}

/// Has it signaled, just now? By other means than those that are tested.
pub(crate) fn is_signaled(sync_file: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&sync_file, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
}

/// Tests that count what the whole process has, and those that change it, run one after the other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many file descriptors the process has.
pub(crate) fn open_fds() -> usize {
    // One of them is that of the listing itself.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// How many threads the process has.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// How many lines about a file descriptor begin with `key`.
pub(crate) fn count_of(key: &str, fd: BorrowedFd<'_>) -> usize {
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| line.starts_with(key)).count()
}

/// Waits until something holds that another thread brings about.
#[track_caller]
pub(crate) fn in_time(limit: Duration, holds: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a future on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
