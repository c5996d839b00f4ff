//! Sync files: fences of the kernel, as file descriptors.
//!
//! - [`info`]: what a sync file says about its fences
//! - [`import`]: a sync file as a fence of the library
//! - [`watched`]: the fence of the kernel behind one of the library

mod import;
mod info;
mod watched;

pub use import::ImportError;
pub use info::{FenceInfo, FenceStatus, SyncFileInfo};
pub(crate) use watched::Watched;

use core::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use dma_fence::{Timestamp, contract};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::KernelError;
use crate::ioctl;
use crate::uapi::{SyncMergeData, SyncSetDeadline};
use crate::unbounded::UnboundedSyncFile;

/// A file descriptor that stands for a fence of the kernel, which signals in finite time.
///
/// ```no_run
/// use dma_fence_linux::{SyncFile, Vgem};
/// let vgem = Vgem::open()?;
/// let (render, rendered) = vgem.new_fence()?;
/// let (scan, scanned) = vgem.new_fence()?;
/// let both = rendered.merge(&scanned, "frame 7")?;
/// for fence in both.info()?.fences {
///     println!("{} {}: {:?}", fence.driver, fence.timeline, fence.status);
/// }
/// let fence = both.into_fence()?;
/// render.signal()?;
/// scan.signal()?;
/// fence.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "sync_file")]
#[derive(Debug)]
pub struct SyncFile(OwnedFd);

impl SyncFile {
    /// A file descriptor that came from somewhere, if it is a sync file, and one that signals in finite time: not
    /// one that waits for a software timeline of debugfs.
    ///
    /// # Errors
    /// It is none: hands it back.
    ///
    /// # Context
    /// One system call for up to 16 fences, which does not block and does not enable signaling.
    pub fn new(fd: OwnedFd) -> Result<Self, NotASyncFile> {
        match info::waits_for_user_space(fd.as_fd()) {
            Ok(false) => Ok(SyncFile(fd)),
            Ok(true) => Err(NotASyncFile::Unbounded(UnboundedSyncFile::new(SyncFile(fd)))),
            Err(error) => Err(NotASyncFile::OtherKind { fd, error }),
        }
    }

    /// What a request of the kernel gave as a sync file.
    pub(crate) fn from_kernel(fd: OwnedFd) -> Self {
        SyncFile(fd)
    }

    /// Has the operation ended? True also when it failed.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// As [`info`](Self::info).
    pub fn is_signaled(&self) -> Result<bool, KernelError> {
        Ok(ioctl::sync_file_info(self.0.as_fd(), &mut [])?.status != 0)
    }

    /// One sync file for both: it signals when both have.
    ///
    /// The kernel keeps the first 31 bytes of `name`.
    ///
    /// # Errors
    /// What the kernel answers: `EMFILE`, `ENOMEM`.
    ///
    /// # Context
    /// Does not block, does not enable signaling.
    #[doc(alias = "SYNC_IOC_MERGE")]
    pub fn merge(&self, other: &SyncFile, name: &str) -> Result<SyncFile, KernelError> {
        let (name, fd2) = (c_name(name), other.0.as_raw_fd());
        let argument = SyncMergeData { name, fd2, ..SyncMergeData::default() };
        ioctl::request_fd(self.0.as_fd(), argument).map(SyncFile)
    }

    /// Somebody would like the fence to signal by `deadline`.
    ///
    /// # Errors
    /// `ENOTTY` before Linux 6.6, which has no deadlines.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "SYNC_IOC_SET_DEADLINE")]
    pub fn set_deadline(&self, deadline: Timestamp) -> Result<(), KernelError> {
        let mut argument = SyncSetDeadline { deadline_ns: deadline.as_nanos(), pad: 0 };
        ioctl::request(self.0.as_fd(), &mut argument)
    }

    /// Waits until the fence has signaled or the time is over; zero does not sleep. True if it has.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Blocks the thread, and needs nothing else. Enables signaling.
    #[doc(alias = "sync_wait")]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, KernelError> {
        if !timeout.is_zero() {
            contract::may_wait();
        }
        let now = Timestamp::now().as_nanos();
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let deadline = now.saturating_add(nanos);
        loop {
            let left = deadline.saturating_sub(Timestamp::now().as_nanos());
            let left = Timespec::try_from(Duration::from_nanos(left)).ok();
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                Err(Errno::INTR) => {}
                result => return result.map(|ready| ready > 0).map_err(KernelError::of("poll")),
            }
        }
    }

    /// A second file descriptor of the same sync file.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn try_clone(&self) -> Result<SyncFile, KernelError> {
        rustix::io::fcntl_dupfd_cloexec(&self.0, 0)
            .map(SyncFile)
            .map_err(KernelError::of("F_DUPFD_CLOEXEC"))
    }
}

/// A name as the kernel takes it: at most 31 bytes, cut between two characters, and a zero.
fn c_name(name: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    let before_zero = name.split('\0').next().unwrap_or("");
    let len = (0..bytes.len()).rev().find(|&len| before_zero.is_char_boundary(len)).unwrap_or(0);
    bytes[..len].copy_from_slice(&before_zero.as_bytes()[..len]);
    bytes
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

/// A file descriptor is not a sync file, or none that signals in finite time.
#[derive(Debug)]
pub enum NotASyncFile {
    /// It is of another kind.
    OtherKind {
        /// The file descriptor.
        fd: OwnedFd,
        /// What the kernel answered: `ENOTTY` for most other kinds.
        error: KernelError,
    },
    /// It waits for a software timeline, which user space signals, or never does.
    Unbounded(UnboundedSyncFile),
}

impl fmt::Display for NotASyncFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotASyncFile::OtherKind { error, .. } => {
                write!(f, "the file descriptor is not a sync file ({error})")
            }
            NotASyncFile::Unbounded(_) => {
                f.write_str("the sync file waits for a software timeline, which may never signal")
            }
        }
    }
}

impl core::error::Error for NotASyncFile {}

#[cfg(test)]
mod tests {
    use super::c_name;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(&c_name("frame")[..6], b"frame\0");
        assert_eq!(c_name(""), [0; 32]);
        let long = c_name(&"ä".repeat(20));
        assert_eq!(long[..30], *"ä".repeat(15).as_bytes());
        assert_eq!(long[30..], [0, 0]);
        assert_eq!(&c_name("a\0b")[..3], b"a\0\0");
    }
}
