#![no_std]
#![deny(unsafe_code)]
#![doc = include_str!("../README.md")]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod array;
mod callback;
mod chain;
mod context;
pub mod contract;
mod driver;
mod errno;
mod fence;
mod leaves;
mod merge;
mod ops;
mod outcome;
#[cfg(not(feature = "std"))]
pub mod platform;
mod reservation;
mod shared;
mod sync;
pub mod taint;
mod tally;
mod time;
#[cfg(feature = "trace")]
pub mod trace;
#[cfg(not(feature = "trace"))]
#[path = "trace/off.rs"]
mod trace;
mod wait;

pub use array::algorithm;
pub use array::{ArrayAllocation, ArrayMembers, FenceArray, RefusalReason, RefusedMembers};
pub use callback::{Declined, FenceCallback};
pub use chain::{BeyondHead, ChainAllocation, ChainIter, ContainedFence, FenceChain, RefusedFence};
pub use context::{ContextKind, FenceContext, SeqnoOrder};
pub use driver::{DriverFence, FenceAllocation, WeakDriverFence};
pub use errno::Errno;
pub use fence::{Description, Fence};
pub use leaves::Leaves;
pub use merge::{dedup, merge, try_merge};
pub use ops::{Enabled, FenceOps};
pub use outcome::{FenceError, Outcome, Signal, Status, WaitError};
pub use reservation::{
    AcquireContext, AddError, Deadlock, DuplicateObject, LockedSet, ReservationGuard,
    ReservationIter, ReservationObject, ReservationStatus, ReservationView, Usage, lock_all,
};
pub use shared::AllocError;
pub use time::Timestamp;
pub use wait::{AllFuture, AnyFuture, FenceFuture, all_of, any_of};
#[cfg(feature = "std")]
pub use wait::{
    WaitAnyError, wait_all, wait_all_timeout, wait_all_until, wait_any, wait_any_timeout,
    wait_any_until,
};

/// The example in the repository's README runs, too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

#[cfg(doctest)]
#[path = "../tests/compile_fail/mod.rs"]
pub mod compile_fail;
