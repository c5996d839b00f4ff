//! DMA buffers of the kernel's heaps.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use dma_fence::Errno;
use rustix::system::sysinfo;

use crate::device::{AllocateError, OpenError, check_size, open_device};
use crate::dma_buf::DmaBuf;
use crate::error::KernelError;
use crate::ioctl;

/// A kind of memory that the kernel makes DMA buffers of: `system` almost everywhere, and what else the machine
/// has for its devices.
///
/// ```no_run
/// use dma_fence_linux::DmaHeap;
/// println!("{:?}", DmaHeap::list());
/// let buffer = DmaHeap::open("system")?.allocate(1 << 20)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "/dev/dma_heap")]
#[derive(Debug)]
pub struct DmaHeap(OwnedFd);

const HEAPS: &str = "/dev/dma_heap";

impl DmaHeap {
    /// The names of this machine's heaps, in order; none if its kernel has no heaps.
    ///
    /// # Context
    /// Reads a directory.
    pub fn list() -> Vec<String> {
        let entries = fs::read_dir(HEAPS).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Opens a heap.
    ///
    /// # Errors
    /// The machine does not have it, or this user may not use it.
    ///
    /// # Context
    /// Does not wait.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        let hint =
            "DmaHeap::list says which heaps there are; `system` is CONFIG_DMABUF_HEAPS_SYSTEM";
        open_device(&format!("{HEAPS}/{name}"), hint).map(DmaHeap)
    }

    /// A new buffer.
    ///
    /// # Errors
    /// The size is none of whole pages, or the kernel has no file descriptors or memory of this kind left.
    ///
    /// # Context
    /// Allocates memory, which may take long: the whole size at once. Where little is left the kernel ends
    /// processes to get it; a size beyond the machine's memory is refused before that. Nothing is left over after
    /// an error.
    #[doc(alias = "DMA_HEAP_IOCTL_ALLOC")]
    pub fn allocate(&self, size: u64) -> Result<DmaBuf, AllocateError> {
        check_size(size)?;
        if size > machine_memory() {
            return Err(KernelError::new("DMA_HEAP_IOCTL_ALLOC", Errno::ENOMEM).into());
        }
        Ok(DmaBuf::from_kernel(ioctl::dma_heap_allocate(self.as_fd(), size)?))
    }
}

impl AsFd for DmaHeap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn machine_memory() -> u64 {
    let info = sysinfo();
    info.totalram as u64 * u64::from(info.mem_unit)
}
