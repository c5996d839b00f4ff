//! A fence of the library as an eventfd, which every event loop understands.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use dma_fence::{Fence, FenceCallback, Outcome};
use rustix::event::EventfdFlags;

use crate::error::KernelError;

/// A file descriptor that is readable once a fence has signaled or was abandoned.
///
/// What is read is 1 if the operation ended well, 2 if it failed, and 3 if the fence was
/// [abandoned](dma_fence::Status::Abandoned): then nobody has to wait any more, and memory must not be reused
/// all the same. Dropping it stops the watch, unless the file descriptor was [given away](Self::into_fd).
///
/// ```
/// use dma_fence::FenceContext;
/// use dma_fence_linux::FenceEventFd;
/// use rustix::event::{PollFd, PollFlags, poll};
/// let producer = FenceContext::hardware("gpu", "ring 0").new_fence();
/// let event = FenceEventFd::new(&producer.fence())?;
/// producer.signal(Ok(()));
/// poll(&mut [PollFd::new(&event, PollFlags::IN)], None)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FenceEventFd {
    fd: Arc<OwnedFd>,
    /// None if there was nothing left to wait for.
    callback: Option<FenceCallback>,
}

impl FenceEventFd {
    /// An eventfd for `fence`.
    ///
    /// # Errors
    /// What the kernel answers: `EMFILE`, `ENOMEM`.
    ///
    /// # Context
    /// Enables signaling. Does not block.
    #[doc(alias = "eventfd")]
    pub fn new(fence: &Fence) -> Result<Self, KernelError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let fd = rustix::event::eventfd(0, flags).map_err(KernelError::of("eventfd2"))?;
        let fd = Arc::new(fd);
        let told = fd.clone();
        let callback = match fence.on_outcome(move |outcome| tell(&told, outcome)) {
            Ok(callback) => Some(callback),
            Err(declined) => {
                tell(&fd, &declined.outcome);
                None
            }
        };
        Ok(FenceEventFd { fd, callback })
    }

    /// A file descriptor of it to give away, to another process for one; the fence is watched until it is
    /// decided, whoever still wants to know. To whom you trust: one who fills the counter and makes the file blocking
    /// holds up the thread that signals.
    ///
    /// # Errors
    /// `EMFILE`: hands it back.
    pub fn into_fd(self) -> Result<OwnedFd, (Self, KernelError)> {
        match rustix::io::fcntl_dupfd_cloexec(&*self.fd, 0) {
            Ok(fd) => {
                if let Some(callback) = self.callback {
                    callback.detach();
                }
                Ok(fd)
            }
            Err(error) => Err((self, KernelError::of("F_DUPFD_CLOEXEC")(error))),
        }
    }
}

/// It is written once, so its counter has room.
fn tell(fd: &OwnedFd, outcome: &Outcome) {
    let value: u64 = match outcome {
        Outcome::Signaled(signal) if signal.result.is_ok() => 1,
        Outcome::Signaled(_) => 2,
        Outcome::Abandoned => 3,
    };
    let _ = rustix::io::write(fd, &value.to_ne_bytes());
}

impl AsFd for FenceEventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
