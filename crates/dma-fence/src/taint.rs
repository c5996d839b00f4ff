//! The process-wide record of what went wrong: fences that lost their producer, memory leaked on purpose
//! because a device may still use it, signals that others got too early, and violations of the
//! [contract](crate::contract).
//!
//! A process without such events is not [tainted](is_tainted), so a test or a health check may assert
//! just that. With feature `tracing` each event is logged as a warning too, with the fields `kind`,
//! `driver`, `timeline`, `context`, `seqno`, `location` and `thread`. Recording allocates nothing.
//!
//! ```
//! use dma_fence::taint::{self, Kind};
//! use dma_fence::{Errno, FenceContext};
//! let context = FenceContext::hardware("gpu", "ring 0");
//! let fence = context.new_fence().fence(); // the producer is lost here
//! assert!(taint::is_tainted());
//! let records = taint::recent();
//! let record = records.iter().find(|record| record.fence() == Some((fence.context(), 1))).unwrap();
//! assert_eq!(record.kind(), Kind::Abandoned);
//! assert_eq!(record.driver_name(), Some("gpu"));
//! assert!(record.location().file().ends_with(".rs"));
//! # context.declare_idle(Errno::EIO);
//! ```

mod record;
mod thread;

pub use record::{Kind, Record};

use crate::context::{ContextInner, Issued};
#[cfg(feature = "contract")]
use crate::contract::Violation;
use crate::sync::global::{AtomicU64, Mutex, Ordering};
use alloc::vec::Vec;
use core::panic::Location;
use record::Event;

/// How many events there have been since the process began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Fences that lost their producer.
    pub abandoned: u64,
    /// Times that memory was leaked on purpose.
    pub leaks: u64,
    /// How much memory that was, in bytes.
    pub leaked_bytes: u64,
    /// Fences that others were told had signaled before they had.
    pub early_signals: u64,
    /// Violations of the contract, each pair of places once.
    pub violations: u64,
}

/// How many records are kept; later ones replace the oldest, and the counts go on.
pub const KEPT: usize = 64;

static ABANDONED: AtomicU64 = AtomicU64::new(0);
static LEAKS: AtomicU64 = AtomicU64::new(0);
static LEAKED_BYTES: AtomicU64 = AtomicU64::new(0);
static EARLY_SIGNALS: AtomicU64 = AtomicU64::new(0);
static VIOLATIONS: AtomicU64 = AtomicU64::new(0);
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
        early_signals: EARLY_SIGNALS.load(Ordering::Relaxed),
        violations: VIOLATIONS.load(Ordering::Relaxed),
    }
}

/// Has there been any event?
#[doc(alias = "test_taint")]
pub fn is_tainted() -> bool {
    counts() != Counts::default()
}

/// The last [`KEPT`] events, oldest first.
///
/// # Context
/// Allocates.
pub fn recent() -> Vec<Record> {
    // Not under the lock: the allocator may be one that records what it finds.
    let mut records = Vec::with_capacity(KEPT);
    let ring = RECENT.lock();
    let (newer, older) = ring.records.split_at(ring.next);
    records.extend(older.iter().chain(newer).flatten().cloned());
    records
}

/// Memory is not given back because a device may still use it. `what` says what it was.
///
/// # Context
/// Allocates nothing. On Linux it asks the system for the thread's name. The place of the call is the place
/// on record.
#[doc(alias = "add_taint")]
#[track_caller]
pub fn record_leak(what: &'static str, bytes: u64) {
    LEAKS.fetch_add(1, Ordering::Relaxed);
    LEAKED_BYTES.fetch_add(bytes, Ordering::Relaxed);
    record(Event::Leak { what, bytes }, Location::caller());
}

/// Others were told that a fence had signaled before it had, and may have used what the device was still
/// using: a stand-in for the fence outside the library has a time limit of its own.
///
/// `fence` is its context and sequence number, `exported` where it was given to others.
///
/// ```
/// use dma_fence::{FenceContext, taint};
/// use std::panic::Location;
/// let producer = FenceContext::hardware("gpu", "ring 0").new_fence();
/// taint::record_early_signal((producer.context(), producer.seqno()), Location::caller());
/// assert!(taint::counts().early_signals > 0);
/// # producer.signal(Ok(()));
/// ```
///
/// # Context
/// As [`record_leak`].
pub fn record_early_signal(fence: (u64, u64), exported: &'static Location<'static>) {
    EARLY_SIGNALS.fetch_add(1, Ordering::Relaxed);
    record(Event::EarlySignal { fence }, exported);
}

/// `made` is where the producer came from, for where it went is a drop.
pub(crate) fn record_abandoned(
    context: &Issued<ContextInner>,
    seqno: u64,
    made: &'static Location<'static>,
) {
    ABANDONED.fetch_add(1, Ordering::Relaxed);
    record(Event::Abandoned { context: context.clone(), seqno }, made);
}

#[cfg(feature = "contract")]
pub(crate) fn record_violation(violation: &Violation) {
    VIOLATIONS.fetch_add(1, Ordering::Relaxed);
    record(Event::Violation(violation.clone()), violation.location());
}

fn record(event: Event, location: &'static Location<'static>) {
    let record = Record::new(event, location);
    #[cfg(feature = "tracing")]
    let logged = record.clone();
    let mut ring = RECENT.lock();
    let index = ring.next;
    let replaced = ring.records[index].replace(record);
    ring.next = (index + 1) % KEPT;
    drop(ring);
    drop(replaced);
    #[cfg(feature = "tracing")]
    logged.log();
}
