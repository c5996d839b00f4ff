//! What is set once and for the whole process.

#[cfg(feature = "std")]
pub(crate) use blocking::SetOnce;
#[cfg(feature = "std")]
mod blocking {
    use std::sync::OnceLock;

    /// Nothing, then a value for ever. `get` is one load.
    pub(crate) struct SetOnce<T>(OnceLock<T>);

    impl<T: Copy> SetOnce<T> {
        pub(crate) const fn new() -> Self {
            SetOnce(OnceLock::new())
        }
        #[inline(always)]
        pub(crate) fn get(&self) -> Option<T> {
            self.0.get().copied()
        }
        /// False if there is a value already.
        pub(crate) fn set(&self, value: T) -> bool {
            self.0.set(value).is_ok()
        }
    }
}

#[cfg(not(feature = "std"))]
pub(crate) use spinning::SetOnce;
#[cfg(not(feature = "std"))]
mod spinning {
    use crate::sync::{AtomicBool, Ordering, SpinLock};

    /// Nothing, then a value for ever. While there is nothing, `get` is one load.
    pub(crate) struct SetOnce<T> {
        /// Raised with Release once the value is there, looked at with Acquire.
        is_set: AtomicBool,
        value: SpinLock<Option<T>>,
    }

    impl<T: Copy> SetOnce<T> {
        pub(crate) const fn new() -> Self {
            SetOnce { is_set: AtomicBool::new(false), value: SpinLock::new(None) }
        }
        #[inline(always)]
        pub(crate) fn get(&self) -> Option<T> {
            if self.is_set.load(Ordering::Acquire) { *self.value.lock() } else { None }
        }
        /// False if there is a value already.
        pub(crate) fn set(&self, value: T) -> bool {
            let mut here = self.value.lock();
            let unset = here.is_none();
            if unset {
                *here = Some(value);
                self.is_set.store(true, Ordering::Release);
            }
            unset
        }
    }
}
