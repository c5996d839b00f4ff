//! What engines answer when they do not do as they are told, and what they remark when they do.
//!
//! An error of an *operation* is not here: that is the result of its fence, an [`Errno`].

use crate::memory::LeaseError;
use dma_fence::{Errno, RefusedMembers};
use std::fmt;
use std::io;

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A queue of no, or of too many operations.
    #[error("a queue depth of {0} is not between 1 and 4096")]
    QueueDepth(u32),
    /// The kernel does not let this process use io_uring.
    #[error("the kernel refuses io_uring ({why}): {0}", why = hint(.0))]
    Refused(io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What is usually behind a refusal.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => "too old, or built without it",
        Some(libc::EPERM | libc::EACCES) => "kernel.io_uring_disabled, or a seccomp filter",
        Some(libc::ENOMEM) => "too little lockable memory, see ulimit -l",
        Some(libc::EMFILE | libc::ENFILE) => "too many open files",
        _ => "unexpectedly",
    }
}

/// Something that the user should hear and that is no error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice(pub(super) String);

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an operation was not submitted. Nothing has happened to the buffer.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// More bytes than the buffer has.
    #[error("{len} bytes do not fit into a buffer of {size}")]
    TooLong {
        /// Bytes asked for.
        len: usize,
        /// Bytes in the buffer.
        size: usize,
    },
    /// The buffer is not from the pool that the engine was started with.
    #[error("the buffer belongs to another pool")]
    ForeignBuffer,
    /// The buffer cannot be leased.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The in-fences cannot be waited for together.
    #[error("the fences to wait for cannot be joined: {0:?}")]
    Fences(RefusedMembers),
    /// The engine's threads have died.
    #[error("the engine has died")]
    EngineDied,
}

/// What the kernel said, as fences say it.
pub(super) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().and_then(Errno::from_raw).unwrap_or(Errno::EIO)
}
