//! Stubs: fences that have signaled from the start.

use super::{Fence, Inner};
use crate::outcome::Signal;
use crate::shared::{AllocError, Slot};
use crate::time::Timestamp;

impl Fence {
    /// A fence that has signaled, for where there is nothing to wait for. There is one in the process.
    ///
    /// # Context
    /// The first call allocates.
    ///
    /// ```
    /// use dma_fence::Fence;
    /// assert_eq!(Fence::signaled().wait(), Ok(()));
    /// assert!(Fence::signaled().same_fence(&Fence::signaled()));
    /// ```
    #[doc(alias = "dma_fence_get_stub")]
    pub fn signaled() -> Fence {
        let make = || Fence::signaled_with(Signal { result: Ok(()), timestamp: Timestamp::ZERO });
        // A model starts over many times and keeps nothing between two runs.
        if cfg!(loom) { make() } else { global::stub(make) }
    }

    /// A fence of its own that has signaled with that result, at that time.
    ///
    /// # Context
    /// Allocates.
    #[doc(alias = "dma_fence_allocate_private_stub")]
    pub fn signaled_with(signal: Signal) -> Fence {
        Fence(Slot::new().fill(Inner::signaled(signal)))
    }

    pub(crate) fn try_signaled_with(signal: Signal) -> Result<Fence, AllocError> {
        Ok(Fence(Slot::try_new()?.fill(Inner::signaled(signal))))
    }
}

mod global {
    use super::Fence;
    use crate::sync::global::Mutex;

    static STUB: Mutex<Option<Fence>> = Mutex::new(None);

    /// The stub, made whole before anybody sees it. Of two that race to make it one loses its own.
    pub(super) fn stub(make: impl FnOnce() -> Fence) -> Fence {
        if let Some(stub) = &*STUB.lock() {
            return stub.clone();
        }
        let made = make();
        STUB.lock().get_or_insert(made).clone()
    }
}
