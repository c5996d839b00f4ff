//! Sync files that nobody vouches for.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::error::KernelError;
use crate::sync_file::{SyncFile, SyncFileInfo};

/// A sync file of a software timeline, which user space signals, or never does.
///
/// Fences of the kernel signal in finite time; who frees memory, resets a device or shows a frame relies on
/// it. This one may wait for something that itself waits for it. So it is no [`SyncFile`], and nothing that
/// takes one takes this:
///
/// ```compile_fail,E0308
/// use dma_fence_linux::{BinarySyncobj, UnboundedSyncFile};
/// fn submit(to: &BinarySyncobj, unbounded: &UnboundedSyncFile) {
///     to.point().submit(unbounded).unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct UnboundedSyncFile(SyncFile);

impl UnboundedSyncFile {
    pub(crate) fn new(file: SyncFile) -> Self {
        UnboundedSyncFile(file)
    }

    /// What the sync file says about itself and its fence.
    ///
    /// # Errors
    /// As [`SyncFile::info`].
    ///
    /// # Context
    /// As [`SyncFile::info`].
    #[doc(alias = "SYNC_IOC_FILE_INFO")]
    pub fn info(&self) -> Result<SyncFileInfo, KernelError> {
        self.0.info()
    }

    /// Has it signaled?
    ///
    /// # Errors
    /// As [`SyncFile::is_signaled`].
    ///
    /// # Context
    /// As [`SyncFile::is_signaled`].
    pub fn is_signaled(&self) -> Result<bool, KernelError> {
        self.0.is_signaled()
    }

    /// Waits until it has signaled or the time is over; zero does not sleep. True if it has.
    ///
    /// # Errors
    /// As [`SyncFile::wait_timeout`].
    ///
    /// # Context
    /// As [`SyncFile::wait_timeout`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, KernelError> {
        self.0.wait_timeout(timeout)
    }

    /// You vouch for it: whoever signals it will do so in finite time, without waiting for anything that
    /// waits for it, even if this process is killed.
    ///
    /// ```no_run
    /// use dma_fence_linux::SwSync;
    /// let timeline = SwSync::open()?;
    /// let unbounded = timeline.create_fence(1)?;
    /// timeline.inc(1)?;
    /// let fence = unbounded.vouch_finite().into_fence()?; // it has signaled
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn vouch_finite(self) -> SyncFile {
        self.0
    }
}

/// To poll it, or to send it to a process that knows what it gets.
impl AsFd for UnboundedSyncFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
