//! Software timelines of debugfs, for tests.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use dma_fence::{Errno, Fence, Timestamp};
use rustix::fs::{Mode, OFlags, open};

use crate::error::{KernelError, Unsupported};
use crate::export::when_signaled;
use crate::ioctl;
use crate::sync_file::SyncFile;
use crate::uapi::{SwSyncCreateFenceData, SwSyncGetDeadline, SwSyncInc};
use crate::unbounded::UnboundedSyncFile;

const PATH: &str = "/sys/kernel/debug/sync/sw_sync";

/// A timeline of the kernel that user space moves on: it starts at 0, and fences signal when it gets to
/// them.
///
/// Dropping it signals all that are pending, with the error `ENOENT`.
///
/// ```no_run
/// use dma_fence_linux::SwSync;
/// let timeline = SwSync::open()?;
/// let (one, two) = (timeline.create_fence(1)?, timeline.create_fence(2)?);
/// timeline.inc(1)?;
/// assert!(one.is_signaled()? && !two.is_signaled()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "sw_sync")]
#[derive(Debug)]
pub struct SwSync(OwnedFd);

/// Why there is no software timeline, or no fence on it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SwSyncError {
    /// The machine has none, or not for this process.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// Anything else.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

impl SwSync {
    /// A new timeline.
    ///
    /// # Errors
    /// [`Unsupported`](SwSyncError::Unsupported) on most machines; `EMFILE`.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "sw_sync_timeline_create")]
    pub fn open() -> Result<SwSync, SwSyncError> {
        match open(PATH, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(SwSync(fd)),
            Err(error) => Err(refusal(KernelError::of("open")(error))),
        }
    }

    /// A fence that signals when the timeline gets to `value`.
    ///
    /// # Errors
    /// What the kernel answers, `EMFILE` for one.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias("SW_SYNC_IOC_CREATE_FENCE", "sw_sync_fence_create"))]
    pub fn create_fence(&self, value: u32) -> Result<UnboundedSyncFile, KernelError> {
        // The kernel takes a name and shows it nowhere.
        let argument = SwSyncCreateFenceData { value, name: [0; 32], fence: -1 };
        let fd = ioctl::request_fd(self.0.as_fd(), argument)?;
        Ok(UnboundedSyncFile::new(SyncFile::from_kernel(fd)))
    }

    /// Moves the timeline on by `steps`. It is a circle: a fence has signaled if it is less than half of it
    /// behind.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Does not block. Callbacks of the kernel run.
    #[doc(alias("SW_SYNC_IOC_INC", "sw_sync_timeline_inc"))]
    pub fn inc(&self, steps: u32) -> Result<(), KernelError> {
        ioctl::request(self.0.as_fd(), &mut SwSyncInc { value: steps })
    }

    /// The earliest time by which somebody would like a fence of a software timeline to signal, if anybody
    /// said so.
    ///
    /// # Errors
    /// `EINVAL` for other fences; `ENOTTY` on kernels before 6.6.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "SW_SYNC_GET_DEADLINE")]
    pub fn deadline(&self, file: impl AsFd) -> Result<Option<Timestamp>, KernelError> {
        let fence_fd = file.as_fd().as_raw_fd();
        let mut argument = SwSyncGetDeadline { fence_fd, ..SwSyncGetDeadline::default() };
        match ioctl::request(self.0.as_fd(), &mut argument) {
            Ok(()) => Ok(Some(Timestamp::from_nanos(argument.deadline_ns))),
            Err(error) if error.errno() == Errno::ENOENT => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A sync file that signals when the fence does, on a timeline of its own, however long it takes.
    ///
    /// If the fence fails the sync file signals with `ENOENT`: a software timeline knows no other error. If
    /// the fence is abandoned the sync file is pending until the context is declared idle, or the process ends:
    /// the kernel closes the timeline, whatever the device is doing then.
    ///
    /// ```no_run
    /// use dma_fence::FenceContext;
    /// use dma_fence_linux::SwSync;
    /// let producer = FenceContext::hardware("gpu", "ring 0").new_fence();
    /// let unbounded = SwSync::export(&producer.fence())?;
    /// producer.signal(Ok(()));
    /// assert!(unbounded.is_signaled()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`create_fence`](Self::create_fence).
    ///
    /// # Context
    /// Does not block; enables signaling. Takes a file descriptor until the signal, which costs its thread two
    /// system calls.
    pub fn export(fence: &Fence) -> Result<UnboundedSyncFile, SwSyncError> {
        let timeline = SwSync::open()?;
        let unbounded = timeline.create_fence(1)?;
        when_signaled(fence, move |result| {
            if result.is_ok() {
                // Should it fail, then dropping the timeline signals, with an error.
                let _ = timeline.inc(1);
            }
        });
        Ok(unbounded)
    }
}

fn refusal(error: KernelError) -> SwSyncError {
    match error.errno() {
        Errno::ENOENT => SwSyncError::Unsupported(Unsupported::new(
            PATH,
            "mount debugfs on /sys/kernel/debug; the kernel must have CONFIG_SW_SYNC",
        )),
        Errno::EACCES | Errno::EPERM => {
            SwSyncError::Unsupported(Unsupported::new(PATH, "only root may open it"))
        }
        _ => SwSyncError::Kernel(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        for (errno, hint) in [
            (Errno::ENOENT, "CONFIG_SW_SYNC"),
            (Errno::EACCES, "root"),
            (Errno::EPERM, "root"),
            (Errno::EIO, "EIO"),
        ] {
            let error = refusal(KernelError::new("open", errno));
            assert!(error.to_string().contains(hint), "{error}");
            let is_kernel = matches!(error, SwSyncError::Kernel(_));
            assert_eq!(is_kernel, errno == Errno::EIO);
        }
    }
}
