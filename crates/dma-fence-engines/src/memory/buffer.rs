//! The unique handle of one slot, and the CPU's way to its bytes.
//!
//! Why each buffer brings its own reservation object instead of the slot keeping one: a slot that comes
//! back starts with an empty one, so signaled fences of earlier uses never pile up, and a fence of an
//! earlier use can never hold up a later one.
#![allow(unsafe_code)]

use super::lease::{Lease, LeaseError};
use super::pool::PoolInner;
use crate::sync::Arc;
use dma_fence::{Fence, ReservationObject, ReservationView, Usage};
use std::fmt;

/// The bytes cannot be touched: this fence has not signaled.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the buffer is in use by a device: {fence}")]
pub struct Busy {
    /// One fence to wait for. If it is abandoned, waiting is no use before its context is declared idle.
    pub fence: Fence,
}

/// One slot of a [`BufferPool`](super::BufferPool).
///
/// Dropping it gives the slot back: at once if everything in the reservation object has signaled, else by
/// callback when it has.
pub struct Buffer {
    pool: Arc<PoolInner>,
    index: usize,
    reservation: ReservationObject,
}

impl Buffer {
    pub(super) fn new(pool: Arc<PoolInner>, index: usize) -> Buffer {
        Buffer { pool, index, reservation: ReservationObject::new() }
    }

    /// Number of the slot in its pool.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Bytes in the buffer.
    #[expect(clippy::len_without_is_empty, reason = "a buffer has at least one byte")]
    pub fn len(&self) -> usize {
        self.pool.region.size()
    }

    /// The fences of the operations on this buffer, to be looked at: whoever could change them could make the
    /// buffer look idle while a device uses it.
    #[doc(alias = "dma_resv")]
    pub fn reservation(&self) -> &ReservationView {
        &self.reservation
    }

    /// The bytes, to read them.
    ///
    /// # Errors
    /// [`Busy`] while a device writes, or was lost while it wrote. Devices that read do not matter.
    ///
    /// # Context
    /// Does not wait, except in a pool whose engine was started with
    /// [`Faults::early_signal`](crate::Faults::early_signal): there fences prove nothing, and this waits
    /// for the device itself.
    pub fn bytes(&self) -> Result<&[u8], Busy> {
        self.idle(Usage::Write)?;
        // SAFETY: MEM-CPU for reading: every write of a device has signaled, a new one needs
        // `lease_write`, which needs `&mut self`; so does `bytes_mut`; MEM-UNIQUE: nobody else has one.
        Ok(unsafe { self.pool.region.bytes(self.index) })
    }

    /// The bytes, to change them.
    ///
    /// # Errors
    /// [`Busy`] while a device reads or writes, or was lost while it did.
    ///
    /// # Context
    /// As for [`bytes`](Self::bytes).
    pub fn bytes_mut(&mut self) -> Result<&mut [u8], Busy> {
        self.idle(Usage::Bookkeep)?;
        // SAFETY: MEM-CPU for writing: every operation has signaled, and a new one needs a lease, which
        // needs to borrow what is exclusively borrowed here; MEM-UNIQUE: nobody else has one.
        Ok(unsafe { self.pool.region.bytes_mut(self.index) })
    }

    /// Begins an operation in which a device reads the buffer.
    ///
    /// # Errors
    /// No memory for the reservation.
    ///
    /// # Context
    /// Takes the reservation lock and keeps it until the lease is committed or dropped: a thread that
    /// holds a lease must not ask for a second one of the same buffer.
    #[doc(alias = "dma_resv_reserve_fences")]
    pub fn lease_read(&self) -> Result<Lease<'_>, LeaseError> {
        Lease::new(&self.pool, self.index, &self.reservation, Usage::Read)
    }

    /// Begins an operation in which a device writes the buffer.
    ///
    /// # Errors
    /// As for [`lease_read`](Self::lease_read).
    ///
    /// # Context
    /// As for [`lease_read`](Self::lease_read).
    #[doc(alias = "dma_resv_reserve_fences")]
    pub fn lease_write(&mut self) -> Result<Lease<'_>, LeaseError> {
        Lease::new(&self.pool, self.index, &self.reservation, Usage::Write)
    }

    /// Whether this is a slot of that pool.
    #[cfg(not(loom))]
    pub(crate) fn is_of(&self, pool: &Arc<PoolInner>) -> bool {
        Arc::ptr_eq(&self.pool, pool)
    }

    /// Not to be told by the reservation object's own status: a pending fence must be named.
    fn idle(&self, usage: Usage) -> Result<(), Busy> {
        let busy = self.reservation.fences(usage).into_iter().find(|fence| !fence.is_signaled());
        match busy {
            Some(fence) => Err(Busy { fence }),
            None => {
                self.pool.settle(self.index);
                Ok(())
            }
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        PoolInner::retire(&self.pool, self.index, &self.reservation);
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("index", &self.index).field("len", &self.len()).finish()
    }
}
