//! Sync objects of DRM devices: places that fences are put into, and waited for before they are there.
//!
//! - `object`: a handle as a guard
//! - `point`: a place for a fence, and all that is done with one
//! - `wait`: waiting for several

mod error;
mod object;
mod point;
#[cfg(test)]
mod tests;
mod wait;

use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

pub use error::{PointError, PointWaitError, SyncobjError, SyncobjImportError};
pub use point::{PointEvent, SyncPoint};
pub use wait::{PointWait, TimeLimit};

use crate::drm::DrmDevice;
use crate::ioctl;
use crate::uapi::{DRM_SYNCOBJ_CREATE_SIGNALED, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED};
use object::Object;

/// A sync object with a place for one fence.
///
/// The kernel has one kind of sync objects, and makes a binary one of a timeline when it is used as such:
/// what was waited for is gone. Here they are two types; who imports one says which it is.
///
/// ```no_run
/// use dma_fence_linux::{BinarySyncobj, DrmDevice, PointWait};
/// use std::time::Duration;
/// let device = DrmDevice::first_with_syncobjs()?;
/// let done = BinarySyncobj::new(&device)?;
/// done.point().signal()?;
/// PointWait::for_signal(Duration::ZERO).all(&[done.point()])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "drm_syncobj")]
#[derive(Debug)]
pub struct BinarySyncobj(Arc<Object>);

impl BinarySyncobj {
    /// One without a fence.
    ///
    /// # Errors
    /// [`Unsupported`](SyncobjError::Unsupported) if the device has no sync objects.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_CREATE")]
    pub fn new(device: &DrmDevice) -> Result<Self, SyncobjError> {
        Ok(BinarySyncobj(Object::new(device, 0)?))
    }

    /// One with a fence that has signaled.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_SYNCOBJ_CREATE_SIGNALED")]
    pub fn new_signaled(device: &DrmDevice) -> Result<Self, SyncobjError> {
        Ok(BinarySyncobj(Object::new(device, DRM_SYNCOBJ_CREATE_SIGNALED)?))
    }

    /// The one that was exported as this file descriptor, on any device. The descriptor is not used up.
    ///
    /// # Errors
    /// It is something else's; what the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE")]
    pub fn import(device: &DrmDevice, fd: impl AsFd) -> Result<Self, SyncobjImportError> {
        Ok(BinarySyncobj(Object::import(device, fd.as_fd())?))
    }

    /// The object as a file descriptor, for another process or another device.
    ///
    /// # Errors
    /// What the kernel answers, `EMFILE` for one.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD")]
    pub fn export(&self) -> Result<OwnedFd, SyncobjError> {
        Ok(self.0.export()?)
    }

    /// Forgets the fence. Who waits for it goes on waiting for it.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_RESET")]
    pub fn reset(&self) -> Result<(), SyncobjError> {
        Ok(ioctl::syncobj_reset(self.0.fd(), self.0.handle())?)
    }

    /// The place for its fence.
    pub fn point(&self) -> SyncPoint {
        SyncPoint::binary(self.0.clone())
    }
}

/// A sync object with a place for a fence at each number from 1 on.
///
/// ```no_run
/// use dma_fence_linux::{DrmDevice, TimelineSyncobj};
/// use std::num::NonZeroU64;
/// let timeline = TimelineSyncobj::new(&DrmDevice::first_with_syncobjs()?)?;
/// let frame = NonZeroU64::new(100).unwrap();
/// assert_eq!(timeline.last_signaled()?, None);
/// timeline.point(frame).signal()?;
/// assert_eq!(timeline.last_signaled()?, Some(frame));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "drm_syncobj")]
#[derive(Debug)]
pub struct TimelineSyncobj(Arc<Object>);

impl TimelineSyncobj {
    /// One at whose points there is nothing yet.
    ///
    /// # Errors
    /// [`Unsupported`](SyncobjError::Unsupported) if the device has no timelines.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_CREATE")]
    pub fn new(device: &DrmDevice) -> Result<Self, SyncobjError> {
        let timeline = TimelineSyncobj(Object::new(device, 0)?);
        // A device with binary objects only is found out by the first request for a point.
        timeline.last_signaled()?;
        Ok(timeline)
    }

    /// The one that was exported as this file descriptor, on any device. The descriptor is not used up.
    ///
    /// # Errors
    /// It is something else's; what the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE")]
    pub fn import(device: &DrmDevice, fd: impl AsFd) -> Result<Self, SyncobjImportError> {
        Ok(TimelineSyncobj(Object::import(device, fd.as_fd())?))
    }

    /// The object as a file descriptor, for another process or another device.
    ///
    /// # Errors
    /// What the kernel answers, `EMFILE` for one.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD")]
    pub fn export(&self) -> Result<OwnedFd, SyncobjError> {
        Ok(self.0.export()?)
    }

    /// The place for a fence at that number.
    pub fn point(&self, seqno: NonZeroU64) -> SyncPoint {
        SyncPoint::on_timeline(self.0.clone(), seqno)
    }

    /// The last point up to which all that was submitted has signaled.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_QUERY")]
    pub fn last_signaled(&self) -> Result<Option<NonZeroU64>, SyncobjError> {
        self.query(0)
    }

    /// The last point that something was submitted to.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED")]
    pub fn last_submitted(&self) -> Result<Option<NonZeroU64>, SyncobjError> {
        self.query(DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED)
    }

    fn query(&self, flags: u32) -> Result<Option<NonZeroU64>, SyncobjError> {
        Ok(NonZeroU64::new(ioctl::syncobj_query(self.0.fd(), self.0.handle(), flags)?))
    }
}
