//! Running what a signal set free.
//!
//! The outermost signal on a thread drains; a signal from inside a callback appends its list to the
//! thread's queue and returns. So the stack is constant however long a chain of dependencies is, and
//! callbacks of one fence run in registration order.

use super::list::List;
use super::node::NodeRef;
use crate::outcome::Outcome;

/// Runs the callbacks of `list`, or leaves them to the drain that this thread is in.
pub(crate) fn run(mut list: List, outcome: Outcome) {
    if list.is_empty() {
        return;
    }
    list.stamp(outcome);
    let Some(drain) = queue::begin(&mut list) else { return };
    let mut panics = Panics::none();
    let mut told = outcome;
    while let Some((node, batch)) = drain.next(&mut list) {
        told = batch.unwrap_or(told);
        panics.guard(|| fire(node, &told));
    }
    panics.resume();
}

fn fire(node: NodeRef, outcome: &Outcome) {
    node.fire(outcome);
}

#[cfg(feature = "std")]
use unwinding::Panics;
#[cfg(feature = "std")]
mod unwinding {
    use alloc::boxed::Box;
    use std::any::Any;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// The first panic of a drain; it goes on once every callback has run.
    pub(super) struct Panics(Option<Box<dyn Any + Send>>);

    impl Panics {
        pub(super) fn none() -> Panics {
            Panics(None)
        }

        pub(super) fn guard(&mut self, f: impl FnOnce()) {
            // The library's own state is consistent whenever user code runs, and the user's own is
            // the user's concern, as it is with a thread that panics.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
                self.0.get_or_insert(panic);
            }
        }

        pub(super) fn resume(self) {
            match self.0 {
                // A second panic while unwinding would end the process; the hook has reported it.
                Some(panic) if !std::thread::panicking() => resume_unwind(panic),
                _ => {}
            }
        }
    }
}

#[cfg(not(feature = "std"))]
struct Panics;
/// Without unwinding there is nothing to catch.
#[cfg(not(feature = "std"))]
impl Panics {
    fn none() -> Panics {
        Panics
    }
    fn guard(&mut self, f: impl FnOnce()) {
        f();
    }
    fn resume(self) {}
}

#[cfg(feature = "std")]
mod queue {
    use super::{List, NodeRef, Outcome};
    use core::cell::{Cell, RefCell};

    struct PerThread {
        active: Cell<bool>,
        waiting: RefCell<List>,
    }

    #[cfg(not(loom))]
    std::thread_local! {
        static QUEUE: PerThread =
            const { PerThread { active: Cell::new(false), waiting: RefCell::new(List::new()) } };
    }
    #[cfg(loom)]
    loom::thread_local! {
        static QUEUE: PerThread =
            PerThread { active: Cell::new(false), waiting: RefCell::new(List::new()) };
    }

    /// This thread drains.
    pub(super) struct Drain;

    /// Starts a drain, unless this thread is in one: that one gets the list.
    pub(super) fn begin(list: &mut List) -> Option<Drain> {
        QUEUE.with(|queue| {
            if queue.active.replace(true) {
                queue.waiting.borrow_mut().append(list);
                return None;
            }
            Some(Drain)
        })
    }

    impl Drain {
        /// The next callback: of `list`, then of what nested signals queued meanwhile.
        pub(super) fn next(&self, list: &mut List) -> Option<(NodeRef, Option<Outcome>)> {
            if let Some(node) = list.pop_front() {
                return Some(node);
            }
            QUEUE.with(|queue| *list = queue.waiting.borrow_mut().take());
            list.pop_front()
        }
    }

    impl Drop for Drain {
        fn drop(&mut self) {
            QUEUE.with(|queue| queue.active.set(false));
        }
    }
}

#[cfg(not(feature = "std"))]
mod queue {
    //! Without thread-local storage: a table of the drains that are under way, found by the number
    //! that the platform gives to each thread of execution.

    use super::{List, NodeRef, Outcome};
    use crate::sync::{Mutex, current_thread};

    /// Drains under way at once: CPUs times levels of interrupts, with room to spare. One more than
    /// this drains without an entry, and only signals nested in it grow the stack.
    const DRAINS: usize = 64;

    struct Entry {
        thread: Option<usize>,
        waiting: List,
    }

    static TABLE: Mutex<[Entry; DRAINS]> =
        Mutex::new([const { Entry { thread: None, waiting: List::new() } }; DRAINS]);

    /// This thread drains, under that entry of the table.
    pub(super) struct Drain(Option<usize>);

    pub(super) fn begin(list: &mut List) -> Option<Drain> {
        let me = current_thread();
        let mut table = TABLE.lock();
        if let Some(entry) = table.iter_mut().find(|entry| entry.thread == Some(me)) {
            entry.waiting.append(list);
            return None;
        }
        let free = table.iter().position(|entry| entry.thread.is_none());
        if let Some(index) = free {
            table[index].thread = Some(me);
        }
        Some(Drain(free))
    }

    impl Drain {
        pub(super) fn next(&self, list: &mut List) -> Option<(NodeRef, Option<Outcome>)> {
            if let (true, Some(index)) = (list.is_empty(), self.0) {
                *list = TABLE.lock()[index].waiting.take();
            }
            list.pop_front()
        }
    }

    impl Drop for Drain {
        fn drop(&mut self) {
            if let Some(index) = self.0 {
                TABLE.lock()[index].thread = None;
            }
        }
    }
}
