//! Devices that give buffers: opening them, and what can be wrong with a request.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::{io, param::page_size};

use crate::error::{KernelError, Unsupported};

/// Why a device was not opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The machine does not have it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It is there: `EACCES` if this user may not use it, `EMFILE` if there are too many open files.
    #[error("cannot open {path}: {error}")]
    Kernel {
        /// The device.
        path: String,
        /// What the kernel answered.
        error: KernelError,
    },
}

/// Why there is no new buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AllocateError {
    /// Buffers are whole pages, and at least one.
    #[error("a buffer of {size} bytes: it takes a multiple of the page size, {page}, and not none")]
    Size {
        /// What was asked for.
        size: u64,
        /// Bytes of a page.
        page: u64,
    },
    /// `EMFILE`: too many open files. `ENOMEM`: too little memory. `EINVAL`: more than the device gives.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Opens a device that gives buffers; `hint` says where one gets it.
pub(crate) fn open_device(path: &str, hint: &'static str) -> Result<OwnedFd, OpenError> {
    open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(|error| match error {
        // Without its driver a device's file may be there all the same.
        io::Errno::NOENT | io::Errno::NXIO | io::Errno::NODEV => {
            Unsupported::new(path.to_owned(), hint).into()
        }
        error => OpenError::Kernel { path: path.into(), error: KernelError::of("open")(error) },
    })
}

/// Devices round sizes up or refuse them, each as it likes; here all are refused alike.
pub(crate) fn check_size(size: u64) -> Result<(), AllocateError> {
    let page = page_size() as u64;
    if size == 0 || !size.is_multiple_of(page) {
        return Err(AllocateError::Size { size, page });
    }
    Ok(())
}
