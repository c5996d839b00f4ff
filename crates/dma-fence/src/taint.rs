//! The process-wide record of what went wrong with memory: fences that lost their producer, and memory
//! leaked on purpose because a device may still use it.
//!
//! A process without such events has counts of zero, so a test or a health check may assert just that.
//! With feature `tracing` each event is logged as a warning too.

use crate::context::ContextInner;
use crate::sync::global::{AtomicU64, Mutex, Ordering};
use crate::time::Timestamp;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// How many events there have been since the process began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Fences that lost their producer.
    pub abandoned: u64,
    /// Times that memory was leaked on purpose.
    pub leaks: u64,
    /// How much memory that was, in bytes.
    pub leaked_bytes: u64,
}

/// One event.
#[derive(Clone)]
pub struct Record {
    event: Event,
    at: Timestamp,
}

#[derive(Clone)]
enum Event {
    Abandoned { context: Arc<ContextInner>, seqno: u64 },
    Leak { what: &'static str, bytes: u64 },
}

/// How many records are kept; later ones replace the oldest, and the counts go on.
pub const KEPT: usize = 64;

static ABANDONED: AtomicU64 = AtomicU64::new(0);
static LEAKS: AtomicU64 = AtomicU64::new(0);
static LEAKED_BYTES: AtomicU64 = AtomicU64::new(0);
static RECENT: Mutex<Ring> = Mutex::new(Ring { records: [const { None }; KEPT], next: 0 });

struct Ring {
    records: [Option<Record>; KEPT],
    next: usize,
}

/// How many events there have been.
pub fn counts() -> Counts {
    Counts {
        abandoned: ABANDONED.load(Ordering::Relaxed),
        leaks: LEAKS.load(Ordering::Relaxed),
        leaked_bytes: LEAKED_BYTES.load(Ordering::Relaxed),
    }
}

/// The last [`KEPT`] events, oldest first.
pub fn recent() -> Vec<Record> {
    let ring = RECENT.lock();
    let (newer, older) = ring.records.split_at(ring.next);
    older.iter().chain(newer).flatten().cloned().collect()
}

/// Memory is not given back because a device may still use it. `what` says what it was.
pub fn record_leak(what: &'static str, bytes: u64) {
    LEAKS.fetch_add(1, Ordering::Relaxed);
    LEAKED_BYTES.fetch_add(bytes, Ordering::Relaxed);
    record(Event::Leak { what, bytes });
}

pub(crate) fn record_abandoned(context: &Arc<ContextInner>, seqno: u64) {
    ABANDONED.fetch_add(1, Ordering::Relaxed);
    record(Event::Abandoned { context: context.clone(), seqno });
}

fn record(event: Event) {
    let record = Record { event, at: Timestamp::now() };
    #[cfg(feature = "tracing")]
    tracing::warn!("{record}");
    let mut ring = RECENT.lock();
    let index = ring.next;
    let replaced = ring.records[index].replace(record);
    ring.next = (index + 1) % KEPT;
    drop(ring);
    drop(replaced);
}

impl Record {
    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.at
    }

    /// The fence that was abandoned, as context and sequence number.
    pub fn fence(&self) -> Option<(u64, u64)> {
        match &self.event {
            Event::Abandoned { context, seqno } => Some((context.id, *seqno)),
            Event::Leak { .. } => None,
        }
    }

    /// How many bytes were leaked.
    pub fn leaked_bytes(&self) -> Option<u64> {
        match &self.event {
            Event::Abandoned { .. } => None,
            Event::Leak { bytes, .. } => Some(*bytes),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Event::Abandoned { context, seqno } => write!(
                f,
                "fence {} {} {}:{seqno} lost its producer before it signaled",
                context.driver, context.timeline, context.id
            ),
            Event::Leak { what, bytes } => write!(f, "{bytes} bytes leaked on purpose: {what}"),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:?}] {self}", self.at)
    }
}
