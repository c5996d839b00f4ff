//! From a buffer to a device: what must be waited for, the fence that stands for the operation, and, as
//! the one unsafe step, the address.
//!
//! Why a lease is separate from its commit: everything that can fail (reserving a place for the fence,
//! building an array of the dependencies) happens while nothing has been promised to anybody; the commit
//! cannot fail, and from then on the memory is the device's.
#![allow(unsafe_code)]

use super::pool::PoolInner;
use crate::sync::{Arc, Ordering};
use dma_fence::{AllocError, Fence, ReservationGuard, ReservationObject, Usage};
use std::fmt;

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// No memory to reserve a place for the operation's fence.
    #[error("no place for a fence in the buffer's reservation object: {0:?}")]
    Reserve(AllocError),
}

/// An operation on a buffer that is being prepared. Dropped uncommitted, nothing has happened.
#[must_use]
pub struct Lease<'a> {
    pool: &'a Arc<PoolInner>,
    index: usize,
    usage: Usage,
    guard: ReservationGuard<'a>,
    dependencies: Vec<Fence>,
}

/// The bytes of a buffer, as a device sees them. Keeps the mapping alive.
pub struct DeviceMemory {
    pool: Arc<PoolInner>,
    index: usize,
}

// === impl Lease ===

impl<'a> Lease<'a> {
    pub(super) fn new(
        pool: &'a Arc<PoolInner>,
        index: usize,
        reservation: &'a ReservationObject,
        usage: Usage,
    ) -> Result<Lease<'a>, LeaseError> {
        let mut guard = reservation.lock();
        guard.reserve(1).map_err(LeaseError::Reserve)?;
        // The implicit-sync rule: a writer waits for readers and writers, a reader for writers.
        let ask = if usage == Usage::Write { Usage::Read } else { Usage::Write };
        let mut dependencies = reservation.fences(ask);
        dependencies.retain(|fence| !fence.is_signaled());
        Ok(Lease { pool, index, usage, guard, dependencies })
    }

    /// Fences that must have signaled before the device touches the memory. Abandoned ones are among
    /// them: they have not signaled.
    pub fn dependencies(&self) -> &[Fence] {
        &self.dependencies
    }

    /// Makes `fence` the one that says when the device has finished, and gives the device the memory.
    ///
    /// # Panics
    /// If `fence` is an array: a reservation object takes its members instead.
    ///
    /// # Context
    /// Cannot fail and does not allocate for the fence; gives up the reservation lock.
    #[doc(alias = "dma_resv_add_fence")]
    pub fn commit(mut self, fence: &Fence) -> DeviceMemory {
        self.guard.add(fence, self.usage).expect("a place is reserved, and this is no container");
        self.pool.live(self.index).fetch_add(1, Ordering::Relaxed);
        DeviceMemory { pool: self.pool.clone(), index: self.index }
    }
}

impl fmt::Debug for Lease<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lease");
        shown.field("index", &self.index).field("usage", &self.usage);
        shown.field("dependencies", &self.dependencies).finish()
    }
}

// === impl DeviceMemory ===

impl DeviceMemory {
    /// Number of the slot in its pool.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Bytes in the buffer.
    #[expect(clippy::len_without_is_empty, reason = "a buffer has at least one byte")]
    pub fn len(&self) -> usize {
        self.pool.region.size()
    }

    /// Where the device finds the bytes.
    ///
    /// # Safety
    /// Every access through the address (MEM-LEASED)
    /// - starts after all [dependencies](Lease::dependencies) of the lease have signaled,
    /// - only reads, if the lease was for reading,
    /// - ends before the committed fence signals, or, where that fence is abandoned, before its context
    ///   is declared idle,
    /// - and ends before this handle is dropped, unless the committed fence has not signaled by then.
    ///
    /// And if the committed fence's context is ordered, its fences signal in the order of their seqnos, for
    /// there a reservation object forgets an earlier one for a later one (MEM-ORDERED). Where operations
    /// end in any order, use a context of [`SeqnoOrder::Unordered`](dma_fence::SeqnoOrder::Unordered).
    pub unsafe fn address(&self) -> *mut u8 {
        self.pool.region.address(self.index)
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        // Release: what the device did comes before the CPU's look in `PoolInner::settle`.
        self.pool.live(self.index).fetch_sub(1, Ordering::Release);
    }
}

impl fmt::Debug for DeviceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceMemory")
            .field("index", &self.index)
            .field("len", &self.len())
            .finish()
    }
}
