//! A place for a fence: a binary object's only one, or one on a timeline.

use std::num::NonZeroU64;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use super::error::{PointError, SyncobjError};
use super::object::Object;
use crate::drm::DrmDevice;
use crate::ioctl;
use crate::sync_file::SyncFile;
use crate::uapi::{DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE, DrmSyncobjEventfd, DrmSyncobjTransfer};

/// A place for a fence: a binary object's only one, or one on a timeline. It keeps its object alive.
///
/// A fence may be there, or be submitted later, or never. That is why a point is no fence, and nothing that
/// takes fences takes points: [`sync_file`](Self::sync_file) makes one of what was submitted, and fails
/// otherwise. The library's fence is [that of the sync file](SyncFile::into_fence).
///
/// A fence that failed has signaled. What it failed with is in its sync file.
///
/// ```no_run
/// use dma_fence_linux::{DrmDevice, PointError, PointWait, TimelineSyncobj};
/// use std::{num::NonZeroU64, time::Duration};
/// # fn given() -> dma_fence_linux::SyncFile { unimplemented!() }
/// let device = DrmDevice::first_with_syncobjs()?;
/// let frame = TimelineSyncobj::new(&device)?.point(NonZeroU64::new(7).unwrap());
/// assert_eq!(frame.sync_file().unwrap_err(), PointError::NotSubmitted);
/// frame.submit(&given())?;
/// PointWait::for_signal(Duration::from_secs(1)).all(&[frame])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SyncPoint {
    object: Arc<Object>,
    /// 0 is a binary object's, as in the kernel.
    seqno: u64,
}

/// What can be told of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PointEvent {
    /// Somebody submitted a fence to it, or to a later one of the timeline.
    Submitted,
    /// A fence was submitted and has signaled, and so have all earlier ones of the timeline.
    Signaled,
}

impl SyncPoint {
    pub(super) fn binary(object: Arc<Object>) -> Self {
        SyncPoint { object, seqno: 0 }
    }

    pub(super) fn on_timeline(object: Arc<Object>, seqno: NonZeroU64) -> Self {
        SyncPoint { object, seqno: seqno.get() }
    }

    pub(super) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    pub(super) fn raw_seqno(&self) -> u64 {
        self.seqno
    }

    /// The device of the point's object.
    pub fn device(&self) -> &DrmDevice {
        self.object.device()
    }

    /// Where it is on its timeline; `None` for that of a binary object.
    pub fn seqno(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.seqno)
    }

    /// Puts a fence to the point. A binary object's former one is forgotten by the object.
    ///
    /// On a timeline the points before it count, too: the point has signaled when the fence has, and all of
    /// them have. Submit in ascending order. The kernel takes what comes late, says nothing, and puts it behind
    /// the last one: then that one is pending again for whoever asks from now on.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE")]
    #[doc(alias = "drmSyncobjImportSyncFile")]
    pub fn submit(&self, fence: &SyncFile) -> Result<(), SyncobjError> {
        if self.seqno == 0 {
            return Ok(self.object.import_sync_file(fence)?);
        }
        // Before Linux 6.16 sync files go into binary objects only.
        let temporary = self.temporary()?;
        temporary.object.import_sync_file(fence)?;
        // Not that of `transfer`, for something was submitted to this one.
        Ok(temporary.request_transfer(self)?)
    }

    /// The fence that was submitted to the point, as a sync file: also that of an earlier point's if it takes
    /// longer.
    ///
    /// # Errors
    /// [`NotSubmitted`](PointError::NotSubmitted) before anybody did. `EMFILE` without a file descriptor left.
    ///
    /// # Context
    /// Does not block, and enables no signaling.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD")]
    #[doc(alias = "drmSyncobjExportSyncFile")]
    pub fn sync_file(&self) -> Result<SyncFile, PointError> {
        if self.seqno == 0 {
            return Ok(self.object.export_sync_file()?);
        }
        // Before Linux 6.16 sync files come out of binary objects only.
        let temporary = self.temporary()?;
        self.transfer(&temporary)?;
        temporary.sync_file()
    }

    /// Puts this point's fence to another point of the same device.
    ///
    /// # Errors
    /// [`NotSubmitted`](PointError::NotSubmitted) if there is none;
    /// [`BadHandle`](SyncobjError::BadHandle) if the other one was made on another open file.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_TRANSFER")]
    pub fn transfer(&self, to: &SyncPoint) -> Result<(), PointError> {
        if !self.device().is_same(to.device()) {
            return Err(SyncobjError::BadHandle.into());
        }
        Ok(self.request_transfer(to)?)
    }

    /// Signals the point on the CPU: submits a fence that has signaled.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_SIGNAL")]
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL")]
    pub fn signal(&self) -> Result<(), SyncobjError> {
        let (fd, handle) = (self.object.fd(), self.object.handle());
        Ok(match self.seqno {
            0 => ioctl::syncobj_signal(fd, handle),
            seqno => ioctl::syncobj_timeline_signal(fd, handle, seqno),
        }?)
    }

    /// Adds 1 to an eventfd when it has happened, at once if it has by now. That may be never: nobody has to
    /// submit anything, and nobody can when the last handle and file descriptor of the object are gone.
    ///
    /// It cannot be taken back.
    ///
    /// ```no_run
    /// # use dma_fence_linux::{BinarySyncobj, DrmDevice, PointEvent};
    /// use rustix::event::{EventfdFlags, eventfd};
    /// let device = DrmDevice::first_with_syncobjs()?;
    /// let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    /// let point = BinarySyncobj::new(&device)?.point();
    /// point.notify(&event, PointEvent::Signaled)?;
    /// // … poll `event` …
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `EINVAL` if it is no eventfd, or the kernel is older than 6.6.
    ///
    /// # Context
    /// Does not block. Enables signaling.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_EVENTFD")]
    pub fn notify(&self, eventfd: impl AsFd, event: PointEvent) -> Result<(), SyncobjError> {
        let flags = match event {
            PointEvent::Submitted => DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE,
            PointEvent::Signaled => 0,
        };
        let fd = eventfd.as_fd().as_raw_fd();
        let (handle, point) = (self.object.handle(), self.seqno);
        let mut argument = DrmSyncobjEventfd { handle, flags, point, fd, pad: 0 };
        Ok(ioctl::request(self.object.fd(), &mut argument)?)
    }

    fn temporary(&self) -> Result<SyncPoint, SyncobjError> {
        Ok(SyncPoint::binary(Object::new(self.device(), 0)?))
    }

    fn request_transfer(&self, to: &SyncPoint) -> Result<(), crate::KernelError> {
        let mut argument = DrmSyncobjTransfer {
            src_handle: self.object.handle(),
            src_point: self.seqno,
            dst_handle: to.object.handle(),
            dst_point: to.seqno,
            ..DrmSyncobjTransfer::default()
        };
        ioctl::request(self.object.fd(), &mut argument)
    }
}
