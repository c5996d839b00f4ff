//! A handle of a sync object, as a guard.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::drm::DrmDevice;
use crate::error::KernelError;
use crate::ioctl;
use crate::sync_file::SyncFile;
use crate::uapi::{
    DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE,
    DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE, DrmSyncobjCreate, DrmSyncobjDestroy,
    DrmSyncobjFdToHandle, DrmSyncobjHandleToFd,
};

/// A sync object of a device, destroyed when it is dropped. Points share it by counting.
///
/// The number of the handle leaves this crate never, and is always one that the kernel gave: so it is
/// not 0, it is of this device, and nobody uses it after it was destroyed.
#[derive(Debug)]
pub(super) struct Object {
    device: DrmDevice,
    handle: u32,
}

impl Object {
    pub(super) fn new(device: &DrmDevice, flags: u32) -> Result<Arc<Object>, KernelError> {
        let mut argument = DrmSyncobjCreate { handle: 0, flags };
        ioctl::request(device.as_fd(), &mut argument)?;
        Ok(Arc::new(Object { device: device.clone(), handle: argument.handle }))
    }

    /// Another handle of the object that somebody exported.
    pub(super) fn import(
        device: &DrmDevice,
        fd: BorrowedFd<'_>,
    ) -> Result<Arc<Object>, KernelError> {
        let mut argument = fd_to_handle(fd);
        ioctl::request(device.as_fd(), &mut argument)?;
        Ok(Arc::new(Object { device: device.clone(), handle: argument.handle }))
    }

    pub(super) fn export(&self) -> Result<OwnedFd, KernelError> {
        self.handle_to_fd(0)
    }

    /// Puts a sync file's fence into a binary object.
    pub(super) fn import_sync_file(&self, file: &SyncFile) -> Result<(), KernelError> {
        let flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
        // With this flag the handle is not answered but asked for: the object to import into.
        let mut argument =
            DrmSyncobjFdToHandle { handle: self.handle, flags, ..fd_to_handle(file.as_fd()) };
        ioctl::request(self.fd(), &mut argument)
    }

    /// The sync file of a binary object's fence.
    pub(super) fn export_sync_file(&self) -> Result<SyncFile, KernelError> {
        self.handle_to_fd(DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE)
            .map(SyncFile::from_kernel)
    }

    fn handle_to_fd(&self, flags: u32) -> Result<OwnedFd, KernelError> {
        let argument = DrmSyncobjHandleToFd { handle: self.handle, flags, fd: -1, pad: 0 };
        ioctl::request_fd(self.fd(), argument)
    }

    pub(super) fn device(&self) -> &DrmDevice {
        &self.device
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }

    pub(super) fn handle(&self) -> u32 {
        self.handle
    }
}

fn fd_to_handle(fd: BorrowedFd<'_>) -> DrmSyncobjFdToHandle {
    DrmSyncobjFdToHandle { handle: 0, flags: 0, fd: fd.as_raw_fd(), pad: 0 }
}

impl Drop for Object {
    fn drop(&mut self) {
        let mut argument = DrmSyncobjDestroy { handle: self.handle, pad: 0 };
        // Fails only if the device is lost, and then there is nothing to destroy.
        let _ = ioctl::request(self.fd(), &mut argument);
    }
}
