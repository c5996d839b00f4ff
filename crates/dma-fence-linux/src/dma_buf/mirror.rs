//! The kernel's fences of a buffer, in a reservation object of the library.

use std::borrow::Borrow;

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

/// A buffer's fences of the kernel, in a reservation object of the library.
///
/// What it puts there is of the moment of an [`update`](Self::update). A reader of the object then waits for the
/// kernel's writers, and a writer for everybody. The way back is [`DmaBuf::import_sync_file`], for fences that have a
/// sync file.
///
/// ```no_run
/// use dma_fence::{ReservationObject, Usage};
/// use dma_fence_linux::{DmaBuf, Mirror, Vgem};
/// let buffer = DmaBuf::new(Vgem::open()?.new_buffer(4096)?.dma_buf()?)?;
/// let object = ReservationObject::new();
/// let mut mirror = Mirror::new(&buffer, &object);
/// mirror.update()?; // before each look at the object, for example when a job is submitted
/// object.wait(Usage::Read)?; // what the next writer waits for
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Mirror<B: Borrow<DmaBuf>, O: Borrow<ReservationObject>> {
    buffer: B,
    object: O,
    /// Contexts of what the last updates put into the object: for writers, and for all.
    former: [Option<u64>; 2],
}

impl<B: Borrow<DmaBuf>, O: Borrow<ReservationObject>> Mirror<B, O> {
    /// One that has put nothing into the object yet. There should be one for each buffer and object.
    pub fn new(buffer: B, object: O) -> Self {
        Mirror { buffer, object, former: [None; 2] }
    }

    /// Puts what is going on with the buffer in the kernel into the object, in the place of what the last
    /// update put there. What has signaled is not put there.
    ///
    /// # Errors
    /// See [`MirrorError`]: the object is as it was.
    ///
    /// # Context
    /// Takes the object's lock, after all requests to the kernel. Does not wait for fences, and does not enable
    /// signaling. Costs two file descriptors at most, as long as the fences are pending.
    pub fn update(&mut self) -> Result<(), MirrorError> {
        let buffer = self.buffer.borrow();
        let Some(all) = pending(buffer, Access::Write)? else { return Ok(()) };
        // A fence that comes between the two is in the second: writers last, for with them it is stronger.
        let writers = pending(buffer, Access::Read)?;
        let found = [(writers, Usage::Write), (Some(all), Usage::Read)];
        let mut guard = self.object.borrow().lock();
        guard.reserve(found.len()).map_err(MirrorError::Reserve)?;
        for ((fence, usage), former) in found.into_iter().zip(&mut self.former) {
            let Some(fence) = fence else { continue };
            let put = match former.replace(fence.context()) {
                // What the former one stood for has signaled, or the new one stands for it, too.
                Some(former) => guard.replace(former, &fence, usage),
                None => Ok(()),
            };
            put.and_then(|()| guard.add(&fence, usage))
                .expect("slots are reserved, and it is no container");
        }
        Ok(())
    }
}

/// What such an access has to wait for, unless it is nothing.
fn pending(buffer: &DmaBuf, access: Access) -> Result<Option<Fence>, MirrorError> {
    let fence = buffer.export_sync_file(access).map_err(MirrorError::Export)?.into_fence()?;
    Ok(if fence.is_signaled() { None } else { Some(fence) })
}
