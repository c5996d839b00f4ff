//! A sync file as a fence of the library.

use core::fmt;
use std::borrow::Cow;

use dma_fence::{Fence, FenceContext};

use super::{FenceInfo, FenceStatus, SyncFile, Watched};
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
        match self.status() {
            Ok(FenceStatus::Signaled(signal)) => Ok(Fence::signaled_with(signal)),
            Ok(FenceStatus::Pending) => self.watch(reactor),
            Err(error) => Err(ImportError { file: self, error }),
        }
    }

    fn watch(
        self,
        reactor: impl FnOnce() -> Result<ReactorHandle, KernelError>,
    ) -> Result<Fence, ImportError> {
        let prepared = self.info().and_then(|info| Ok((info, reactor()?)));
        match prepared {
            Ok((info, reactor)) => {
                let (driver, timeline) = names(info.fences, info.name);
                let context = FenceContext::hardware(driver, timeline);
                Ok(Watched::start(self, &context, &reactor))
            }
            Err(error) => Err(ImportError { file: self, error }),
        }
    }
}

/// Driver and timeline of a single fence; of several, that it is a sync file of that name.
fn names(mut fences: Vec<FenceInfo>, name: String) -> (Cow<'static, str>, Cow<'static, str>) {
    match fences.pop() {
        Some(only) if fences.is_empty() => (only.driver.into(), only.timeline.into()),
        _ => ("sync_file".into(), name.into()),
    }
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
