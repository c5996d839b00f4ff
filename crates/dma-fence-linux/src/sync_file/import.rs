//! A sync file as a fence of the library.

use core::fmt;
use std::os::fd::AsFd;

use dma_fence::{Fence, FenceContext, Signal};

use super::info::{text, total, with_raw_info};
use super::{FenceStatus, SyncFile, Watched};
use crate::error::KernelError;
use crate::reactor::{Reactor, ReactorHandle};

impl SyncFile {
    /// The library's fence of this sync file; signaled, with the kernel's result and time, if the kernel's
    /// is, and pending otherwise.
    ///
    /// A pending one asks the kernel when it is asked, and is watched by the process's
    /// [reactor](Reactor::global) as soon as somebody waits for it or registers a callback. It keeps the file
    /// descriptor until it signals or nobody has it any more.
    ///
    /// # Errors
    /// The kernel refuses to tell, or the reactor cannot be started: hands the sync file back.
    ///
    /// # Context
    /// One system call if it has signaled: no file descriptor, thread or timer stays behind. Does not
    /// block, does not enable signaling.
    pub fn into_fence(self) -> Result<Fence, ImportError> {
        self.import(Reactor::global)
    }

    /// As [`into_fence`](Self::into_fence), with the reactor of an event loop of yours.
    ///
    /// # Errors
    /// As [`into_fence`](Self::into_fence).
    ///
    /// # Context
    /// As [`into_fence`](Self::into_fence). Whoever runs the event loop must not block in a wait for the
    /// fence.
    pub fn into_fence_on(self, reactor: &ReactorHandle) -> Result<Fence, ImportError> {
        self.import(|| Ok(reactor.clone()))
    }

    fn import(
        self,
        reactor: impl FnOnce() -> Result<ReactorHandle, KernelError>,
    ) -> Result<Fence, ImportError> {
        let context = match self.context() {
            Ok(Found::Signaled(signal)) => return Ok(Fence::signaled_with(signal)),
            Ok(Found::Pending(context)) => context,
            Err(error) => return Err(ImportError { file: self, error }),
        };
        match reactor() {
            Ok(reactor) => Ok(Watched::start(self, &context, &reactor)),
            Err(error) => Err(ImportError { file: self, error }),
        }
    }

    /// The context of the fence to be, unless there is nothing to wait for: all from one system call.
    fn context(&self) -> Result<Found, KernelError> {
        with_raw_info(self.as_fd(), |info, fences| match total(fences) {
            FenceStatus::Signaled(signal) => Found::Signaled(signal),
            FenceStatus::Pending => Found::Pending(match fences {
                [only] => FenceContext::hardware(text(&only.driver_name), text(&only.obj_name)),
                _ => FenceContext::hardware("sync_file", text(&info.name)),
            }),
        })
    }
}

enum Found {
    Signaled(Signal),
    Pending(FenceContext),
}

/// A sync file did not become a fence.
#[derive(Debug)]
pub struct ImportError {
    /// The sync file.
    pub file: SyncFile,
    /// What the kernel answered.
    pub error: KernelError,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot import the sync file: {}", self.error)
    }
}

impl core::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}
