//! Faults on purpose: what goes wrong without fences, and that nothing goes wrong with them.
//!
//! Why the count is shared: the engines of one run are given clones, so that "the third operation" means
//! the third of the run, whichever engine does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which fault the engines commit, if any. Clones count together.
///
/// Driver fences are counted from 1 in the order of submission, over reads, writes and hash updates.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    kind: Kind,
    count: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Kind {
    #[default]
    None,
    EarlySignal,
    LostProducer(u64),
    IoError(u64),
    PanicAt(u64),
}

impl Faults {
    fn of(kind: Kind) -> Faults {
        Faults { kind, count: Arc::default() }
    }

    /// No fault.
    pub fn none() -> Faults {
        Faults::of(Kind::None)
    }

    /// Fences of reads and writes signal before the work is done, which begins some time later: data is
    /// corrupted, on purpose. Memory safety is not: see [`Buffer::bytes`](crate::Buffer::bytes).
    pub fn early_signal() -> Faults {
        Faults::of(Kind::EarlySignal)
    }

    /// The `n`th driver fence is dropped instead of signaled when its operation is complete.
    pub fn lost_producer(n: u64) -> Faults {
        Faults::of(Kind::LostProducer(n))
    }

    /// The `n`th operation is not executed; its fence signals `EIO`.
    pub fn io_error(n: u64) -> Faults {
        Faults::of(Kind::IoError(n))
    }

    /// The thread that should execute the `n`th operation panics.
    #[doc(hidden)]
    pub fn panic_at(n: u64) -> Faults {
        Faults::of(Kind::PanicAt(n))
    }

    pub(super) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn signals_early(&self) -> bool {
        self.kind == Kind::EarlySignal
    }

    pub(super) fn loses(&self, number: u64) -> bool {
        self.kind == Kind::LostProducer(number)
    }

    pub(super) fn fails(&self, number: u64) -> bool {
        self.kind == Kind::IoError(number)
    }

    pub(super) fn panics(&self, number: u64) -> bool {
        self.kind == Kind::PanicAt(number)
    }
}
