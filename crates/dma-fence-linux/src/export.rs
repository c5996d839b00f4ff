//! Fences of the library, told to others.

use dma_fence::{Errno, Fence, Outcome};

/// Calls `tell` with the result when the fence has signaled; here and now if it has.
///
/// The callback stays with the fence: as long as the fence is abandoned, nothing is told.
pub(crate) fn when_signaled<F>(fence: &Fence, tell: F)
where
    F: FnOnce(Result<(), Errno>) + Send + 'static,
{
    match fence.on_signal(|signal| tell(signal.result)) {
        Ok(callback) => callback.detach(),
        // Only a signal declines.
        Err(declined) => {
            if let Outcome::Signaled(signal) = declined.outcome {
                (declined.callback)(&signal);
            }
        }
    }
}
