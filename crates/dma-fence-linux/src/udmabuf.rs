//! DMA buffers of ordinary memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

use crate::device::{AllocateError, OpenError, check_size, open_device};
use crate::dma_buf::DmaBuf;
use crate::error::KernelError;
use crate::ioctl;

/// The device that makes DMA buffers of ordinary memory: for virtual machines, and for tests.
///
/// ```no_run
/// use dma_fence_linux::Udmabuf;
/// let buffer = Udmabuf::open()?.allocate(1 << 20)?;
/// assert_eq!(buffer.size()?, 1 << 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "/dev/udmabuf")]
#[derive(Debug)]
pub struct Udmabuf(OwnedFd);

impl Udmabuf {
    /// Opens `/dev/udmabuf`.
    ///
    /// # Errors
    /// The machine does not have it, or this user may not use it.
    ///
    /// # Context
    /// Does not wait.
    pub fn open() -> Result<Self, OpenError> {
        open_device("/dev/udmabuf", "load the module udmabuf (CONFIG_UDMABUF)").map(Udmabuf)
    }

    /// A new buffer of zeros.
    ///
    /// # Errors
    /// The size is none of whole pages, or the kernel has no file descriptors or memory left, or the size is
    /// beyond the module's limit (its parameter `size_limit_mb`, 64 if nobody changed it).
    ///
    /// # Context
    /// Allocates memory, which may take long. Nothing is left over after an error.
    #[doc(alias("UDMABUF_CREATE", "memfd_create"))]
    pub fn allocate(&self, size: u64) -> Result<DmaBuf, AllocateError> {
        check_size(size)?;
        let memory = memory(size)?;
        let buffer = ioctl::udmabuf_create(self.as_fd(), memory.as_fd(), size)?;
        Ok(DmaBuf::from_kernel(buffer))
    }
}

impl AsFd for Udmabuf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A file in memory that cannot shrink: its pages must stay while devices use them.
fn memory(size: u64) -> Result<OwnedFd, KernelError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("udmabuf", flags).map_err(KernelError::of("memfd_create"))?;
    ftruncate(&file, size).map_err(KernelError::of("ftruncate"))?;
    fcntl_add_seals(&file, SealFlags::SHRINK).map_err(KernelError::of("F_ADD_SEALS"))?;
    Ok(file)
}
