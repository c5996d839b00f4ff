//! Fences and buffers of vgem, a DRM driver without a device.

use std::os::fd::{AsFd, OwnedFd};
use std::panic::Location;

use dma_fence::{Fence, taint};
use rustix::fs::OFlags;

use crate::drm::DrmDevice;
use crate::error::{KernelError, Unsupported};
use crate::export::when_signaled;
use crate::ioctl;
use crate::sync_file::SyncFile;
use crate::uapi::{
    DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DmaBufExportSyncFile, DrmGemClose, DrmModeCreateDumb,
    DrmPrimeHandleToFd, DrmVgemFenceAttach, DrmVgemFenceSignal, VGEM_FENCE_WRITE,
};

/// The device of vgem, whose fences user space signals and the kernel vouches for: it signals them itself
/// when they are ten seconds old, without an error.
///
/// ```no_run
/// use dma_fence_linux::Vgem;
/// let vgem = Vgem::open()?;
/// let (fence, sync_file) = vgem.new_fence()?;
/// // … give `sync_file` to somebody who waits …
/// fence.signal()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vgem(DrmDevice);

impl Vgem {
    /// Finds and opens the device.
    ///
    /// # Errors
    /// The machine has none, or none that may be opened.
    ///
    /// # Context
    /// As [`DrmDevice::open`], for each render node.
    pub fn open() -> Result<Vgem, Unsupported> {
        DrmDevice::primary_of_driver("vgem").map(Vgem).ok_or(Unsupported::new(
            "vgem",
            "load the module vgem; its nodes in /dev/dri must be yours to open",
        ))
    }

    /// The device that it opened.
    pub fn device(&self) -> &DrmDevice {
        &self.0
    }

    /// A fence that is pending, on a buffer of its own, and its sync file.
    ///
    /// # Errors
    /// What the kernel answers, `EMFILE` for one.
    ///
    /// # Context
    /// Does not block. The fence is of a context of its own.
    pub fn new_fence(&self) -> Result<(VgemFence, SyncFile), KernelError> {
        let buffer = self.new_buffer(1)?;
        let fence = buffer.attach(true)?;
        let flags = (DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE) as u32;
        let argument = DmaBufExportSyncFile { flags, fd: -1 };
        let fd = ioctl::request_fd(buffer.dma_buf()?.as_fd(), argument)?;
        Ok((fence, SyncFile::from_kernel(fd)))
    }

    /// A sync file that signals when the fence does.
    ///
    /// Or ten seconds from now if that is earlier, because the kernel vouches for it: then others go ahead
    /// although the operation has not ended. The library can only tell you, and late: when the fence signals
    /// after all, that goes to the [taint record](dma_fence::taint), with the place of this call. A fence that
    /// is abandoned is there by itself. If either may happen, export it
    /// [without a limit](crate::SwSync::export).
    ///
    /// That the fence failed is not told: the sync file signals without an error.
    ///
    /// ```no_run
    /// use dma_fence::FenceContext;
    /// use dma_fence_linux::Vgem;
    /// let producer = FenceContext::hardware("gpu", "ring 0").new_fence();
    /// let sync_file = Vgem::open()?.export(&producer.fence())?;
    /// producer.signal(Ok(()));
    /// assert!(sync_file.is_signaled()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`new_fence`](Self::new_fence).
    ///
    /// # Context
    /// Does not block; enables signaling. The signal costs its thread one request.
    #[track_caller]
    pub fn export(&self, fence: &Fence) -> Result<SyncFile, KernelError> {
        let (producer, sync_file) = self.new_fence()?;
        let (name, exported) = ((fence.context(), fence.seqno()), Location::caller());
        when_signaled(fence, move |_| {
            // It fails only for fences that have signaled, and only the kernel can have done that.
            if producer.signal().is_err() {
                taint::record_early_signal(name, exported);
            }
        });
        Ok(sync_file)
    }

    /// A buffer of `size` bytes, rounded up to pages.
    ///
    /// # Errors
    /// What the kernel answers: `EINVAL` for no bytes, `ENOMEM`.
    ///
    /// # Context
    /// Does not block. The kernel gives memory when it is touched.
    #[doc(alias = "DRM_IOCTL_MODE_CREATE_DUMB")]
    pub fn new_buffer(&self, size: usize) -> Result<VgemBuffer, KernelError> {
        // Dumb buffers are images; this one has rows of a page.
        const ROW: usize = 4096;
        let height = u32::try_from(size.div_ceil(ROW)).unwrap_or(u32::MAX);
        let mut image =
            DrmModeCreateDumb { width: ROW as u32, height, bpp: 8, ..DrmModeCreateDumb::default() };
        ioctl::request(self.0.as_fd(), &mut image)?;
        Ok(VgemBuffer { device: self.0.clone(), handle: image.handle })
    }
}

/// A buffer of vgem.
///
/// ```no_run
/// use dma_fence_linux::Vgem;
/// let buffer = Vgem::open()?.new_buffer(4096)?;
/// let write = buffer.attach(true)?;
/// let dma_buf = buffer.dma_buf()?; // its sync file is pending until…
/// write.signal()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct VgemBuffer {
    device: DrmDevice,
    handle: u32,
}

impl VgemBuffer {
    /// The buffer as a file descriptor that other devices take, and that may be mapped.
    ///
    /// # Errors
    /// What the kernel answers, `EMFILE` for one.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_PRIME_HANDLE_TO_FD")]
    pub fn dma_buf(&self) -> Result<OwnedFd, KernelError> {
        let flags = (OFlags::RDWR | OFlags::CLOEXEC).bits();
        let argument = DrmPrimeHandleToFd { handle: self.handle, flags, fd: -1 };
        ioctl::request_fd(self.device.as_fd(), argument)
    }

    /// Puts a new pending fence on the buffer, of somebody who writes it or only reads it.
    ///
    /// # Errors
    /// `EBUSY` if a fence is pending that this one would have to wait for.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_VGEM_FENCE_ATTACH")]
    pub fn attach(&self, write: bool) -> Result<VgemFence, KernelError> {
        let flags = if write { VGEM_FENCE_WRITE } else { 0 };
        let mut argument =
            DrmVgemFenceAttach { handle: self.handle, flags, ..DrmVgemFenceAttach::default() };
        ioctl::request(self.device.as_fd(), &mut argument)?;
        Ok(VgemFence { device: self.device.clone(), fence: argument.out_fence })
    }
}

impl Drop for VgemBuffer {
    fn drop(&mut self) {
        let mut argument = DrmGemClose { handle: self.handle, pad: 0 };
        // Fails only for handles that are not there.
        let _ = ioctl::request(self.device.as_fd(), &mut argument);
    }
}

/// The producer of a fence of vgem.
///
/// Dropping it does nothing: the kernel signals the fence when it is ten seconds old, or as soon as everything
/// made on this open file is gone.
#[must_use = "without a signal the fence is pending for ten seconds"]
#[derive(Debug)]
pub struct VgemFence {
    device: DrmDevice,
    fence: u32,
}

impl VgemFence {
    /// Signals the fence.
    ///
    /// # Errors
    /// `ETIMEDOUT` if the kernel had signaled it before.
    ///
    /// # Context
    /// Does not block.
    #[doc(alias = "DRM_IOCTL_VGEM_FENCE_SIGNAL")]
    pub fn signal(self) -> Result<(), KernelError> {
        let mut argument = DrmVgemFenceSignal { fence: self.fence, flags: 0 };
        ioctl::request(self.device.as_fd(), &mut argument)
    }
}
