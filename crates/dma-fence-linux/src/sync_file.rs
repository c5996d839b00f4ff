//! Sync files: fences of the kernel, as file descriptors.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A file descriptor that stands for a fence of the kernel.
#[doc(alias = "sync_file")]
#[derive(Debug)]
pub struct SyncFile(OwnedFd);

impl SyncFile {
    /// What a request of the kernel gave as a sync file.
    #[allow(dead_code)]
    pub(crate) fn from_kernel(fd: OwnedFd) -> Self {
        SyncFile(fd)
    }
}

impl AsFd for SyncFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<SyncFile> for OwnedFd {
    fn from(file: SyncFile) -> OwnedFd {
        file.0
    }
}
