//! Without thread-local storage: a table of the drains that are under way, found by the number that the
//! platform gives to each thread of execution.
//!
//! Without unwinding, too: a panic ends everything, so there is nothing to keep.

use super::{List, NodeRef, Outcome, Queue};
use crate::sync::{Mutex, current_thread};

/// Drains under way at once: CPUs times levels of interrupts, with room to spare. One more than this
/// drains without an entry, and only signals nested in it grow the stack.
const DRAINS: usize = 64;

struct Entry {
    thread: Option<usize>,
    queue: Queue,
}

static TABLE: Mutex<[Entry; DRAINS]> =
    Mutex::new([const { Entry { thread: None, queue: Queue::new() } }; DRAINS]);

/// This thread drains; dropping it empties the queue.
pub(super) struct Drain {
    entry: Option<usize>,
    /// Used without an entry.
    own: Queue,
}

/// Queues the list. The drain to drop, unless this thread is in one.
pub(super) fn begin(list: &mut List) -> Option<Drain> {
    let me = current_thread();
    let mut table = TABLE.lock();
    if let Some(entry) = table.iter_mut().find(|entry| entry.thread == Some(me)) {
        entry.queue.waiting.append(list);
        return None;
    }
    let mut drain =
        Drain { entry: table.iter().position(|entry| entry.thread.is_none()), own: Queue::new() };
    let queue = match drain.entry {
        Some(index) => {
            table[index].thread = Some(me);
            &mut table[index].queue
        }
        None => &mut drain.own,
    };
    queue.waiting.append(list);
    Some(drain)
}

pub(super) fn next_here() -> Option<(NodeRef, Outcome)> {
    with_queue(Queue::next).flatten()
}

/// The queue of the drain that this thread is in.
pub(super) fn with_queue<R>(f: impl FnOnce(&mut Queue) -> R) -> Option<R> {
    let me = current_thread();
    let mut table = TABLE.lock();
    Some(f(&mut table.iter_mut().find(|entry| entry.thread == Some(me))?.queue))
}

/// Runs user code.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Option<R> {
    Some(f())
}

impl Drain {
    fn next(&mut self) -> Option<(NodeRef, Outcome)> {
        match self.entry {
            Some(index) => TABLE.lock()[index].queue.next(),
            None => self.own.next(),
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        while let Some((node, outcome)) = self.next() {
            node.fire(&outcome);
        }
        if let Some(index) = self.entry {
            TABLE.lock()[index].thread = None;
        }
    }
}
