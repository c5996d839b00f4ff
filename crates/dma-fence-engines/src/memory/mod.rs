//! Memory that cannot be reused while a device may touch it.
//!
//! Four concepts, one file each, from the bottom up: a [`region`] is the mapping and nothing else; the
//! [`pool`] does the bookkeeping of its slots and never looks at the bytes ([`acquire`] is how it answers); a [`buffer`] is the unique
//! handle of one slot and the CPU's way to the bytes; a [`lease`] is the device's.
//!
//! Two mechanisms keep them apart, and it helps to see which does what. CPU against CPU, and CPU against
//! the *submission* of an operation, is the borrow checker's work: `bytes` and `lease_read` borrow the
//! buffer, `bytes_mut` and `lease_write` borrow it exclusively. CPU against a *running* operation, and
//! operation against operation, is the work of the fences in the buffer's reservation object.
//!
//! The invariants that the unsafe code leans on are defined in `docs/invariants-memory.md`.

mod acquire;
mod buffer;
mod lease;
mod pool;
mod region;

pub use acquire::{AcquireError, PoolError, PoolStats};
pub use buffer::{Buffer, Busy};
pub use lease::{DeviceMemory, Lease, LeaseError};
pub use pool::BufferPool;
#[cfg(not(loom))]
pub(crate) use pool::PoolInner;
