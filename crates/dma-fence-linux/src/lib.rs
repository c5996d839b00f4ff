#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod debugfs;
mod device;
mod dma_buf;
mod dma_heap;
mod drm;
mod error;
mod eventfd;
mod export;
mod ioctl;
mod reactor;
mod sw_sync;
mod sync_file;
mod syncobj;
pub mod uapi;
mod udmabuf;
mod unbounded;
mod vgem;

pub use debugfs::{BufferList, ListedBuffer, ListedFence};
pub use device::{AllocateError, OpenError};
pub use dma_buf::{
    Access, CpuAccess, DmaBuf, DmaBufInfo, Mapping, Mirror, MirrorError, NotADmaBuf,
};
pub use dma_heap::DmaHeap;
pub use drm::DrmDevice;
pub use error::{KernelError, Unsupported};
pub use eventfd::FenceEventFd;
#[cfg(feature = "calloop")]
pub use reactor::ReactorSource;
pub use reactor::{Reactor, ReactorHandle};
pub use sw_sync::{SwSync, SwSyncError};
pub use sync_file::{FenceInfo, FenceStatus, ImportError, NotASyncFile, SyncFile, SyncFileInfo};
pub use syncobj::{
    BinarySyncobj, PointError, PointEvent, PointWait, PointWaitError, SyncPoint, SyncobjError,
    SyncobjImportError, TimeLimit, TimelineSyncobj,
};
pub use udmabuf::Udmabuf;
pub use unbounded::UnboundedSyncFile;
pub use vgem::{Vgem, VgemBuffer, VgemFence};
