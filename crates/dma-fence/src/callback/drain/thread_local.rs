//! The queue of a thread, in thread-local storage.
//!
//! Nothing in it has a destructor, so it outlives the destructors of all other thread-locals, from
//! which fences may be signaled.

use super::{List, NodeRef, Outcome, Queue};
use alloc::boxed::Box;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::mem::{ManuallyDrop, forget};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

type Panic = Box<dyn Any + Send>;

struct PerThread {
    active: Cell<bool>,
    queue: RefCell<Queue>,
    panic: Cell<ManuallyDrop<Option<Panic>>>,
}

impl PerThread {
    const fn new() -> PerThread {
        PerThread {
            active: Cell::new(false),
            queue: RefCell::new(Queue::new()),
            panic: Cell::new(ManuallyDrop::new(None)),
        }
    }

    fn swap_panic(&self, panic: Option<Panic>) -> Option<Panic> {
        ManuallyDrop::into_inner(self.panic.replace(ManuallyDrop::new(panic)))
    }
}

#[cfg(not(loom))]
std::thread_local! { static HERE: PerThread = const { PerThread::new() } }
#[cfg(loom)]
loom::thread_local! { static HERE: PerThread = PerThread::new() }

/// This thread drains; dropping it empties the queue and lets a panic go on.
pub(super) struct Drain(());

/// Queues the list. The drain to drop, unless this thread is in one.
pub(super) fn begin(list: &mut List) -> Option<Drain> {
    HERE.with(|here| {
        here.queue.borrow_mut().waiting.append(list);
        // Made in the closure only: a drain that is made is a drain that is dropped.
        (!here.active.replace(true)).then(|| Drain(()))
    })
}

pub(super) fn next_here() -> Option<(NodeRef, Outcome)> {
    with_queue(Queue::next).flatten()
}

/// The queue of the drain that this thread is in.
#[inline]
pub(super) fn with_queue<R>(f: impl FnOnce(&mut Queue) -> R) -> Option<R> {
    HERE.with(|here| here.active.get().then(|| f(&mut here.queue.borrow_mut())))
}

/// Runs user code; its panic goes on when the drain that this thread is in has ended.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Option<R> {
    // The library's own state is consistent whenever user code runs, and the user's own is the user's
    // concern, as it is with a thread that panics.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Some(result),
        Err(panic) => {
            let later = HERE.with(|here| match here.swap_panic(None) {
                None => here.swap_panic(Some(panic)),
                first => {
                    here.swap_panic(first);
                    Some(panic)
                }
            });
            discard(later);
            None
        }
    }
}

/// Drops a panic that does not go on. What it carries may panic in turn, and that, too.
fn discard(panic: Option<Panic>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        forget(again);
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        while let Some((node, outcome)) = next_here() {
            guarded(|| node.fire(&outcome));
        }
        let panic = HERE.with(|here| {
            here.active.set(false);
            here.swap_panic(None)
        });
        match panic {
            Some(panic) if !std::thread::panicking() => resume_unwind(panic),
            // A second panic while unwinding would end the process; the hook has reported it.
            panic => discard(panic),
        }
    }
}
