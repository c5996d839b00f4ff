//! The kernel's fences of a buffer, in a reservation object of the library.

use dma_fence::{AllocError, Fence, ReservationObject, Usage};

use super::{Access, DmaBuf};
use crate::error::KernelError;
use crate::sync_file::ImportError;

/// Why a reservation object did not get a buffer's fences. It is as it was, and so is the buffer.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The kernel did not tell: `EMFILE` and `ENOMEM`, or `ENOTTY` before Linux 6.0.
    #[error("cannot export the buffer's fences: {0}")]
    Export(KernelError),
    /// They did not become fences of the library.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// No memory for the reservation object.
    #[error("cannot reserve slots for the buffer's fences: {0}")]
    Reserve(AllocError),
}

impl DmaBuf {
    /// Adds what is going on with the buffer in the kernel to a reservation object: a reader of that waits
    /// for the kernel's writers, a writer for everybody.
    ///
    /// It is of this moment: call it before each look at the object, for example when a job is submitted. What has
    /// signaled is not added. The way back is [`import_sync_file`](Self::import_sync_file), for fences that have a
    /// sync file.
    ///
    /// ```no_run
    /// use dma_fence::{ReservationObject, Usage};
    /// use dma_fence_linux::Vgem;
    /// # use dma_fence_linux::DmaBuf;
    /// let buffer = DmaBuf::new(Vgem::open()?.new_buffer(4096)?.dma_buf()?)?;
    /// let object = ReservationObject::new();
    /// buffer.mirror_to(&object)?;
    /// object.wait(Usage::Read)?; // what the next writer waits for
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`MirrorError`]: nothing was added.
    ///
    /// # Context
    /// Takes the object's lock, after all requests to the kernel. Does not wait for fences, and does not enable
    /// signaling.
    pub fn mirror_to(&self, object: &ReservationObject) -> Result<(), MirrorError> {
        // A fence that comes between the two is in the second: writers last, for with them it is stronger.
        let all = self.pending(Access::Write)?;
        let writers = self.pending(Access::Read)?;
        let found = [(writers, Usage::Write), (all, Usage::Read)];
        let mut guard = object.lock();
        guard.reserve(found.len()).map_err(MirrorError::Reserve)?;
        for (fence, usage) in found {
            let Some(fence) = fence else { continue };
            guard.add(&fence, usage).expect("slots are reserved, and it is no container");
        }
        Ok(())
    }

    /// What such an access has to wait for, unless it is nothing.
    fn pending(&self, access: Access) -> Result<Option<Fence>, MirrorError> {
        let fence = self.export_sync_file(access).map_err(MirrorError::Export)?.into_fence()?;
        Ok(if fence.is_signaled() { None } else { Some(fence) })
    }
}
