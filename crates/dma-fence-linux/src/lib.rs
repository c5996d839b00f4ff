//! Linux's own fences, joined to the library's.
#![deny(unsafe_code)]

mod drm;
mod error;
#[allow(dead_code)]
mod ioctl;
mod sync_file;
pub mod uapi;
mod vgem;

pub use drm::DrmDevice;
pub use error::{KernelError, Unsupported};
pub use sync_file::SyncFile;
pub use vgem::{Vgem, VgemBuffer, VgemFence};
