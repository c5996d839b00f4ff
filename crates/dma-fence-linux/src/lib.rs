//! Linux's own fences, joined to the library's.
#![deny(unsafe_code)]

mod error;
#[allow(dead_code)]
mod ioctl;
mod sync_file;
pub mod uapi;

pub use error::{KernelError, Unsupported};
pub use sync_file::SyncFile;
