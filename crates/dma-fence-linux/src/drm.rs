//! A DRM device, opened.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, major, minor, open};

use crate::error::{KernelError, Unsupported};
use crate::ioctl;
use crate::uapi::{DRM_CAP_SYNCOBJ, DRM_CAP_SYNCOBJ_TIMELINE, DrmGetCap};

const DIRECTORY: &str = "/dev/dri";

/// An open file of a DRM device. A clone is the same open file.
///
/// Whatever is made on it (sync objects, buffers) keeps it open. That is by counting and not by a
/// lifetime, for these things go to other threads and into callbacks, and live as long as those do.
///
/// What is made on one open file is nothing to another, also of the same device. So clone this instead of
/// opening the device again.
///
/// ```no_run
/// use dma_fence_linux::DrmDevice;
/// let device = DrmDevice::open("/dev/dri/renderD128")?;
/// println!("{} has timelines: {}", device.driver()?, device.has_timelines()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DrmDevice(Arc<OwnedFd>);

impl DrmDevice {
    /// Opens a device by its path.
    ///
    /// # Errors
    /// What opening a file fails with.
    ///
    /// # Context
    /// May block while a device wakes up.
    pub fn open(path: impl AsRef<Path>) -> Result<DrmDevice, KernelError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let fd = open(path.as_ref(), flags, Mode::empty()).map_err(KernelError::of("open"))?;
        Ok(DrmDevice::from(fd))
    }

    /// The first render node that has sync objects with timelines.
    ///
    /// ```no_run
    /// # use dma_fence_linux::{DrmDevice, Unsupported};
    /// let device = DrmDevice::first_with_syncobjs()?;
    /// # Ok::<(), Unsupported>(())
    /// ```
    ///
    /// # Errors
    /// There is none, or none that may be opened.
    ///
    /// # Context
    /// As [`open`](Self::open), for each of them.
    pub fn first_with_syncobjs() -> Result<DrmDevice, Unsupported> {
        first_render_node(|device| device.has_timelines() == Ok(true)).ok_or(Unsupported::new(
            "a DRM device with sync objects",
            "render nodes of GPU drivers have them",
        ))
    }

    /// The first device of that driver: its primary node, for render nodes make no dumb buffers.
    ///
    /// It is found by its render node, for who opens the primary node of a GPU may become its master.
    pub(crate) fn primary_of_driver(name: &str) -> Option<DrmDevice> {
        let device =
            first_render_node(|device| device.driver().is_ok_and(|driver| driver == name))?;
        let node = rustix::fs::fstat(&device).ok()?.st_rdev;
        let siblings = format!("/sys/dev/char/{}:{}/device/drm", major(node), minor(node));
        let mut names = fs::read_dir(siblings).ok()?.flatten().map(|entry| entry.file_name());
        let card = names.find(|name| name.to_string_lossy().starts_with("card"))?;
        DrmDevice::open(Path::new(DIRECTORY).join(card)).ok()
    }

    /// The name of the driver.
    ///
    /// # Errors
    /// `ENOTTY` if this is no DRM device.
    ///
    /// # Context
    /// One request; does not block.
    #[doc(alias = "DRM_IOCTL_VERSION")]
    pub fn driver(&self) -> Result<String, KernelError> {
        ioctl::drm_driver_name(self.as_fd())
    }

    /// Does it have sync objects?
    ///
    /// # Errors
    /// `ENOTTY` if this is no DRM device.
    ///
    /// # Context
    /// One request; does not block.
    #[doc(alias = "DRM_CAP_SYNCOBJ")]
    pub fn has_syncobjs(&self) -> Result<bool, KernelError> {
        self.capability(DRM_CAP_SYNCOBJ)
    }

    /// Do its sync objects have timelines?
    ///
    /// # Errors
    /// `ENOTTY` if this is no DRM device.
    ///
    /// # Context
    /// One request; does not block.
    #[doc(alias = "DRM_CAP_SYNCOBJ_TIMELINE")]
    pub fn has_timelines(&self) -> Result<bool, KernelError> {
        self.capability(DRM_CAP_SYNCOBJ_TIMELINE)
    }

    /// Are both the same open file? Handles are good on one only.
    pub(crate) fn is_same(&self, other: &DrmDevice) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    #[doc(alias = "DRM_IOCTL_GET_CAP")]
    fn capability(&self, capability: u64) -> Result<bool, KernelError> {
        let mut argument = DrmGetCap { capability, value: 0 };
        ioctl::request(self.as_fd(), &mut argument)?;
        Ok(argument.value != 0)
    }
}

/// The first of a sorted list, so that it is the same one every time.
fn first_render_node(is_wanted: impl Fn(&DrmDevice) -> bool) -> Option<DrmDevice> {
    let entries = fs::read_dir(DIRECTORY).ok()?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().contains("/renderD"));
    paths.sort();
    paths.iter().filter_map(|path| DrmDevice::open(path).ok()).find(is_wanted)
}

impl From<OwnedFd> for DrmDevice {
    fn from(fd: OwnedFd) -> Self {
        DrmDevice(Arc::new(fd))
    }
}

impl AsFd for DrmDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
