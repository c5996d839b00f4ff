//! A kernel, and what belongs to it.

mod source;
mod stock;

use std::path::PathBuf;

pub(super) use source::source;
pub(crate) use source::{NEWER, newest};
pub(super) use stock::stock;

pub(super) struct Kernel {
    pub(super) image: PathBuf,
    /// In the order in which they can be loaded.
    pub(super) modules: Vec<PathBuf>,
    /// What its package for C programs has in /usr/include.
    pub(super) headers: PathBuf,
    /// A static one: it runs on any kernel.
    pub(super) busybox: PathBuf,
    /// What tests may not skip for want of.
    pub(super) devices: &'static str,
    /// What it is to be told.
    pub(super) options: &'static str,
}

/// The release that has Linux 6.12, as long as it is kept.
const RELEASE: &str = "trixie";
