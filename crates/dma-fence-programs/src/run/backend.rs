//! Hooks and wakers that are watched.

use crate::model::{FenceId, Heard};
use crate::op::Backend;
use dma_fence::{Enabled, Errno, Fence, FenceOps, Signal, Timestamp};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::task::Wake;

/// A backend.
pub(super) struct Hooks {
    seen: Arc<Seen>,
    done: Option<Result<(), Errno>>,
    polls: bool,
}

/// What a backend has heard, and what it knows.
#[derive(Default)]
struct Seen {
    heard: Mutex<Vec<Heard>>,
    ended: Mutex<Option<Result<(), Errno>>>,
}

impl FenceOps for Hooks {
    fn enable_signaling(&self, _: &Fence) -> Enabled {
        self.seen.heard.lock().unwrap().push(Heard::Enable);
        self.done.map_or(Enabled::WillSignal, |result| Enabled::Done(Signal::now(result)))
    }
    fn polls(&self) -> bool {
        self.polls
    }
    fn poll(&self) -> Option<Signal> {
        self.seen.ended.lock().unwrap().map(Signal::now)
    }
    fn set_deadline(&self, deadline: Timestamp) {
        self.seen.heard.lock().unwrap().push(Heard::Deadline(deadline));
    }
}

/// What is known of a backend from outside.
pub(super) struct Probe {
    pub(super) fence: FenceId,
    seen: Arc<Seen>,
    backend: Weak<Hooks>,
}

impl Probe {
    pub(super) fn new(fence: FenceId, backend: Backend) -> (Arc<Hooks>, Probe) {
        let seen = Arc::<Seen>::default();
        let done = match backend {
            Backend::Done(error) => Some(error.map_or(Ok(()), Err)),
            Backend::Absent | Backend::Silent | Backend::Polled => None,
        };
        let polls = backend == Backend::Polled;
        let hooks = Arc::new(Hooks { seen: seen.clone(), done, polls });
        let backend = Arc::downgrade(&hooks);
        (hooks, Probe { fence, seen, backend })
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.seen.heard.lock().unwrap().clone()
    }

    /// From now on the backend knows that the operation has ended.
    pub(super) fn finish(&self, result: Result<(), Errno>) {
        *self.seen.ended.lock().unwrap() = Some(result);
    }

    pub(super) fn is_alive(&self) -> bool {
        self.backend.strong_count() > 0
    }
}

/// A waker that counts.
#[derive(Default)]
pub(super) struct Woken(AtomicUsize);

impl Woken {
    pub(super) fn times(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}
