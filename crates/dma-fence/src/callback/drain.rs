//! Running what a signal set free.
//!
//! Each thread has one queue. The outermost signal on a thread drains it; a signal from inside a
//! callback appends its list and returns. So the stack is constant however long a chain of
//! dependencies is, and callbacks of one fence run in registration order.
//!
//! - A thread that waits from inside a callback runs what is queued first ([`help_until`]), for what it
//!   waits for may depend on it. Only such waits nest, and not without limit.
//! - A panic of a callback or hook is kept until the queue is empty; the first one goes on then.

use super::list::List;
use super::node::NodeRef;
use crate::outcome::Outcome;

#[cfg(feature = "std")]
#[path = "drain/thread_local.rs"]
mod host;
#[cfg(not(feature = "std"))]
#[path = "drain/table.rs"]
mod host;

pub(crate) use host::guarded;

/// What a thread has yet to run.
struct Queue {
    waiting: List,
    /// What the nodes up to the next batch are told.
    told: Outcome,
    /// How many waits run what is queued, each inside the one before.
    waits: u8,
}

impl Queue {
    const fn new() -> Queue {
        // Every batch brings what it is told; this is never seen.
        Queue { waiting: List::new(), told: Outcome::Abandoned, waits: 0 }
    }

    fn next(&mut self) -> Option<(NodeRef, Outcome)> {
        let (node, batch) = self.waiting.pop_front()?;
        self.told = batch.unwrap_or(self.told);
        Some((node, self.told))
    }
}

/// Runs the callbacks of `list`, or leaves them to the drain that this thread is in.
#[inline]
pub(crate) fn run(list: List, outcome: Outcome) {
    if !list.is_empty() {
        run_some(list, outcome);
    }
}

/// Out of line: most fences that signal have none.
#[inline(never)]
fn run_some(mut list: List, outcome: Outcome) {
    list.stamp(outcome);
    drop(host::begin(&mut list));
}

/// Runs `f`, and only after it the callbacks that it set free. Its panic waits for them, too.
pub(crate) fn scope<R>(f: impl FnOnce() -> R) -> R {
    let _drain = host::begin(&mut List::new());
    f()
}

/// How deep waits inside callbacks may nest: enough for callbacks that wait for one another, and a
/// constant, so that the stack stays one however many callbacks wait.
const DEPTH: u8 = 16;

/// Runs what is queued on this thread until `done`, on behalf of somebody who waits in a callback.
pub(crate) fn help_until(mut done: impl FnMut() -> bool) {
    let Some(_level) = Level::enter() else { return };
    while !done()
        && let Some((node, outcome)) = host::next_here()
    {
        guarded(|| node.fire(&outcome));
    }
}

/// A wait that helps, until it is dropped: what it looks at may panic.
struct Level(());

impl Level {
    /// None if there are enough.
    fn enter() -> Option<Level> {
        let enter = |queue: &mut Queue| {
            let deeper = queue.waits < DEPTH;
            queue.waits += u8::from(deeper);
            // Made in the closure only: its drop leaves again.
            deeper.then(|| Level(()))
        };
        host::with_queue(enter).flatten()
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        host::with_queue(|queue| queue.waits -= 1);
    }
}
