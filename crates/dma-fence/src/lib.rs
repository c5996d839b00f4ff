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
#[cfg(feature = "std")]
mod wait;
mod waker;

pub use array::algorithm;
pub use array::{ArrayAllocation, ArrayMembers, FenceArray, RefusalReason, RefusedMembers};
pub use callback::{Declined, FenceCallback};
pub use chain::{BeyondHead, ChainAllocation, ChainIter, ContainedFence, FenceChain, RefusedFence};
pub use context::{ContextKind, FenceContext, SeqnoOrder};
pub use driver::{DriverFence, FenceAllocation};
pub use errno::Errno;
pub use fence::{Description, Fence};
pub use leaves::Leaves;
pub use merge::{dedup, merge, try_merge};
pub use ops::{Enabled, FenceOps};
pub use outcome::{FenceError, Outcome, Signal, Status, WaitError};
pub use reservation::{AddError, ReservationGuard, ReservationObject, ReservationStatus, Usage};
pub use shared::AllocError;
pub use time::Timestamp;
#[cfg(feature = "std")]
pub use wait::{wait_all, wait_any};
pub use waker::FenceFuture;

/// The example in the repository's README runs, too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
