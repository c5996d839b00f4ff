//! Linux's own fences, joined to the library's.
#![deny(unsafe_code)]

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
mod unbounded;
mod vgem;

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
pub use unbounded::UnboundedSyncFile;
pub use vgem::{Vgem, VgemBuffer, VgemFence};
