//! Why operations on sync objects fail.

use dma_fence::Errno;

use crate::error::{KernelError, Unsupported};

/// Why an operation on a sync object failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SyncobjError {
    /// The device has no sync objects, or none with timelines.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// One of the objects is not of the same open file as the others, or not of this one any more.
    #[error("the sync object is not one of this open file")]
    BadHandle,
    /// The device is gone, or does not answer any more.
    #[error("the device is lost: {0}")]
    DeviceLost(KernelError),
    /// Anything else.
    #[error(transparent)]
    Kernel(KernelError),
}

/// Why what is at a point could not be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PointError {
    /// Nobody has submitted anything to the point. Somebody may do so later, or never.
    #[error("nothing was submitted to the point yet")]
    NotSubmitted,
    /// The operation failed.
    #[error(transparent)]
    Syncobj(#[from] SyncobjError),
}

/// Why a wait for points did not end well.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PointWaitError {
    /// The time limit passed first.
    #[error("the time limit passed first")]
    TimedOut,
    /// Nobody has submitted anything to one of the points, and the wait was not to include that.
    #[error("nothing was submitted to the point yet")]
    NotSubmitted,
    /// There are no points, so none will ever signal.
    #[error("there is no point to wait for")]
    NoPoints,
    /// The operation failed.
    #[error(transparent)]
    Syncobj(#[from] SyncobjError),
}

/// Why a file descriptor did not become a sync object.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SyncobjImportError {
    /// It is a file descriptor of something else.
    #[error("the file descriptor is not that of a sync object")]
    NotASyncobj,
    /// The operation failed.
    #[error(transparent)]
    Syncobj(#[from] SyncobjError),
}

impl From<KernelError> for SyncobjError {
    fn from(error: KernelError) -> Self {
        match error.errno() {
            Errno::EOPNOTSUPP => SyncobjError::Unsupported(Unsupported::new(
                error.request(),
                "the driver must have sync objects, for points those with timelines",
            )),
            Errno::ENOENT => SyncobjError::BadHandle,
            Errno::ENODEV | Errno::ENXIO | Errno::EIO => SyncobjError::DeviceLost(error),
            _ => SyncobjError::Kernel(error),
        }
    }
}

/// Of requests that look up what is at a point and have no other use for `EINVAL`.
impl From<KernelError> for PointError {
    fn from(error: KernelError) -> Self {
        match error.errno() {
            Errno::EINVAL => PointError::NotSubmitted,
            _ => PointError::Syncobj(error.into()),
        }
    }
}

impl From<KernelError> for PointWaitError {
    fn from(error: KernelError) -> Self {
        match error.errno() {
            Errno::ETIME => PointWaitError::TimedOut,
            Errno::EINVAL => PointWaitError::NotSubmitted,
            _ => PointWaitError::Syncobj(error.into()),
        }
    }
}

impl From<KernelError> for SyncobjImportError {
    fn from(error: KernelError) -> Self {
        match error.errno() {
            Errno::EINVAL => SyncobjImportError::NotASyncobj,
            _ => SyncobjImportError::Syncobj(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> KernelError {
        KernelError::new("DRM_IOCTL_SYNCOBJ_WAIT", errno)
    }

    #[test]
    fn a_lost_device_is_told_from_a_bad_handle_and_from_the_rest() {
        for errno in [Errno::ENODEV, Errno::ENXIO, Errno::EIO] {
            assert_eq!(SyncobjError::from(error(errno)), SyncobjError::DeviceLost(error(errno)));
        }
        assert_eq!(SyncobjError::from(error(Errno::ENOENT)), SyncobjError::BadHandle);
        for errno in [Errno::EINVAL, Errno::ENOMEM, Errno::ETIME] {
            assert_eq!(SyncobjError::from(error(errno)), SyncobjError::Kernel(error(errno)));
        }
    }
}
