//! Linux's own fences, joined to the library's.
#![deny(unsafe_code)]

mod debugfs;
mod device;
mod dma_buf;
mod dma_heap;
mod drm;
mod error;
#[allow(dead_code)]
mod ioctl;
mod reactor;
mod sync_file;
pub mod uapi;
mod udmabuf;
mod vgem;

pub use debugfs::{BufferList, ListedBuffer, ListedFence};
pub use device::{AllocateError, OpenError};
pub use dma_buf::{Access, CpuAccess, DmaBuf, DmaBufInfo, Mapping, NotADmaBuf};
pub use dma_heap::DmaHeap;
pub use drm::DrmDevice;
pub use error::{KernelError, Unsupported};
pub use reactor::{Reactor, ReactorHandle};
pub use sync_file::{FenceInfo, FenceStatus, ImportError, NotASyncFile, SyncFile, SyncFileInfo};
pub use udmabuf::Udmabuf;
pub use vgem::{Vgem, VgemBuffer, VgemFence};
