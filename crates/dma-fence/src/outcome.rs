//! What can become of a fence, and how waits report it.

use crate::{Errno, Timestamp};
use core::fmt;

/// How and when a fence signaled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    /// `Ok`, or why the operation failed. Either way it has ended.
    pub result: Result<(), Errno>,
    /// When it ended.
    pub timestamp: Timestamp,
}

impl Signal {
    /// The operation has ended at this moment.
    pub fn now(result: Result<(), Errno>) -> Self {
        Signal { result, timestamp: Timestamp::now() }
    }
}

/// The state of a fence at one moment.
#[doc(alias = "dma_fence_get_status")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The operation has not ended.
    Pending,
    /// The producer is lost and the device may still be working: memory must not be reused.
    Abandoned,
    /// The operation has ended. Final.
    Signaled(Signal),
}

/// What decides a wait: the signal or the abandonment, whichever comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The fence signaled.
    Signaled(Signal),
    /// The fence lost its producer. It may signal later, when its context is declared idle.
    Abandoned,
}

impl Outcome {
    /// The outcome as waits return it.
    pub fn result(&self) -> Result<(), FenceError> {
        match self {
            Outcome::Signaled(signal) => signal.result.map_err(FenceError::Failed),
            Outcome::Abandoned => Err(FenceError::Abandoned),
        }
    }
}

/// Why a wait without a time limit did not end well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FenceError {
    /// The operation ended with an error; its memory is free.
    Failed(Errno),
    /// The producer is lost; the memory stays untouchable until its context is declared idle.
    Abandoned,
}

/// Why a wait with a time limit did not end well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitError {
    /// The operation ended with an error; its memory is free.
    Failed(Errno),
    /// The producer is lost; the memory stays untouchable until its context is declared idle.
    Abandoned,
    /// The time limit passed first.
    TimedOut,
}

impl From<FenceError> for WaitError {
    fn from(error: FenceError) -> Self {
        match error {
            FenceError::Failed(errno) => WaitError::Failed(errno),
            FenceError::Abandoned => WaitError::Abandoned,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Pending => f.write_str("pending"),
            Status::Abandoned => f.write_str("abandoned"),
            Status::Signaled(Signal { result: Ok(()), .. }) => f.write_str("signaled"),
            Status::Signaled(Signal { result: Err(e), .. }) => write!(f, "signaled with {e}"),
        }
    }
}

const ABANDONED: &str = "the fence lost its producer before it signaled";

impl fmt::Display for FenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FenceError::Failed(errno) => errno.fmt(f),
            FenceError::Abandoned => f.write_str(ABANDONED),
        }
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::Failed(errno) => errno.fmt(f),
            WaitError::Abandoned => f.write_str(ABANDONED),
            WaitError::TimedOut => f.write_str("the fence did not signal in time"),
        }
    }
}

impl core::error::Error for FenceError {}
impl core::error::Error for WaitError {}
